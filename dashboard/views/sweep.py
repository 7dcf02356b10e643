"""Sweep: the same images at several numbers of pixels kept, beside one another."""

from functools import partial

import runner
import streamlit as st
import sweeps
import widgets
from damage import Damage, ask_noise, count_pixels
from sources import Source
from sweeps import Answer, Question

from inpaint.errors import InpaintError
from inpaint.run import KEEPS
from inpaint.types import ImageSet, Operator

PAGE = "sweep"


def main() -> None:
    """Form, run, results."""
    st.header("Sweep", anchor=False)
    st.caption(
        "How few pixels are enough? The same images are restored at several numbers N of pixels "
        "kept."
    )
    question, problem = None, None
    keeps: list[int] = []

    def ask_damage(images: ImageSet | None, operator: Source[Operator] | None) -> Damage:
        left, right = st.columns([3, 1], gap="medium")
        with left:
            keeps.extend(ask_keeps(images))
        with right:
            return Damage(max(keeps, default=1), ask_noise(images))

    try:
        request = widgets.ask_request(ask_damage, operators=False)
        question = Question(request, tuple(keeps)) if request and keeps else None
    except InpaintError as error:
        problem = str(error)
    bar = st.container(key="bar")
    job = runner.attend(PAGE)
    answer: Answer | None = runner.get_result(PAGE)
    failure = runner.get_failure(PAGE)
    if failure is not None and failure.about == question:
        problem = failure.message
    with bar:
        if job is not None:
            runner.watch(job)
        elif question is not None:
            offer(question, answer)
        elif problem is None:
            st.markdown("Choose files in the sidebar and at least one N.")
    if problem is not None:
        st.error(problem, icon=":material/error:")
    if answer is not None:
        sweeps.draw(answer)


def ask_keeps(images: ImageSet | None) -> list[int]:
    """The numbers N."""
    pixels = count_pixels(images)
    usual = [keep for keep in KEEPS if keep <= pixels] or [pixels]
    options = sorted({*usual, *range(50, pixels, 50), pixels}, reverse=True)
    return st.multiselect(
        "Pixels kept (N)",
        options,
        usual,
        key="keeps",
        disabled=images is None,
        help="Each of these numbers of pixels, the leftmost columns, is restored from.",
    )


def offer(question: Question, answer: Answer | None) -> None:
    """Say what is shown, and offer to run what is not."""
    left, right = st.columns([4, 1], vertical_alignment="center")
    finished = answer is not None and answer.question == question and not answer.sweep.cancelled
    if answer is None:
        left.markdown("Nothing was swept yet.")
    elif answer.question == question:
        left.markdown("Stopped early." if answer.sweep.cancelled else "Swept with these settings.")
    else:
        left.markdown(":material/history: Below is an earlier sweep, with other settings.")
    if right.button(
        "Run",
        key="run",
        type="secondary" if finished else "primary",
        icon=":material/play_arrow:",
        width="stretch",
    ):
        runner.begin(PAGE, partial(sweeps.compute, question), quick=False, about=question)
        st.rerun()


main()
