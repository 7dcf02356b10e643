"""Speed: how fast C++ and Python are on this machine, measured on the spot."""

import math
import os
from functools import partial

import streamlit as st
from forms import sources
from forms.damage import KEPT_SHARE
from forms.fields import show_error
from parts.follow import watch
from parts.speed import draw, draw_live
from work import runner
from work.speed import Live, Measured, measure

from inpaint.generators import Generator

PAGE = "speed"
DURATIONS = (5, 20, 60)
LIVE_SECONDS = 1.0
"""Seconds between two drawings of a measurement under way."""
USUAL_PIXELS = 784
"""Pixels of an image before a generator was read."""


def main() -> None:
    """Ask what to measure, measure it, show it."""
    st.header("Speed", anchor=False)
    st.caption(
        "How many steps of the search this machine takes in a second: the loop of the published "
        "method, the torch backend and the C++ backend. Before anything is timed, all of them "
        "are checked to compute the same."
    )
    source = sources.ask_generator()
    keep, threads, seconds = ask(None if source is None else source.content)
    bar = st.container(key="bar")
    job = runner.attend(PAGE)
    with bar:
        if job is not None:
            watch(job)
        elif (
            st.button(
                "Measure",
                key="measure",
                type="primary",
                icon=":material/speed:",
                disabled=source is None,
            )
            and source is not None
        ):
            live = Live()
            work = partial(measure, source, keep, threads, seconds, live)
            runner.begin(PAGE, work, quick=False, about=live)
            st.rerun()
    failure = runner.get_failure(PAGE)
    if failure is not None:
        show_error(failure.error)
    # What was measured stays, also while another generator is awaited or cannot be read.
    measured: Measured | None = runner.get_result(PAGE)
    if job is not None:
        st.fragment(draw_live, run_every=LIVE_SECONDS)(job.about)
    elif measured is not None:
        draw(measured)
    elif source is not None:
        st.info("Nothing was measured yet.", icon=":material/info:")


def ask(generator: Generator | None) -> tuple[int, int, float]:
    """N, threads, seconds; while there is no generator, for images of the last one's size."""
    if generator is not None:
        st.session_state["bench pixels"] = math.prod(generator.image_shape[1:])
    pixels = st.session_state.get("bench pixels", USUAL_PIXELS)
    keeps = (round(pixels * KEPT_SHARE), pixels)
    row = st.container(horizontal=True, gap="medium")
    keep = row.segmented_control(
        "Pixels kept (N)", keeps, default=keeps[0], required=True, key="bench N"
    )
    cores = os.cpu_count() or 1
    threads = row.segmented_control(
        "Threads", sorted({1, cores}), default=1, required=True, key="bench threads"
    )
    seconds = row.segmented_control(
        "Duration",
        DURATIONS,
        default=DURATIONS[0],
        format_func=lambda seconds: f"{seconds} s",
        required=True,
        key="bench seconds",
    )
    return keep, threads, seconds


main()
