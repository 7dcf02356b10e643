"""Widgets for the fields of a configuration, and the message where a value breaks its rule."""

from __future__ import annotations

import html
from typing import Any

import streamlit as st

from inpaint.errors import FileError, InpaintError

LABELS = "labels"
"""Key under which the session keeps the labels of the fields drawn last."""

CHIPS = '[data-testid="stFileChips"] > div'
"""Selects the browser's list of chosen files."""


class Refused(FileError):
    """A chosen file cannot be used.

    Attributes:
        kind: Key under which the session keeps the file.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def show_error(problem: InpaintError) -> None:
    """Show what is wrong with a form, with the label of the field that it names."""
    text = named(str(problem))
    if not isinstance(problem, Refused):
        st.error(text, icon=":material/error:")
        return
    kind = problem.kind.replace(" ", "-")
    with st.container(key=f"refused {kind}"):
        st.error(text, icon=":material/error:")
    _hide_where_too_large(kind)


def _hide_where_too_large(kind: str) -> None:
    """Have the browser replace the message once a file that is too large is chosen after this one.

    The browser refuses such a file by itself: there is no rerun, and the earlier file stays chosen.
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


def named(message: str) -> str:
    """Put the label of a field before a message that begins with the field's name."""
    name = message.partition(" ")[0]
    label = st.session_state.get(LABELS, {}).get(name)
    return message if label is None else f"{label}: {message}"


def _remember(name: str, label: str) -> None:
    st.session_state.setdefault(LABELS, {})[name] = label


def preset(label: str, names: list[str], usual: str, *, key: str, adopt: Any) -> str:
    """The name of a preset; `adopt` sets the other widgets once it is changed."""
    found: str = st.segmented_control(
        label,
        names,
        default=usual,
        required=True,
        key=key,
        on_change=adopt,
        bind="query-params",
        width="stretch",
    )
    return found


def line(
    label: str, name: str, *, key: str, placeholder: str, text: str | None = None, **options: Any
) -> str:
    """A line of text that the caller turns into the field's value; `text` is its help."""
    _remember(name, label)
    found: str = st.text_input(
        label, key=key, placeholder=placeholder, help=text, bind="query-params", **options
    )
    return found


def whole(
    label: str,
    name: str,
    base: Any,
    text: str,
    *,
    lowest: int = 1,
    empty: str | None = None,
    word: str | None = None,
) -> Any:
    """A whole number.

    Args:
        label: Its label.
        name: The field, and the key of the widget.
        base: The configuration whose value it begins with.
        text: Its help.
        lowest: The smallest number that can be chosen.
        empty: What an empty widget means.
        word: The value of the field that an empty widget stands for; None if that is None.
    """
    _remember(name, label)
    usual = getattr(base, name)
    found = st.number_input(
        label,
        lowest,
        value=None if usual == word else usual,
        step=1,
        key=name,
        bind="query-params",
        help=text,
        placeholder=empty,
    )
    return word if found is None else found


def real(
    label: str, name: str, base: Any, text: str, *, step: float, empty: str | None = None
) -> Any:
    """A number; see `whole`. `step` is what its buttons add."""
    _remember(name, label)
    return st.number_input(
        label,
        value=getattr(base, name),
        step=step,
        format="%g",
        key=name,
        bind="query-params",
        help=text,
        placeholder=empty,
    )


def choice(
    label: str, name: str, options: tuple[str, ...], base: Any, text: str | None = None
) -> Any:
    """One of some names; see `whole`."""
    return st.selectbox(
        label, options, options.index(getattr(base, name)), key=name, bind="query-params", help=text
    )


def machine(backends: tuple[str, ...], dtypes: tuple[str, ...], base: Any) -> dict[str, Any]:
    """What computes, and how: backend, precision, threads and device."""
    return {
        "backend": choice("Backend", "backend", backends, base),
        "dtype": choice("Precision", "dtype", dtypes, base),
        "threads": whole("Threads", "threads", base, "0 lets the server decide.", lowest=0),
        "device": st.selectbox(
            "Device",
            [base.device, "cuda"],
            key="device",
            bind="query-params",
            accept_new_options=True,
            help="Where torch computes.",
        ),
    }
