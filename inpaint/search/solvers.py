"""The settings of the solvers, and the state of a descent.

The backends implement the solvers. They share the state, so a descent can be interrupted after
any step and continue in any backend.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from inpaint.config import RestoreConfig, ScheduleName
from inpaint.types import Status

COSINE_END = 0.01
"""Final learning rate of a cosine schedule, as a fraction of the initial one."""


@dataclass(frozen=True, kw_only=True)
class Solver(ABC):
    """Settings that all solvers share.

    Attributes:
        steps: Maximum number of steps; each evaluates one gradient.
        tolerance: A restart has converged once its lowest cost fell by no more than this in
            `patience` steps. 0 disables early stopping.
        patience: See `tolerance`.
    """

    steps: int
    tolerance: float
    patience: int

    keeps_iterate: ClassVar[bool] = False
    """Whether the iterate is `SolveState.best_latents`; else it is the point evaluated last."""

    @abstractmethod
    def memory_size(self, latent_size: int) -> int:
        """Size K of `SolveState.memory`."""


@dataclass(frozen=True, kw_only=True)
class FirstOrder(Solver):
    """A solver whose step depends only on one gradient, a learning rate and its memory."""

    learning_rate: float
    schedule: ScheduleName

    def learning_rates(self, start: int, num_steps: int) -> list[float]:
        """Learning rates of the steps `start` to `start + num_steps - 1`, counted from 0."""
        if self.schedule == "constant":
            return [self.learning_rate] * num_steps
        swing = (1 - COSINE_END) / 2
        return [
            self.learning_rate
            * (COSINE_END + swing * (1 + math.cos(math.pi * min(step / self.steps, 1))))
            for step in range(start, start + num_steps)
        ]


@dataclass(frozen=True, kw_only=True)
class GradientDescent(FirstOrder):
    """z <- z - rate * gradient."""

    def memory_size(self, latent_size: int) -> int:
        """No memory."""
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
    section 3, which does not require smoothness: J has a kink wherever a ReLU switches. Each
    step evaluates one trial point, so a line search may take several steps, and no restart
    waits for another's line search.

    The iterate is `SolveState.best_latents`; `SolveState.latents` is the trial point. Memory of
    a restart: gradient at the iterate [D], direction [D], step length, its lower and upper
    bracket, directional derivative, number of trials, number of pairs, s [P, D], y [P, D],
    rho [P], where s and y are differences of iterates and of gradients, newest first, rho is
    1 / (y . s) and P is `max_pairs`.

    Attributes:
        max_pairs: Maximum number of pairs (s, y) to keep.
        armijo: Constant c1 of the sufficient decrease condition.
        curvature: Constant c2 of the curvature condition.
        max_trials: Maximum number of trial points in a line search.
        curvature_floor: Pairs with y . s up to this times |y| |s| are not stored.
        first_step_length: Without pairs, the first trial step is the negative gradient, shortened
            to this length if it is longer.
    """

    max_pairs: int = 10
    armijo: float = 1e-4
    curvature: float = 0.9
    max_trials: int = 25
    curvature_floor: float = 1e-8
    first_step_length: float = 1.0

    keeps_iterate: ClassVar[bool] = True
    SCALARS: ClassVar[int] = 6
    """Scalars in the memory of a restart."""

    def memory_size(self, latent_size: int) -> int:
        """Two vectors, the scalars and the pairs."""
        return 2 * latent_size + self.SCALARS + self.max_pairs * (2 * latent_size + 1)


@dataclass(frozen=True)
class SolveState:
    """The state of a descent of R restarts for each of B images.

    Attributes:
        step: Steps taken.
        latents: Points that the next step evaluates. [B, R, D]
        costs: J at the current iterates; +inf once it was not finite. [B, R]
        best_latents: Each restart's iterate of lowest cost. [B, R, D]
        best_costs: J at `best_latents`. [B, R]
        status: `Status` of each restart. uint8 [B, R]
        evaluations: Gradients evaluated. int32 [B, R]
        anchor: Lowest cost when it last fell by more than the tolerance. [B, R]
        stale: Steps since then. int32 [B, R]
        memory: What the solver keeps between steps. [B, R, K]
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


def start(solver: Solver, latents: Tensor) -> SolveState:
    """The state before the first step.

    Args:
        solver: Determines the size of the memory.
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
    """The solver of a configuration, with its default settings filled in."""
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
