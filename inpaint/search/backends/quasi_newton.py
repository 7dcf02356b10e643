"""L-BFGS in torch: a state machine per restart, all of them advanced together.

One call of `_step` evaluates one trial point of each restart and decides, per restart, whether
to accept it, to continue the line search, or to abandon the direction. `csrc/lbfgs.h` is the
same program for one restart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from inpaint.search.backends.stopping import update_convergence
from inpaint.search.objective import Objective
from inpaint.search.solvers import LBFGS, SolveState
from inpaint.types import Status


@dataclass(frozen=True)
class _Memory:
    """The parts of `SolveState.memory` by name; `LBFGS` describes the layout."""

    gradient: Tensor  # [B, R, D], at the iterate
    direction: Tensor  # [B, R, D]
    step_length: Tensor  # [B, R], of the trial point along the direction
    low: Tensor  # [B, R], longest step length known to be too short
    high: Tensor  # [B, R], shortest step length known to be too long
    directional_derivative: Tensor  # [B, R], of J along the direction, at the iterate
    num_trials: Tensor  # [B, R], along this direction
    num_pairs: Tensor  # [B, R], in use
    s: Tensor  # [B, R, P, D], differences of iterates, newest first
    y: Tensor  # [B, R, P, D], differences of gradients
    rho: Tensor  # [B, R, P], 1 / (y . s)

    @classmethod
    def unpack(cls, solver: LBFGS, memory: Tensor, latent_size: int) -> _Memory:
        shape = (solver.max_pairs, latent_size)
        many = solver.max_pairs * latent_size
        sizes = [latent_size, latent_size, LBFGS.SCALARS, many, many, solver.max_pairs]
        gradient, direction, scalars, s, y, rho = memory.split(sizes, dim=-1)
        step_length, low, high, derivative, num_trials, num_pairs = scalars.unbind(-1)
        return cls(
            gradient,
            direction,
            step_length,
            low,
            high,
            derivative,
            num_trials,
            num_pairs,
            s.unflatten(-1, shape),
            y.unflatten(-1, shape),
            rho,
        )

    def pack(self) -> Tensor:
        scalars = [
            self.step_length,
            self.low,
            self.high,
            self.directional_derivative,
            self.num_trials,
            self.num_pairs,
        ]
        return torch.cat(
            [
                self.gradient,
                self.direction,
                torch.stack(scalars, dim=-1),
                self.s.flatten(-2),
                self.y.flatten(-2),
                self.rho,
            ],
            dim=-1,
        )


def advance(
    objective: Objective, solver: LBFGS, state: SolveState, num_steps: int
) -> tuple[SolveState, Tensor]:
    """Evaluate `num_steps` trial points of every running restart.

    Args:
        objective: J of B images.
        solver: Settings of the solver.
        state: The state to advance.
        num_steps: Gradients to evaluate per restart.

    Returns:
        The new state and the cost of the iterate after each step. [num_steps, B, R]
    """
    end = state.step + num_steps
    history = []
    for _ in range(num_steps):
        if state.running.any():
            state = _step(objective, solver, state)
        history.append(state.costs)
    return replace(state, step=end), torch.stack(history)


def _step(objective: Objective, solver: LBFGS, state: SolveState) -> SolveState:
    """Accept the trial point, continue the line search, or abandon the direction."""
    running = state.running
    memory = _Memory.unpack(solver, state.memory, state.latents.shape[2])
    costs, gradient = objective.cost_and_gradient(state.latents)
    finite = costs.isfinite() & gradient.isfinite().all(-1)
    at_start = state.best_costs == torch.inf
    last_trial = memory.num_trials + 1 >= solver.max_trials
    derivative = memory.directional_derivative
    limit = state.best_costs + solver.armijo * memory.step_length * derivative
    armijo_holds = finite & (costs <= limit)
    curvature_holds = _dot(gradient, memory.direction) >= solver.curvature * derivative
    accepted = running & torch.where(
        at_start, finite, armijo_holds & (curvature_holds | last_trial)
    )
    searching = running & ~accepted & ~at_start

    state, memory = _accept(solver, memory, state, costs, gradient, accepted)
    memory, abandoned = _continue_search(solver, memory, state, searching, armijo_holds, last_trial)
    stuck = abandoned & (memory.num_pairs == 0)
    memory = replace(memory, num_pairs=torch.where(abandoned, 0, memory.num_pairs))
    memory = _new_direction(solver, memory, accepted | abandoned)

    status = torch.where(stuck, int(Status.CONVERGED), state.status)
    failed = running & at_start & ~finite
    status = torch.where(failed, int(Status.NON_FINITE), status).to(torch.uint8)
    state = replace(state, status=status, evaluations=state.evaluations + running.int())
    point = state.best_latents + memory.step_length[..., None] * memory.direction
    return replace(
        state,
        latents=torch.where(state.running[..., None], point, state.latents),
        memory=torch.where(running[..., None], memory.pack(), state.memory),
    )


def _accept(
    solver: LBFGS,
    memory: _Memory,
    state: SolveState,
    costs: Tensor,
    gradient: Tensor,
    accepted: Tensor,
) -> tuple[SolveState, _Memory]:
    """Make accepted trial points the iterates."""
    at_start = state.best_costs == torch.inf
    memory = _store_pair(solver, memory, state, gradient, accepted & ~at_start)
    memory = replace(memory, gradient=torch.where(accepted[..., None], gradient, memory.gradient))
    best_costs = torch.where(accepted, costs, state.best_costs)
    state = replace(
        state,
        costs=best_costs,
        best_costs=best_costs,
        best_latents=torch.where(accepted[..., None], state.latents, state.best_latents),
    )
    return update_convergence(solver, state, accepted), memory


def _store_pair(
    solver: LBFGS, memory: _Memory, state: SolveState, gradient: Tensor, accepted: Tensor
) -> _Memory:
    """Store the newest pair of accepted points if J curves upwards along it."""
    s, y = state.latents - state.best_latents, gradient - memory.gradient
    sy = _dot(s, y)
    stored = accepted & (sy > solver.curvature_floor * (_dot(s, s) * _dot(y, y)).sqrt())

    def push(new: Tensor, old: Tensor) -> Tensor:
        shifted = torch.cat([new[:, :, None], old[:, :, :-1]], dim=2)
        return torch.where(stored.reshape(*stored.shape, *[1] * (old.ndim - 2)), shifted, old)

    num_pairs = (memory.num_pairs + 1).clamp(max=solver.max_pairs)
    return replace(
        memory,
        num_pairs=torch.where(stored, num_pairs, memory.num_pairs),
        s=push(s, memory.s),
        y=push(y, memory.y),
        rho=push(1 / sy, memory.rho),
    )


def _continue_search(
    solver: LBFGS,
    memory: _Memory,
    state: SolveState,
    searching: Tensor,
    armijo_holds: Tensor,
    last_trial: Tensor,
) -> tuple[_Memory, Tensor]:
    """Set the next step length along the direction, and return where to abandon it. [B, R]"""
    low = torch.where(searching & armijo_holds, memory.step_length, memory.low)
    high = torch.where(searching & ~armijo_holds, memory.step_length, memory.high)
    abandoned = (last_trial & (low == 0)) | (memory.num_trials >= solver.max_trials)
    # The last trial returns to the longest step length that met the Armijo condition.
    step_length = torch.where(high.isinf(), 2 * low, (low + high) / 2)
    step_length = torch.where(last_trial, low, step_length)
    # If rounding absorbs the whole step, the search ends.
    point = state.best_latents + step_length[..., None] * memory.direction
    abandoned = searching & (abandoned | (point == state.best_latents).all(-1))
    memory = replace(
        memory,
        step_length=torch.where(searching, step_length, memory.step_length),
        low=low,
        high=high,
        num_trials=memory.num_trials + searching,
    )
    return memory, abandoned


def _new_direction(solver: LBFGS, memory: _Memory, renewed: Tensor) -> _Memory:
    """Compute a new direction by the two-loop recursion and begin a line search.

    Without pairs, or where rounding leaves no descent direction, use steepest descent and drop
    the pairs. Source: Nocedal and Wright 2006, algorithm 7.4.
    """
    used = (
        torch.arange(solver.max_pairs, device=memory.num_pairs.device) < memory.num_pairs[..., None]
    )
    rho = torch.where(used, memory.rho, 0)
    q = memory.gradient
    alphas = []
    for k in range(solver.max_pairs):
        alpha = rho[..., k] * _dot(memory.s[..., k, :], q)
        q = q - alpha[..., None] * memory.y[..., k, :]
        alphas.append(alpha)
    newest = memory.y[..., 0, :]
    scale = torch.where(used[..., 0], 1 / (memory.rho[..., 0] * _dot(newest, newest)), 1.0)
    q = scale[..., None] * q
    for k in reversed(range(solver.max_pairs)):
        beta = rho[..., k] * _dot(memory.y[..., k, :], q)
        q = q + (alphas[k] - beta)[..., None] * memory.s[..., k, :]
    derivative = -_dot(memory.gradient, q)
    square = _dot(memory.gradient, memory.gradient)
    downhill = derivative < 0
    derivative = torch.where(downhill, derivative, -square)
    direction = torch.where(downhill[..., None], -q, -memory.gradient)
    num_pairs = torch.where(downhill, memory.num_pairs, 0)
    first_length = (solver.first_step_length / square.sqrt()).clamp(max=1.0)
    step_length = torch.where(num_pairs > 0, 1.0, first_length)
    return replace(
        memory,
        direction=torch.where(renewed[..., None], direction, memory.direction),
        step_length=torch.where(renewed, step_length, memory.step_length),
        low=torch.where(renewed, 0, memory.low),
        high=torch.where(renewed, torch.inf, memory.high),
        directional_derivative=torch.where(renewed, derivative, memory.directional_derivative),
        num_trials=torch.where(renewed, 0, memory.num_trials),
        num_pairs=torch.where(renewed, num_pairs, memory.num_pairs),
    )


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1)
