"""The plain estimates: one image from the draws of a posterior."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from inpaint.checks import check_choice
from inpaint.generators import AnyGenerator
from inpaint.posterior.estimates import PLAIN
from inpaint.posterior.summary import evenly
from inpaint.posterior.types import PosteriorDraws, PosteriorSummary
from inpaint.types import SearchResult


def recommend(summary: PosteriorSummary) -> str:
    """The estimate to show by default.

    The mean has the smallest error on simulated truths at every N, and nearly the same as the
    minimum where one image fits. A posterior that did not converge is not shown.
    """
    return "mean" if summary.converged else "minimum"


def posterior_images(
    names: str | Sequence[str],
    generator: AnyGenerator,
    draws: PosteriorDraws,
    summaries: Sequence[PosteriorSummary],
    search: SearchResult | None = None,
    *,
    image: int = 0,
) -> Tensor:
    """The plain estimates that a sampled posterior gives.

    Args:
        names: One of `PLAIN`, or one for each image.
        generator: What the posterior was sampled with.
        draws: Draws from the posterior.
        summaries: What `summarise` said of B images.
        search: What a search found for the same images. Without it the minimum is the lowest
            mode that draws descended to.
        image: Place of the first image in `draws`.

    Returns:
        [B, C, H, W]

    Raises:
        ArgumentError: If there is no such estimate.
    """
    count = len(summaries)
    chosen = [names] * count if isinstance(names, str) else list(names)
    images = []
    for index, (name, summary) in enumerate(zip(chosen, summaries, strict=True), start=image):
        check_choice("estimate", name, PLAIN)
        if name == "mean":
            found = summary.mean
        elif name == "median" and not summary.modes:
            found = summary.median
        elif name == "median":
            found = _best_mode_median(summary, pooled_pixels(generator, draws, index))
        elif search is not None:
            found = search.images[index]
        else:
            found = _lowest(summary)
        images.append(found.cpu().to(draws.latents.dtype))
    return torch.stack(images)


def pooled_pixels(
    generator: AnyGenerator,
    draws: PosteriorDraws,
    image: int,
    *,
    count: int | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Pixels of one image's pooled draws, all of equal weight; similar draws are adjacent.

    Args:
        generator: What the posterior was sampled with.
        draws: Draws from the posterior.
        image: The image's place in the batch.
        count: How many draws, evenly chosen; None for all.
        dtype: Precision; None for that of the draws.

    Returns:
        [count, pixels]
    """
    latents = pooled_latents(draws, image, count=count)
    latents = latents if dtype is None else latents.to(dtype)
    return generator.to(latents).pixels(latents)


def pooled_latents(draws: PosteriorDraws, image: int, *, count: int | None = None) -> Tensor:
    """One image's pooled draws, evenly chosen. [count, D]"""
    latents = draws.pooled_latents[image]
    return latents if count is None else evenly(latents, count)


def _best_mode_median(summary: PosteriorSummary, pixels: Tensor) -> Tensor:
    """The median of the draws [P, pixels] whose image is nearest to the heaviest mode's."""
    modes = summary.modes
    heads = torch.stack([mode.image for mode in modes]).flatten(1).to(pixels)
    nearest = torch.cdist(pixels, heads).argmin(1)
    members = pixels[nearest == 0]
    median = members.median(0).values if len(members) else heads[0]
    return median.unflatten(0, modes[0].image.shape)


def _lowest(summary: PosteriorSummary) -> Tensor:
    """The image of the lowest mode that draws descended to."""
    if not summary.modes:
        return summary.median
    return min(summary.modes, key=lambda mode: mode.cost).image
