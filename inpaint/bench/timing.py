"""Interleaved timing: every variant takes its turn in every round."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch

from inpaint.bench.case import (
    CHECK_STEPS,
    AgreementError,
    Descent,
    Problem,
    Variant,
    active_share,
    check_agreement,
    make_problem,
)
from inpaint.generators import Generator

LONGEST_DESCENT = 500
FEWEST_ROUNDS = 3

OnProgress = Callable[[float, str], object]


class Sample(NamedTuple):
    """One turn of one variant.

    Attributes:
        work: What was done: restart-iterations, or floating-point operations.
        seconds: Wall time.
        cpu_seconds: Processor time of all threads of the process.
        load: The machine's load average over the last minute.
    """

    work: float
    seconds: float
    cpu_seconds: float
    load: float


@dataclass(frozen=True)
class Cell:
    """One figure of the table: a variant at N observed pixels and R restarts."""

    variant: str
    keep: int
    restarts: int


@dataclass(frozen=True)
class Plan:
    """How a turn of a cell is taken.

    Attributes:
        steps: Steps of a descent.
        repeats: Descents, one after the other.
        active: Mean share of active hidden units, at the starts and at the end.
    """

    steps: int
    repeats: int
    active: float


class Station:
    """One process's part of a bench: prepares cells on a number of threads, and times them.

    Args:
        generator: Of all problems.
        variants: What can be timed here.
        threads: Threads that each variant may use.
        sample_seconds: How long a turn shall take.
    """

    def __init__(
        self,
        generator: Generator,
        variants: Sequence[Variant],
        *,
        threads: int,
        sample_seconds: float,
    ) -> None:
        self.generator = generator
        self.variants = {variant.name: variant for variant in variants}
        self.threads = threads
        self.sample_seconds = sample_seconds
        self.problem = lru_cache(maxsize=None)(self._problem)
        self.ready: dict[Cell, tuple[Descent, Plan]] = {}

    def _problem(self, keep: int, count: int) -> Problem:
        return make_problem(self.generator, keep, count)

    def prepare(self, cell: Cell) -> Plan:
        """Check a cell's variant, warm it up, and find out how long a turn takes.

        Raises:
            AgreementError: If the variant computes something else.
            BackendError: If it cannot run here.
        """
        with _threads(self.threads):
            problem = self.problem(cell.keep, cell.restarts)
            descent = self.variants[cell.variant].prepare(problem, self.threads)
            check_agreement(problem, cell.variant, descent)
            seconds = _clock(descent, CHECK_STEPS) / CHECK_STEPS
            # Variants that take several steps in one go need a number that theirs divides.
            affordable = int(self.sample_seconds / seconds) // CHECK_STEPS * CHECK_STEPS
            steps = max(CHECK_STEPS, min(LONGEST_DESCENT, affordable))
            ends = descent(steps).latents
            seconds = _clock(descent, steps)
        if not np.isfinite(ends).all():
            raise AgreementError(
                f"{cell.variant} at N={cell.keep}, R={cell.restarts} left the finite numbers "
                f"within {steps} steps, so its rate would mean nothing. Choose another generator."
            )
        active = sum(active_share(problem.generator, z) for z in (problem.starts.numpy(), ends)) / 2
        plan = Plan(steps, max(1, round(self.sample_seconds / seconds)), active)
        self.ready[cell] = descent, plan
        return plan

    def sample(self, cell: Cell) -> Sample:
        """Take one turn."""
        descent, plan = self.ready[cell]
        with _threads(self.threads):
            descent(CHECK_STEPS)
            cpu, clock = time.process_time(), time.perf_counter()
            for _ in range(plan.repeats):
                followed = len(descent(plan.steps).latents)
            seconds, cpu = time.perf_counter() - clock, time.process_time() - cpu
        work = followed * plan.steps * plan.repeats
        return Sample(work, seconds, cpu, os.getloadavg()[0])


def interleave(
    turns: Sequence[tuple[str, Callable[[], Sample]]],
    *,
    seconds: float,
    on_progress: OnProgress,
    cancelled: Callable[[], bool],
    on_round: Callable[[list[list[Sample]]], object] | None = None,
) -> list[list[Sample]]:
    """Take all turns round after round, so that a busy moment of the machine hits all alike.

    Args:
        turns: What each turn is called, and takes.
        seconds: When to end; a round that has begun is completed, and `FEWEST_ROUNDS` are taken.
        on_progress: Told the share of the work that is done, and what is done next.
        cancelled: Asked before each turn.
        on_round: Told after each round what was sampled until then.

    Returns:
        The samples of each turn.
    """
    samples: list[list[Sample]] = [[] for _ in turns]
    began, rounds = time.perf_counter(), 0
    while rounds < FEWEST_ROUNDS or time.perf_counter() - began < seconds:
        # Back and forth, so that no variant always follows the same other one.
        order = range(len(turns)) if rounds % 2 == 0 else reversed(range(len(turns)))
        for position, k in enumerate(order):
            if cancelled():
                return samples
            name, take = turns[k]
            in_time = (time.perf_counter() - began) / seconds
            in_rounds = (rounds + position / len(turns)) / FEWEST_ROUNDS
            on_progress(min(in_time, in_rounds, 1.0), f"timing {name}")
            samples[k].append(take())
        rounds += 1
        if on_round is not None:
            on_round(samples)
    return samples


def _clock(descent: Descent, steps: int) -> float:
    """Seconds of a descent that was run before; the better of two, in case one was disturbed."""
    marks = [time.perf_counter()]
    for _ in range(2):
        descent(steps)
        marks.append(time.perf_counter())
    return max(min(marks[1] - marks[0], marks[2] - marks[1]), 1e-9)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Give torch and, where it can be told, numpy's BLAS so many threads."""
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
    """Sets the threads of numpy's BLAS; None without threadpoolctl, which is optional."""
    try:
        return importlib.import_module("threadpoolctl").ThreadpoolController()
    except ImportError:
        return None
