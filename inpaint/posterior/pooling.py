"""One sample from all chains of an image: their states and proposals, weighted together.

The states of a chain give each mode the weight it had when the passages between modes closed, and
jumps correct that only in part. The chain's last proposals are draws from a known density q, so
p / q at them shows what a mode weighs, whichever chain found it; but where q is small, few of them
carry most of the weight. So both are combined: of n proposals and m states, a point z gets the
weight

    w = p / (n q + m p / Z),     Z = sum w,

with q the mean of all chains' densities (Meng and Wong 1996; for many densities Shirts and Chodera
2008). No point weighs more than a share 1 / m.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from inpaint.posterior.chain import Chain
from inpaint.posterior.jumps import EvaluatedProposals
from inpaint.posterior.mixture import Array, mix
from inpaint.posterior.weights import Indices, energy, log_mean, log_sum, systematic_resample

STATES_COUNT = 1000.0
"""m: how many states all of them together count as. There are more, but those of one chain are
related and share its modes' weights."""

ROUNDS = 20
"""Rounds to find Z, which converges to 1e-6 in fewer."""

TREE_LEVELS = 7
"""Halvings of the points, down to neighbourhoods of a few hundred."""

NEGLIGIBLE = 1e-3
"""Proposals below this share of their chain's mean weight are left out: all of them together weigh
less than this share."""


def pool_chains(
    chains: Sequence[Chain], count: int, levels: int = TREE_LEVELS
) -> tuple[Array, Array]:
    """Draws of equal weight from finished chains: latent vectors [count, D], and J there [count].

    Neighbours in latent space are adjacent, so that systematic resampling, or taking every tenth
    draw, covers all of it evenly; with 0 levels they are in no order. If a chain made no jumps or
    did not reach the posterior, all chains' draws are weighted by their chain's evidence instead.
    """
    if all(chain.last_proposals is not None for chain in chains):
        latents, costs, weights = _weigh_points(chains)
    else:
        latents = np.concatenate([chain.latents for chain in chains])
        costs = np.concatenate([chain.costs for chain in chains])
        evidence = np.array([chain.log_evidence for chain in chains])
        shares = np.exp(evidence - evidence.max())
        weights = np.repeat(shares, [len(chain.latents) for chain in chains])
    order = _by_neighbourhood(latents, np.arange(len(latents)), levels)
    chosen = order[systematic_resample(weights[order], 0.5, count)]
    return latents[chosen], costs[chosen]


def _by_neighbourhood(latents: Array, places: Indices, levels: int) -> Indices:
    """The places in the order of a k-d tree's leaves, split along the widest coordinate."""
    middle = len(places) // 2
    if levels == 0 or middle == 0:
        return places
    spread = latents[places]
    widest = int(spread.var(0).argmax())
    halves = places[np.argpartition(spread[:, widest], middle)]
    return np.concatenate(
        [
            _by_neighbourhood(latents, half, levels - 1)
            for half in (halves[:middle], halves[middle:])
        ]
    )


def _weigh_points(chains: Sequence[Chain]) -> tuple[Array, Array, Array]:
    """Proposals and states of all chains [n, D], J there [n], and their weights [n]."""
    proposals = [chain.last_proposals for chain in chains if chain.last_proposals is not None]
    density = mix([(one.density, len(one.latents)) for one in proposals])
    kept = [_drop_negligible(one) for one in proposals]
    states = [(chain.latents, chain.costs) for chain in chains]
    latents, costs = (np.concatenate(part) for part in zip(*kept, *states, strict=True))
    proposed = np.arange(len(costs)) < sum(len(levels) for _, levels in kept)
    target = -energy(latents, costs, chains[0].inverse_temperature)
    target = np.where(np.isfinite(target), target, -np.inf)
    log_nq = math.log(sum(len(one.costs) for one in proposals)) + density.log_density(latents)
    # A proposal counts once, and all states together as m.
    log_counts = np.where(proposed, 0.0, math.log(STATES_COUNT / (~proposed).sum()))
    log_z = log_sum((target - log_nq)[proposed])
    for _ in range(ROUNDS):
        logs = log_counts + target - np.logaddexp(log_nq, math.log(STATES_COUNT) + target - log_z)
        log_z = log_sum(logs)
    return latents, costs, np.exp(logs - logs.max())


def _drop_negligible(proposals: EvaluatedProposals) -> tuple[Array, Array]:
    """Proposals whose weight is not negligible [n, D], and J there [n]."""
    least = log_mean(proposals.log_ratios) + math.log(NEGLIGIBLE)
    chosen = proposals.log_ratios > least
    return proposals.latents[chosen], proposals.costs[chosen]
