"""Hamiltonian Monte Carlo in torch: moves of all particles of all chains at once.

The target at inverse temperature b is exp(-U), with

    U(z) = b J(z) / 2 + (1 - b) z'z / 2,

which is the prior at b = 0 and the posterior at b = 1, since J includes z'z. A particle takes
leapfrog steps in coordinates q with z = z0 + F q, where the factor F is chosen so that the
particles have about unit covariance in q; momenta are then standard normal (Neal 2011, section
5.4.1).

All random numbers are drawn in advance, so every backend makes the same moves.
`csrc/hamiltonian.h` is the same program for one particle.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint.search.objective import Objective


@dataclass(frozen=True)
class Moves:
    """M moves of P particles in each of K chains, for each of B images.

    Attributes:
        momenta: Standard normal numbers. [B, K, P, M, D]
        thresholds: Logarithms of uniform numbers; a move is accepted if the energy rises by less
            than minus this. [B, K, P, M]
        inverse_temperatures: Of each chain. [B, K]
        lengths: Leapfrog step length of each particle; at 0 the particle rests, and its results
            are undefined. [B, K, P]
        factors: F of each chain, lower triangular. [B, K, D, D]
        leapfrog: Number of leapfrog steps of a move.
    """

    momenta: Tensor
    thresholds: Tensor
    inverse_temperatures: Tensor
    lengths: Tensor
    factors: Tensor
    leapfrog: int


@dataclass(frozen=True)
class Moved:
    """The state of each particle after each of its moves.

    Attributes:
        latents: [B, K, P, M, D]
        costs: J at the latents. [B, K, P, M]
        accepted: Whether the move was accepted. [B, K, P, M]
        gradients: Gradient of J at the last state. [B, K, P, D]
    """

    latents: Tensor
    costs: Tensor
    accepted: Tensor
    gradients: Tensor


def move(objective: Objective, latents: Tensor, moves: Moves) -> Moved:
    """Move every particle M times; see `Moves`. latents: [B, K, P, D]"""
    beta = moves.inverse_temperatures[..., None]
    length = moves.lengths[..., None]

    def evaluate(z: Tensor) -> tuple[Tensor, Tensor]:
        costs, gradient = objective.cost_and_gradient(z.flatten(1, 2))
        return costs.unflatten(1, z.shape[1:3]), gradient.unflatten(1, z.shape[1:3])

    def energy(z: Tensor, costs: Tensor, momentum: Tensor) -> Tensor:
        kinetic = momentum.square().sum(-1)
        return (beta * costs + (1 - beta) * z.square().sum(-1) + kinetic) / 2

    def kick(z: Tensor, gradient: Tensor, momentum: Tensor, fraction: float) -> Tensor:
        potential_gradient = beta[..., None] / 2 * gradient + (1 - beta[..., None]) * z
        return momentum - fraction * length * (potential_gradient @ moves.factors)

    state = latents
    state_costs, state_gradient = evaluate(state)
    history: list[tuple[Tensor, Tensor, Tensor]] = []
    for m in range(moves.momenta.shape[3]):
        momentum = moves.momenta[..., m, :]
        start_energy = energy(state, state_costs, momentum)
        momentum = kick(state, state_gradient, momentum, 0.5)
        position, costs, gradient = state, state_costs, state_gradient
        for step in range(1, moves.leapfrog + 1):
            position = position + length * (momentum @ moves.factors.mT)
            costs, gradient = evaluate(position)
            momentum = kick(position, gradient, momentum, 0.5 if step == moves.leapfrog else 1.0)
        # If anything is not finite, the comparison is false and the move is rejected.
        accepted = moves.thresholds[..., m] < start_energy - energy(position, costs, momentum)
        state = torch.where(accepted[..., None], position, state)
        state_costs = torch.where(accepted, costs, state_costs)
        state_gradient = torch.where(accepted[..., None], gradient, state_gradient)
        history.append((state, state_costs, accepted))
    states, all_costs, all_accepted = (
        torch.stack(part, dim=3) for part in zip(*history, strict=True)
    )
    return Moved(states, all_costs, all_accepted, state_gradient)
