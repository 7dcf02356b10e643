"""Work away from the page: few workers, queues, and jobs that a page finds again by a key.

A job never touches `st`. The page polls it, and asks it to stop by an event that the work
heeds at its next report.
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

Report = Callable[[float, str], bool]
Work = Callable[[Report], Any]

QUEUE_LIMIT = 20
"""Jobs that may wait in one queue; further ones are refused with a message."""

FINISHED_LIMIT = 32
"""Finished jobs that are kept for a page that is loaded again."""

QUICK_WORKERS = 2
LONG_WORKERS = 1
WORKER_THREADS = max(1, (os.cpu_count() or 1) // (QUICK_WORKERS + LONG_WORKERS))
"""Threads that the work of one worker may use: with more they would only wait for one another."""

LONG_NICENESS = 5
"""How much long work stands back behind quick work where both want a core."""

ABANDONED_SECONDS = 60.0
"""A job that no page has asked about for so long is stopped: its user has gone."""

POLL_SECONDS = 0.3
SLOWEST_POLL = 1.5
CROWD = 3
"""How often a page looks at its job, and from how many jobs on it does so less often."""

STOPPING_SECONDS = 1.0
"""How long a page waits for a job that was stopped before it goes on to poll it."""


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
class Job:
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
        """Wait for the end, but not longer than this; tell whether it has come."""
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
        """Note how far the work is, and tell it whether to go on."""
        self.share, self.text = min(1.0, share), text
        return not self.stopping and time.monotonic() - self._seen < ABANDONED_SECONDS


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
        self._jobs: dict[str, Job] = {}
        self._executors = {
            True: ThreadPoolExecutor(quick_workers, "quick"),
            False: ThreadPoolExecutor(long_workers, "long", initializer=_stand_back),
        }

    def submit(self, work: Work, *, owner: str, page: str, quick: bool, about: Any = None) -> Job:
        """Put work in a queue.

        Args:
            work: Takes a function to report to; ends early when that answers False.
            owner: Who may see the job.
            page: Which page it belongs to.
            quick: Whether it takes well under a second.
            about: See `Job`.

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
            job = Job(owner, page, quick, about)
            self._jobs[job.key] = job
            job._future = self._executors[quick].submit(self._run, job, work)
            return job

    def find(self, key: str, *, owner: str, page: str) -> Job | None:
        """The job of this key, if it is this owner's and this page's."""
        job = self._jobs.get(key)
        if job is None or job.page != page or not secrets.compare_digest(job.owner, owner):
            return None
        return job

    def ahead(self, job: Job) -> int:
        """How many unfinished jobs are before this one in its queue."""
        with self._lock:
            queue = self._unfinished(job.quick)
        return queue.index(job) if job in queue else 0

    @property
    def crowd(self) -> int:
        """How many jobs are under way or waiting."""
        with self._lock:
            return len(self._unfinished(quick=True)) + len(self._unfinished(quick=False))

    def _run(self, job: Job, work: Work) -> Any:
        job.started = True
        with limited_threads(WORKER_THREADS):
            return work(job.report)

    def _unfinished(self, quick: bool) -> list[Job]:
        return [job for job in self._jobs.values() if job.quick == quick and not job._future.done()]

    def _forget_old(self) -> None:
        finished = [key for key, job in self._jobs.items() if job._future.done()]
        for key in finished[: max(0, len(finished) - FINISHED_LIMIT)]:
            del self._jobs[key]


def _stand_back() -> None:
    """Let quick work go first on the cores; threads that this one begins do so too."""
    # On Linux a thread has a niceness of its own, elsewhere only the whole process has one.
    if sys.platform == "linux":
        thread = threading.get_native_id()
        usual = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, usual + LONG_NICENESS)


@st.cache_resource(show_spinner=False)
def get_pool() -> Pool:
    """The one pool of this server."""
    return Pool()


def get_owner() -> str:
    """Who is looking: the same in every tab of a browser and after a reload, and secret.

    It is taken from Streamlit's cookie against forged requests. Where there is none, the
    session stands for itself and cannot be found again after a reload.
    """
    cookie = st.context.cookies.get("_streamlit_xsrf")
    token = _unmask(cookie) if isinstance(cookie, str) else None
    return token or str(st.session_state.setdefault("owner", secrets.token_urlsafe(16)))


def _unmask(cookie: str) -> str | None:
    """The secret in "2|mask|masked secret|time": the mask is another one at every request."""
    try:
        _, mask, masked, _ = cookie.split("|")
        pairs = zip(bytes.fromhex(masked), itertools.cycle(bytes.fromhex(mask)), strict=False)
        return bytes(byte ^ key for byte, key in pairs).hex() or None
    except ValueError:
        return None


def begin(page: str, work: Work, *, quick: bool, about: Any = None) -> None:
    """Start a job of a page, and remember it in the session and, if it is long, in the URL."""
    try:
        job = get_pool().submit(work, owner=get_owner(), page=page, quick=quick, about=about)
    except BusyError as error:
        st.session_state[f"{page} failure"] = Failure(about, error)
        return
    st.session_state[f"{page} job"] = job.key
    if not quick:
        st.query_params["job"] = job.key


def attend(page: str, *, seconds: float = 0.0) -> Job | None:
    """The page's job if it is under way; what it found is taken over if it has ended.

    After a reload the job is the one that the URL names. An error leaves the earlier result
    as it was.

    Args:
        page: Whose job.
        seconds: How long to wait for its end.
    """
    key = st.session_state.get(f"{page} job") or st.query_params.get("job", "")
    job = get_pool().find(key, owner=get_owner(), page=page)
    if job is None or not job.wait(seconds):
        return job
    _take_over(page, job)
    st.session_state.pop(f"{page} job", None)
    # Last: Streamlit may end the run of the page here, for one that was asked for meanwhile.
    st.query_params.pop("job", None)
    return None


def _take_over(page: str, job: Job) -> None:
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


def watch(job: Job) -> None:
    """Show how far a job is and let it be stopped; rerun the page when it has ended."""
    # To look costs the server a rerun of this part: where many wait, each looks less often.
    seconds = min(SLOWEST_POLL, POLL_SECONDS * max(1, get_pool().crowd / CROWD))
    st.fragment(_look, run_every=seconds)(job)


def _look(job: Job) -> None:
    if job.done:
        st.rerun()
    left, right = st.columns([4, 1], vertical_alignment="center")
    left.progress(job.share, _describe(job))
    if right.button("Stop", key="stop", icon=":material/stop:", width="stretch"):
        job.stop()
        # Most work ends within moments: then there is no need to wait for the next look.
        if job.wait(STOPPING_SECONDS):
            st.rerun()


def _describe(job: Job) -> str:
    if job.stopping:
        return "Stopping."
    if job.started:
        return job.text
    ahead = get_pool().ahead(job)
    return f"Waiting: {'1 run is' if ahead == 1 else f'{ahead} runs are'} before yours."
