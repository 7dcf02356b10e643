"""What `sample_posterior` refuses, with messages that say the way out."""

from __future__ import annotations

from inpaint.errors import ArgumentError
from inpaint.generators import AnyGenerator
from inpaint.posterior.config import PARTICLES_PER_LATENT, PosteriorConfig
from inpaint.posterior.particles import KNOWN_DRAWS
from inpaint.posterior.pilot import most_evaluations
from inpaint.search.objective import Objective, check_measurement
from inpaint.types import Measurement


def check_level(level: float) -> None:
    """Refuse a probability of intervals that is none."""
    if not 0 < level < 1:
        raise ArgumentError(f"level is {level!r}; it is a probability. Choose .5 to .99.")


def check_fit(measurement: Measurement, generator: AnyGenerator, config: PosteriorConfig) -> None:
    """Refuse a measurement, a generator and settings that do not fit together."""
    check_measurement(measurement, generator)
    needed = PARTICLES_PER_LATENT * generator.latent_size
    if config.particles < needed:
        raise ArgumentError(
            f"particles is {config.particles}; a latent vector of {generator.latent_size} numbers "
            f"needs at least {needed}."
        )
    # The forward evaluations of the start, and one stage of every run.
    stage = 1 + config.moves * (1 + config.leapfrog)
    least = config.runs * config.particles * stage
    if config.start == "modes":
        least += config.runs * (config.particles * KNOWN_DRAWS + most_evaluations(config))
    if config.budget is not None and config.budget < least:
        raise ArgumentError(
            f"budget is {config.budget} gradients per image; {config.runs} runs of "
            f"{config.particles} particles take {least} in their first stage alone. Raise it, or "
            "choose fewer particles."
        )


def check_proper(objective: Objective, generator: AnyGenerator) -> None:
    """Refuse a problem whose posterior has no finite mass.

    With as many latent numbers as values, exact fits form a surface on which S^(-N/2) cannot
    be integrated, the noise level being unknown.
    """
    fewest = int(objective.count.min())
    if objective.known_noise is None and fewest <= generator.latent_size:
        raise ArgumentError(
            f"An image has {fewest} observed values, no more than the {generator.latent_size} "
            "latent numbers; its posterior exists only where noise_level is given."
        )
