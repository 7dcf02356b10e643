"""Observed pixels combined with what a generator draws there.

The derivation stands in docs/evaluation.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from inpaint.operators import Mask

WINDOW = 5
"""Side of the square in which the misfit is taken to have one variance."""
ROUNDS = 100
"""Rounds of expectation and maximisation."""
SMALLEST = 1e-12
"""Variance below which only rounding is left."""


@dataclass(frozen=True)
class Blend:
    """Images whose observed pixels were combined with the measured ones.

    Attributes:
        images: Not clipped. [B, C, H, W]
        weights: How much of each pixel was taken from the measurement, 0 to 1; 0 where it
            was lost. [B, C, H, W]
        noise_level: Estimated standard deviation of the noise alone, without the misfit. [B]
    """

    images: Tensor
    weights: Tensor
    noise_level: Tensor


def blend_observed(
    values: Tensor, mask: Mask, images: Tensor, *, noise_level: float | None = None
) -> Blend:
    """Combine measured pixels with a generator's, each by the other's variance.

    At an observed pixel the residual is noise of variance s and a misfit of variance t; of
    all combinations, (t y + s G) / (s + t) is nearest to the truth on average. Both variances
    are estimated: s from all residuals of an image, t from those around the pixel.

    Args:
        values: What was measured. [B, C, H, W]
        mask: Which pixels were observed.
        images: What the generator drew. [B, C, H, W]
        noise_level: Standard deviation of the noise where it is known.
    """
    observed = mask.batch(len(values)).to(values)
    residual = (values - images) * observed
    if noise_level is None:
        noise = _noise_variance(residual.flatten(1), observed.flatten(1))
    else:
        noise = torch.full_like(residual[:, 0, 0, 0], noise_level**2)
    total = _local_mean(residual.square(), observed)
    misfit = (total - noise[:, None, None, None]).clamp(min=0)
    weights = observed * misfit / total.clamp(min=SMALLEST)
    return Blend(images + weights * residual, weights, noise.sqrt())


def _local_mean(energies: Tensor, observed: Tensor) -> Tensor:
    """Mean over the observed pixels of the square around each pixel. [B, C, H, W]"""
    mean = nn.AvgPool2d(WINDOW, stride=1, padding=WINDOW // 2)
    # A window without an observed pixel has no energy either, and no weight in the end.
    found: Tensor = mean(energies) / mean(observed).clamp(min=1 / WINDOW**2)
    return found


def _noise_variance(residual: Tensor, observed: Tensor) -> Tensor:
    """The smaller variance of a mixture of two centred Gaussians, by maximum likelihood.

    One is noise alone (paper, and ink that was met), the other noise and misfit.

    Args:
        residual: 0 where nothing was observed. [B, P]
        observed: 1 or 0. [B, P]

    Returns:
        [B]
    """
    square = residual.double().square()
    weight = observed.double()
    count = weight.sum(1)
    mean = ((square * weight).sum(1) / count).clamp(min=SMALLEST)
    noise, both, share = mean / 2, 4 * mean, torch.full_like(mean, 0.2)
    for _ in range(ROUNDS):
        odds = (share / (1 - share)).log() - 0.5 * (both / noise).log()
        odds = odds[:, None] + 0.5 * square * (1 / noise - 1 / both)[:, None]
        off = weight * odds.sigmoid()
        on = weight - off
        noise = ((on * square).sum(1) / on.sum(1).clamp(min=SMALLEST)).clamp(min=SMALLEST)
        both = ((off * square).sum(1) / off.sum(1).clamp(min=SMALLEST)).clamp(min=SMALLEST)
        # Noise is what most pixels have; the two must not change places.
        share = (off.sum(1) / count).clamp(1e-3, 0.5)
        both = both.maximum(noise)
    return noise.to(residual)
