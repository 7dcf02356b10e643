"""What a page shows of a posterior: one pixel's histogram, maps as pictures, pixels to reveal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint.generators import AnyGenerator
from inpaint.operators import Mask
from inpaint.posterior.finding import lost_pixels, rms_over
from inpaint.posterior.plain import pooled_pixels
from inpaint.posterior.reveal import Reveal
from inpaint.posterior.types import PosteriorDraws, PosteriorSummary
from inpaint.types import Measurement

BINS = 50
"""Bins of a pixel's histogram, between 0 and 1."""

GAIN_COLOUR = (0.85, 0.45, 0.05)
"""Colour of pixels that are worth measuring; it is visible on ink and on paper."""


@dataclass(frozen=True)
class PixelPosterior:
    """The posterior of one pixel, averaged over channels.

    Attributes:
        row: From the top.
        column: From the left.
        shares: Probability of each of the equal bins between 0 and 1.
        lower: Lower end of the interval.
        median: Posterior median.
        upper: Upper end of the interval.
        level: Probability that the true value lies in the interval.
        ideal: The true value where it is known.
        measured: What was measured there; None if the pixel is lost.
    """

    row: int
    column: int
    shares: tuple[float, ...]
    lower: float
    median: float
    upper: float
    level: float
    ideal: float | None
    measured: float | None


def pixel_posterior(
    measurement: Measurement,
    generator: AnyGenerator,
    posterior: PosteriorDraws,
    *,
    row: int,
    column: int,
    image: int = 0,
    level: float = 0.9,
) -> PixelPosterior:
    """The posterior of one pixel of an image.

    Args:
        measurement: What was sampled.
        generator: What it was sampled with.
        posterior: The draws.
        row: From the top.
        column: From the left.
        image: Its index in the measurement.
        level: Probability that the true value lies in the interval.
    """
    pixels = pooled_pixels(generator, posterior, image)
    drawn = pixels.unflatten(1, generator.image_shape)[:, :, row, column].mean(1).double()
    tail = (1 - level) / 2
    ends = torch.tensor([tail, 0.5, 1 - tail], dtype=torch.float64)
    lower, median, upper = drawn.quantile(ends).tolist()
    counts = torch.histc(drawn.clamp(0, 1), bins=BINS, min=0, max=1)
    values, ideal = measurement.values[image], measurement.ideal
    lost = lost_pixels(measurement, image)[0, row, column]
    return PixelPosterior(
        row=row,
        column=column,
        shares=tuple((counts / len(drawn)).tolist()),
        lower=lower,
        median=median,
        upper=upper,
        level=level,
        ideal=None if ideal is None else float(ideal[image, :, row, column].mean()),
        measured=None if lost else float(values[:, row, column].mean()),
    )


def overall_spread(summary: PosteriorSummary) -> float:
    """Root mean square of all pixels' posterior standard deviations."""
    return rms_over(summary.std, torch.ones_like(summary.std, dtype=torch.bool))


def expected_spread(reveal: Reveal, squares: int) -> float:
    """Expected `overall_spread` after the first `squares` squares are measured."""
    return math.sqrt(float(reveal.variances[squares]) / reveal.observed.numel())


def coverage(summary: PosteriorSummary, ideal: Tensor, pixels: Tensor) -> float:
    """Share of the chosen pixels whose true value lies in their interval. [C, H, W] each"""
    inside = (summary.lower <= ideal) & (ideal <= summary.upper)
    return float(inside[pixels].double().mean()) if bool(pixels.any()) else math.nan


def stack_images(images: Sequence[Tensor]) -> Tensor:
    """Images of one shape as a batch. [C, H, W] each -> [B, C, H, W]"""
    return torch.stack([image.detach().cpu().float() for image in images])


def widest_pixel(std: Tensor) -> tuple[int, int]:
    """Row and column of the pixel with the largest standard deviation. [C, H, W]"""
    row, column = divmod(int(std.mean(0).argmax()), std.shape[-1])
    return row, column


def std_picture(std: Tensor, bound: float) -> Tensor:
    """A map of standard deviations as an image: 0 is black, `bound` is white. [C, H, W]"""
    return (std / bound).clamp(0, 1)


def gain_picture(mean: Tensor, gain: Tensor) -> Tensor:
    """The gain of each pixel in colour over a pale image. [C, H, W], [H, W] -> [3, H, W]"""
    highest = float(gain.clamp(min=0).max())
    strength = (gain.clamp(min=0) / highest if highest > 0 else torch.zeros_like(gain)).to(mean)
    pale = 0.5 + 0.5 * mean.mean(0).clamp(0, 1)
    colour = torch.tensor(GAIN_COLOUR).to(mean)[:, None, None]
    return pale + (colour - pale) * strength


def square_pixels(reveal: Reveal, squares: int) -> tuple[tuple[int, int], ...]:
    """Row and column of each lost pixel in the first `squares` squares."""
    after = reveal.mask_after(squares).observed
    rows, columns = (after & ~reveal.observed).any(0).nonzero(as_tuple=True)
    return tuple(zip(rows.tolist(), columns.tolist(), strict=True))


def add_pixels(
    mask: Mask, count: int, revealed: Sequence[tuple[int, Sequence[tuple[int, int]]]]
) -> Mask:
    """A mask that observes further pixels of some images.

    Args:
        mask: What is observed so far.
        count: Number of images B.
        revealed: Index of an image in the batch, and (row, column) of its further pixels.

    Returns:
        One mask per image. [B, C, H, W]
    """
    observed = mask.batch(count).clone()
    for image, pixels in revealed:
        for row, column in pixels:
            observed[image, :, row, column] = True
    return Mask(observed)
