"""Estimates for images that a generator cannot draw exactly, as those of real handwriting.

What is sampled tells noise from misfit (`inpaint.search.misfit`): an observed pixel weighs by both,
N pixels count as fewer, and the misfit to be expected is added to the generator's image.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor
from torch.nn.functional import max_pool2d

from inpaint.config import RestoreConfig
from inpaint.errors import ArgumentError
from inpaint.generators import AnyGenerator
from inpaint.network import InpaintingNetwork, load_network, network_names
from inpaint.operators import Mask
from inpaint.posterior.config import PARTICLES_PER_LATENT, PosteriorConfig
from inpaint.posterior.estimates import ESTIMATES
from inpaint.search.misfit import Misfit, check_masked, continue_misfit, fit_misfit, join, weigh
from inpaint.types import Measurement, Restoration

PARTICLES = 160
"""As many, or more where so many latent numbers need them."""

RESTARTS = 32
"""Restarts of a search that only has to tell noise from misfit; more change nothing there."""

MISFIT_WEIGHT = 0.8
"""What is left of the misfit's correlation makes N pixels count a little less."""

NEAR_SHARE = 0.8
"""Share of the network in the combined estimate, of observed pixels and of their neighbours."""

FAR_SHARE = 0.4
"""The same of lost pixels among lost ones. Both were chosen on 80 held-out eights (600 to 679)."""


@dataclass(frozen=True)
class RealEstimate:
    """A named image for a measurement whose misfit is no white noise.

    Attributes:
        title: What to call it over a picture or in a table.
        sentence: What it is good for.
        of: What is taken of the posterior, pixel by pixel.
        network: Whether an inpainting network's image is a second witness, and has a share of it.
    """

    title: str
    sentence: str
    of: Literal["mean", "median"]
    network: bool = False


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
        "Strokes that the generator can draw, where what a convolutional network fills in is a "
        "second witness: the nearest on handwriting of the kind that both have learned from. Its "
        "intervals are too narrow; take those of accurate.",
        "median",
        network=True,
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
    measurement: Measurement,
    generator: AnyGenerator,
    restoration: Restoration,
    filled: Tensor | None = None,
) -> tuple[Measurement, Misfit]:
    """The measurement to sample of, each pixel weighing by its noise and misfit, and both of these.

    Args:
        measurement: What was observed, by a mask. B images
        generator: What shall draw the images.
        restoration: What a search found for them.
        filled: What a network makes of them, to be joined as a second witness. [B, C, H, W]

    Raises:
        ShapeError: If the operator is no mask.
    """
    misfit = fit_misfit(measurement, generator, restoration)
    if filled is None:
        return weigh(measurement, misfit), misfit
    return join(measurement, misfit, filled)[0], misfit


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
        name: A key of `REAL_ESTIMATES`; None is returned for one without a network.
        generator: What is searched.

    Raises:
        ArgumentError: If there is none.
    """
    _check_network(name, generator)
    return load_network(generator.name) if REAL_ESTIMATES[name].network else None


def _check_network(name: str, generator: AnyGenerator) -> None:
    """Refuse an estimate whose network is not there; no weights are read."""
    if REAL_ESTIMATES[name].network and generator.name not in network_names():
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
    measurement: Measurement, images: Tensor, misfit: Misfit, filled: Tensor | None = None
) -> Tensor:
    """The images that an estimate of `REAL_ESTIMATES` gives.

    Args:
        measurement: What was observed. B images
        images: What is taken of the posterior of each image. [B, C, H, W]
        misfit: Noise and misfit of the measurement.
        filled: What a network makes of the images, if it was a second witness. [B, C, H, W]

    Returns:
        [B, C, H, W]
    """
    if filled is None:
        return continue_misfit(measurement, images, misfit)
    joined, doubted = join(measurement, misfit, filled)
    images = continue_misfit(joined, images, doubted)
    share = network_share(measurement).to(images)
    return images + share * (filled.to(images) - images)


def network_share(measurement: Measurement) -> Tensor:
    """Share of the network in the combined estimate. [B, C, H, W]

    Next to what was observed the network is more exact than any generator; farther away the
    generator draws whole strokes where the network is grey.
    """
    check_masked(measurement)
    assert isinstance(measurement.operator, Mask)
    observed = measurement.operator.batch(len(measurement)).float()
    near = max_pool2d(observed, 3, stride=1, padding=1)
    return FAR_SHARE + (NEAR_SHARE - FAR_SHARE) * near
