"""Background jobs: few workers, two queues, and jobs that a page finds again by a key.

A job never touches `st`. The page polls it, and asks it to stop by an event that the work checks
at its next report.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from inpaint.errors import InpaintError
from inpaint.search.backends.torch import limited_threads
from inpaint.types import Progress

Report = Callable[[float, str], bool]
Work = Callable[[Report], Any]

QUEUE_LIMIT = 20
"""Most jobs waiting in one queue; further ones are refused with a message."""

FINISHED_LIMIT = 32
"""Finished jobs that are kept for a page that is loaded again."""

QUICK_WORKERS = 2
LONG_WORKERS = 1
WORKER_THREADS = max(1, (os.cpu_count() or 1) // (QUICK_WORKERS + LONG_WORKERS))
"""Threads of one worker; with more, workers would only wait for one another."""

LONG_NICENESS = 5
"""Added niceness of long jobs, so that quick ones go first where both want a core."""

ABANDONED_SECONDS = 60.0
"""A job is stopped when no page has asked about it for this long: its user has left."""


class BusyError(InpaintError):
    """There is no room for another job."""


@dataclass(frozen=True)
class Failure:
    """What went wrong with a job.

    Attributes:
        about: What the job was about.
        error: Its message is a sentence for the user.
    """

    about: Any
    error: InpaintError


@dataclass(eq=False)
class Task:
    """One piece of work, from its place in the queue to its result.

    Attributes:
        owner: Who may see it.
        page: Which page it belongs to.
        quick: Which queue it is in.
        key: Finds it again; cannot be guessed.
        about: What the page wants to remember of it: the request that it answers.
        share: How much of the work is done, 0 to 1, as it reported last.
        text: What it is doing.
        started: Whether it has left the queue.
    """

    owner: str
    page: str
    quick: bool
    about: Any = None
    key: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    share: float = 0.0
    text: str = "Starting."
    started: bool = False
    _seen: float = field(default_factory=time.monotonic)
    _cancel: threading.Event = field(default_factory=threading.Event)
    _future: Future[Any] = field(default_factory=Future)

    @property
    def done(self) -> bool:
        """Whether there is a result or an error. Asking shows that somebody waits for it."""
        self._seen = time.monotonic()
        return self._future.done()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._cancel.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, for at most `seconds`; returns whether the job has ended."""
        with contextlib.suppress(FutureTimeout, CancelledError):
            self._future.exception(timeout=seconds)
        return self.done

    def stop(self) -> None:
        """Ask the work to end at its next report with what it has reached."""
        self._cancel.set()
        self._future.cancel()

    def result(self) -> Any:
        """What the work returned; None if it was stopped before it began.

        Raises:
            InpaintError: As the work did.
        """
        return None if self._future.cancelled() else self._future.result()

    def report(self, share: float, text: str) -> bool:
        """Store the progress; returns whether the work may go on."""
        self.share, self.text = min(1.0, share), text
        return not self.stopping and time.monotonic() - self._seen < ABANDONED_SECONDS


class Reporter:
    """Reports the core's `Progress` to a page, with the time that is left.

    Args:
        report: Takes a share and a line of words; returns whether to go on.
        count: Images that are worked on in turn.

    Attributes:
        place: Place of the image under way.
        stopped: Whether the page asked it to stop.
    """

    def __init__(self, report: Report, count: int = 1) -> None:
        self.place = 0
        self.stopped = False
        self._report = report
        self._count = count
        self._stage = ""
        self._began = time.monotonic()

    def __call__(self, progress: Progress) -> bool:
        """Report, and return whether to go on."""
        if self._count == 1 and progress.stage != self._stage:
            self._began = time.monotonic()
        self._stage = progress.stage
        done = (self.place + progress.done / (progress.total or 1)) / self._count
        words = f"{progress.stage}: {progress.note}" if progress.note else progress.stage
        if 0 < done < 1:
            seconds = (time.monotonic() - self._began) * (1 - done) / done
            words += f", {_duration(seconds)} left at most"
        image = f"image {self.place + 1} of {self._count}: " if self._count > 1 else ""
        words = image + words
        self.stopped = not self._report(done, words[:1].upper() + words[1:])
        return not self.stopped


def _duration(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


class Pool:
    """A queue for quick jobs and one for long ones, so that sliders never wait for long runs.

    Args:
        quick_workers: Threads for jobs of well under a second.
        long_workers: Threads for all others.
    """

    def __init__(
        self, *, quick_workers: int = QUICK_WORKERS, long_workers: int = LONG_WORKERS
    ) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, Task] = {}
        self._executors = {
            True: ThreadPoolExecutor(quick_workers, "quick"),
            False: ThreadPoolExecutor(long_workers, "long", initializer=_stand_back),
        }

    def submit(self, work: Work, *, owner: str, page: str, quick: bool, about: Any = None) -> Task:
        """Put work in a queue.

        Args:
            work: Takes a function to report to; ends early when that returns False.
            owner: Who may see the job.
            page: Which page it belongs to.
            quick: Whether it takes well under a second.
            about: See `Task`.

        Raises:
            BusyError: If the queue is full.
        """
        with self._lock:
            self._forget_old()
            waiting = sum(1 for job in self._unfinished(quick) if not job.started)
            if waiting >= QUEUE_LIMIT:
                raise BusyError(
                    f"{waiting} runs are waiting already, as many as this server lets wait. "
                    "Try again in a moment."
                )
            job = Task(owner, page, quick, about)
            self._jobs[job.key] = job
            job._future = self._executors[quick].submit(self._run, job, work)
            return job

    def find(self, key: str, *, owner: str, page: str) -> Task | None:
        """The job of this key, if it is this owner's and this page's."""
        job = self._jobs.get(key)
        if job is None or job.page != page or not secrets.compare_digest(job.owner, owner):
            return None
        return job

    def ahead(self, job: Task) -> int:
        """How many unfinished jobs are before this one in its queue."""
        with self._lock:
            queue = self._unfinished(job.quick)
        return queue.index(job) if job in queue else 0

    @property
    def crowd(self) -> int:
        """How many jobs are under way or waiting."""
        with self._lock:
            return len(self._unfinished(quick=True)) + len(self._unfinished(quick=False))

    def _run(self, job: Task, work: Work) -> Any:
        job.started = True
        with limited_threads(WORKER_THREADS):
            return work(job.report)

    def _unfinished(self, quick: bool) -> list[Task]:
        return [job for job in self._jobs.values() if job.quick == quick and not job._future.done()]

    def _forget_old(self) -> None:
        finished = [key for key, job in self._jobs.items() if job._future.done()]
        for key in finished[: max(0, len(finished) - FINISHED_LIMIT)]:
            del self._jobs[key]


def _stand_back() -> None:
    """Lower the priority of this thread and of the threads that it starts."""
    # On Linux a thread has a niceness of its own; elsewhere only the process has one.
    if sys.platform == "linux":
        thread = threading.get_native_id()
        usual = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, usual + LONG_NICENESS)


@st.cache_resource(show_spinner=False)
def get_pool() -> Pool:
    """The one pool of this server."""
    return Pool()


def get_owner() -> str:
    """A secret name of the user: the same in every tab of a browser and after a reload.

    It is taken from Streamlit's cookie against forged requests. Without a cookie, each session is
    a user of its own and cannot be found again after a reload.
    """
    cookie = st.context.cookies.get("_streamlit_xsrf")
    token = _unmask(cookie) if isinstance(cookie, str) else None
    return token or str(st.session_state.setdefault("owner", secrets.token_urlsafe(16)))


def _unmask(cookie: str) -> str | None:
    """The secret in "2|mask|masked secret|time": the mask changes with every request."""
    try:
        _, mask, masked, _ = cookie.split("|")
        pairs = zip(bytes.fromhex(masked), itertools.cycle(bytes.fromhex(mask)), strict=False)
        return bytes(byte ^ key for byte, key in pairs).hex() or None
    except ValueError:
        return None


def begin(page: str, work: Work, *, quick: bool, about: Any = None) -> None:
    """Start a job of a page; keep its key in the session and, if it is long, in the URL."""
    try:
        job = get_pool().submit(work, owner=get_owner(), page=page, quick=quick, about=about)
    except BusyError as error:
        st.session_state[f"{page} failure"] = Failure(about, error)
        return
    st.session_state[f"{page} job"] = job.key
    if not quick:
        st.query_params["job"] = job.key


def attend(page: str, *, seconds: float = 0.0) -> Task | None:
    """The page's job if it is under way; if it has ended, its result is kept.

    After a reload the job is the one that the URL names. An error leaves the earlier result
    as it was.

    Args:
        page: The page that the job belongs to.
        seconds: How long to wait for its end.
    """
    key = st.session_state.get(f"{page} job") or st.query_params.get("job", "")
    job = get_pool().find(key, owner=get_owner(), page=page)
    if job is None or not job.wait(seconds):
        return job
    _take_over(page, job)
    st.session_state.pop(f"{page} job", None)
    # Last, because Streamlit may interrupt the page here to run it again.
    st.query_params.pop("job", None)
    return None


def _take_over(page: str, job: Task) -> None:
    """Keep what a job has found, or why it failed."""
    try:
        found = job.result()
    except InpaintError as error:
        st.session_state[f"{page} failure"] = Failure(job.about, error)
        return
    st.session_state.pop(f"{page} failure", None)
    if found is not None:
        st.session_state[f"{page} result"] = found


def get_result(page: str) -> Any:
    """What the page's last job found; None before that."""
    return st.session_state.get(f"{page} result")


def get_failure(page: str) -> Failure | None:
    """Why the page's last job failed; None if it did not."""
    failure: Failure | None = st.session_state.get(f"{page} failure")
    return failure
