"""Results that follow the form: computed at once where that is quick, else by a button.

The pages that begin with one restoration share it, so that it is kept from page to page.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

import streamlit as st
from forms.damage import ask_damage
from forms.fields import show_error
from forms.request import Request, ask_estimate, ask_request
from work import restore, runner
from work.restore import Result
from work.runner import Report, Task

from inpaint.errors import InpaintError

KEY = "restore"
"""Key under which the session keeps a restoration, whichever page asked for it."""

AWAITED = (
    ":material/arrow_upward: Choose the files, or draw in the sidebar; the result will appear here."
)
OFFER = "These settings take a while. Press Run to restore with them."

PATIENCE_SECONDS = 1.0
"""How long a page waits for a quick job before it shows progress instead."""

POLL_SECONDS = 0.3
SLOWEST_POLL = 1.5
CROWD = 3
"""Seconds between two polls, at least and at most; from `CROWD` jobs on, polls are slower."""

STOPPING_SECONDS = 1.0
"""How long a page waits for a job that was stopped before it polls again."""


class Question(Protocol):
    """What a page asks for; equal questions have equal answers."""

    @property
    def quick(self) -> bool:
        """Whether the answer comes soon enough to follow the sliders."""
        ...


class Answer(Protocol):
    """What was found."""

    @property
    def request(self) -> Any:
        """The question that it answers."""
        ...

    @property
    def stopped(self) -> bool:
        """Whether the work was cut short."""
        ...

    @property
    def summary(self) -> str:
        """What was done, in a line."""
        ...


A = TypeVar("A", bound=Answer)
Compute = Callable[[Any, Report], A | None]
"""Finds an answer; None where it was stopped before there was anything."""


def ask_and_restore(*, with_estimate: bool = False) -> Result | None:
    """The form, and the restoration that it asks for.

    Args:
        with_estimate: Whether the page asks which image to show; else it shows what there is.

    Returns:
        The result to show, which may be that of earlier settings.
    """
    request: Request | None = None
    problem: InpaintError | None = None
    try:
        request = ask_request(ask_damage)
    except InpaintError as error:
        problem = error
    if with_estimate:
        with st.sidebar:
            estimate = ask_estimate()
        request = None if request is None else request.with_job(estimate=estimate)
    else:
        there: Result | None = runner.get_result(KEY)
        if there is not None and there.request.with_job(estimate=None) == request:
            request = there.request
    return follow(KEY, request, problem, restore.compute)


def follow(
    key: str,
    question: Question | None,
    problem: InpaintError | None,
    compute: Compute[A],
    *,
    awaited: str = AWAITED,
    offer: str = OFFER,
) -> A | None:
    """Answer a question, and show the progress.

    Args:
        key: Key under which the session keeps the answer.
        question: None while something is awaited, or there is a problem.
        problem: What is wrong with the form.
        compute: Finds the answer, in a worker.
        awaited: Shown while something is awaited.
        offer: Shown next to the button of a question that is not quick.

    Returns:
        The answer to show, which may be that to an earlier question.
    """
    bar = st.container(key="bar")
    job = _attend(key, question, compute)
    shown: A | None = runner.get_result(key)
    failure = runner.get_failure(key)
    if failure is not None and failure.about == question:
        problem = failure.error
    with bar:
        if job is not None:
            watch(job)
        elif question is not None:
            _offer(key, question, compute, shown, offer)
        elif problem is None:
            st.markdown(awaited)
    if problem is not None:
        show_error(problem)
    if shown is not None and question != shown.request:
        st.markdown(f":material/history: Below is the earlier result: {shown.summary}")
    return shown


def _attend(key: str, question: Question | None, compute: Compute[A]) -> Task | None:
    """Take over what a job has found, and start one if the question needs it and is quick.

    Returns:
        The job under way, if there is one.
    """
    job = runner.attend(key)
    if question is None or not question.quick or _is_answered(key, question):
        return job
    if job is not None and job.about == question:
        return job
    if job is not None and not job.quick:
        return job
    if job is not None:
        job.stop()
    _begin(key, question, compute)
    return runner.attend(key, seconds=PATIENCE_SECONDS)


def _is_answered(key: str, question: Question) -> bool:
    """Whether there is an answer already, or cannot be one."""
    shown: Answer | None = runner.get_result(key)
    failure = runner.get_failure(key)
    return (shown is not None and shown.request == question) or (
        failure is not None and failure.about == question
    )


def _begin(key: str, question: Question, compute: Compute[A]) -> None:
    """Put the question in a queue."""
    runner.begin(key, partial(compute, question), quick=question.quick, about=question)


def _offer(key: str, question: Question, compute: Compute[A], shown: A | None, offer: str) -> None:
    """Show what was done, and a button for what was not."""
    current = shown if shown is not None and shown.request == question else None
    if question.quick and current is None:
        return  # It failed: empty columns would take room above the message.
    left, right = st.columns([4, 1], vertical_alignment="center")
    finished = current is not None and not current.stopped
    if current is not None:
        left.markdown(current.summary)
    else:
        left.markdown(offer)
    if question.quick and finished:
        return
    if right.button(
        "Run",
        key="run",
        type="secondary" if finished else "primary",
        icon=":material/play_arrow:",
        width="stretch",
    ):
        _begin(key, question, compute)
        st.rerun()


def watch(job: Task) -> None:
    """Show the progress of a job and let it be stopped; rerun the page when it has ended."""
    # Each poll reruns this part on the server: where many wait, each polls less often.
    seconds = min(SLOWEST_POLL, POLL_SECONDS * max(1, runner.get_pool().crowd / CROWD))
    st.fragment(_look, run_every=seconds)(job)


def _look(job: Task) -> None:
    if job.done:
        st.rerun()
    left, right = st.columns([4, 1], vertical_alignment="center")
    left.progress(job.share, _describe(job))
    if right.button("Stop", key="stop", icon=":material/stop:", width="stretch"):
        job.stop()
        # Most work ends within moments, well before the next poll.
        if job.wait(STOPPING_SECONDS):
            st.rerun()


def _describe(job: Task) -> str:
    if job.stopping:
        return "Stopping."
    if job.started:
        return job.text
    ahead = runner.get_pool().ahead(job)
    return f"Waiting: {'1 run is' if ahead == 1 else f'{ahead} runs are'} before yours."
