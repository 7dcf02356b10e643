"""Solvers as records of their settings, and the state that a descent carries along.

A solver says what to do; a backend does it. The state is the same in every backend, so a
descent can be cut into chunks anywhere, and even go on in another backend.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar

import torch
from torch import Tensor

from inpaint.config import RestoreConfig, ScheduleName
from inpaint.types import Status

COSINE_END = 0.01
"""Share of the learning rate that is left at the end of a cosine schedule."""


@dataclass(frozen=True, kw_only=True)
class Solver(ABC):
    """What all solvers share.

    Attributes:
        steps: Steps at most; one step evaluates the gradient once.
        tolerance: Converged when the lowest cost fell by no more than this in `patience` steps;
            0 never stops early.
        patience: See `tolerance`.
    """

    steps: int
    tolerance: float
    patience: int

    keeps_iterate: ClassVar[bool] = False
    """Whether the iterate is the best point met, instead of the point evaluated last."""

    @abstractmethod
    def memory_size(self, latent_size: int) -> int:
        """How many numbers the solver keeps for each restart."""


@dataclass(frozen=True, kw_only=True)
class FirstOrder(Solver):
    """A solver whose step follows from one gradient and a learning rate."""

    learning_rate: float
    schedule: ScheduleName

    def learning_rates(self, start: int, count: int) -> list[float]:
        """Learning rates of the steps `start` to `start + count - 1`."""
        if self.schedule == "constant":
            return [self.learning_rate] * count
        swing = (1 - COSINE_END) / 2
        return [
            self.learning_rate
            * (COSINE_END + swing * (1 + math.cos(math.pi * min(step / self.steps, 1))))
            for step in range(start, start + count)
        ]


@dataclass(frozen=True, kw_only=True)
class GradientDescent(FirstOrder):
    """z <- z - rate * gradient."""

    def memory_size(self, latent_size: int) -> int:
        """Nothing is kept."""
        return 0


@dataclass(frozen=True, kw_only=True)
class RMSprop(FirstOrder):
    """Steps scaled by a running root mean square of the gradient (Hinton 2012, lecture 6e).

    Memory of a restart: mean square [D].
    """

    decay: float = 0.9
    epsilon: float = 1e-8

    def memory_size(self, latent_size: int) -> int:
        """The mean square."""
        return latent_size


@dataclass(frozen=True, kw_only=True)
class Adam(FirstOrder):
    """Adam (Kingma and Ba 2015, algorithm 1).

    Memory of a restart: mean [D], mean square [D].
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def memory_size(self, latent_size: int) -> int:
        """The two moments."""
        return 2 * latent_size


@dataclass(frozen=True, kw_only=True)
class LBFGS(Solver):
    """Limited-memory BFGS with a weak Wolfe line search by bisection.

    Nocedal and Wright 2006, algorithm 7.4, with the line search of Lewis and Overton 2013,
    section 3, which needs no smoothness: J has kinks wherever a ReLU switches. Each step
    evaluates one trial point, so a line search spreads over several steps, and a restart
    never waits for another one's.

    Its iterate is the best one met; `SolveState.latents` holds the trial point. Memory of a
    restart: gradient at the iterate [D], direction [D], then step length, lower and upper
    bracket, slope along the direction, trials of this search, number of pairs; then, newest
    first, the pairs' differences of iterates [pairs, D], of gradients [pairs, D] and the
    reciprocals of their products [pairs].
    """

    pairs: int = 10
    armijo: float = 1e-4
    curvature: float = 0.9
    trials: int = 25
    curvature_floor: float = 1e-8
    first_length: float = 1.0

    keeps_iterate: ClassVar[bool] = True
    SCALARS: ClassVar[int] = 6

    def memory_size(self, latent_size: int) -> int:
        """Two vectors, six numbers and the pairs."""
        return 2 * latent_size + self.SCALARS + self.pairs * (2 * latent_size + 1)


@dataclass(frozen=True)
class SolveState:
    """Where a descent of R restarts on each of B images stands.

    Attributes:
        step: Steps taken.
        latents: Points that the next step evaluates. [B, R, D]
        costs: J at the current iterates; +inf once non-finite. [B, R]
        best_latents: The iterate of lowest cost that each restart met. [B, R, D]
        best_costs: J there. [B, R]
        status: `Status` of each restart. uint8 [B, R]
        evaluations: Gradients evaluated. int32 [B, R]
        anchor: Lowest cost when it last fell by more than the tolerance. [B, R]
        stale: Steps since then. int32 [B, R]
        memory: The solver's own numbers. [B, R, K]
    """

    step: int
    latents: Tensor
    costs: Tensor
    best_latents: Tensor
    best_costs: Tensor
    status: Tensor
    evaluations: Tensor
    anchor: Tensor
    stale: Tensor
    memory: Tensor

    @property
    def running(self) -> Tensor:
        """Whether a restart still takes steps. [B, R]"""
        return self.status == Status.RUNNING

    def joined(self, other: SolveState) -> SolveState:
        """The restarts of both states side by side, these ones first."""
        step = max(self.step, other.step)
        names = [field.name for field in fields(self) if field.name != "step"]
        pairs = [(getattr(self, name), getattr(other, name)) for name in names]
        return SolveState(step, *(torch.cat(pair, dim=1) for pair in pairs))


def start(solver: Solver, latents: Tensor) -> SolveState:
    """The state before the first step.

    Args:
        solver: Whose memory the state makes room for.
        latents: Starting points. [B, R, D]
    """
    shape = latents.shape[:2]
    infinity = latents.new_full(shape, torch.inf)
    counter = torch.zeros(shape, dtype=torch.int32, device=latents.device)
    return SolveState(
        step=0,
        latents=latents,
        costs=infinity,
        best_latents=latents,
        best_costs=infinity,
        status=torch.zeros(shape, dtype=torch.uint8, device=latents.device),
        evaluations=counter,
        anchor=infinity,
        stale=counter,
        memory=latents.new_zeros(*shape, solver.memory_size(latents.shape[2])),
    )


def make_solver(config: RestoreConfig) -> Solver:
    """The solver that a configuration names, with its open settings filled in."""
    config = config.resolved()
    assert config.steps is not None
    assert config.learning_rate is not None
    assert config.schedule is not None
    assert config.patience is not None
    steps, tolerance, patience = config.steps, config.tolerance, config.patience
    if config.solver == "lbfgs":
        return LBFGS(steps=steps, tolerance=tolerance, patience=patience)
    first_order: dict[str, type[FirstOrder]] = {
        "gradient-descent": GradientDescent,
        "rmsprop": RMSprop,
        "adam": Adam,
    }
    return first_order[config.solver](
        steps=steps,
        tolerance=tolerance,
        patience=patience,
        learning_rate=config.learning_rate,
        schedule=config.schedule,
    )
