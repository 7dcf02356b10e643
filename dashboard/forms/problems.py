"""What is wrong with a form, said in one sentence."""

from __future__ import annotations

import html

import streamlit as st

from forms import fields
from inpaint.errors import FileError, InpaintError

CHIPS = '[data-testid="stFileChips"] > div'
"""Where the browser lists the files that were chosen."""


class Refused(FileError):
    """A file was chosen that cannot be used.

    Attributes:
        kind: Under which the session keeps it.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def say(problem: InpaintError) -> None:
    """Show what is wrong."""
    text = fields.named(str(problem))
    if not isinstance(problem, Refused):
        st.error(text, icon=":material/error:")
        return
    kind = problem.kind.replace(" ", "-")
    with st.container(key=f"refused {kind}"):
        st.error(text, icon=":material/error:")
    _say_too_large(kind)


def _say_too_large(kind: str) -> None:
    """Have the browser say so instead once a file that is too large was chosen after this one.

    It refuses that by itself: no rerun is asked for, and the earlier file stays chosen.
    """
    uploader, refused = f".st-key-uploaded-{kind}", f".st-key-refused-{kind}"
    later = f".stApp:has({uploader} {CHIPS} > div:last-of-type [aria-invalid])"
    limit = st.get_option("server.maxUploadSize")
    sentence = f"The file chosen last is larger than {limit} MB. Choose a smaller one."
    st.html(
        f"<style>{later} {refused} {{ display: none; }}"
        f" {later} .too-large-{kind} {{ display: block; }}"
        f" .stApp:has({refused}) {uploader} {CHIPS} > div:has(~ div) {{ display: none; }}</style>"
        f'<div class="too-large too-large-{kind}">{html.escape(sentence)}</div>'
    )
