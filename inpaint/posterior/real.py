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
from inpaint.errors import ArgumentError
from inpaint.generator import AnyGenerator
from inpaint.misfit import Misfit, check_masked, continue_misfit, fit_misfit, weigh
from inpaint.network import InpaintingNetwork, load_network, network_names
from inpaint.operators import Mask
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

NETWORK_SHARE = 0.8
"""Share of the network in the combined estimate: chosen on 80 held-out eights (600 to 679)."""


@dataclass(frozen=True)
class RealEstimate:
    """A named image for a measurement whose misfit is no white noise.

    Attributes:
        title: What to call it over a picture or in a table.
        sentence: What it is good for.
        of: What is taken of the posterior, pixel by pixel.
        network_share: Share of an inpainting network's image; the rest is what is taken of the
            posterior.
    """

    title: str
    sentence: str
    of: Literal["mean", "median"]
    network_share: float = 0.0


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
    "combined": RealEstimate(
        "combined estimate",
        "A fifth of the accurate estimate, and four fifths of what a convolutional network fills "
        "in: the smallest error on handwriting of the kind that both have learned from.",
        "mean",
        NETWORK_SHARE,
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


def check_real(name: str, measurement: Measurement, generator: AnyGenerator) -> None:
    """Refuse before the long work what would be refused after it.

    Raises:
        ShapeError: If the operator is no mask.
        ArgumentError: If the estimate needs a network, and there is none for this generator.
    """
    check_masked(measurement)
    _check_network(name, generator)


def network_of(name: str, generator: AnyGenerator) -> InpaintingNetwork | None:
    """The shipped network of the generator's name, which learned from the same images.

    Args:
        name: A key of `REAL_ESTIMATES`; None is returned for one that takes no share of a network.
        generator: What is searched.

    Raises:
        ArgumentError: If there is none.
    """
    _check_network(name, generator)
    return load_network(generator.name) if REAL_ESTIMATES[name].network_share else None


def _check_network(name: str, generator: AnyGenerator) -> None:
    """Refuse an estimate whose network is not there; no weights are read."""
    if REAL_ESTIMATES[name].network_share and generator.name not in network_names():
        raise ArgumentError(
            f"The {name} estimate needs an inpainting network, and there is none for the "
            f"generator {generator.name!r}; choose the estimate accurate, or the generator "
            f"{' or '.join(network_names())}."
        )


def fill_in(network: InpaintingNetwork, measurement: Measurement) -> Tensor:
    """What a network makes of a measurement by a mask. [B, C, H, W]"""
    check_masked(measurement)
    assert isinstance(measurement.operator, Mask)
    return network.restore(measurement.values, measurement.operator)


def estimate_real(
    name: str,
    measurement: Measurement,
    summaries: Sequence[PosteriorSummary],
    misfit: Misfit,
    network: InpaintingNetwork | None = None,
) -> Tensor:
    """The images that an estimate gives.

    Args:
        name: A key of `REAL_ESTIMATES`.
        measurement: What was observed. B images
        summaries: What the posteriors of the weighed measurement say.
        misfit: Noise and misfit.
        network: What `network_of` gives, for an estimate that takes a share of it.

    Returns:
        [B, C, H, W]
    """
    real = REAL_ESTIMATES[name]
    images = torch.stack([getattr(summary, real.of) for summary in summaries])
    images = continue_misfit(measurement, images, misfit)
    if network is None:
        return images
    filled = fill_in(network, measurement)
    return images.lerp(filled.to(images), real.network_share)
