"""Do the chains agree, and how many independent draws are their draws worth?

Rank-normalised split R-hat and effective sample size as Vehtari, Gelman, Simpson, Carpenter and
Bürkner (2021) define them. Related draws of a chain are adjacent, so their similarity counts as
autocorrelation.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import stats
from torch import Tensor


def r_hat(draws: Tensor) -> Tensor:
    """Rank-normalised split R-hat: the larger of the values for location and for spread.

    Args:
        draws: P draws of Q quantities from each of K chains. [K, P, Q]

    Returns:
        1 where all halves of all chains agree; NaN where a quantity does not vary. [Q]
    """
    halves = _split(draws.double())
    return _rank_r_hat(halves, _normal_scores(halves))


def effective_size(draws: Tensor) -> Tensor:
    """Bulk effective sample size: how many independent draws would show the location as well.

    Args:
        draws: P draws of Q quantities from each of K chains. [K, P, Q]

    Returns:
        [Q]; NaN where a quantity does not vary.
    """
    return _bulk_size(_normal_scores(_split(draws.double())))


def rank_diagnostics(draws: Tensor) -> tuple[Tensor, Tensor]:
    """`r_hat` and `effective_size`, which share the same ranks. [K, P, Q] -> [Q], [Q]"""
    halves = _split(draws.double())
    scores = _normal_scores(halves)
    return _rank_r_hat(halves, scores), _bulk_size(scores)


def _rank_r_hat(halves: Tensor, scores: Tensor) -> Tensor:
    middle = torch.from_numpy(np.median(halves.flatten(0, 1).numpy(), axis=0))
    folded = (halves - middle).abs()
    return torch.maximum(_plain_r_hat(scores), _plain_r_hat(_normal_scores(folded)))


def _bulk_size(scores: Tensor) -> Tensor:
    chains, count, _ = scores.shape
    correlation = _correlation(scores)  # [T, Q]
    # Geyer (1992): sums of adjacent pairs are positive and decrease; what follows the first one
    # that is not positive is noise.
    pairs = correlation[: (count - 1) // 2 * 2].unflatten(0, (-1, 2)).sum(1)
    positive = (pairs > 0).long().cumprod(0)
    positive[-1] = 0
    falling = pairs.cummin(0).values * positive
    # The first value of the first pair that is left out counts half if it is positive.
    tail = correlation.gather(0, 2 * positive.sum(0, keepdim=True))[0].clamp(min=0)
    time = -1 + 2 * falling.sum(0) + tail
    total = chains * count
    return total / time.clamp(min=1 / math.log10(total))


def _split(draws: Tensor) -> Tensor:
    """Both halves of each chain; an odd number of draws loses the middle one. [2 K, P // 2, Q]"""
    half = draws.shape[1] // 2
    return torch.stack([draws[:, :half], draws[:, -half:]], dim=1).flatten(0, 1)


def _normal_scores(draws: Tensor) -> Tensor:
    """Normal quantiles of the ranks among all draws; equal draws share their mean rank."""
    flat = draws.flatten(0, 1).T.contiguous()  # [Q, n]
    ranks = torch.from_numpy(stats.rankdata(flat.numpy(), axis=1))
    shares = (ranks - 3 / 8) / (flat.shape[1] + 1 / 4)
    return torch.special.ndtri(shares).T.reshape(draws.shape)


def _plain_r_hat(draws: Tensor) -> Tensor:
    count = draws.shape[1]
    within = draws.var(1).mean(0)
    between = draws.mean(1).var(0)
    return (((count - 1) / count * within + between) / within).sqrt()


def _correlation(draws: Tensor) -> Tensor:
    """Autocorrelation over all chains at each lag, from 0 on. [P, Q]"""
    _, count, _ = draws.shape
    centred = draws - draws.mean(1, keepdim=True)
    spectrum = torch.fft.rfft(centred, n=2 * count, dim=1)
    covariance = torch.fft.irfft(spectrum.abs().square(), n=2 * count, dim=1)[:, :count] / count
    mean_covariance = covariance.mean(0)
    within = mean_covariance[0] * count / (count - 1)
    correlation = 1 - (within - mean_covariance) / (mean_covariance[0] + draws.mean(1).var(0))
    correlation[0] = 1
    return correlation
