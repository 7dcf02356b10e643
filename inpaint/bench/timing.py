"""Interleaved timing: every variant takes its turn in every round."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from inpaint.bench.case import (
    CHECK_STEPS,
    AgreementError,
    BenchCase,
    Descent,
    Variant,
    active_share,
    check_agreement,
    make_case,
)
from inpaint.generators import Generator
from inpaint.types import OnProgress, Progress, asks_to_stop

LONGEST_DESCENT = 500
FEWEST_ROUNDS = 3


class Sample(NamedTuple):
    """One turn of one variant.

    Attributes:
        work: Number of restart-iterations or floating-point operations.
        seconds: Wall time.
        cpu_seconds: Processor time of all threads of the process.
        load: Load average of the machine over the last minute.
    """

    work: float
    seconds: float
    cpu_seconds: float
    load: float


@dataclass(frozen=True)
class Task:
    """What one row of the result measures: a variant at N observed pixels and R restarts."""

    variant: str
    keep: int
    restarts: int


@dataclass(frozen=True)
class Workload:
    """What one turn of a task computes.

    Attributes:
        steps: Steps of one descent.
        repeats: Number of descents in a row.
        active: Mean share of active hidden units, averaged over the first and the last latents.
    """

    steps: int
    repeats: int
    active: float


class TaskTimer(Protocol):
    """Prepares and times tasks, in this process or in another one.

    Attributes:
        threads: Threads that each variant may use.
        instructions: Instruction set that torch uses: "avx512", "avx2" or another one.
    """

    threads: int
    instructions: str

    def prepare(self, task: Task) -> Workload:
        """Check and warm up the task's variant, and choose what one turn computes."""
        ...

    def sample(self, task: Task) -> Sample:
        """Take one turn of a prepared task."""
        ...


class Timer:
    """Prepares and times tasks in this process.

    Args:
        generator: Generator of all cases.
        variants: What can be timed.
        threads: Threads that each variant may use.
        turn_seconds: Desired duration of a turn.
    """

    def __init__(
        self,
        generator: Generator,
        variants: Sequence[Variant],
        *,
        threads: int,
        turn_seconds: float,
    ) -> None:
        self.threads = threads
        self.instructions = torch.backends.cpu.get_cpu_capability().lower()
        self._variants = {variant.name: variant for variant in variants}
        self._turn_seconds = turn_seconds
        self._case = lru_cache(maxsize=None)(partial(make_case, generator))
        self._ready: dict[Task, tuple[Descent, Workload]] = {}

    def prepare(self, task: Task) -> Workload:
        """Check and warm up the task's variant, and choose what one turn computes.

        Raises:
            AgreementError: If the variant does not compute the objective.
            BackendError: If it cannot run here.
        """
        with _threads(self.threads):
            case: BenchCase = self._case(task.keep, task.restarts)
            descent = self._variants[task.variant].prepare(case, self.threads)
            check_agreement(case, task.variant, descent)
            seconds = _clock(descent, CHECK_STEPS) / CHECK_STEPS
            # A multiple of CHECK_STEPS, as compiled variants take several steps at once.
            affordable = int(self._turn_seconds / seconds) // CHECK_STEPS * CHECK_STEPS
            steps = max(CHECK_STEPS, min(LONGEST_DESCENT, affordable))
            ends = descent(steps).latents
            seconds = _clock(descent, steps)
        if not np.isfinite(ends).all():
            raise AgreementError(
                f"{task.variant} at N={task.keep}, R={task.restarts} gives NaN or infinity "
                f"within {steps} steps, so its rate would mean nothing. Choose another generator."
            )
        active = sum(active_share(case.generator, z) for z in (case.starts.numpy(), ends)) / 2
        workload = Workload(steps, max(1, round(self._turn_seconds / seconds)), active)
        self._ready[task] = descent, workload
        return workload

    def sample(self, task: Task) -> Sample:
        """Take one turn of a prepared task."""
        descent, workload = self._ready[task]
        with _threads(self.threads):
            descent(CHECK_STEPS)
            cpu, clock = time.process_time(), time.perf_counter()
            for _ in range(workload.repeats):
                restarts = len(descent(workload.steps).latents)
            seconds, cpu = time.perf_counter() - clock, time.process_time() - cpu
        work = restarts * workload.steps * workload.repeats
        return Sample(work, seconds, cpu, os.getloadavg()[0])


def interleave(
    turns: Sequence[tuple[str, Callable[[], Sample]]],
    *,
    seconds: float,
    on_progress: OnProgress,
    on_round: Callable[[list[list[Sample]]], object] | None = None,
) -> tuple[list[list[Sample]], bool]:
    """Take all turns round after round, so that a busy moment of the machine affects all alike.

    Args:
        turns: Name and function of each turn.
        seconds: When to end. The last round is completed, and at least `FEWEST_ROUNDS` are taken.
        on_progress: Called before each turn, and at the end; returning False cancels.
        on_round: Called after each round with the samples so far.

    Returns:
        The samples of each turn, and whether `on_progress` cancelled.
    """
    samples: list[list[Sample]] = [[] for _ in turns]
    began, rounds = time.perf_counter(), 0
    while turns and (rounds < FEWEST_ROUNDS or time.perf_counter() - began < seconds):
        # The order alternates, so that a variant does not always follow the same other one.
        order = range(len(turns)) if rounds % 2 == 0 else reversed(range(len(turns)))
        for position, k in enumerate(order):
            name, take = turns[k]
            in_rounds = seconds * (rounds + position / len(turns)) / FEWEST_ROUNDS
            done = min(time.perf_counter() - began, in_rounds, seconds)
            if asks_to_stop(on_progress(Progress("timing", done, seconds, name))):
                return samples, True
            samples[k].append(take())
        rounds += 1
        if on_round is not None:
            on_round(samples)
    on_progress(Progress("timing", seconds, seconds))
    return samples, False


def _clock(descent: Descent, steps: int) -> float:
    """Seconds of a warmed-up descent: the faster of two, in case one was disturbed."""
    marks = [time.perf_counter()]
    for _ in range(2):
        descent(steps)
        marks.append(time.perf_counter())
    return max(min(marks[1] - marks[0], marks[2] - marks[1]), 1e-9)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Set the threads of torch and, with threadpoolctl, of numpy's BLAS."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with _blas_threads(count):
            yield
    finally:
        torch.set_num_threads(before)


def _blas_threads(count: int) -> AbstractContextManager[object]:
    controller = _blas_controller()
    return nullcontext() if controller is None else controller.limit(limits=count, user_api="blas")


@lru_cache(maxsize=1)
def _blas_controller() -> Any:
    """The controller of numpy's BLAS threads; None without the optional threadpoolctl."""
    try:
        return importlib.import_module("threadpoolctl").ThreadpoolController()
    except ImportError:
        return None
