"""Ranks of truths among draws from their posteriors, and how often intervals hold the truth."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from inpaint.posterior.summary import VARIES
from inpaint.posterior.types import PosteriorDraws

LEVELS = (0.5, 0.8, 0.9, 0.95)
"""Levels of the intervals whose coverage is counted."""

DRAWS = 99
"""Draws that a truth is ranked among: few enough to be nearly independent."""

LATENTS = 3
"""How many latent numbers are ranked, each by itself."""

PER_BIN = 10
"""Truths per bin of a histogram of ranks that the chi-squared test needs."""


@dataclass(frozen=True)
class Ranks:
    """Ranks of one function of the truth among draws from its posterior.

    Attributes:
        name: Which function.
        ranks: How many of the draws lie below the truth, 0 to `draws`. [B]
        draws: Number of draws.
    """

    name: str
    ranks: tuple[int, ...]
    draws: int = DRAWS

    @property
    def bins(self) -> int:
        """Bins of a histogram of about `PER_BIN` truths each; a divisor of the number of ranks."""
        wanted = max(2, len(self.ranks) // PER_BIN)
        return max(n for n in range(1, 21) if (self.draws + 1) % n == 0 and n <= wanted)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Truths in each bin. [bins]"""
        width = (self.draws + 1) // self.bins
        return np.bincount(np.array(self.ranks, dtype=np.int64) // width, minlength=self.bins)

    @property
    def chi_squared(self) -> float:
        """Probability of bins at least this uneven if all ranks are equally likely."""
        return float(stats.chisquare(self.counts).pvalue)

    @property
    def kolmogorov_smirnov(self) -> float:
        """The same for the largest difference between the distribution functions."""
        places = (np.array(self.ranks) + 0.5) / (self.draws + 1)
        return float(stats.kstest(places, "uniform").pvalue)


@dataclass(frozen=True)
class Coverage:
    """How often intervals of one level held the truth.

    Attributes:
        level: The probability that they state.
        share: Share of the lost, varying pixels whose interval held the truth; NaN if none vary.
        error: Standard error of `share` over images, as the pixels of one image are correlated.
    """

    level: float
    share: float
    error: float


def functions_of(
    posterior: PosteriorDraws,
    image: int,
    draws: Tensor,
    truth: Tensor,
    latent: Tensor,
    cost: float,
    lost: Tensor,
    noise: float,
) -> dict[str, tuple[Tensor, float]]:
    """Functions of the truth that are ranked, by name.

    Args:
        posterior: The draws.
        image: Index of the image in the posterior.
        draws: Images of its draws. [n, pixels]
        truth: The true image. [pixels]
        latent: Its latent vector. [D]
        cost: J there.
        lost: True where a pixel was not observed. [pixels]
        noise: True standard deviation of the noise.

    Returns:
        The values of each function at the draws [n], and its value at the truth.
    """
    latents = posterior.pooled_latents[image].double()
    functions = {
        f"latent {index + 1}": (latents[:, index], float(latent[index]))
        for index in range(min(LATENTS, len(latent)))
    }
    functions["J"] = (posterior.pooled_costs[image].double(), cost)
    if lost.any():
        ink = 1 - draws[:, lost]
        functions["ink lost"] = (ink.sum(1), float((1 - truth[lost]).sum()))
        # Choose the pixel by position alone: one chosen by its posterior would not rank uniformly.
        numbers = lost.nonzero()[:, 0]
        pixel = int(numbers[len(numbers) // 2])
        functions["pixel"] = (draws[:, pixel], float(truth[pixel]))
    if posterior.known_noise is None:
        functions["noise level"] = (posterior.noise_levels[image].double(), noise)
    return functions


def rank_of(draws: Tensor, truth: float, stream: np.random.Generator) -> int:
    """How many of `DRAWS` evenly spaced draws lie below the truth; ties are broken at random."""
    places = ((torch.arange(DRAWS) + 0.5) * len(draws) / DRAWS).long()
    chosen = draws[places]
    below, equal = int((chosen < truth).sum()), int((chosen == truth).sum())
    return below + int(stream.integers(equal + 1))


def covered_by(draws: Tensor, truth: Tensor, lost: Tensor) -> tuple[float, ...] | None:
    """Share of the lost, varying pixels whose interval holds the truth, for each level.

    Args:
        draws: Images of draws. [n, pixels]
        truth: The true image. [pixels]
        lost: True where a pixel was not observed. [pixels]

    Returns:
        One share for each of `LEVELS`; None if no lost pixel varies.
    """
    varying = lost & (draws.std(0) > VARIES)
    if not varying.any():
        return None
    tails = [(1 - level) / 2 for level in LEVELS]
    shares = torch.tensor(tails + [1 - tail for tail in tails], dtype=draws.dtype)
    ends = draws[:, varying].quantile(shares, dim=0)
    low, high = ends[: len(LEVELS)], ends[len(LEVELS) :]
    inside = (low <= truth[varying]) & (truth[varying] <= high)
    return tuple(inside.double().mean(1).tolist())


def mean_coverage(level: float, shares: NDArray[np.float64]) -> Coverage:
    """Mean and standard error of the images' shares of pixels within their interval. [B]"""
    if len(shares) == 0:
        return Coverage(level, math.nan, math.nan)
    spread = float(shares.std(ddof=1)) if len(shares) > 1 else math.nan
    return Coverage(level, float(shares.mean()), spread / math.sqrt(len(shares)))
