"""The torch backend: all restarts of all images at once, on any device.

It is the reference that `csrc/solvers.h` is tested against, and evaluates generators that C++
cannot.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock

import torch
from torch import Tensor

from inpaint.search.backends import hamiltonian, quasi_newton
from inpaint.search.backends.stopping import update_convergence
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

MAX_VALUES = 2**23
"""Maximum number of values per layer that `cost` holds at once, to limit its memory."""


@contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """Limit torch to `threads` threads inside the context; 0 changes nothing.

    Only the calling thread is limited, so searches that overlap in several threads neither see
    each other's limits nor leave any behind.
    """
    if threads == 0:
        yield
        return
    before = _set_own_threads(threads)
    try:
        yield
    finally:
        _set_own_threads(before)


_setting = Lock()


def _set_own_threads(threads: int) -> int:
    """Set the number of torch's threads for the calling thread; returns what it was before.

    Torch keeps a number for each thread, and one that new threads begin with.
    `torch.set_num_threads` sets both, so a new thread sets the second one back.
    """
    with _setting, ThreadPoolExecutor(max_workers=1) as new_thread:
        of_new_threads = new_thread.submit(torch.get_num_threads).result()
        # A thread that is new to torch takes its own number from the other one now.
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        new_thread.submit(torch.set_num_threads, of_new_threads).result()
    return before


def cost(objective: Objective, latents: Tensor) -> Tensor:
    """J of latent vectors, forward only. [B, R, D] -> [B, R]"""
    images, _, _ = latents.shape
    size = max(1, MAX_VALUES // max(1, images * objective.width))
    return torch.cat([objective.cost(part) for part in latents.split(size, dim=1)], dim=1)


def cost_and_gradient(objective: Objective, latents: Tensor) -> tuple[Tensor, Tensor]:
    """J and its gradient. [B, R, D] -> [B, R], [B, R, D]"""
    return objective.cost_and_gradient(latents)


def advance(
    objective: Objective, solver: Solver, state: SolveState, num_steps: int
) -> tuple[SolveState, Tensor]:
    """Take up to `num_steps` steps with every running restart.

    Args:
        objective: J of B images.
        solver: The solver and its settings.
        state: The state to advance.
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
    """Evaluate the last iterates and set the final status of restarts that still run.

    Args:
        objective: J of B images.
        solver: The solver. With L-BFGS the costs of the iterates are already known.
        state: The state after the last step.
        status: Status for restarts that still run: MAX_STEPS or CANCELLED.
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
    """Evaluate J and its gradient at the current iterates, and update the status."""
    running = state.running
    costs, gradient = objective.cost_and_gradient(state.latents)
    finite = costs.isfinite() & gradient.isfinite().all(-1)
    costs = torch.where(running, torch.where(finite, costs, torch.inf), state.costs)
    state = replace(state, costs=costs, evaluations=state.evaluations + running.int())
    state = update_convergence(solver, _keep_best(state), running)
    status = torch.where(running & ~finite, int(Status.NON_FINITE), state.status)
    return replace(state, status=status.to(torch.uint8)), gradient


def _step(solver: FirstOrder, state: SolveState, gradient: Tensor, rate: float) -> SolveState:
    """Take a step with the running restarts and leave the others unchanged."""
    step, memory = _direction(solver, gradient, state.memory, state.step + 1)
    running = state.running[..., None]
    return replace(
        state,
        step=state.step + 1,
        latents=torch.where(running, state.latents - rate * step, state.latents),
        memory=torch.where(running, memory, state.memory),
    )


def _direction(
    solver: FirstOrder, gradient: Tensor, memory: Tensor, step_number: int
) -> tuple[Tensor, Tensor]:
    """The step at learning rate 1, and the new memory; `step_number` counts from 1."""
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
            scale = (square / (1 - beta2**step_number)).sqrt() + epsilon
            return mean / (1 - beta1**step_number) / scale, torch.cat([mean, square], dim=-1)
    raise TypeError(f"{type(solver).__name__} is not a first-order solver of this backend.")
