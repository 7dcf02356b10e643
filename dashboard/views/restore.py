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
        request = widgets.ask_request()
    except InpaintError as error:
        problem = str(error)
    bar = st.container(key="bar")
    job = attend(request)
    shown: Result | None = st.session_state.get("result")
    failed = st.session_state.get("failed")
    if failed is not None and failed[0] == request:
        problem = failed[1]

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
    job = runner.recall(PAGE)
    if job is not None and job.done:
        collect(job)
        job = None
    if request is None:
        return job
    if job is not None and job.quick and job.about != request:
        job.stop()
        job = None
    if job is None and request.quick and not answered(request):
        job = begin(request)
        if job is not None and job.wait(PATIENCE_SECONDS):
            collect(job)
            job = None
    return job


def answered(request: Request) -> bool:
    """Whether the request has its result already, or cannot have one."""
    shown: Result | None = st.session_state.get("result")
    failed = st.session_state.get("failed")
    return (shown is not None and shown.request == request) or (
        failed is not None and failed[0] == request
    )


def begin(request: Request) -> Job | None:
    """Put the request in a queue."""
    try:
        work = partial(results.compute, request)
        return runner.begin(PAGE, work, quick=request.quick, about=request)
    except runner.BusyError as error:
        st.session_state["failed"] = (request, str(error))
        return None


def collect(job: Job) -> None:
    """Take over what a job found; an error leaves the earlier result as it was."""
    runner.forget(PAGE)
    try:
        found = job.result()
    except InpaintError as error:
        st.session_state["failed"] = (job.about, str(error))
        return
    st.session_state.pop("failed", None)
    if found is not None:
        st.session_state["result"] = found


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
