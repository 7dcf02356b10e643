"""Restore: damage images, restore them, and see how well that went."""

from functools import partial

import results
import runner
import streamlit as st
import widgets
from results import Result
from runner import Job
from widgets import Request

from inpaint.errors import InpaintError

PAGE = "restore"
# How long the page waits for a quick job before it shows progress instead.
PATIENCE_SECONDS = 1.0


def main() -> None:
    """Form, run, results."""
    st.header("Restore", anchor=False)
    st.caption(
        "Pixels of an image are lost: search a generator's latent space for the image that fits "
        "those that are left."
    )
    request, problem = None, None
    try:
        request = widgets.ask_request(widgets.ask_damage)
    except InpaintError as error:
        problem = str(error)
    bar = st.container(key="bar")
    job = attend(request)
    shown: Result | None = runner.get_result(PAGE)
    failure = runner.get_failure(PAGE)
    if failure is not None and failure.about == request:
        problem = failure.message

    with bar:
        if job is not None:
            runner.watch(job)
        elif request is not None:
            offer(request, shown)
        elif problem is None:
            st.markdown("Choose the files in the sidebar.")
    if problem is not None:
        st.error(problem, icon=":material/error:")
    if shown is not None:
        if request != shown.request:
            st.markdown(f":material/history: Below is the earlier result: {shown.summary}")
        draw(shown)


def attend(request: Request | None) -> Job | None:
    """Take over what a job has found, and start one if the request needs it and it is quick.

    Returns:
        The job under way, if there is one.
    """
    job = runner.attend(PAGE)
    if request is None or not request.quick or is_answered(request):
        return job
    if job is not None and job.about == request:
        return job
    if job is not None and not job.quick:
        return job
    if job is not None:
        job.stop()
    begin(request)
    return runner.attend(PAGE, seconds=PATIENCE_SECONDS)


def is_answered(request: Request) -> bool:
    """Whether the request has its result already, or cannot have one."""
    shown: Result | None = runner.get_result(PAGE)
    failure = runner.get_failure(PAGE)
    return (shown is not None and shown.request == request) or (
        failure is not None and failure.about == request
    )


def begin(request: Request) -> None:
    """Put the request in a queue."""
    work = partial(results.compute, request)
    runner.begin(PAGE, work, quick=request.quick, about=request)


def offer(request: Request, shown: Result | None) -> None:
    """Say what is shown, and offer to run what is not."""
    left, right = st.columns([4, 1], vertical_alignment="center")
    current = shown if shown is not None and shown.request == request else None
    finished = current is not None and not current.stopped
    if current is not None:
        left.markdown(current.summary)
    elif not request.quick:
        left.markdown("These settings take a while. Press Run to restore with them.")
    if request.quick and (finished or current is None):
        return
    if right.button(
        "Run",
        key="run",
        type="secondary" if finished else "primary",
        icon=":material/play_arrow:",
        width="stretch",
    ):
        begin(request)
        st.rerun()


def draw(shown: Result) -> None:
    """Everything about one result."""
    results.draw_columns(shown.comparison)
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
