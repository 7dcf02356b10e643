"""Estimates for images that a generator cannot draw exactly, as those of real handwriting.

What is sampled tells noise from misfit (`inpaint.misfit`): an observed pixel weighs by both, N
pixels count as fewer, and the misfit to be expected is added to the generator's image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from inpaint.config import RestoreConfig
from inpaint.generator import AnyGenerator
from inpaint.misfit import Misfit, continue_misfit, fit_misfit, weigh
from inpaint.posterior.config import PARTICLES_PER_LATENT, PosteriorConfig
from inpaint.posterior.estimates import ESTIMATES
from inpaint.posterior.types import PosteriorSummary
from inpaint.types import Measurement, Restoration

PARTICLES = 160
"""As many, or more where so many latent numbers need them."""

RESTARTS = 32
"""Restarts of a search that only has to tell noise from misfit; more change nothing there."""

MISFIT_WEIGHT = 0.8
"""What is left of the misfit's correlation makes N pixels count a little less."""


@dataclass(frozen=True)
class RealEstimate:
    """A named image for a measurement whose misfit is no white noise.

    Attributes:
        title: What to call it over a picture or in a table.
        sentence: What it is good for.
        of: What is taken of the posterior, pixel by pixel.
    """

    title: str
    sentence: str
    of: Literal["mean", "median"]


REAL_ESTIMATES: dict[str, RealEstimate] = {
    "accurate": RealEstimate(
        "accurate estimate",
        "The posterior mean and the misfit to be expected: the smallest error on real images, and "
        "soft where several images fit.",
        "mean",
    ),
    "sharp": RealEstimate(
        "sharp estimate",
        "The posterior median of each pixel, likewise: ink or paper where the mean is grey.",
        "median",
    ),
}
"""Every one by its name, in the order of tables."""


def title_of(name: str) -> str:
    """What to call an estimate of a posterior, of a real image or not."""
    return REAL_ESTIMATES[name].title if name in REAL_ESTIMATES else ESTIMATES[name].title


def settings_for_real(config: PosteriorConfig, generator: AnyGenerator) -> PosteriorConfig:
    """How to sample for these estimates: enough for a mean, of generators with many latents."""
    return replace(
        config,
        particles=max(PARTICLES, PARTICLES_PER_LATENT * generator.latent_size),
        start="prior",
        moves=2,
        final_stages=1,
        leapfrog=3,
        ess_target=0.2,
        jumps=0,
        misfit_weight=MISFIT_WEIGHT,
    )


def first_search(config: RestoreConfig) -> RestoreConfig:
    """How to search for the residuals that `tell_misfit` needs: as is said, with few restarts."""
    return replace(config, restarts=min(config.restarts, RESTARTS), rounds=1, budget=None)


def tell_misfit(
    measurement: Measurement, generator: AnyGenerator, restoration: Restoration
) -> tuple[Measurement, Misfit]:
    """The measurement, each observed pixel weighing by its noise and misfit, and both of these.

    Raises:
        ShapeError: If the operator is no mask.
    """
    misfit = fit_misfit(measurement, generator, restoration)
    return weigh(measurement, misfit), misfit


def estimate_real(
    name: str, measurement: Measurement, summaries: Sequence[PosteriorSummary], misfit: Misfit
) -> Tensor:
    """The images that an estimate gives.

    Args:
        name: A key of `REAL_ESTIMATES`.
        measurement: What was observed. B images
        summaries: What the posteriors of the weighed measurement say.
        misfit: Noise and misfit.

    Returns:
        [B, C, H, W]
    """
    images = torch.stack([getattr(summary, REAL_ESTIMATES[name].of) for summary in summaries])
    return continue_misfit(measurement, images, misfit)
