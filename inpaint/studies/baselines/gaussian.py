"""Images as a Gaussian: what the linear baselines know of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from inpaint.operators import Mask

SMALLEST = 1e-10
"""Variance below which the estimated noise does not fall, in units of the pixels squared."""
GRID = 49
"""Noise variances tried before the best one is refined."""
REFINEMENTS = 40
"""Steps of golden section; each shrinks the interval by .618."""


@dataclass(frozen=True)
class Gaussian:
    """A normal distribution of images: covariance F F' + floor I.

    Attributes:
        mean: Of each pixel. float64 [P]
        factor: F, columns in the order of falling variance. float64 [P, Q]
        floor: Variance of each pixel besides.
    """

    mean: Tensor
    factor: Tensor
    floor: float = 0.0

    @classmethod
    def fit(cls, images: Tensor) -> Gaussian:
        """Mean and full covariance of images, of maximum likelihood. [K, C, H, W]"""
        pixels = images.detach().cpu().double().flatten(1)
        count, size = pixels.shape
        mean = pixels.mean(0)
        centred = (pixels - mean) / count**0.5
        if count < size:
            _, deviations, axes = torch.linalg.svd(centred, full_matrices=False)
            factor = axes.T * deviations
        else:
            # Much faster than the SVD of a tall matrix; what it loses lies far below the noise.
            variances, vectors = torch.linalg.eigh(centred.T @ centred)
            factor = (vectors * variances.clamp(min=0).sqrt()).flip(1)
        return cls(mean, factor)

    def truncated(self, rank: int) -> Gaussian:
        """The probabilistic PCA of this rank.

        The variance left out is spread evenly over the directions left out.

        Source: Tipping and Bishop 1999, "Probabilistic Principal Component Analysis",
        equations 7 and 8.
        """
        size = len(self.mean)
        left_out = float(self.factor[:, rank:].square().sum()) / max(1, size - rank)
        kept = self.factor[:, :rank]
        variances = kept.square().sum(0)
        shrunk = kept * (1 - left_out / variances.clamp(min=SMALLEST)).clamp(min=0).sqrt()
        return replace(self, factor=shrunk, floor=left_out)

    def expect(self, values: Tensor, mask: Mask, *, noise: float | None) -> Tensor:
        """The expected images given damaged ones.

        Args:
            values: Observed pixels with noise. [B, C, H, W]
            mask: Which were observed.
            noise: Standard deviation of the noise; None estimates that of each image by
                maximum marginal likelihood.

        Returns:
            Not clipped. [B, C, H, W]
        """
        pixels = values.detach().cpu().double().flatten(1)
        images = torch.empty_like(pixels)
        for batch, observed in _by_mask(mask, len(values)):
            images[batch] = self._expect(pixels[batch], observed.flatten(), noise)
        return images.reshape(values.shape).to(values)

    def _expect(self, pixels: Tensor, observed: Tensor, noise: float | None) -> Tensor:
        """The same of images with one mask. [B, P], [P] -> [B, P]"""
        left, deviations, right = torch.linalg.svd(self.factor[observed], full_matrices=False)
        centred = pixels[:, observed] - self.mean[observed]  # [B, N]
        along = centred @ left  # [B, Q]
        if noise is None:
            total = self._total_variance(centred, along, deviations.square())
        else:
            total = torch.full((len(pixels), 1), max(self.floor + noise**2, SMALLEST)).to(pixels)
        latents = along * deviations / (deviations.square() + total) @ right
        images = self.mean + latents @ self.factor.T
        # An observed pixel's own variance is known to be part of what was measured.
        rest = pixels[:, observed] - images[:, observed]
        images[:, observed] += self.floor / total * rest
        return images

    def _total_variance(self, centred: Tensor, along: Tensor, variances: Tensor) -> Tensor:
        """Floor plus noise variance of maximum likelihood, image by image. [B, 1]"""
        count = centred.shape[1]
        free = count - len(variances)
        across = (centred.square().sum(1) - along.square().sum(1)).clamp(min=0)

        def cost(logarithm: Tensor) -> Tensor:
            """-2 log p of the observed pixels, a constant left out. [B] -> [B]"""
            total = logarithm.exp()[:, None]
            spread = variances + total
            quadratic = (along.square() / spread).sum(1) + across / total[:, 0]
            return spread.log().sum(1) + free * logarithm + quadratic

        low = torch.tensor(max(self.floor, SMALLEST), dtype=centred.dtype)
        # More noise than all there is cannot be likelier.
        high = centred.square().mean(1).max().clamp(min=2 * float(low))
        return _minimise(cost, low.log(), high.log(), len(centred)).exp()[:, None]


def _minimise(cost: Callable[[Tensor], Tensor], low: Tensor, high: Tensor, size: int) -> Tensor:
    """Where a cost of one number is lowest, image by image: a grid, then golden section. [B]"""
    steps = torch.arange(GRID).to(low) / (GRID - 1)
    grid = torch.lerp(low, high, steps)
    costs = torch.stack([cost(place.expand(size)) for place in grid])  # [G, B]
    best = costs.argmin(0)
    left, right = grid[(best - 1).clamp(min=0)], grid[(best + 1).clamp(max=GRID - 1)]
    share = (5**0.5 - 1) / 2
    for _ in range(REFINEMENTS):
        first, second = right - share * (right - left), left + share * (right - left)
        lower = cost(first) < cost(second)
        left, right = torch.where(lower, left, first), torch.where(lower, second, right)
    return (left + right) / 2


def _by_mask(mask: Mask, size: int) -> Iterator[tuple[slice, Tensor]]:
    """Which images share a mask, and that mask [C, H, W]."""
    if mask.shared:
        yield slice(None), mask.observed.cpu()
        return
    for index in range(size):
        yield slice(index, index + 1), mask.observed[index].cpu()
