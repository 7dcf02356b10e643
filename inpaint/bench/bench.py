"""`run_bench` times the published loop in numpy, the torch backend and the C++ backend.

`python -m benchmarks.full` in the source tree adds other libraries.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from inpaint.bench.case import Variant
from inpaint.bench.result import BenchResult, Row, Skipped, describe_machine, make_row
from inpaint.bench.timing import Sample, Task, TaskTimer, Timer, Workload, interleave
from inpaint.bench.variants import VARIANTS
from inpaint.errors import ArgumentError, BackendError
from inpaint.files.job import default_generator
from inpaint.files.reading import read_generator
from inpaint.generators import Generator
from inpaint.operators import Mask
from inpaint.types import OnProgress, Progress, asks_to_stop


def run_bench(
    *,
    restarts: Sequence[int] = (1, 8, 64, 512),
    keeps: Sequence[int] = (350, 784),
    threads: Sequence[int] = (1,),
    seconds: float = 10.0,
    generator: Generator | None = None,
    variants: Sequence[Variant] = VARIANTS,
    on_progress: OnProgress | None = None,
    on_rows: Callable[[list[Row]], object] | None = None,
) -> BenchResult:
    """Check that all variants compute the same results, then time them against each other.

    Args:
        restarts: Numbers of restarts R.
        keeps: Numbers of observed pixels N.
        threads: Numbers of threads.
        seconds: Duration of the timing; checking takes a few seconds more. Each variant is timed
            in at least three rounds.
        generator: Generator whose latent space is searched; None uses the default one.
        variants: What to time. A variant that cannot run here is skipped, with its reason.
        on_progress: Called before each check and each turn; returning False ends the bench, and
            what was measured so far is returned.
        on_rows: Called after each round with the rows so far.

    Raises:
        AgreementError: If a variant does not compute the objective.
        ArgumentError: If a number is out of range.
    """
    if generator is None:
        generator = read_generator(default_generator())
    _check(restarts, keeps, threads, seconds, generator)

    machine = describe_machine() | {"generator": generator.name, "seconds": seconds}
    num_tasks = len(threads) * len(keeps) * len(restarts) * len(variants)
    turn_seconds = min(0.1, max(0.002, seconds / (12 * num_tasks)))
    timers = [
        Timer(generator, variants, threads=count, turn_seconds=turn_seconds)
        for count in dict.fromkeys(threads)
    ]
    tasks = [
        (timer, Task(variant.name, keep, count))
        for timer, keep, count, variant in itertools.product(timers, keeps, restarts, variants)
    ]
    timed = time_tasks(tasks, seconds=seconds, on_progress=on_progress, on_rows=on_rows)
    machine["load_after"] = os.getloadavg()[0]
    return BenchResult(timed.rows, machine, timed.skipped, timed.cancelled)


@dataclass(frozen=True)
class TimedTasks:
    """What `time_tasks` found.

    Attributes:
        rows: One per task that was timed.
        skipped: Variants that cannot run.
        cancelled: Whether `on_progress` ended it early.
        extra: The samples of each extra turn.
    """

    rows: list[Row]
    skipped: list[Skipped]
    cancelled: bool
    extra: list[list[Sample]]


def time_tasks(
    tasks: Sequence[tuple[TaskTimer, Task]],
    *,
    seconds: float,
    on_progress: OnProgress | None = None,
    on_rows: Callable[[list[Row]], object] | None = None,
    extra: Sequence[tuple[str, Callable[[], Sample]]] = (),
) -> TimedTasks:
    """Check and warm up all tasks, then time them in turns.

    Args:
        tasks: What to time, and the timer that does it.
        seconds: Duration of the timing.
        on_progress: Called before each check and each turn; returning False cancels.
        on_rows: Called after each round with the rows so far.
        extra: Names and functions of further turns to take in each round.

    Raises:
        AgreementError: If a variant does not compute the objective.
    """
    report: OnProgress = on_progress or (lambda progress: None)
    workloads: dict[tuple[TaskTimer, Task], Workload] = {}
    failed: dict[tuple[TaskTimer, str], str] = {}
    cancelled = False
    for done, (timer, task) in enumerate(tasks):
        if (timer, task.variant) in failed:
            continue
        if asks_to_stop(report(Progress("checking", done, len(tasks), task.variant))):
            cancelled = True
            break
        try:
            workloads[timer, task] = timer.prepare(task)
        except BackendError as error:
            failed[timer, task.variant] = str(error)
    reasons = dict.fromkeys((name, reason) for (_, name), reason in failed.items())
    skipped = [Skipped(variant=name, reason=reason) for name, reason in reasons]
    if cancelled:
        return TimedTasks([], skipped, True, [[] for _ in extra])

    def make_rows(samples: list[list[Sample]]) -> list[Row]:
        return [
            make_row(task, workload, taken, threads=timer.threads, instructions=timer.instructions)
            for ((timer, task), workload), taken in zip(workloads.items(), samples, strict=False)
            if taken
        ]

    turns: list[tuple[str, Callable[[], Sample]]] = [
        (task.variant, partial(timer.sample, task)) for timer, task in workloads
    ]
    samples, cancelled = interleave(
        [*turns, *extra],
        seconds=seconds,
        on_progress=report,
        on_round=None if on_rows is None else lambda samples: on_rows(make_rows(samples)),
    )
    return TimedTasks(make_rows(samples), skipped, cancelled, samples[len(turns) :])


def _check(
    restarts: Sequence[int],
    keeps: Sequence[int],
    threads: Sequence[int],
    seconds: float,
    generator: Generator,
) -> None:
    for name, numbers, most in (("restarts", restarts, 1_000_000), ("threads", threads, 1024)):
        for number in numbers:
            if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= most:
                raise ArgumentError(
                    f"{name} holds {number!r}; each must be an integer. Choose 1 to {most}."
                )
    for name, numbers in (("restarts", restarts), ("keeps", keeps), ("threads", threads)):
        if not numbers:
            raise ArgumentError(f"{name} is empty; give at least one number.")
    for keep in keeps:
        Mask.leading(keep, generator.image_shape)
    if not 0 < seconds < float("inf"):
        raise ArgumentError(f"seconds is {seconds!r}; choose a finite number above 0.")
