"""Which one image to show of a posterior: estimates by their names, and which is the default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint.checks import check_choice
from inpaint.generators import AnyGenerator
from inpaint.posterior.summary import evenly
from inpaint.posterior.types import Posterior, PosteriorSummary
from inpaint.types import Restoration


@dataclass(frozen=True)
class Sampled:
    """One image's posterior, as an estimate sees it.

    Attributes:
        summary: What its particles say.
        pixels: The images of its particles, all of equal weight. [P, pixels]
        minimum: The generator's image at the lowest J that is known. [C, H, W]
    """

    summary: PosteriorSummary
    pixels: Tensor
    minimum: Tensor


@dataclass(frozen=True)
class Estimate:
    """A named way from a posterior to one image.

    Attributes:
        title: What to call it over a picture or in a table.
        sentence: What it is good for.
        image: The image. [C, H, W]
    """

    title: str
    sentence: str
    image: Callable[[Sampled], Tensor]


def _minimum(sampled: Sampled) -> Tensor:
    return sampled.minimum


def _mean(sampled: Sampled) -> Tensor:
    return sampled.summary.mean


def _median(sampled: Sampled) -> Tensor:
    """Each particle counts for the mode whose image is nearest to its own."""
    modes = sampled.summary.modes
    if not modes:
        return sampled.summary.median
    pixels = sampled.pixels
    heads = torch.stack([mode.image for mode in modes]).flatten(1).to(pixels)
    nearest = torch.cdist(pixels, heads).argmin(1)
    members = pixels[nearest == 0]
    median = members.median(0).values if len(members) else heads[0]
    return median.unflatten(0, modes[0].image.shape)


ESTIMATES: dict[str, Estimate] = {
    "minimum": Estimate(
        "minimum of J",
        "The generator's image at the lowest cost: sharp, but where several images fit it is "
        "often not the true one.",
        _minimum,
    ),
    "mean": Estimate(
        "posterior mean",
        "The mean of all images that fit, by their probability: the smallest squared error to be "
        "expected, and soft where they differ.",
        _mean,
    ),
    "median": Estimate(
        "median of the best mode",
        "The median of each pixel over the particles of the heaviest mode: nearly as sharp as "
        "the minimum, and of the image that most of the probability is for.",
        _median,
    ),
}
"""Every estimate by its name, in the order of tables."""


def recommend(summary: PosteriorSummary) -> str:
    """The estimate to show where none is asked for.

    The mean has the smallest error on simulated truths at every N, and next to the same as the
    minimum where one image fits. Of a posterior that did not converge nothing is shown.
    """
    return "mean" if summary.converged else "minimum"


def estimate_images(
    names: str | Sequence[str],
    generator: AnyGenerator,
    posterior: Posterior,
    summaries: Sequence[PosteriorSummary],
    restoration: Restoration | None = None,
    *,
    image: int = 0,
) -> Tensor:
    """The image that an estimate gives, for each image of a posterior.

    Args:
        names: The estimate, or one for each image.
        generator: What the posterior was sampled with.
        posterior: The particles.
        summaries: What `summarise` said of B images.
        restoration: What a search found for the posterior's images. Without it the minimum is the
            lowest mode that particles descended to.
        image: Place in the posterior of the first of them.

    Returns:
        [B, C, H, W]

    Raises:
        ArgumentError: If there is no such estimate.
    """
    count = len(summaries)
    chosen = [names] * count if isinstance(names, str) else list(names)
    for name in chosen:
        check_choice("estimate", name, tuple(ESTIMATES))
    images = []
    for index, (name, summary) in enumerate(zip(chosen, summaries, strict=True), start=image):
        sampled = Sampled(
            summary=summary,
            pixels=pooled_pixels(generator, posterior, index)
            if name == "median"
            else torch.empty(0),
            minimum=_lowest(summary, None if restoration is None else restoration.images[index]),
        )
        images.append(ESTIMATES[name].image(sampled).cpu().to(posterior.latents.dtype))
    return torch.stack(images)


def pooled_pixels(
    generator: AnyGenerator,
    posterior: Posterior,
    image: int,
    *,
    count: int | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Images of one image's particles, all of equal weight; relatives stand next to each other.

    Args:
        generator: What the posterior was sampled with.
        posterior: The particles.
        image: Its place in the batch.
        count: How many, evenly chosen; None for all.
        dtype: Precision; None for that of the particles.

    Returns:
        [count, pixels]
    """
    latents = pooled_latents(posterior, image, count=count)
    latents = latents if dtype is None else latents.to(dtype)
    return generator.to(dtype=latents.dtype).pixels(latents)


def pooled_latents(posterior: Posterior, image: int, *, count: int | None = None) -> Tensor:
    """One image's pooled draws, evenly chosen. [count, D]"""
    latents = posterior.pooled_latents[image]
    return latents if count is None else evenly(latents, count)


def _lowest(summary: PosteriorSummary, minimum: Tensor | None) -> Tensor:
    if minimum is not None:
        return minimum
    if not summary.modes:
        return summary.median
    return min(summary.modes, key=lambda mode: mode.cost).image
