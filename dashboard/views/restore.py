"""Restore: damage images, restore them, and see how well that went."""

import streamlit as st
from forms import reopen
from parts import results
from parts.results import Result
from work import live


def main() -> None:
    """Form, run, results."""
    st.header("Restore", anchor=False)
    st.caption(
        "Pixels of an image are lost: search a generator's latent space for the image that fits "
        "those that are left."
    )
    shown = live.ask_and_restore(with_estimate=True)
    reopen.ask()
    if shown is not None:
        reopen.compare(shown)
        draw(shown)


def draw(shown: Result) -> None:
    """Everything about one result."""
    results.draw_columns(shown.comparison)
    results.draw_captions()
    results.draw_estimate(shown)
    results.draw_table(shown.comparison)
    results.draw_downloads(shown)
    for title, icon, key, draw_inside in (
        ("May these be trusted?", "verified", "verdicts", results.draw_verdicts),
        ("Cost curves of every restart", "show_chart", "curves", results.draw_curves),
        ("The same run as a command or in Python", "terminal", "repeat", results.draw_repeat),
    ):
        # What is inside is made only while it is open: the picture follows the slider sooner.
        box = st.expander(title, icon=f":material/{icon}:", key=key, on_change="rerun")
        if box.open:
            with box:
                draw_inside(shown)


main()
