"""What a page shows of a posterior: the finding in words, one pixel, pictures that can be read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint.generators import AnyGenerator
from inpaint.generators.samples import sample_images
from inpaint.operators import Mask
from inpaint.posterior.estimates import pooled_latents
from inpaint.posterior.reveal import Reveal
from inpaint.posterior.types import HEAVY, Posterior, PosteriorSummary
from inpaint.search.verdict import Check, Flag
from inpaint.types import Measurement

LITTLE = 0.5
"""Where the observed pixels remove less than this share of the lost ones' variance, the generator
decides more than the measurement does."""

PRIOR_DRAWS = 512
"""Draws that tell how much a generator's images vary."""

BINS = 50
"""Of a pixel's histogram, between ink and paper."""

GAIN_COLOUR = (0.85, 0.45, 0.05)
"""Of the pixels that are worth measuring: seen on ink and on paper."""


@dataclass(frozen=True)
class Finding:
    """What is known of an image, in plain words.

    Attributes:
        flag: "good" where one image fits; "ambiguous" where the measurement leaves it open;
            "doubtful" where the intervals must not be believed.
        sentence: The reasons.
        spread: Root mean square of the lost pixels' posterior standard deviations.
        explained: Share of the lost pixels' prior variance that the measurement removed.
    """

    flag: Flag
    sentence: str
    spread: float
    explained: float


@dataclass(frozen=True)
class PixelPosterior:
    """The posterior of one pixel, channels averaged.

    Attributes:
        row: From the top.
        column: From the left.
        shares: Probability of each of equal bins between 0 and 1.
        lower: Lower end of the interval.
        median: Posterior median.
        upper: Upper end of the interval.
        level: Probability that the interval holds.
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


def lost_pixels(measurement: Measurement, image: int = 0) -> Tensor:
    """Which pixels of an image were not observed: all, where values are not pixels. [C, H, W]"""
    operator = measurement.operator
    if isinstance(operator, Mask):
        return ~operator.batch(len(measurement))[image].cpu()
    return torch.ones(operator.image_shape, dtype=torch.bool)


def spread_of(std: Tensor, pixels: Tensor) -> float:
    """Root mean square of standard deviations over some pixels. [C, H, W] each"""
    chosen = std[pixels]
    return math.sqrt(float(chosen.double().square().mean())) if len(chosen) else 0.0


def overall_spread(summary: PosteriorSummary) -> float:
    """Root mean square of all pixels' posterior standard deviations."""
    return spread_of(summary.std, torch.ones_like(summary.std, dtype=torch.bool))


def find(
    generator: AnyGenerator,
    posterior: Posterior,
    summary: PosteriorSummary,
    lost: Tensor,
    doubts: Iterable[Check] = (),
) -> Finding:
    """Say of an image what its posterior tells.

    Args:
        generator: What was sampled with.
        posterior: The particles.
        summary: What they say of the image.
        lost: Which pixels were not observed. [C, H, W]
        doubts: Checks of a search's verdict that fired against the generator.
    """
    spread = spread_of(summary.std, lost)
    prior = spread_of(sample_images(generator, PRIOR_DRAWS).std(0), lost)
    explained = max(0.0, 1 - (spread / prior) ** 2) if prior > 0 else 1.0
    if not summary.converged:
        return Finding("doubtful", summary.sentence, spread, explained)
    runs = posterior.latents.shape[1]
    words = [f"Converged: {runs} independent runs agree (R-hat {summary.r_hat:.2f})."]
    against = [check.sentence for check in doubts if check.fired]
    if against:
        words += [*against, "The intervals hold for the generator's images only."]
        return Finding("doubtful", " ".join(words), spread, explained)
    images = _describe_modes(summary)
    flag: Flag = "ambiguous" if images or explained < LITTLE else "good"
    if explained < LITTLE:
        words.append(
            "Little is determined: what was observed removes "
            f"{100 * explained:.0f} % of the variance that the lost pixels have among all images "
            "of the generator."
        )
    # Where next to nothing is known, a single mode is the middle of all images, and not one that
    # fits better than they do.
    words.append(images or ("One image fits." if flag == "good" else ""))
    words.append(f"The lost pixels are open by {spread:.2g} on average.")
    return Finding(flag, " ".join(filter(None, words)), spread, explained)


def _describe_modes(summary: PosteriorSummary) -> str:
    """How many images fit, in words; nothing where it is one."""
    modes, heavy = summary.modes, summary.heavy_modes
    first = modes[0].weight if modes else 1.0
    if first >= 0.5 and len(heavy) <= 1:
        return ""
    if len(heavy) <= 1:
        return f"No image stands out: the likeliest of {len(modes)} has {100 * first:.0f} %."
    words = f"{len(heavy)} different images fit, the likeliest with {100 * first:.0f} %"
    rest = 1 - sum(mode.weight for mode in heavy)
    if rest >= HEAVY:
        words += f"; {len(modes) - len(heavy)} rarer ones share {100 * rest:.0f} %"
    return words + "."


def covered(summary: PosteriorSummary, ideal: Tensor, pixels: Tensor) -> float:
    """Share of some pixels whose true value lies in its interval. [C, H, W] each"""
    inside = (summary.lower <= ideal) & (ideal <= summary.upper)
    return float(inside[pixels].double().mean()) if bool(pixels.any()) else math.nan


def pixel_posterior(
    measurement: Measurement,
    generator: AnyGenerator,
    posterior: Posterior,
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
        posterior: The particles.
        row: From the top.
        column: From the left.
        image: Its place in the measurement.
        level: Probability that the interval shall hold.
    """
    latents = pooled_latents(posterior, image)
    drawn = generator.to(dtype=latents.dtype)(latents)[:, :, row, column].mean(1).double()
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


def in_batch(images: Sequence[Tensor]) -> Tensor:
    """Images of one shape behind one another. [C, H, W] each -> [B, C, H, W]"""
    return torch.stack([image.detach().cpu().float() for image in images])


def widest_pixel(std: Tensor) -> tuple[int, int]:
    """Row and column of the pixel that is known least. [C, H, W]"""
    row, column = divmod(int(std.mean(0).argmax()), std.shape[-1])
    return row, column


def std_picture(std: Tensor, bound: float) -> Tensor:
    """A map of standard deviations as an image: 0 is black, `bound` white. [C, H, W]"""
    return (std / bound).clamp(0, 1)


def gain_picture(mean: Tensor, gain: Tensor) -> Tensor:
    """A pale image under the gain of each pixel, in colour. [C, H, W], [H, W] -> [3, H, W]"""
    highest = float(gain.clamp(min=0).max())
    strength = (gain.clamp(min=0) / highest if highest > 0 else torch.zeros_like(gain)).to(mean)
    pale = 0.5 + 0.5 * mean.mean(0).clamp(0, 1)
    colour = torch.tensor(GAIN_COLOUR).to(mean)[:, None, None]
    return pale + (colour - pale) * strength


def expected_spread(reveal: Reveal, squares: int) -> float:
    """Root mean square of all pixels' deviations to be expected after so many squares."""
    return math.sqrt(float(reveal.variances[squares]) / reveal.observed.numel())


def square_pixels(reveal: Reveal, squares: int) -> tuple[tuple[int, int], ...]:
    """Row and column of each pixel that the first so many squares reveal."""
    after = reveal.mask_after(squares).observed
    rows, columns = (after & ~reveal.observed).any(0).nonzero(as_tuple=True)
    return tuple(zip(rows.tolist(), columns.tolist(), strict=True))


def mask_with(
    mask: Mask, count: int, revealed: Sequence[tuple[int, Sequence[tuple[int, int]]]]
) -> Mask:
    """A mask that observes further pixels of some images.

    Args:
        mask: What is observed so far.
        count: Number of images B.
        revealed: The place of an image in the batch, and (row, column) of its further pixels.

    Returns:
        One mask per image. [B, C, H, W]
    """
    observed = mask.batch(count).clone()
    for image, pixels in revealed:
        for row, column in pixels:
            observed[image, :, row, column] = True
    return Mask(observed)
