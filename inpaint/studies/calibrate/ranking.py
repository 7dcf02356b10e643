"""Ranks of truths among the draws of their posteriors, and how often intervals hold them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from inpaint.posterior.summary import VARIES
from inpaint.posterior.types import Posterior

LEVELS = (0.5, 0.8, 0.9, 0.95)
"""Probabilities of the intervals whose coverage is counted."""

DRAWS = 99
"""Draws of a posterior that a truth is ranked among: few, so that they are independent."""

LATENTS = 3
"""Single latent numbers that are ranked."""

PER_BIN = 10
"""Truths that a bin of a histogram of ranks should hold, for chi-squared to be that."""


@dataclass(frozen=True)
class Ranks:
    """Ranks of one function of the truth among draws from its posterior.

    Attributes:
        name: Which function.
        ranks: How many of the draws are below the truth, 0 to `draws`. [B]
        draws: How many draws there were.
    """

    name: str
    ranks: tuple[int, ...]
    draws: int = DRAWS

    @property
    def bins(self) -> int:
        """Bars of a histogram, for `PER_BIN` truths in each: a divisor of the number of ranks."""
        wanted = max(2, len(self.ranks) // PER_BIN)
        return max(n for n in range(1, 21) if (self.draws + 1) % n == 0 and n <= wanted)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Height of each bar. [bins]"""
        width = (self.draws + 1) // self.bins
        return np.bincount(np.array(self.ranks, dtype=np.int64) // width, minlength=self.bins)

    @property
    def chi_squared(self) -> float:
        """Probability of bars as uneven as these, were all ranks equally likely."""
        return float(stats.chisquare(self.counts).pvalue)

    @property
    def kolmogorov_smirnov(self) -> float:
        """The same by the largest distance of the distribution functions."""
        places = (np.array(self.ranks) + 0.5) / (self.draws + 1)
        return float(stats.kstest(places, "uniform").pvalue)


@dataclass(frozen=True)
class Coverage:
    """How often intervals of one level held the truth.

    Attributes:
        level: The probability that they state.
        share: Share of the lost pixels that vary whose interval held it; NaN if none vary.
        error: Standard error of that, over images: the pixels of one are alike.
    """

    level: float
    share: float
    error: float


def functions_of(
    posterior: Posterior,
    image: int,
    draws: Tensor,
    truth: Tensor,
    latent: Tensor,
    cost: float,
    lost: Tensor,
    noise: float,
) -> dict[str, tuple[Tensor, float]]:
    """Functions to be ranked: their values at the draws [n], and at the truth."""
    particles = posterior.pooled_latents[image].double()
    found = {
        f"latent {index + 1}": (particles[:, index], float(latent[index]))
        for index in range(min(LATENTS, len(latent)))
    }
    found["J"] = (posterior.pooled_costs[image].double(), cost)
    if lost.any():
        ink = 1 - draws[:, lost]
        found["ink lost"] = (ink.sum(1), float((1 - truth[lost]).sum()))
        # Chosen by its place alone: a pixel chosen by its posterior would not rank uniformly.
        numbers = lost.nonzero()[:, 0]
        pixel = int(numbers[len(numbers) // 2])
        found["pixel"] = (draws[:, pixel], float(truth[pixel]))
    if posterior.config.noise_level is None:
        found["noise level"] = (posterior.noise_levels[image].double(), noise)
    return found


def rank_of(draws: Tensor, truth: float, stream: np.random.Generator) -> int:
    """How many of `DRAWS` evenly chosen draws are below the truth; a tie falls either way."""
    places = ((torch.arange(DRAWS) + 0.5) * len(draws) / DRAWS).long()
    chosen = draws[places]
    below, equal = int((chosen < truth).sum()), int((chosen == truth).sum())
    return below + int(stream.integers(equal + 1))


def covered_by(draws: Tensor, truth: Tensor, lost: Tensor) -> tuple[float, ...] | None:
    """Share of the lost pixels that vary whose interval of each level holds the truth."""
    varying = lost & (draws.std(0) > VARIES)
    if not varying.any():
        return None
    tails = [(1 - level) / 2 for level in LEVELS]
    shares = torch.tensor(tails + [1 - tail for tail in tails], dtype=draws.dtype)
    ends = draws[:, varying].quantile(shares, dim=0)
    low, high = ends[: len(LEVELS)], ends[len(LEVELS) :]
    inside = (low <= truth[varying]) & (truth[varying] <= high)
    return tuple(inside.double().mean(1).tolist())


def coverage_of(level: float, shares: NDArray[np.float64]) -> Coverage:
    """Mean and standard error of the shares of images whose pixels an interval holds. [B]"""
    if len(shares) == 0:
        return Coverage(level, math.nan, math.nan)
    spread = float(shares.std(ddof=1)) if len(shares) > 1 else math.nan
    return Coverage(level, float(shares.mean()), spread / math.sqrt(len(shares)))
