"""What a sampler needs from a backend: J and moves, in numpy and float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint.config import RestoreConfig
from inpaint.posterior.mixture import Array
from inpaint.search.backends import Backend
from inpaint.search.backends.hamiltonian import Moves
from inpaint.search.objective import Objective
from inpaint.search.solvers import make_solver, start
from inpaint.types import Status

MOVED_VALUES = 2**22
"""Values of images up to which particles are moved together, without a question in between."""

DESCENT_GRADIENTS = 40_000
"""Gradients that a descent takes between two questions."""

MANY_VECTORS = 20_000
"""Latent vectors whose mixtures and weights take long enough to ask before."""

MayContinue = Callable[[], bool]
"""Asked from time to time; False ends the work with `Stopped`."""


class Stopped(Exception):
    """The caller has ended the work in the middle of a stage."""


def _always() -> bool:
    return True


@dataclass(frozen=True)
class Evaluator:
    """Evaluates J of B images for K chains each.

    Large evaluations are made in parts, and raise `Stopped` between two of them if the caller wants
    to stop.

    Attributes:
        objective: J of the images.
        backend: What computes it.
        leapfrog: Leapfrog steps of an HMC move.
        may_continue: Asked between the parts.
    """

    objective: Objective
    backend: Backend
    leapfrog: int
    may_continue: MayContinue = _always

    def costs(self, latents: Array) -> tuple[Array, Array]:
        """J of latent vectors.

        Args:
            latents: [B, K, ..., D]

        Returns:
            The vectors in the precision they were evaluated in, and J there. [B, K, ...]
        """
        rounded = torch.from_numpy(latents).to(self.objective.target)
        flat = rounded.flatten(1, -2)
        parts = [
            self.backend.cost(self.objective, flat[:, part])
            for part in self._parts(len(flat), flat.shape[1], together=8)
        ]
        costs = torch.cat(parts, dim=1)
        return to_numpy(rounded), to_numpy(costs.unflatten(1, rounded.shape[1:-1]))

    def move(
        self,
        latents: Array,
        momenta: Array,
        thresholds: Array,
        step_lengths: Array,
        inverse_temperatures: Array,
        factors: Array,
    ) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Make M HMC moves with every particle; see `Moves`.

        Args:
            latents: Where the particles begin. [B, K, P, D]
            momenta: [B, K, P, M, D]
            thresholds: [B, K, P, M]
            step_lengths: [B, K, P]
            inverse_temperatures: [B, K]
            factors: [B, K, D, D]

        Returns:
            States after each move [B, K, P, M, D], J there [B, K, P, M], and whether each move was
            accepted [B, K, P, M].
        """
        parts = [
            self._move(
                latents[:, :, part],
                momenta[:, :, part],
                thresholds[:, :, part],
                step_lengths[:, :, part],
                inverse_temperatures,
                factors,
            )
            for part in self._parts(latents.shape[0] * latents.shape[1], latents.shape[2])
        ]
        states, costs, accepted = (
            np.concatenate(each, axis=2) for each in zip(*parts, strict=True)
        )
        return states, costs, accepted

    def ask(self, vectors: int) -> None:
        """Ask before work on many latent vectors that J has no part in.

        Raises:
            Stopped: If the caller wants to stop.
        """
        if vectors >= MANY_VECTORS and not self.may_continue():
            raise Stopped

    def _parts(self, rows: int, count: int, *, together: int = 1) -> Iterator[slice]:
        """Slices of `count` vectors in each of `rows` that are evaluated together.

        Args:
            rows: Images, or chains of all images.
            count: Vectors of each.
            together: How many times `MOVED_VALUES` are evaluated together.
        """
        step = max(1, together * MOVED_VALUES // (rows * self.objective.width))
        for first in range(0, count, step):
            if first and not self.may_continue():
                raise Stopped
            yield slice(first, first + step)

    def _move(
        self,
        latents: Array,
        momenta: Array,
        thresholds: Array,
        step_lengths: Array,
        inverse_temperatures: Array,
        factors: Array,
    ) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Move some of the particles; see `move`."""
        like = self.objective.target
        moves = Moves(
            momenta=torch.from_numpy(momenta).to(like),
            thresholds=torch.from_numpy(thresholds).to(like),
            inverse_temperatures=torch.from_numpy(inverse_temperatures).to(like),
            lengths=torch.from_numpy(step_lengths).to(like),
            factors=torch.from_numpy(factors).to(like),
            leapfrog=self.leapfrog,
        )
        moved = self.backend.move(self.objective, torch.from_numpy(latents).to(like), moves)
        return to_numpy(moved.latents), to_numpy(moved.costs), moved.accepted.cpu().numpy()


def descend(
    objective: Objective,
    backend: Backend,
    latents: Tensor,
    search: RestoreConfig,
    may_continue: MayContinue = _always,
) -> tuple[Tensor, Tensor, Tensor]:
    """Follow latent vectors down to minima of J, as a restoration follows its restarts.

    Args:
        objective: J of B images.
        backend: What computes it.
        latents: Where the descents begin. [B, R, D]
        search: Names the solver and its settings.
        may_continue: Asked after every few steps.

    Returns:
        The minima [B, R, D]; J there, infinite where a descent failed [B, R]; and the gradients
        that each took [B, R]. All are on the backend's device.

    Raises:
        Stopped: If it was ended.
    """
    solver = make_solver(search)
    state = start(solver, latents.to(objective.target).contiguous())
    together = max(1, DESCENT_GRADIENTS // state.status.numel())
    while state.step < solver.steps and state.running.any():
        if state.step and not may_continue():
            raise Stopped
        count = min(together, solver.steps - state.step)
        state, _ = backend.advance(objective, solver, state, count)
    state = backend.finish(objective, solver, state, Status.MAX_STEPS)
    costs = torch.where(state.status == Status.NON_FINITE, torch.inf, state.best_costs)
    return state.best_latents, costs, state.evaluations


def select_images(objective: Objective, part: slice) -> Objective:
    """J of some of the images."""
    weight = None if objective.weight is None else objective.weight[part]
    return replace(
        objective,
        target=objective.target[part],
        weight=weight,
        num_observed=objective.num_observed[part],
    )


def to_numpy(tensor: Tensor) -> Array:
    """The same numbers in float64."""
    numbers: Array = tensor.detach().cpu().double().numpy()
    return numbers
