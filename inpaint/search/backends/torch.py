"""The torch backend: all restarts of all images side by side, on any device.

It is the readable reference that `csrc/solvers.h` is tested against, and serves generators
that only torch can evaluate.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from inpaint.search.backends import hamiltonian, quasi_newton
from inpaint.search.objective import Objective
from inpaint.search.solvers import (
    LBFGS,
    Adam,
    FirstOrder,
    GradientDescent,
    RMSprop,
    Solver,
    SolveState,
)
from inpaint.types import Status

SCREEN_NUMBERS = 2**23
"""Numbers that `cost` holds at once, so that thousands of candidates fit in memory."""


@contextmanager
def limited_threads(count: int) -> Iterator[None]:
    """Let torch compute with `count` threads for a while; 0 leaves its own number."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def cost(objective: Objective, latents: Tensor) -> Tensor:
    """J of latent vectors, forward only. [B, R, D] -> [B, R]"""
    images, _, _ = latents.shape
    block = max(1, SCREEN_NUMBERS // max(1, images * objective.width))
    return torch.cat([objective.cost(part) for part in latents.split(block, dim=1)], dim=1)


def cost_and_gradient(objective: Objective, latents: Tensor) -> tuple[Tensor, Tensor]:
    """J and its gradient. [B, R, D] -> [B, R], [B, R, D]"""
    return objective.cost_and_gradient(latents)


def advance(
    objective: Objective, solver: Solver, state: SolveState, num_steps: int
) -> tuple[SolveState, Tensor]:
    """Take up to `num_steps` steps with every running restart.

    Args:
        objective: J of B images.
        solver: How to step.
        state: Where the descent stands.
        num_steps: Steps to take.

    Returns:
        The new state and the cost at the beginning of each step. [num_steps, B, R]
    """
    if isinstance(solver, LBFGS):
        return quasi_newton.advance(objective, solver, state, num_steps)
    assert isinstance(solver, FirstOrder)
    history = []
    for rate in solver.learning_rates(state.step, num_steps):
        state, gradient = _evaluate(objective, solver, state)
        history.append(state.costs)
        state = _step(solver, state, gradient, rate)
    return state, torch.stack(history)


def finish(objective: Objective, solver: Solver, state: SolveState, status: Status) -> SolveState:
    """Evaluate the last iterates and give running restarts their final status.

    Args:
        objective: J of B images.
        solver: What stepped. L-BFGS knows the cost of its iterates already.
        state: Where the descent ended.
        status: What running restarts become: MAX_STEPS or CANCELLED.
    """
    running = state.running
    costs = state.costs
    if isinstance(solver, FirstOrder):
        costs = torch.where(running, cost(objective, state.latents), costs)
    costs = torch.where(costs.isfinite(), costs, torch.inf)
    failed = running & ~costs.isfinite()
    final = torch.where(running, int(status), state.status)
    final = torch.where(failed, int(Status.NON_FINITE), final).to(torch.uint8)
    state = replace(state, costs=costs, status=final)
    return _keep_best(state) if isinstance(solver, FirstOrder) else state


def move(objective: Objective, latents: Tensor, moves: hamiltonian.Moves) -> hamiltonian.Moved:
    """Move particles by Hamiltonian Monte Carlo; see `Moves`. latents: [B, K, P, D]"""
    return hamiltonian.move(objective, latents, moves)


def _keep_best(state: SolveState) -> SolveState:
    better = state.costs < state.best_costs
    return replace(
        state,
        best_costs=torch.where(better, state.costs, state.best_costs),
        best_latents=torch.where(better[..., None], state.latents, state.best_latents),
    )


def _evaluate(objective: Objective, solver: Solver, state: SolveState) -> tuple[SolveState, Tensor]:
    """J and its gradient at the current iterates, with all that follows for the status."""
    running = state.running
    costs, gradient = objective.cost_and_gradient(state.latents)
    finite = costs.isfinite() & gradient.isfinite().all(-1)
    costs = torch.where(running, torch.where(finite, costs, torch.inf), state.costs)
    state = replace(state, costs=costs, evaluations=state.evaluations + running.int())
    return _note_convergence(solver, _keep_best(state), failed=running & ~finite), gradient


def _note_convergence(solver: Solver, state: SolveState, *, failed: Tensor) -> SolveState:
    """Stop the restarts that failed, and those whose lowest cost no longer falls."""
    fell = state.best_costs < state.anchor - solver.tolerance
    stale = torch.where(fell, 0, state.stale + 1).int()
    converged = state.running & (stale >= solver.patience) & (solver.tolerance > 0)
    status = torch.where(converged, int(Status.CONVERGED), state.status)
    status = torch.where(failed, int(Status.NON_FINITE), status).to(torch.uint8)
    anchor = torch.where(fell, state.best_costs, state.anchor)
    return replace(state, status=status, anchor=anchor, stale=stale)


def _step(solver: FirstOrder, state: SolveState, gradient: Tensor, rate: float) -> SolveState:
    """Move the running restarts, and leave the others bit-equal."""
    step, memory = _direction(solver, gradient, state.memory, state.step + 1)
    running = state.running[..., None]
    return replace(
        state,
        step=state.step + 1,
        latents=torch.where(running, state.latents - rate * step, state.latents),
        memory=torch.where(running, memory, state.memory),
    )


def _direction(
    solver: FirstOrder, gradient: Tensor, memory: Tensor, step: int
) -> tuple[Tensor, Tensor]:
    """What the learning rate multiplies, and the new memory; `step` counts from 1."""
    match solver:
        case GradientDescent():
            return gradient, memory
        case RMSprop(decay=decay, epsilon=epsilon):
            square = decay * memory + (1 - decay) * gradient.square()
            return gradient / (square.sqrt() + epsilon), square
        case Adam(beta1=beta1, beta2=beta2, epsilon=epsilon):
            mean, square = memory.chunk(2, dim=-1)
            mean = beta1 * mean + (1 - beta1) * gradient
            square = beta2 * square + (1 - beta2) * gradient.square()
            scale = (square / (1 - beta2**step)).sqrt() + epsilon
            return mean / (1 - beta1**step) / scale, torch.cat([mean, square], dim=-1)
    raise TypeError(f"{type(solver).__name__} is not a first-order solver of this backend.")
