"""Restore: damage images, restore them, and see how well that went."""

from functools import partial

import streamlit as st
from forms import open_run
from parts import restoration
from parts.elements import draw_box
from parts.follow import ask_and_restore
from work.restore import Result


def main() -> None:
    """Form, run, restoration."""
    st.header("Restore", anchor=False)
    st.caption(
        "Pixels of an image are lost: search a generator's latent space for the image that fits "
        "those that are left."
    )
    shown = ask_and_restore(with_estimate=True)
    open_run.ask()
    if shown is not None:
        restoration.compare_with_opened(shown)
        draw(shown)


def draw(shown: Result) -> None:
    """Everything about one result."""
    restoration.draw_columns(shown.comparison)
    restoration.draw_captions()
    restoration.draw_estimate(shown)
    restoration.draw_table(shown.comparison)
    restoration.draw_downloads(shown)
    verdicts = partial(restoration.draw_verdicts, shown)
    draw_box("May these be trusted?", "verdicts", verdicts, icon="verified")
    curves = partial(restoration.draw_curves, shown)
    draw_box("Cost curves of every restart", "curves", curves, icon="show_chart")
    restoration.draw_repeat_box(partial(restoration.draw_repeat, shown))


main()
