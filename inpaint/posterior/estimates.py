"""Estimates: which one image stands for a restoration.

The plain estimates assume that the residual is white noise. The others are for images that a
generator cannot draw exactly, such as real handwriting: they separate noise from misfit
(`inpaint.search.misfit`), weigh each observed pixel by both, and add the expected misfit to the
generator's image. `inpaint.posterior.estimator` computes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LEVEL = 0.9
"""Default probability of the intervals."""


@dataclass(frozen=True)
class Estimate:
    """A named way from a measurement to one image.

    Attributes:
        title: Its name over a picture or in a table.
        sentence: What it is good for.
        of: What is taken from the posterior: the lowest mode, or the mean or the median of each
            pixel ("best mode" takes the median within the heaviest mode).
        misfit: Whether misfit is separated from noise.
        network: Whether an inpainting network's image counts as a second measurement.
    """

    title: str
    sentence: str
    of: Literal["minimum", "mean", "median", "best mode"]
    misfit: bool = False
    network: bool = False


ESTIMATES: dict[str, Estimate] = {
    "minimum": Estimate(
        "minimum of J",
        "The generator's image at the lowest cost: sharp, but where several images fit it is "
        "often not the true one.",
        "minimum",
    ),
    "mean": Estimate(
        "posterior mean",
        "The mean of all images that fit, weighted by their probability: the smallest expected "
        "squared error, and soft where they differ.",
        "mean",
    ),
    "median": Estimate(
        "median of the best mode",
        "The median of each pixel over the particles of the heaviest mode: nearly as sharp as "
        "the minimum, and of the image that has most of the probability.",
        "best mode",
    ),
    "accurate": Estimate(
        "accurate estimate",
        "The posterior mean plus the expected misfit: the smallest error on real images, and "
        "soft where several images fit.",
        "mean",
        misfit=True,
    ),
    "sharp": Estimate(
        "sharp estimate",
        "The posterior median of each pixel plus the expected misfit: ink or paper where the "
        "mean is grey.",
        "median",
        misfit=True,
    ),
    "combined": Estimate(
        "combined estimate",
        "Strokes that the generator can draw, guided by what a convolutional network fills in: "
        "the smallest error on handwriting like that which both were trained on. Its intervals "
        "are too narrow; use those of the accurate estimate.",
        "median",
        misfit=True,
        network=True,
    ),
}
"""Every estimate by its name, in the order of tables."""

PLAIN = tuple(name for name, estimate in ESTIMATES.items() if not estimate.misfit)
"""The estimates that a sampled posterior gives without a search."""
