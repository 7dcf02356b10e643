"""One sample from all runs of an image: states and proposals, weighed against each other.

The states of a run give each mode the weight that it had when the passages closed, and jumps mend
that in part. Its last proposals are draws of a density q that is known, so p / q at them tells
what a mode weighs, whichever run found it; but where q hardly reaches, few of them carry much. Of
both together, n proposals and m states, a point at z stands for

    w = p / (n q + m p / Z),     Z = sum w,

with q the mean of all runs' densities (Meng and Wong 1996; for many densities Shirts and Chodera
2008). No point weighs more than a share 1 / m.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from inpaint.posterior.jumps import Proposed
from inpaint.posterior.mixture import mix
from inpaint.posterior.particles import Run, energy
from inpaint.posterior.resampling import Array, Places, log_mean, log_sum, systematic

STATES = 1000.0
"""As many as m states count, for those of a run are relatives and share its modes' weights."""

ROUNDS = 20
"""Rounds to find Z, which settles to 1e-6 in fewer."""

LEVELS = 7
"""Halvings of the points, down to neighbourhoods of a few hundred."""

NEGLIGIBLE = 1e-3
"""Proposals below this share of their run's mean weight are left out: together they weigh less."""


def pool_runs(runs: Sequence[Run], count: int) -> tuple[Array, Array]:
    """Draws of equal weight from finished runs: latent vectors [count, D], and J there [count].

    Neighbours stand next to each other, so that systematic selection, and whoever takes every
    tenth draw, takes from everywhere. Where a run made no jumps or was not brought to its end,
    its draws take part by its evidence.
    """
    if all(run.proposed is not None for run in runs):
        latents, costs, weights = _bridge(runs)
    else:
        latents = np.concatenate([run.latents for run in runs])
        costs = np.concatenate([run.costs for run in runs])
        evidence = np.array([run.log_evidence for run in runs])
        shares = np.exp(evidence - evidence.max())
        weights = np.repeat(shares, [len(run.latents) for run in runs])
    order = _by_neighbourhood(latents, np.arange(len(latents)), LEVELS)
    chosen = order[systematic(weights[order], 0.5, count)]
    return latents[chosen], costs[chosen]


def _by_neighbourhood(latents: Array, places: Places, levels: int) -> Places:
    """The places in the order of a k-d tree's leaves: halved along the widest coordinate."""
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


def _bridge(runs: Sequence[Run]) -> tuple[Array, Array, Array]:
    """Points of all runs, J there, and their weights."""
    proposed = [run.proposed for run in runs if run.proposed is not None]
    density = mix([(one.density, len(one.latents)) for one in proposed])
    fresh = [_weighty(one) for one in proposed]
    states = [(run.latents, run.costs) for run in runs]
    latents, costs = (np.concatenate(part) for part in zip(*fresh, *states, strict=True))
    drawn = np.arange(len(costs)) < sum(len(levels) for _, levels in fresh)
    target = -energy(latents, costs, runs[0].inverse_temperature)
    target = np.where(np.isfinite(target), target, -np.inf)
    known = math.log(sum(len(one.costs) for one in proposed)) + density.log_density(latents)
    each = np.where(drawn, 0.0, math.log(STATES / (~drawn).sum()))
    found = log_sum((target - known)[drawn])
    for _ in range(ROUNDS):
        logs = each + target - np.logaddexp(known, math.log(STATES) + target - found)
        found = log_sum(logs)
    return latents, costs, np.exp(logs - logs.max())


def _weighty(proposed: Proposed) -> tuple[Array, Array]:
    """Those proposals that are not negligible [n, D], and J there [n]."""
    least = log_mean(proposed.log_ratios) + math.log(NEGLIGIBLE)
    chosen = proposed.log_ratios > least
    return proposed.latents[chosen], proposed.costs[chosen]
