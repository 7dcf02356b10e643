"""Hamiltonian Monte Carlo in torch: moves of all particles of all runs, side by side.

The target at inverse temperature b is exp(-U), with

    U(z) = b J(z) / 2 + (1 - b) z'z / 2,

which is the prior at b = 0 and the posterior at b = 1: J holds z'z once already. A particle
moves along leapfrog steps in coordinates where the particles have about unit covariance,
z = z0 + F q for a factor F, so that momenta are standard normal (Neal 2011, section 5.4.1).

All random numbers are drawn beforehand, so every backend makes the same moves.
`csrc/hamiltonian.h` is the same program for one particle.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint.search.objective import Objective


@dataclass(frozen=True)
class Moves:
    """M moves of P particles of each of K runs of B images.

    Attributes:
        momenta: Standard normal numbers. [B, K, P, M, D]
        thresholds: Logarithms of uniform numbers; a move is accepted where the energy rises by
            less than minus this. [B, K, P, M]
        inverse_temperatures: Of each run. [B, K]
        lengths: Leapfrog step length of each particle; where it is 0 the particle rests, and
            what is returned for it is not defined. [B, K, P]
        factors: F of each run. [B, K, D, D]
        leapfrog: Leapfrog steps of a move.
    """

    momenta: Tensor
    thresholds: Tensor
    inverse_temperatures: Tensor
    lengths: Tensor
    factors: Tensor
    leapfrog: int


@dataclass(frozen=True)
class Moved:
    """Where the moves led: the state of each particle after each of its moves.

    Attributes:
        latents: [B, K, P, M, D]
        costs: J there. [B, K, P, M]
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

    def kick(z: Tensor, gradient: Tensor, momentum: Tensor, share: float) -> Tensor:
        slope = beta[..., None] / 2 * gradient + (1 - beta[..., None]) * z
        return momentum - share * length * (slope @ moves.factors)

    z = latents
    costs, gradient = evaluate(z)
    path: list[tuple[Tensor, Tensor, Tensor]] = []
    for m in range(moves.momenta.shape[3]):
        momentum = moves.momenta[..., m, :]
        before = energy(z, costs, momentum)
        there, slope, momentum = z, gradient, kick(z, gradient, momentum, 0.5)
        for step in range(moves.leapfrog):
            there = there + length * (momentum @ moves.factors.mT)
            reached, slope = evaluate(there)
            last = step + 1 == moves.leapfrog
            momentum = kick(there, slope, momentum, 0.5 if last else 1.0)
        # Where something is not finite the comparison fails, and the particle stays.
        accepted = moves.thresholds[..., m] < before - energy(there, reached, momentum)
        z = torch.where(accepted[..., None], there, z)
        costs = torch.where(accepted, reached, costs)
        gradient = torch.where(accepted[..., None], slope, gradient)
        path.append((z, costs, accepted))
    states, levels, flags = zip(*path, strict=True)
    return Moved(
        torch.stack(states, dim=3), torch.stack(levels, dim=3), torch.stack(flags, dim=3), gradient
    )
