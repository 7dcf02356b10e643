"""Latent vectors followed down to their minima of J, as a restoration follows its restarts."""

from __future__ import annotations

import torch
from torch import Tensor

from inpaint.config import RestoreConfig
from inpaint.search.backends import Backend
from inpaint.search.objective import Objective
from inpaint.search.solvers import make_solver, start
from inpaint.types import Status


def descend(
    objective: Objective, backend: Backend, latents: Tensor, search: RestoreConfig
) -> tuple[Tensor, Tensor, Tensor]:
    """Where descents end, on the backend's device.

    Args:
        objective: J of B images.
        backend: What computes it.
        latents: Where the descents begin. [B, R, D]
        search: Names the solver and its settings.

    Returns:
        The minima [B, R, D]; J there, infinite where a descent left the finite numbers [B, R];
        and the gradients that each took [B, R].
    """
    solver = make_solver(search)
    state = start(solver, latents.to(objective.target).contiguous())
    state, _ = backend.advance(objective, solver, state, solver.steps)
    state = backend.finish(objective, solver, state, Status.MAX_STEPS)
    costs = torch.where(state.status == Status.NON_FINITE, torch.inf, state.best_costs)
    return state.best_latents, costs, state.evaluations
