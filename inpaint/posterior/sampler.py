"""`sample_posterior`: validate, choose a backend, and sample the images chunk by chunk."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from inpaint.checks import check_device, check_fits
from inpaint.errors import ArgumentError, ShapeError
from inpaint.generators import AnyGenerator
from inpaint.posterior.chain import PILOT_DRAWS
from inpaint.posterior.chunk import Chunk, SamplingProgress
from inpaint.posterior.config import PARTICLES_PER_LATENT, PosteriorConfig
from inpaint.posterior.evaluator import Evaluator, Stopped, select_images
from inpaint.posterior.pilot import max_pilot_gradients
from inpaint.posterior.types import PosteriorDraws
from inpaint.search.backends import choose
from inpaint.search.backends.torch import limited_threads
from inpaint.search.objective import Objective, check_measurement, make_objective
from inpaint.types import Measurement, OnProgress, SearchResult

STATES, IMAGES = 3, 4
"""Copies of a chain's states while it moves, and of its draws' images while they are examined."""

CHUNK_BYTES = 2**25
"""Bytes of states, moves, proposals and pixels up to which images are sampled together."""


def sample_posterior(
    measurement: Measurement,
    generator: AnyGenerator,
    config: PosteriorConfig = PosteriorConfig(),  # noqa: B008 (frozen)
    *,
    restoration: SearchResult | None = None,
    on_progress: OnProgress | None = None,
) -> PosteriorDraws:
    """Draw from the posterior exp(-J / 2) of each image's latent vector.

    With a misfit weight w below 1, the draws are from exp(-(w (J - z'z) + z'z) / 2).

    A large batch is sampled in chunks of images, so that memory is bounded. A chain depends only on
    the seed, its image's number and its own number, so chunks do not change the result.

    Args:
        measurement: What is known of B images.
        generator: Where to look for them.
        config: How to sample.
        restoration: What a search found for the same measurement and generator. Pilots use its
            minima in addition to their own.
        on_progress: Called with the stages "looking for modes" and "sampling", after each stage of
            the chains and before each of the pilots. If it returns False, or on Ctrl-C, the
            sampling ends early: chains keep the temperature they reached, and images of later
            chunks are missing, so the result has fewer images than were asked for. Ctrl-C during
            the first chunk's pilots raises `KeyboardInterrupt`.

    Returns:
        The draws of the images, or of the first ones after a cancellation.

    Raises:
        ShapeError: If measurement, generator and restoration do not fit together.
        ArgumentError: If a value is not finite, particles or max_gradients are too few, or the
            posterior does not exist.
        BackendError: If the requested backend cannot run here.
    """
    sampling = Sampling(measurement, generator, config, restoration, on_progress)
    draws = join_draws(list(sampling.parts()))
    return replace(draws, cancelled=sampling.cancelled)


class Sampling:
    """The sampling of `sample_posterior`, whose images come chunk by chunk."""

    def __init__(
        self,
        measurement: Measurement,
        generator: AnyGenerator,
        config: PosteriorConfig,
        restoration: SearchResult | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        check_fit(measurement, generator, config)
        self._images, self._size = len(measurement), generator.latent_size
        _check_restoration(restoration, self._images, self._size)
        self._objective = make_objective(
            measurement,
            generator,
            dtype=torch.float32 if config.dtype == "float32" else torch.float64,
            device=check_device(config.device),
        )
        check_proper(self._objective, generator)
        self._numbers, self._config, self._restoration = measurement.numbers, config, restoration
        self._progress = SamplingProgress(on_progress, config.misfit_weight, self._images)

    @property
    def cancelled(self) -> bool:
        """Whether the caller or Ctrl-C has ended it."""
        return self._progress.cancelled

    def parts(self) -> Iterator[PosteriorDraws]:
        """The draws of some images, of the next ones and so on, until it is ended."""
        config, progress = self._config, self._progress
        backend = choose(config, self._objective)
        for part in chunks(self._images, _bytes_per_image(config, self._objective, self._size)):
            began = time.perf_counter()
            some = select_images(self._objective, part)
            evaluator = Evaluator(some, backend, config.leapfrog, progress.repeat)
            chunk = Chunk(config, evaluator, self._numbers[part], progress)
            minima = None
            if self._restoration is not None:
                minima = self._restoration.latents[part], self._restoration.costs[part]
            with limited_threads(config.threads):
                try:
                    chunk.begin(self._size, minima)
                except (KeyboardInterrupt, Stopped) as stop:
                    progress.cancelled = True
                    if part.start:
                        return
                    if isinstance(stop, KeyboardInterrupt):
                        raise
                    chunk.begin_few(self._size)
                chunk.run()
                draws = chunk.draws()
            seconds = time.perf_counter() - began
            yield replace(draws, seconds=seconds, cancelled=progress.cancelled)
            if progress.cancelled:
                return
            progress.add_finished(draws)


def check_fit(measurement: Measurement, generator: AnyGenerator, config: PosteriorConfig) -> None:
    """Require that measurement, generator and settings fit together.

    Raises:
        ShapeError: If there is no image, or the generator makes images of a different shape.
        ArgumentError: If a value is not finite, particles or max_gradients are too few, or the
            particles take more memory than is free.
    """
    check_measurement(measurement, generator)
    needed = PARTICLES_PER_LATENT * generator.latent_size
    if config.particles < needed:
        raise ArgumentError(
            f"particles is {config.particles}; a generator with {generator.latent_size} latent "
            f"numbers needs at least {needed}."
        )
    if config.device == "cpu":
        needed = _particle_bytes(config, generator.latent_size, math.prod(generator.image_shape))
        check_fits("particles", config.particles, needed, "Choose fewer particles or chains.")
    # Each chain evaluates its first states, then takes one stage.
    stage = 1 + config.moves * (1 + config.leapfrog)
    least = config.chains * config.particles * stage
    if config.start == "modes":
        least += config.chains * (config.particles * PILOT_DRAWS + max_pilot_gradients(config))
    if config.max_gradients is not None and config.max_gradients < least:
        raise ArgumentError(
            f"max_gradients is {config.max_gradients} per image; {config.chains} chains of "
            f"{config.particles} particles take {least} in their first stage alone. Choose more "
            "gradients, or fewer particles."
        )


def _particle_bytes(config: PosteriorConfig, size: int, pixels: int) -> int:
    """Memory of one particle of each chain of an image: its states, then its draws' images."""
    vectors = STATES * (config.moves * (2 + config.final_stages) + config.jumps)
    draws = config.draws // config.particles
    return config.chains * (8 * vectors * (size + 1) + draws * IMAGES * 4 * pixels)


def check_proper(objective: Objective, generator: AnyGenerator) -> None:
    """Require that the posterior has a finite integral.

    If the noise level is unknown and there are no more values than latent numbers, exact fits form
    a surface on which S^(-N/2) cannot be integrated.

    Raises:
        ArgumentError: If the integral is infinite.
    """
    fewest = int(objective.num_observed.min())
    if objective.known_noise is None and fewest <= generator.latent_size:
        raise ArgumentError(
            f"An image has {fewest} observed values, no more than the {generator.latent_size} "
            "latent numbers; its posterior exists only where the noise level is known. State the "
            "measurement's noise_level, or observe more."
        )


def chunks(images: int, bytes_per_image: int) -> Iterator[slice]:
    """Slices of a batch, each with as many images as `CHUNK_BYTES` allow, but at least one."""
    step = max(1, CHUNK_BYTES // bytes_per_image)
    for first in range(0, images, step):
        yield slice(first, min(first + step, images))


def _check_restoration(restoration: SearchResult | None, images: int, size: int) -> None:
    if restoration is None:
        return
    if len(restoration.latents) != images or restoration.latents.shape[2] != size:
        raise ShapeError(
            f"The restoration has {len(restoration.latents)} images and latent size "
            f"{restoration.latents.shape[2]}; the measurement has {images} images and the "
            f"generator latent size {size}. Give the restoration of this measurement."
        )


def _bytes_per_image(config: PosteriorConfig, objective: Objective, size: int) -> int:
    """Memory per image: momenta, states and proposals in float64, and an image of each particle."""
    vectors = config.moves * (2 + config.final_stages) + config.jumps
    pixels = objective.width * objective.target.element_size()
    return config.chains * config.particles * (8 * vectors * (size + 1) + pixels)


def join_draws(parts: Sequence[PosteriorDraws]) -> PosteriorDraws:
    """The draws of all chunks as one; stages that a chunk did not take are NaN."""
    stages = max(part.temperatures.shape[2] for part in parts)

    def joined(name: str) -> Tensor:
        tensors = [getattr(part, name) for part in parts]
        if name in ("temperatures", "step_lengths"):
            tensors = [pad(x, (0, stages - x.shape[2]), value=math.nan) for x in tensors]
        return torch.cat(tensors)

    names = [f.name for f in fields(parts[0]) if isinstance(getattr(parts[0], f.name), Tensor)]
    tensors: dict[str, Any] = {name: joined(name) for name in names}
    seconds = sum(part.seconds for part in parts)
    return replace(parts[0], **tensors, seconds=seconds)
