"""What a sampler needs from a backend: J and moves, in numpy and float64."""

from __future__ import annotations

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


@dataclass(frozen=True)
class Evaluator:
    """Evaluates J of B images for K chains each.

    Attributes:
        objective: J of the images.
        backend: What computes it.
        leapfrog: Leapfrog steps of an HMC move.
    """

    objective: Objective
    backend: Backend
    leapfrog: int

    def costs(self, latents: Array) -> tuple[Array, Array]:
        """J of latent vectors.

        Args:
            latents: [B, K, ..., D]

        Returns:
            The vectors in the precision they were evaluated in, and J there. [B, K, ...]
        """
        rounded = torch.from_numpy(latents).to(self.objective.target)
        costs = self.backend.cost(self.objective, rounded.flatten(1, -2))
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
    objective: Objective, backend: Backend, latents: Tensor, search: RestoreConfig
) -> tuple[Tensor, Tensor, Tensor]:
    """Follow latent vectors down to minima of J, as a restoration follows its restarts.

    Args:
        objective: J of B images.
        backend: What computes it.
        latents: Where the descents begin. [B, R, D]
        search: Names the solver and its settings.

    Returns:
        The minima [B, R, D]; J there, infinite where a descent failed [B, R]; and the gradients
        that each took [B, R]. All are on the backend's device.
    """
    solver = make_solver(search)
    state = start(solver, latents.to(objective.target).contiguous())
    state, _ = backend.advance(objective, solver, state, solver.steps)
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
