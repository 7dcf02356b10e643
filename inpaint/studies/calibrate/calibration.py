"""Do the intervals hold what they say? Simulation-based calibration, and coverage of pixels.

If truths are drawn from the prior and measured as the model says, the rank of any function of the
truth among draws from its posterior is uniform (Talts et al. 2018). With a known noise level
that is exact. With an unknown one the prior 1/sigma^2 is improper and no truth can be drawn from
it, so the noise is held at one level: the ranks are then uniform only as far as the data tell the
level, which a few hundred pixels do.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inpaint.errors import ArgumentError
from inpaint.generators import AnyGenerator
from inpaint.generators.samples import SAMPLES_STREAM, draw_latents
from inpaint.operators import Mask, measure
from inpaint.posterior.config import PosteriorConfig
from inpaint.posterior.estimates import ESTIMATES, estimate_images, pooled_latents
from inpaint.posterior.sampler import sample_posterior
from inpaint.posterior.summary import summarise
from inpaint.posterior.types import Posterior, PosteriorSummary
from inpaint.search.objective import make_objective
from inpaint.studies.calibrate.ranking import (
    LEVELS,
    Coverage,
    Ranks,
    coverage_of,
    covered_by,
    functions_of,
    rank_of,
)
from inpaint.types import ImageSet, Measurement

BATCH = 5
"""Truths sampled at a time, between two looks at whether to go on."""

OnTruth = Callable[[int, int], bool | None]


@dataclass(frozen=True)
class Truths:
    """Images to be restored whose truth is known.

    Attributes:
        measurement: What was measured of them; its ideal is the truth. B images
        latents: Their latent vectors, where they were drawn from the generator; without them,
            as of real images, nothing is ranked. [B, D]
        noise: Standard deviation of their noise, in units of the pixels.
    """

    measurement: Measurement
    latents: Tensor | None
    noise: float


@dataclass(frozen=True)
class Calibration:
    """What sampling B known truths showed.

    Attributes:
        count: B, fewer than asked for after a cancellation.
        ranks: Of each function; none without latent vectors.
        coverage: Of the lost pixels that vary, at each of `LEVELS`.
        errors: L2 error of each estimate, by its name. [B]
        spreads: Root of each posterior's total variance: the error it expects of its mean. [B]
        noise_levels: Posterior median of each noise level. [B]
        noise_covered: Share of the intervals that held the noise level; NaN where it was given.
        noise_level_stated: The probability that those state.
        converged: Whether each posterior did. [B]
        r_hats: Of each. [B]
        modes: Number of modes of 5 % or more of each. [B]
        gradients: Of each. [B]
        seconds: Processor time of sampling one, on average.
        summary_seconds: The same of its summary.
        config: How they were sampled.
        backend: What ran.
        cancelled: Whether the caller ended it.
    """

    count: int
    ranks: tuple[Ranks, ...]
    coverage: tuple[Coverage, ...]
    errors: dict[str, tuple[float, ...]]
    spreads: tuple[float, ...]
    noise_levels: tuple[float, ...]
    noise_covered: float
    noise_level_stated: float
    converged: tuple[bool, ...]
    r_hats: tuple[float, ...]
    modes: tuple[int, ...]
    gradients: tuple[int, ...]
    seconds: float
    summary_seconds: float
    config: PosteriorConfig
    backend: str
    cancelled: bool

    def rms_error(self, name: str) -> float:
        """Root of the mean squared L2 error of an estimate."""
        return rms(self.errors[name])


def simulate_truths(
    generator: AnyGenerator, mask: Mask, count: int, *, noise: float, seed: int = 0
) -> Truths:
    """Truths drawn from the generator's prior, damaged by a mask and by noise.

    Args:
        generator: What draws them, in float64.
        mask: What is observed of them.
        count: How many; more of one seed begin with the fewer.
        noise: Standard deviation of the noise, in units of the pixels.
        seed: They and their noise follow from it.
    """
    if noise <= 0:
        raise ArgumentError(f"noise is {noise}; a posterior needs some. Choose a number above 0.")
    latents = draw_latents(seed, [SAMPLES_STREAM], count, generator.latent_size)[0]
    images = generator.to(dtype=torch.float64)(latents)
    return truths_of(images, mask, noise=noise, seed=seed, latents=latents)


def truths_of(
    images: Tensor, mask: Mask, *, noise: float, seed: int = 0, latents: Tensor | None = None
) -> Truths:
    """Images of known truth, damaged by a mask and by noise. [B, C, H, W]"""
    measurement = measure(ImageSet(images, ideal=images), mask, noise=noise, seed=seed)
    return Truths(measurement, latents, noise)


def calibrate(
    truths: Truths,
    generator: AnyGenerator,
    config: PosteriorConfig = PosteriorConfig(),  # noqa: B008 (frozen)
    *,
    on_progress: OnTruth | None = None,
) -> Calibration:
    """Sample the posteriors of known truths, and hold the two against each other.

    Args:
        truths: B of them, damaged by a mask.
        generator: What to restore them with.
        config: How to sample; whether the noise level is known stands there.
        on_progress: Called with the numbers of truths done and to be done; if it returns
            False, what was done so far is the result.

    Raises:
        ArgumentError: If there is no truth, or none was done before the end.
    """
    total = len(truths.measurement)
    found: list[_Found] = []
    cancelled = False
    sampling = summing = 0.0
    backend = ""
    for first in range(0, total, BATCH):
        part = slice(first, first + BATCH)
        measurement = truths.measurement[part]
        began = time.process_time()
        posterior = sample_posterior(measurement, generator, config)
        middle = time.process_time()
        summaries = summarise(measurement, generator, posterior)
        sampling, summing = sampling + middle - began, summing + time.process_time() - middle
        backend = posterior.backend
        latents = None if truths.latents is None else truths.latents[part]
        found += _compare(truths, measurement, latents, generator, posterior, summaries)
        done = len(found)
        told = None if on_progress is None else on_progress(done, total)
        if posterior.cancelled or (told is False and done < total):
            cancelled = True
            break
    if not found:
        raise ArgumentError("There is no truth to calibrate with; give at least one.")
    return _gather(found, config, backend, cancelled, sampling, summing)


def rms(values: tuple[float, ...]) -> float:
    """Root of the mean square."""
    return math.sqrt(sum(value**2 for value in values) / len(values))


@dataclass(frozen=True)
class _Found:
    """One truth beside its posterior."""

    summary: PosteriorSummary
    ranks: dict[str, int]
    covered: tuple[float, ...] | None
    errors: dict[str, float]
    noise_covered: bool | None


def _compare(
    truths: Truths,
    measurement: Measurement,
    latents: Tensor | None,
    generator: AnyGenerator,
    posterior: Posterior,
    summaries: tuple[PosteriorSummary, ...],
) -> list[_Found]:
    """Rank the truths of a batch among their draws, and count what intervals hold."""
    ideal = measurement.ideal
    assert ideal is not None
    estimates = {name: estimate_images(name, generator, posterior, summaries) for name in ESTIMATES}
    costs = None if latents is None else _costs(measurement, generator, posterior, latents)
    lost = ~_mask_of(measurement).batch(len(measurement)).flatten(1)
    found = []
    for b, summary in enumerate(summaries):
        draws = generator.to(dtype=torch.float64).pixels(pooled_latents(posterior, b).double())
        truth = ideal[b].flatten().double()
        ranks: dict[str, int] = {}
        if latents is not None and costs is not None:
            functions = functions_of(
                posterior, b, draws, truth, latents[b], float(costs[b]), lost[b], truths.noise
            )
            stream = np.random.Generator(
                np.random.Philox(key=[posterior.config.seed, measurement.numbers[b]])
            )
            ranks = {name: rank_of(*pair, stream) for name, pair in functions.items()}
        known = posterior.config.noise_level is not None
        low, high = summary.noise_interval
        found.append(
            _Found(
                summary=summary,
                ranks=ranks,
                covered=covered_by(draws, truth, lost[b]),
                errors={
                    name: float((images[b].double() - ideal[b]).norm())
                    for name, images in estimates.items()
                },
                noise_covered=None if known else low <= truths.noise <= high,
            )
        )
    return found


def _costs(
    measurement: Measurement, generator: AnyGenerator, posterior: Posterior, latents: Tensor
) -> Tensor:
    """J at the truths. [B]"""
    objective = make_objective(
        measurement,
        generator,
        dtype=torch.float64,
        noise_level=posterior.config.noise_level,
    )
    return objective.cost(latents[:, None].double())[:, 0]


def _mask_of(measurement: Measurement) -> Mask:
    if not isinstance(measurement.operator, Mask):
        raise ArgumentError(
            f"The operator is a {type(measurement.operator).__name__}; coverage is counted over "
            "lost pixels. Give a mask."
        )
    return measurement.operator


def _gather(
    found: list[_Found],
    config: PosteriorConfig,
    backend: str,
    cancelled: bool,
    sampling: float,
    summing: float,
) -> Calibration:
    shares = [one.covered for one in found if one.covered is not None]
    covered = np.array(shares).reshape(-1, len(LEVELS))
    noise = [one.noise_covered for one in found if one.noise_covered is not None]
    summaries = [one.summary for one in found]
    return Calibration(
        count=len(found),
        ranks=tuple(
            Ranks(name, tuple(one.ranks[name] for one in found)) for name in found[0].ranks
        ),
        coverage=tuple(coverage_of(level, covered[:, place]) for place, level in enumerate(LEVELS)),
        errors={name: tuple(one.errors[name] for one in found) for name in ESTIMATES},
        spreads=tuple(one.expected_error for one in summaries),
        noise_levels=tuple(one.noise_level for one in summaries),
        noise_covered=sum(noise) / len(noise) if noise else math.nan,
        noise_level_stated=summaries[0].level,
        converged=tuple(one.converged for one in summaries),
        r_hats=tuple(one.r_hat for one in summaries),
        modes=tuple(len(one.heavy_modes) for one in summaries),
        gradients=tuple(one.gradients for one in summaries),
        seconds=sampling / len(found),
        summary_seconds=summing / len(found),
        config=config,
        backend=backend,
        cancelled=cancelled,
    )
