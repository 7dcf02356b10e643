"""Results that follow the form: begun at once where that is quick, else by a button.

The pages that begin with one restoration share it, so that it goes along from page to page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar

import streamlit as st
from forms import problems, widgets
from forms.damage import ask_damage
from forms.widgets import Request
from parts import results
from parts.results import Result

from inpaint.errors import InpaintError
from work import estimates, runner
from work.runner import Job, Report

KEY = "restore"
"""Under which the session keeps a restoration, whichever page asked for it."""

AWAITED = (
    ":material/arrow_upward: Choose the files, or draw in the sidebar; the result will appear here."
)
OFFER = "These settings take a while. Press Run to restore with them."

PATIENCE_SECONDS = 1.0
"""How long a page waits for a quick job before it shows progress instead."""


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
    """The form, the run, and what is to be said about it.

    Args:
        with_estimate: Whether the page asks which image to show; else it takes what is there.

    Returns:
        What is there to be shown, which may be the result of earlier settings.
    """
    request: Request | None = None
    problem: InpaintError | None = None
    try:
        request = widgets.ask_request(ask_damage)
    except InpaintError as error:
        problem = error
    if with_estimate:
        with st.sidebar:
            name = estimates.ask()
        request = None if request is None else replace(request, estimate=name)
    else:
        there: Result | None = runner.get_result(KEY)
        if there is not None and replace(there.request, estimate=widgets.USUAL) == request:
            request = there.request
    return follow(KEY, request, problem, results.compute)


def follow(
    key: str,
    question: Question | None,
    problem: InpaintError | None,
    compute: Compute[A],
    *,
    awaited: str = AWAITED,
    offer: str = OFFER,
) -> A | None:
    """Answer a question, and say how that stands.

    Args:
        key: Under which the session keeps the answer.
        question: None while something is awaited, or there is a problem.
        problem: What is wrong with the form.
        compute: Finds the answer, in a worker.
        awaited: What to say while something is awaited.
        offer: What to say beside the button of a question that is not quick.

    Returns:
        What is there to be shown, which may be the answer to an earlier question.
    """
    bar = st.container(key="bar")
    job = _attend(key, question, compute)
    shown: A | None = runner.get_result(key)
    failure = runner.get_failure(key)
    if failure is not None and failure.about == question:
        problem = failure.error
    with bar:
        if job is not None:
            runner.watch(job)
        elif question is not None:
            _offer(key, question, compute, shown, offer)
        elif problem is None:
            st.markdown(awaited)
    if problem is not None:
        problems.say(problem)
    if shown is not None and question != shown.request:
        st.markdown(f":material/history: Below is the earlier result: {shown.summary}")
    return shown


def _attend(key: str, question: Question | None, compute: Compute[A]) -> Job | None:
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
    """Say what is shown, and offer to run what is not."""
    current = shown if shown is not None and shown.request == question else None
    if question.quick and current is None:
        return  # It failed: columns of nothing would keep room above the message.
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
