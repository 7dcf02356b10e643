"""Which pixels to reveal next: those that leave the least of the posterior's variance.

The particles give the covariance C of all pixels. Were the posterior normal, observing pixels S
with noise variance s would lower its total variance by tr(C[:, S] (C[S, S] + s I)^-1 C[S, :]),
whatever is seen there; so a whole sequence can be planned before anything is seen. C is never
formed: it is A'A for the centred particles A, and an observation multiplies A by I - f a a'
(Potter's square-root update), a being the column of the pixel observed.
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
from inpaint.posterior.estimates import pooled_pixels
from inpaint.posterior.types import Posterior
from inpaint.types import ImageShape, Measurement

PARTICLES = 512
"""Particles that the covariance is taken from; its rank is far below."""


@dataclass(frozen=True)
class Reveal:
    """Squares of pixels in the order in which they should be revealed.

    Attributes:
        tile: Side of a square. Squares stand on a grid, those at the right and lower edge may
            be cut off.
        corners: Row and column of the upper left pixel of each, the most telling square first.
            [count, 2]
        variances: Total variance of the image to be expected: now, and after each. [count + 1]
        gain: By how much each square alone would lower it now, at every pixel the figure of its
            square; 0 where there is nothing left to reveal. [H, W]
        observed: True where a pixel is observed now. [C, H, W]
    """

    tile: int
    corners: Tensor
    variances: Tensor
    gain: Tensor
    observed: Tensor

    def mask_after(self, count: int) -> Mask:
        """What is observed once the first `count` squares are revealed."""
        observed = self.observed.clone()
        for row, column in self.corners[:count].tolist():
            observed[:, row : row + self.tile, column : column + self.tile] = True
        return Mask(observed)


def reveal_next(
    measurement: Measurement | Mask,
    generator: AnyGenerator,
    posterior: Posterior,
    *,
    image: int = 0,
    count: int = 16,
    tile: int = 1,
) -> Reveal:
    """Plan which lost pixels of an image to measure next, with the noise of the others.

    Greedy: each square is the best one once those before it are known.

    Args:
        measurement: What was sampled, or the mask of what is observed now. Where values are no
            pixels, all pixels may be revealed.
        generator: What the posterior was sampled with.
        posterior: The particles.
        image: Which image of the posterior, by its place.
        count: How many squares, at most; fewer if no more have a lost pixel.
        tile: Side of a square, in pixels.

    Raises:
        ArgumentError: If `image`, `count` or `tile` is out of range, the posterior was not
            reached, or no pixel is lost.
        ShapeError: If the mask is not of the generator's images.
    """
    _, height, width = generator.image_shape
    check_integer("image", image, 0, len(posterior.latents) - 1)
    check_integer("count", count, 1, 2**31)
    check_integer("tile", tile, 1, max(height, width))
    if not bool(posterior.finished[image]):
        raise ArgumentError(
            f"The sampling of image {image} ended before the posterior; give it a larger budget "
            "before asking what to reveal."
        )
    observed = _observed(measurement, generator.image_shape, image)
    corners, members = _squares(observed, tile)
    if len(corners) == 0:
        raise ArgumentError("All pixels are observed, so there is nothing to reveal.")
    noise = posterior.noise_levels[image].double()
    pixels = pooled_pixels(generator, posterior, image, count=PARTICLES, dtype=torch.float64)
    knowledge = _Knowledge(pixels, members, float(noise.square().mean()))
    first = knowledge.gains()
    chosen: list[int] = []
    variances = [knowledge.variance]
    for _ in range(min(count, len(corners))):
        gains = knowledge.gains()
        gains[chosen] = -math.inf
        best = int(gains.argmax())
        chosen.append(best)
        knowledge.observe(best)
        variances.append(knowledge.variance)
    return Reveal(
        tile=tile,
        corners=corners[chosen],
        variances=torch.tensor(variances, dtype=torch.float64),
        gain=_as_map(first, corners, tile, (height, width)),
        observed=observed,
    )


class _Knowledge:
    """The covariance of all pixels as it shrinks, and what each square would take from it.

    Args:
        pixels: Images of particles. [n, Q]
        members: Pixels of each square, filled up with Q, which stands for none. [T, m]
        noise: Variance of the noise.
    """

    def __init__(self, pixels: Tensor, members: Tensor, noise: float) -> None:
        root = (pixels - pixels.mean(0)) / math.sqrt(len(pixels) - 1)
        # A column of zeros for the place Q: a pixel that does not vary and that nobody needs.
        self._root = torch.cat([root, root.new_zeros(len(root), 1)], dim=1)  # A [n, Q + 1]
        self._members = members
        self._noise = noise
        parts = self._root.T[members]  # [T, m, n]
        # Of every square S the blocks C[S, S] and C[S, :] C[:, S].
        self._own = parts @ parts.mT
        self._square = parts @ (self._root @ self._root.T) @ parts.mT

    @property
    def variance(self) -> float:
        """Total variance."""
        return float(self._root.square().sum())

    def gains(self) -> Tensor:
        """By how much each square alone would lower the total variance. [T]"""
        size = self._own.shape[1]
        noisy = self._own + self._noise * torch.eye(size, dtype=self._own.dtype)
        found = torch.linalg.solve(noisy, self._square)
        return found.diagonal(dim1=1, dim2=2).sum(1)

    def observe(self, square: int) -> None:
        """Take the pixels of a square as observed, one after the other."""
        for pixel in self._members[square].tolist():
            self._observe_pixel(pixel)

    def _observe_pixel(self, pixel: int) -> None:
        column = self._root[:, pixel].clone()  # a
        own = float(column @ column)
        if own == 0:
            return
        whole = own + self._noise
        # With u = C e, C becomes C - u u' / whole, and C C by that what stands below.
        covariance = column @ self._root  # u [Q + 1]
        second = (self._root @ covariance) @ self._root  # C u
        u, w = covariance[self._members], second[self._members]  # [T, m]
        length = float(covariance @ covariance) / whole**2
        mixed = (u[:, :, None] * w[:, None] + w[:, :, None] * u[:, None]) / whole
        outer = u[:, :, None] * u[:, None]
        self._own -= outer / whole
        self._square += length * outer - mixed
        factor = (1 - math.sqrt(self._noise / whole)) / own
        self._root -= factor * column[:, None] * covariance


def _observed(measurement: Measurement | Mask, shape: ImageShape, image: int) -> Tensor:
    """What is observed of an image now. [C, H, W]"""
    operator = measurement.operator if isinstance(measurement, Measurement) else measurement
    if tuple(operator.image_shape) != tuple(shape):
        raise ShapeError(
            f"The mask is of images of shape {operator.image_shape}, the generator makes "
            f"{shape}; give the two that belong together."
        )
    if not isinstance(operator, Mask):
        return torch.zeros(shape, dtype=torch.bool)
    return (operator.observed if operator.shared else operator.observed[image]).cpu().clone()


def _squares(observed: Tensor, tile: int) -> tuple[Tensor, Tensor]:
    """Squares with a lost pixel, and which pixels of each are lost. [T, 2], [T, m]"""
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
    wanted = (members != none).any(1)
    return corners[wanted], members[wanted]


def _as_map(gains: Tensor, corners: Tensor, tile: int, size: tuple[int, int]) -> Tensor:
    """The gain of each square at its pixels. [H, W]"""
    found = torch.zeros(size, dtype=gains.dtype)
    for (row, column), gain in zip(corners.tolist(), gains.tolist(), strict=True):
        found[row : row + tile, column : column + tile] = gain
    return found
