"""L-BFGS in torch: every restart is a small state machine, all of them in step.

One call of `_step` evaluates one trial point of each restart and decides, restart by restart,
whether to accept it, to go on searching along the line, or to give the direction up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from inpaint.search.objective import Objective
from inpaint.search.solvers import LBFGS, SolveState
from inpaint.types import Status


@dataclass(frozen=True)
class _Memory:
    """A view of `SolveState.memory` by name; the layout is that of `LBFGS`."""

    gradient: Tensor  # [B, R, D], at the iterate
    direction: Tensor  # [B, R, D]
    length: Tensor  # [B, R], of the step along the direction
    low: Tensor  # [B, R], longest step known to be too short
    high: Tensor  # [B, R], shortest step known to be too long
    slope: Tensor  # [B, R], of J along the direction at the iterate
    trials: Tensor  # [B, R]
    pairs: Tensor  # [B, R]
    moves: Tensor  # [B, R, P, D], differences of iterates
    turns: Tensor  # [B, R, P, D], differences of gradients
    inverse: Tensor  # [B, R, P], 1 / (move . turn)

    @classmethod
    def unpack(cls, solver: LBFGS, memory: Tensor, latent_size: int) -> _Memory:
        many = solver.pairs * latent_size
        sizes = [latent_size, latent_size, LBFGS.SCALARS, many, many, solver.pairs]
        gradient, direction, scalars, moves, turns, inverse = memory.split(sizes, dim=-1)
        shape = (solver.pairs, latent_size)
        length, low, high, slope, trials, pairs = scalars.unbind(-1)
        return cls(
            gradient,
            direction,
            length,
            low,
            high,
            slope,
            trials,
            pairs,
            moves.unflatten(-1, shape),
            turns.unflatten(-1, shape),
            inverse,
        )

    def pack(self) -> Tensor:
        scalars = [self.length, self.low, self.high, self.slope, self.trials, self.pairs]
        return torch.cat(
            [
                self.gradient,
                self.direction,
                torch.stack(scalars, dim=-1),
                self.moves.flatten(-2),
                self.turns.flatten(-2),
                self.inverse,
            ],
            dim=-1,
        )


def advance(
    objective: Objective, solver: LBFGS, state: SolveState, num_steps: int
) -> tuple[SolveState, Tensor]:
    """Evaluate `num_steps` trial points of every running restart.

    Args:
        objective: J of B images.
        solver: Settings of the search.
        state: Where the descent stands.
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
    running = state.running
    memory = _Memory.unpack(solver, state.memory, state.latents.shape[2])
    trial = state.latents
    costs, gradient = objective.cost_and_gradient(trial)
    finite = costs.isfinite() & gradient.isfinite().all(-1)
    first = state.best_costs == torch.inf

    enough = finite & (costs <= state.best_costs + solver.armijo * memory.length * memory.slope)
    flat = _dot(gradient, memory.direction) >= solver.curvature * memory.slope
    last = memory.trials + 1 >= solver.trials
    accepted = running & torch.where(first, finite, enough & (flat | last))
    searching = running & ~accepted & ~first

    low = torch.where(searching & enough, memory.length, memory.low)
    high = torch.where(searching & ~enough, memory.length, memory.high)
    doubled_or_halved = torch.where(high.isinf(), 2 * low, (low + high) / 2)
    length = torch.where(last, low, doubled_or_halved)
    # The last trial goes back to the longest step known to be good; none is a failure.
    given_up = (last & (low == 0)) | (memory.trials >= solver.trials)
    point = state.best_latents + length[..., None] * memory.direction
    given_up = searching & (given_up | (point == state.best_latents).all(-1))
    stuck = given_up & (memory.pairs == 0)
    failed = running & first & ~finite

    memory = _remember(solver, memory, state, trial, gradient, accepted & ~first)
    memory = replace(memory, pairs=torch.where(given_up, 0, memory.pairs))
    best_costs = torch.where(accepted, costs, state.best_costs)
    fell = best_costs < state.anchor - solver.tolerance
    stale = torch.where(accepted, torch.where(fell, 0, state.stale + 1), state.stale).int()
    converged = accepted & (stale >= solver.patience) & (solver.tolerance > 0)

    status = torch.where(converged | stuck, int(Status.CONVERGED), state.status)
    status = torch.where(failed, int(Status.NON_FINITE), status).to(torch.uint8)
    state = replace(
        state,
        costs=torch.where(failed, torch.inf, best_costs),
        best_costs=best_costs,
        best_latents=torch.where(accepted[..., None], trial, state.best_latents),
        status=status,
        evaluations=state.evaluations + running.int(),
        anchor=torch.where(accepted & fell, best_costs, state.anchor),
        stale=stale,
    )

    turning = accepted | given_up
    direction, slope, pairs = _direction(solver, memory)
    norm = _dot(memory.gradient, memory.gradient).sqrt()
    unit = torch.where(pairs > 0, 1.0, (solver.first_length / norm).clamp(max=1.0))
    memory = replace(
        memory,
        direction=torch.where(turning[..., None], direction, memory.direction),
        slope=torch.where(turning, slope, memory.slope),
        length=torch.where(turning, unit, torch.where(searching, length, memory.length)),
        low=torch.where(turning, 0, low),
        high=torch.where(turning, torch.inf, high),
        trials=torch.where(turning, 0, memory.trials + searching),
        pairs=torch.where(turning, pairs, memory.pairs),
    )
    point = state.best_latents + memory.length[..., None] * memory.direction
    still = state.running
    return replace(
        state,
        latents=torch.where(still[..., None], point, state.latents),
        memory=torch.where(running[..., None], memory.pack(), state.memory),
    )


def _remember(
    solver: LBFGS,
    memory: _Memory,
    state: SolveState,
    trial: Tensor,
    gradient: Tensor,
    moved: Tensor,
) -> _Memory:
    """Take the gradient of accepted points, and the new pair where J curves upwards."""
    move, turn = trial - state.best_latents, gradient - memory.gradient
    product = _dot(move, turn)
    limit = solver.curvature_floor * (_dot(move, move) * _dot(turn, turn)).sqrt()
    kept = moved & (product > limit)

    def push(new: Tensor, old: Tensor) -> Tensor:
        shifted = torch.cat([new[:, :, None], old[:, :, :-1]], dim=2)
        return torch.where(kept.reshape(*kept.shape, *[1] * (old.ndim - 2)), shifted, old)

    accepted = moved | (state.running & (state.best_costs == torch.inf))
    return replace(
        memory,
        gradient=torch.where(accepted[..., None], gradient, memory.gradient),
        pairs=torch.where(kept, (memory.pairs + 1).clamp(max=solver.pairs), memory.pairs),
        moves=push(move, memory.moves),
        turns=push(turn, memory.turns),
        inverse=push(1 / product, memory.inverse),
    )


def _direction(solver: LBFGS, memory: _Memory) -> tuple[Tensor, Tensor, Tensor]:
    """The two-loop recursion (algorithm 7.4), the slope along it, and the pairs left.

    Without pairs, or where rounding spoils the descent, it is steepest descent; the pairs
    are then dropped.
    """
    used = torch.arange(solver.pairs, device=memory.pairs.device) < memory.pairs[..., None]
    inverse = torch.where(used, memory.inverse, 0)
    q = memory.gradient
    alphas = []
    for k in range(solver.pairs):
        alpha = inverse[..., k] * _dot(memory.moves[..., k, :], q)
        q = q - alpha[..., None] * memory.turns[..., k, :]
        alphas.append(alpha)
    newest = memory.turns[..., 0, :]
    scale = torch.where(used[..., 0], 1 / (memory.inverse[..., 0] * _dot(newest, newest)), 1.0)
    q = scale[..., None] * q
    for k in reversed(range(solver.pairs)):
        beta = inverse[..., k] * _dot(memory.turns[..., k, :], q)
        q = q + (alphas[k] - beta)[..., None] * memory.moves[..., k, :]
    slope = -_dot(memory.gradient, q)
    downhill = slope < 0
    steepest = -_dot(memory.gradient, memory.gradient)
    direction = torch.where(downhill[..., None], -q, -memory.gradient)
    slope = torch.where(downhill, slope, steepest)
    return direction, slope, torch.where(downhill, memory.pairs, 0)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1)
