"""Which pixels to measure next: those that leave the least posterior variance.

The draws give the covariance C of all pixels. If the posterior were normal, observing pixels S
with noise variance s would lower its total variance by tr(C[:, S] (C[S, S] + s I)^-1 C[S, :]),
whatever their values are. So a whole sequence can be planned before anything is measured. C is
never formed: it is A'A for the centred draws A, and an observation multiplies A by I - f a a'
(Potter's square-root update), where a is the column of the observed pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint.checks import check_integer
from inpaint.errors import ArgumentError, ShapeError
from inpaint.generators import AnyGenerator
from inpaint.operators import Mask
from inpaint.posterior.plain import pooled_pixels
from inpaint.posterior.types import PosteriorDraws
from inpaint.types import ImageShape, Measurement, ShortRepr

DRAWS = 512
"""Draws that the covariance is computed from; its rank is far lower."""


@dataclass(frozen=True, eq=False, repr=False)
class Reveal(ShortRepr):
    """Squares of pixels in the order in which they should be measured.

    Attributes:
        tile: Side of a square. The squares form a grid; those at the right and lower edge may be
            cut off.
        corners: Row and column of the upper left pixel of each square, best square first.
            [count, 2]
        variances: Expected total variance of the image: now, and after each square. [count + 1]
        gain: How much measuring each square alone would lower the total variance now, repeated at
            each pixel of the square; 0 where nothing is left to measure. [H, W]
        observed: True where a pixel is observed now. [C, H, W]
    """

    tile: int
    corners: Tensor
    variances: Tensor
    gain: Tensor
    observed: Tensor

    def mask_after(self, count: int) -> Mask:
        """What is observed after the first `count` squares are measured."""
        observed = self.observed.clone()
        for row, column in self.corners[:count].tolist():
            observed[:, row : row + self.tile, column : column + self.tile] = True
        return Mask(observed)


def reveal_next(
    measurement: Measurement | Mask,
    generator: AnyGenerator,
    posterior: PosteriorDraws,
    *,
    image: int = 0,
    count: int = 16,
    tile: int = 1,
) -> Reveal:
    """Plan which lost pixels of an image to measure next, with the same noise as the others.

    The plan is greedy: each square is the best one once those before it are known.

    Args:
        measurement: What was sampled, or the mask of what is observed now. If its operator is not
            a mask, all pixels count as lost.
        generator: What the posterior was sampled with.
        posterior: The draws.
        image: Index of the image in the posterior.
        count: Most squares to plan; only squares with a lost pixel are planned.
        tile: Side of a square, in pixels.

    Raises:
        ArgumentError: If `image`, `count` or `tile` is out of range, the posterior was not
            reached, or no pixel is lost.
        ShapeError: If the mask and the generator have different image shapes.
    """
    _, height, width = generator.image_shape
    check_integer("image", image, 0, len(posterior) - 1)
    check_integer("count", count, 1, 2**31)
    check_integer("tile", tile, 1, max(height, width))
    if not bool(posterior.finished[image]):
        raise ArgumentError(
            f"The sampling of image {image} ended before it reached the posterior. Sample it with "
            "a larger max_gradients first."
        )
    observed = _observed(measurement, generator.image_shape, image)
    corners, members = _squares(observed, tile)
    if len(corners) == 0:
        raise ArgumentError("All pixels are observed, so there is nothing to reveal.")
    noise = posterior.noise_levels[image].double()
    pixels = pooled_pixels(generator, posterior, image, count=DRAWS, dtype=torch.float64)
    covariance = _PixelCovariance(pixels, members, float(noise.square().mean()))
    first = covariance.gains()
    chosen: list[int] = []
    variances = [covariance.total]
    for _ in range(min(count, len(corners))):
        gains = covariance.gains()
        gains[chosen] = -math.inf
        best = int(gains.argmax())
        chosen.append(best)
        covariance.observe(best)
        variances.append(covariance.total)
    return Reveal(
        tile=tile,
        corners=corners[chosen],
        variances=torch.tensor(variances, dtype=torch.float64),
        gain=_as_map(first, corners, tile, (height, width)),
        observed=observed,
    )


class _PixelCovariance:
    """The covariance of all pixels as it shrinks, and how much each square would lower it.

    Args:
        pixels: Images of draws. [n, Q]
        members: Lost pixels of each square, padded with Q, which stands for no pixel. [T, m]
        noise: Variance of the noise.
    """

    def __init__(self, pixels: Tensor, members: Tensor, noise: float) -> None:
        root = (pixels - pixels.mean(0)) / math.sqrt(len(pixels) - 1)
        # Column Q is zero: a pixel without variance, whose observation changes nothing.
        self._root = torch.cat([root, root.new_zeros(len(root), 1)], dim=1)  # A [n, Q + 1]
        self._members = members
        self._noise = noise
        parts = self._root.T[members]  # [T, m, n]
        # The blocks C[S, S] and C[S, :] C[:, S] of each square S.
        self._own = parts @ parts.mT
        self._square = parts @ (self._root @ self._root.T) @ parts.mT

    @property
    def total(self) -> float:
        """Total variance."""
        return float(self._root.square().sum())

    def gains(self) -> Tensor:
        """How much each square alone would lower the total variance. [T]"""
        size = self._own.shape[1]
        noisy = self._own + self._noise * torch.eye(size, dtype=self._own.dtype)
        solved = torch.linalg.solve(noisy, self._square)
        return solved.diagonal(dim1=1, dim2=2).sum(1)

    def observe(self, square: int) -> None:
        """Condition on the pixels of a square, one by one."""
        for pixel in self._members[square].tolist():
            self._observe_pixel(pixel)

    def _observe_pixel(self, pixel: int) -> None:
        column = self._root[:, pixel].clone()  # a
        own = float(column @ column)
        if own == 0:
            return
        noisy = own + self._noise
        # With u the pixel's column of C, C becomes C - u u' / noisy; C C follows from that.
        covariance = column @ self._root  # u [Q + 1]
        second = (self._root @ covariance) @ self._root  # C u
        u, w = covariance[self._members], second[self._members]  # [T, m]
        length = float(covariance @ covariance) / noisy**2
        mixed = (u[:, :, None] * w[:, None] + w[:, :, None] * u[:, None]) / noisy
        outer = u[:, :, None] * u[:, None]
        self._own -= outer / noisy
        self._square += length * outer - mixed
        factor = (1 - math.sqrt(self._noise / noisy)) / own
        self._root -= factor * column[:, None] * covariance


def _observed(measurement: Measurement | Mask, shape: ImageShape, image: int) -> Tensor:
    """What is observed of an image now. [C, H, W]"""
    operator = measurement.operator if isinstance(measurement, Measurement) else measurement
    if tuple(operator.image_shape) != tuple(shape):
        raise ShapeError(
            f"The mask is of images of shape {operator.image_shape}, but the generator makes "
            f"images of shape {shape}. Give two that belong together."
        )
    if not isinstance(operator, Mask):
        return torch.zeros(shape, dtype=torch.bool)
    return (operator.observed if operator.shared else operator.observed[image]).cpu().clone()


def _squares(observed: Tensor, tile: int) -> tuple[Tensor, Tensor]:
    """Corners of the squares with a lost pixel, and the lost pixels of each. [T, 2], [T, m]"""
    channels, height, width = observed.shape
    none = observed.numel()
    numbers = torch.arange(none).reshape(observed.shape)
    numbers = torch.where(observed, none, numbers)
    down, across = -(-height // tile), -(-width // tile)
    full = torch.full((channels, down * tile, across * tile), none)
    full[:, :height, :width] = numbers
    grid = full.reshape(channels, down, tile, across, tile).permute(1, 3, 0, 2, 4)
    members = grid.reshape(down * across, -1)
    rows, columns = torch.meshgrid(torch.arange(down), torch.arange(across), indexing="ij")
    corners = tile * torch.stack([rows.flatten(), columns.flatten()], dim=1)
    lost = (members != none).any(1)
    return corners[lost], members[lost]


def _as_map(gains: Tensor, corners: Tensor, tile: int, size: tuple[int, int]) -> Tensor:
    """The gain of each square at its pixels. [H, W]"""
    gain_map = torch.zeros(size, dtype=gains.dtype)
    for (row, column), gain in zip(corners.tolist(), gains.tolist(), strict=True):
        gain_map[row : row + tile, column : column + tile] = gain
    return gain_map
