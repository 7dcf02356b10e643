"""The pool of workers: queues, stopping, and who may see what."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from work import runner
from work.runner import BusyError, Pool, Report, Reporter, Task

from inpaint.errors import ArgumentError
from inpaint.types import Progress


@pytest.fixture
def pool() -> Pool:
    return Pool(quick_workers=1, long_workers=1)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Work waits for it; it opens at the end of the test at the latest."""
    event = threading.Event()
    yield event
    event.set()


def submit(pool: Pool, work: runner.Work, *, owner: str = "ann", quick: bool = False) -> Task:
    return pool.submit(work, owner=owner, page="restore", quick=quick)


def count(report: Report) -> int:
    """Go on until asked to stop, and return how far it came."""
    reached = 0
    while report(0.5, "counting"):
        reached += 1
        time.sleep(0.001)
    return reached


def test_a_job_gives_its_result_and_its_progress(pool: Pool) -> None:
    job = submit(pool, lambda report: report(0.25, "a quarter"))
    assert job.wait(10)
    assert job.result() is True
    assert (job.share, job.text) == (0.25, "a quarter")


def test_a_stopped_job_keeps_what_it_reached(pool: Pool) -> None:
    job = submit(pool, count)
    while job.text != "counting":
        time.sleep(0.01)
    assert not job.wait(0.05)
    job.stop()
    assert job.wait(10)
    assert job.result() > 0


def test_a_job_stopped_in_the_queue_never_begins(pool: Pool, gate: threading.Event) -> None:
    submit(pool, lambda report: gate.wait(30))
    begun: list[bool] = []
    job = submit(pool, lambda report: begun.append(True))
    assert pool.ahead(job) == 1
    job.stop()
    assert job.done
    assert job.result() is None
    gate.set()
    assert submit(pool, lambda report: True).wait(10)
    assert begun == []


def test_quick_jobs_do_not_wait_for_long_ones(pool: Pool, gate: threading.Event) -> None:
    submit(pool, lambda report: gate.wait(30))
    quick = submit(pool, lambda report: "done", quick=True)
    assert quick.wait(10)
    assert quick.result() == "done"


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no niceness of their own there")
def test_long_work_stands_back_behind_quick_work(pool: Pool) -> None:
    def niceness(report: Report) -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    jobs = [submit(pool, niceness, quick=quick) for quick in (True, False)]
    assert all(job.wait(10) for job in jobs)
    quick, long = (job.result() for job in jobs)
    assert quick < long <= quick + runner.LONG_NICENESS


def test_the_crowd_is_counted(pool: Pool, gate: threading.Event) -> None:
    assert pool.crowd == 0
    jobs = [submit(pool, lambda report: gate.wait(30), quick=quick) for quick in (True, False)]
    assert pool.crowd == 2
    gate.set()
    assert all(job.wait(10) for job in jobs)
    assert pool.crowd == 0


def test_an_error_comes_out_with_the_result(pool: Pool) -> None:
    def fail(report: Report) -> None:
        raise ArgumentError("keep is 900; the image has 784 pixels. Choose 1 to 784.")

    job = submit(pool, fail)
    assert job.wait(10)
    with pytest.raises(ArgumentError, match="keep is 900"):
        job.result()


def test_a_full_queue_refuses(pool: Pool, gate: threading.Event) -> None:
    first = submit(pool, lambda report: gate.wait(30))
    while not first.started:
        time.sleep(0.01)
    for _ in range(runner.QUEUE_LIMIT):
        submit(pool, lambda report: None)
    with pytest.raises(BusyError, match="20 runs are waiting"):
        submit(pool, lambda report: None)


def test_a_job_is_found_by_its_owner_on_its_page_only(pool: Pool) -> None:
    job = submit(pool, lambda report: "secret", owner="ann")
    assert pool.find(job.key, owner="ann", page="restore") is job
    assert pool.find(job.key, owner="bob", page="restore") is None
    assert pool.find(job.key, owner="ann", page="speed") is None
    assert pool.find("", owner="ann", page="restore") is None


class Interruption(BaseException):
    """How Streamlit ends the run of a page for another one."""


class Address(dict[str, str]):
    """A page's URL; to change it may end the run of the page."""

    def pop(self, *names: object) -> str:
        raise Interruption


def test_what_a_job_found_is_kept_even_if_the_page_is_run_again_meanwhile(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(pool, lambda report: "found")
    assert job.wait(10)
    state = {"restore job": job.key}
    page = SimpleNamespace(session_state=state, query_params=Address())
    monkeypatch.setattr(runner, "st", page)
    monkeypatch.setattr(runner, "get_pool", lambda: pool)
    monkeypatch.setattr(runner, "get_owner", lambda: "ann")
    with pytest.raises(Interruption):
        runner.attend("restore")
    assert state == {"restore result": "found"}


def test_finished_jobs_are_forgotten_after_a_while(pool: Pool) -> None:
    jobs = [submit(pool, lambda report: None) for _ in range(5)]
    for _ in range(runner.FINISHED_LIMIT + 1):
        jobs.append(submit(pool, lambda report: None))
        assert jobs[-1].wait(10)
    submit(pool, lambda report: None)
    found = [pool.find(job.key, owner="ann", page="restore") for job in jobs]
    assert found[0] is None
    assert found[-1] is jobs[-1]


def test_a_job_that_nobody_asks_about_is_stopped(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "ABANDONED_SECONDS", 0.1)
    ended = threading.Event()

    def work(report: Report) -> None:
        count(report)
        ended.set()

    submit(pool, work)
    assert ended.wait(10)


def test_the_cookie_gives_the_same_secret_behind_any_mask() -> None:
    one = runner._unmask("2|6575ea1c|216e551da5f6a47ac9f72f056e5daea0|1795391984")
    two = runner._unmask("2|19a187d5|5dba38d4d922c9b3b52342cc1289c369|1795391984")
    assert one == two
    assert one is not None
    assert len(one) == 32
    assert runner._unmask("") is None
    assert runner._unmask("2|xyz|00|1") is None


def test_progress_is_reported_as_a_share_and_in_words() -> None:
    heard: list[tuple[float, str]] = []

    def report(share: float, text: str) -> bool:
        heard.append((share, text))
        return len(heard) < 2

    reporter = Reporter(report, 4)
    assert reporter(Progress("descent", 0, 50, "J 3.20"))
    reporter.place = 1
    assert not reporter(Progress("sampling", 0.5, 1.0))
    assert reporter.stopped
    assert heard[0] == (0.0, "Image 1 of 4: descent: J 3.20")
    assert heard[1][0] == 0.375
    assert heard[1][1].startswith("Image 2 of 4: sampling, ")
