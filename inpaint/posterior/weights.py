"""Importance weights of states: how many states count, how to resample, what they integrate to.

Weights are passed by their logarithms wherever they could overflow.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from inpaint.posterior.mixture import Array, Mixture

BRIDGE_ROUNDS = 12
"""Rounds of the bridge estimator; it converges to 1e-6 in fewer."""

Indices = NDArray[np.int64]

EnergyFunction = Callable[[Array, Array], Array]
"""U of states, given J there. [n, D], [n] -> [n]"""


def log_sum(logs: Array) -> float:
    """Logarithm of the sum of numbers given by their logarithms."""
    top = float(logs.max())
    return top + math.log(float(np.exp(logs - top).sum()))


def log_mean(logs: Array) -> float:
    """Logarithm of the mean of numbers given by their logarithms."""
    return log_sum(logs) - math.log(len(logs))


def effective_count(log_weights: Array) -> float:
    """Effective sample size of weights given by their logarithms."""
    weights = np.exp(log_weights - log_weights.max())
    return float(weights.sum() ** 2 / np.square(weights).sum())


def systematic_resample(weights: Array, uniform: float, count: int) -> Indices:
    """Draw indices by weight with one uniform number, in rising order. [count]"""
    ends = np.cumsum(weights)
    places = (uniform + np.arange(count)) / count * ends[-1]
    return np.searchsorted(ends, places, side="right").clip(max=len(weights) - 1)


def energy(latents: Array, costs: Array, inverse_temperature: float) -> Array:
    """U, which is -log of the prior density times the likelihood to the inverse temperature.

    Args:
        latents: [n, D]
        costs: J there. [n]
        inverse_temperature: b; 0 leaves the prior alone.

    Returns:
        [n]
    """
    square = np.square(latents).sum(1)
    constant = latents.shape[1] / 2 * math.log(2 * math.pi)
    result: Array = (inverse_temperature * (costs - square) + square) / 2 + constant
    return result


def log_ratio(
    mixture: Mixture, latents: Array, costs: Array, energy_function: EnergyFunction
) -> Array:
    """Logarithm of exp(-U) / q for the density q of a mixture; -inf in place of NaN. [n]"""
    logs = -energy_function(latents, costs) - mixture.log_density(latents)
    return np.where(np.isfinite(logs), logs, -np.inf)


def bridge_estimate(at_proposals: Array, at_states: Array) -> float:
    """Logarithm of the integral of an unnormalised density p, by the bridge estimator.

    Source: Meng and Wong 1996.

    Args:
        at_proposals: log p / q at draws from the normalised density q. [n]
        at_states: log p / q at draws from p. [m]
    """
    total = len(at_proposals) + len(at_states)
    log_m, log_n = math.log(len(at_states) / total), math.log(len(at_proposals) / total)
    estimate = log_mean(at_proposals)
    for _ in range(BRIDGE_ROUNDS):
        upper = log_mean(at_proposals - np.logaddexp(log_m + at_proposals, log_n + estimate))
        estimate = upper - log_mean(-np.logaddexp(log_m + at_states, log_n + estimate))
    return estimate
