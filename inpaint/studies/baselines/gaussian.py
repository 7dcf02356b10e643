"""A Gaussian distribution of images, which the linear baselines use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from inpaint.operators import Mask

MIN_VARIANCE = 1e-10
"""Smallest noise variance, in units of the pixels squared."""
GRID = 49
"""Noise variances tried before the best one is refined."""
REFINEMENTS = 40
"""Golden-section steps; each shrinks the interval by a factor of .618."""


@dataclass(frozen=True)
class Gaussian:
    """A normal distribution of images: covariance F F' + floor I.

    Attributes:
        mean: Mean image. float64 [P]
        factor: F, its columns by decreasing variance. float64 [P, Q]
        floor: Variance of each pixel in addition to F F'.
    """

    mean: Tensor
    factor: Tensor
    floor: float = 0.0

    @classmethod
    def fit(cls, images: Tensor) -> Gaussian:
        """Maximum-likelihood mean and full covariance of images. [K, C, H, W]"""
        pixels = images.detach().cpu().double().flatten(1)
        num_images, num_pixels = pixels.shape
        mean = pixels.mean(0)
        centred = (pixels - mean) / num_images**0.5
        if num_images < num_pixels:
            _, deviations, axes = torch.linalg.svd(centred, full_matrices=False)
            factor = axes.T * deviations
        else:
            # Much faster than the SVD of a tall matrix; the lost accuracy is far below the noise.
            variances, vectors = torch.linalg.eigh(centred.T @ centred)
            factor = (vectors * variances.clamp(min=0).sqrt()).flip(1)
        return cls(mean, factor)

    def truncated(self, rank: int) -> Gaussian:
        """Probabilistic PCA with `rank` components.

        The variance of the other components is spread evenly over their directions.

        Source: Tipping and Bishop 1999, "Probabilistic Principal Component Analysis",
        equations 7 and 8.
        """
        num_others = max(1, len(self.mean) - rank)
        left_out = float(self.factor[:, rank:].square().sum()) / num_others
        kept = self.factor[:, :rank]
        variances = kept.square().sum(0)
        shrunk = kept * (1 - left_out / variances.clamp(min=MIN_VARIANCE)).clamp(min=0).sqrt()
        return replace(self, factor=shrunk, floor=left_out)

    def expect(self, values: Tensor, mask: Mask, *, noise: float | None) -> Tensor:
        """The expected images, given damaged ones.

        Args:
            values: Observed pixels with noise. [B, C, H, W]
            mask: Which were observed.
            noise: Standard deviation of the noise; None estimates it for each image by maximum
                marginal likelihood.

        Returns:
            Images whose pixels may be outside 0 to 1. [B, C, H, W]
        """
        pixels = values.detach().cpu().double().flatten(1)
        images = torch.empty_like(pixels)
        for batch, observed in _split_by_mask(mask, len(values)):
            images[batch] = self._expect(pixels[batch], observed.flatten(), noise)
        return images.reshape(values.shape).to(values)

    def _expect(self, pixels: Tensor, observed: Tensor, noise: float | None) -> Tensor:
        """The expected images, where all have the same mask. [B, P], [P] -> [B, P]"""
        left, deviations, right = torch.linalg.svd(self.factor[observed], full_matrices=False)
        centred = pixels[:, observed] - self.mean[observed]  # [B, N]
        projected = centred @ left  # [B, Q]
        if noise is None:
            total = self._total_variance(centred, projected, deviations.square())
        else:
            total = torch.full((len(pixels), 1), max(self.floor + noise**2, MIN_VARIANCE)).to(
                pixels
            )
        latents = projected * deviations / (deviations.square() + total) @ right
        images = self.mean + latents @ self.factor.T
        # `floor` is variance of the image, so its share of an observed pixel's residual is signal.
        residual = pixels[:, observed] - images[:, observed]
        images[:, observed] += self.floor / total * residual
        return images

    def _total_variance(self, centred: Tensor, projected: Tensor, variances: Tensor) -> Tensor:
        """Maximum-likelihood sum of floor and noise variance of each image. [B, 1]"""
        num_outside = centred.shape[1] - len(variances)
        outside = (centred.square().sum(1) - projected.square().sum(1)).clamp(min=0)

        def cost(logarithm: Tensor) -> Tensor:
            """-2 log p of the observed pixels up to a constant. [B] -> [B]"""
            total = logarithm.exp()[:, None]
            marginal = variances + total
            quadratic = (projected.square() / marginal).sum(1) + outside / total[:, 0]
            return marginal.log().sum(1) + num_outside * logarithm + quadratic

        low = torch.tensor(max(self.floor, MIN_VARIANCE), dtype=centred.dtype)
        # A noise variance above the mean square of the pixels cannot be more likely.
        high = centred.square().mean(1).max().clamp(min=2 * float(low))
        return _minimise(cost, low.log(), high.log(), len(centred)).exp()[:, None]


def _minimise(cost: Callable[[Tensor], Tensor], low: Tensor, high: Tensor, batch: int) -> Tensor:
    """Minimise a cost of one number for each image: a grid, then golden sections. [B]"""
    steps = torch.arange(GRID).to(low) / (GRID - 1)
    grid = torch.lerp(low, high, steps)
    costs = torch.stack([cost(point.expand(batch)) for point in grid])  # [G, B]
    best = costs.argmin(0)
    left, right = grid[(best - 1).clamp(min=0)], grid[(best + 1).clamp(max=GRID - 1)]
    ratio = (5**0.5 - 1) / 2
    for _ in range(REFINEMENTS):
        inner_left, inner_right = right - ratio * (right - left), left + ratio * (right - left)
        go_left = cost(inner_left) < cost(inner_right)
        left = torch.where(go_left, left, inner_left)
        right = torch.where(go_left, inner_right, right)
    return (left + right) / 2


def _split_by_mask(mask: Mask, batch: int) -> Iterator[tuple[slice, Tensor]]:
    """Slices of images that share a mask, and that mask [C, H, W]."""
    if mask.shared:
        yield slice(None), mask.observed.cpu()
        return
    for index in range(batch):
        yield slice(index, index + 1), mask.observed[index].cpu()
