"""Mixtures of t distributions: fit them to states, draw from them, evaluate their density.

Their tails are wider than those of the states they are fitted to, so ratios of densities stay
moderate. Matrix products are split into blocks small enough for BLAS to use one thread for each:
at these sizes more threads cost more than they gain, and could change the order of summation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MAX_COMPONENTS = 15
"""Half a chain has so few states that more components do not fit better."""

STATES_PER_LATENT = 5
"""States that a component needs for each latent number."""

FREEDOM = 8.0
"""Degrees of freedom of the t distributions."""

EM_ROUNDS = 4
"""Rounds of expectation and maximisation."""

VARIANCE_FLOOR = 1e-9
"""Added to each variance. Far above the rounding of second moments, which differs between BLAS
kernels, and far below the variance of any posterior."""

SINGLE_THREAD_SIZE = 250_000
"""Multiplications up to which BLAS computes a matrix product with one thread."""

BLOCK = 1024
"""States whose density is computed at once, so that intermediate results stay in the cache."""


@dataclass(frozen=True)
class Mixture:
    """sum_m w_m t(z; z_m, C_m).

    Attributes:
        weights: w, which add up to 1. [M]
        centres: z_m. [M, D]
        factors: L, lower triangular, with L L' = C_m. [M, D, D]
    """

    weights: Array
    centres: Array
    factors: Array

    def draw(self, count: int, stream: np.random.Generator) -> Array:
        """Independent draws. [count, D]"""
        size = self.centres.shape[1]
        normal = stream.standard_normal((count, size))
        shrink = np.sqrt(stream.chisquare(FREEDOM, count) / FREEDOM)
        ends = np.cumsum(self.weights)
        component = np.searchsorted(ends, stream.random(count) * ends[-1]).clip(max=len(ends) - 1)
        draws = normal / shrink[:, None]
        for m, factor in enumerate(self.factors):
            draws[component == m] = self.centres[m] + product(draws[component == m], factor.T)
        return draws

    def log_density(self, latents: Array) -> Array:
        """Logarithm of the density. [n, D] -> [n]"""
        size = self.centres.shape[1]
        scale = math.lgamma((FREEDOM + size) / 2) - math.lgamma(FREEDOM / 2)
        scale -= size / 2 * math.log(FREEDOM * math.pi)
        heights = (scale + self._log_heights)[:, None]
        density = np.empty(len(latents))
        for start in range(0, len(latents), BLOCK):
            block = slice(start, start + BLOCK)
            logs = np.log1p(self._squares(monomials(latents[block])) / FREEDOM)
            logs *= -(FREEDOM + size) / 2
            logs += heights
            top = logs.max(0)
            density[block] = top + np.log(np.exp(logs - top).sum(0))
        return density

    def responsibilities(self, powers: Array) -> Array:
        """Probability of each component given a state, taking components as normal. [M, n]

        Args:
            powers: `monomials` of the states. [1 + D + D (D + 1) / 2, n]
        """
        logs = self._log_heights[:, None] - self._squares(powers) / 2
        shares = np.exp(logs - logs.max(0))
        shares /= shares.sum(0)
        return shares

    @property
    def _log_heights(self) -> Array:
        """Logarithm of w_m / sqrt |C_m|. [M]"""
        heights: Array = np.log(self.weights) - np.log(np.diagonal(self.factors, 0, 1, 2)).sum(1)
        return heights

    def _squares(self, powers: Array) -> Array:
        """(z - z_m)' C_m^-1 (z - z_m), as a polynomial of second degree in z. [M, n]"""
        return np.maximum(product(self._coefficients, powers), 0)

    @cached_property
    def _coefficients(self) -> Array:
        """Coefficients of `_squares`, in the order of `monomials`. [M, 1 + D + D (D + 1) / 2]"""
        inverse = np.linalg.inv(self.factors)
        precision = np.einsum("mki,mkj->mij", inverse, inverse)
        slope = np.einsum("mij,mj->mi", precision, self.centres)
        constant = np.einsum("mi,mi->m", slope, self.centres)
        rows, columns = np.triu_indices(self.centres.shape[1])
        twice = np.where(rows == columns, 1.0, 2.0)
        terms = [constant[:, None], -2 * slope, twice * precision[:, rows, columns]]
        return np.concatenate(terms, axis=1)


def mix(parts: Sequence[tuple[Mixture, float]]) -> Mixture:
    """The mixture of several mixtures, each with its weight."""
    total = sum(weight for _, weight in parts)
    return Mixture(
        np.concatenate([part.weights * (weight / total) for part, weight in parts]),
        np.concatenate([part.centres for part, _ in parts]),
        np.concatenate([part.factors for part, _ in parts]),
    )


def fit_mixture(latents: Array, components: int, stream: np.random.Generator) -> Mixture:
    """Fit a mixture to states of equal weight, by expectation and maximisation.

    Every covariance is shrunk towards the mean of all, as if D more states had that one, and is at
    least `VARIANCE_FLOOR`. So neither few states nor equal ones make it singular.

    Args:
        latents: [n, D]
        components: M; they begin at states drawn at random.
        stream: Random numbers.
    """
    count, size = latents.shape
    powers = monomials(latents)
    centred = latents - latents.mean(0)
    floor = VARIANCE_FLOOR * np.eye(size)
    covariance = product(centred.T, centred) / count + floor
    centres = latents[stream.choice(count, components, replace=False)]
    factor = np.linalg.cholesky(covariance)
    # Narrow at first, so that each state belongs to the nearest centre.
    even = np.full(components, 1 / components)
    mixture = Mixture(even, centres, np.repeat(0.1 * factor[None], components, axis=0))
    rows, columns = np.triu_indices(size)
    for _ in range(EM_ROUNDS):
        shares = mixture.responsibilities(powers)
        moments = product(shares, powers.T) / count
        weights = moments[:, 0] + 1e-9
        centres = moments[:, 1 : size + 1] / weights[:, None]
        second = np.empty((components, size, size))
        second[:, rows, columns] = second[:, columns, rows] = moments[:, size + 1 :]
        second -= weights[:, None, None] * centres[:, :, None] * centres[:, None]
        shrinkage = size / count
        shrunk = second + shrinkage * second.sum(0)
        covariances = shrunk / (weights + shrinkage)[:, None, None] + floor
        mixture = Mixture(weights / weights.sum(), centres, np.linalg.cholesky(covariances))
    return mixture


def monomials(latents: Array) -> Array:
    """1, z_i, and z_i z_j for i <= j. [n, D] -> [1 + D + D (D + 1) / 2, n]"""
    z = np.ascontiguousarray(latents.T)
    squares = [z[i:] * z[i] for i in range(len(z))]
    return np.concatenate([np.ones((1, len(latents))), z, *squares])


def product(left: Array, right: Array) -> Array:
    """The matrix product, in blocks of one BLAS thread each. [m, k], [k, n] -> [m, n]"""
    inner, width = right.shape
    result = np.empty((len(left), width))
    tall = max(1, min(len(left), SINGLE_THREAD_SIZE // (8 * inner)))
    wide = max(1, SINGLE_THREAD_SIZE // (inner * tall))
    for row in range(0, len(left), tall):
        for column in range(0, width, wide):
            block = left[row : row + tall] @ right[:, column : column + wide]
            result[row : row + tall, column : column + wide] = block
    return result
