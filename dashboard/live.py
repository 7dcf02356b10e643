"""A restoration that follows the form: begun at once where it is quick, else by a button.

The pages that begin with one share it, so that a result goes along from page to page.
"""

from __future__ import annotations

from functools import partial

import results
import runner
import streamlit as st
import widgets
from damage import ask_damage
from results import Result
from runner import Job
from widgets import Request

from inpaint.errors import InpaintError

KEY = "restore"
"""Under which the session keeps the result, whichever page asked for it."""

AWAITED = (
    ":material/arrow_upward: Choose the files, or draw in the sidebar; the result will appear here."
)

PATIENCE_SECONDS = 1.0
"""How long a page waits for a quick job before it shows progress instead."""


def ask_and_restore() -> Result | None:
    """The form, the run, and what is to be said about it.

    Returns:
        What is there to be shown, which may be the result of earlier settings.
    """
    request, problem = None, None
    try:
        request = widgets.ask_request(ask_damage)
    except InpaintError as error:
        problem = str(error)
    bar = st.container(key="bar")
    job = attend(request)
    shown: Result | None = runner.get_result(KEY)
    failure = runner.get_failure(KEY)
    if failure is not None and failure.about == request:
        problem = failure.message

    with bar:
        if job is not None:
            runner.watch(job)
        elif request is not None:
            offer(request, shown)
        elif problem is None:
            st.markdown(AWAITED)
    if problem is not None:
        st.error(problem, icon=":material/error:")
    if shown is not None and request != shown.request:
        st.markdown(f":material/history: Below is the earlier result: {shown.summary}")
    return shown


def attend(request: Request | None) -> Job | None:
    """Take over what a job has found, and start one if the request needs it and it is quick.

    Returns:
        The job under way, if there is one.
    """
    job = runner.attend(KEY)
    if request is None or not request.quick or is_answered(request):
        return job
    if job is not None and job.about == request:
        return job
    if job is not None and not job.quick:
        return job
    if job is not None:
        job.stop()
    begin(request)
    return runner.attend(KEY, seconds=PATIENCE_SECONDS)


def is_answered(request: Request) -> bool:
    """Whether the request has its result already, or cannot have one."""
    shown: Result | None = runner.get_result(KEY)
    failure = runner.get_failure(KEY)
    return (shown is not None and shown.request == request) or (
        failure is not None and failure.about == request
    )


def begin(request: Request) -> None:
    """Put the request in a queue."""
    work = partial(results.compute, request)
    runner.begin(KEY, work, quick=request.quick, about=request)


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
