"""Calibration of intervals: simulation-based calibration, and coverage of pixels.

If truths are drawn from the prior and measured as the model says, the rank of any function of the
truth among draws from its posterior is uniform (Talts et al. 2018). With a known noise level this
is exact. With an unknown one, the prior 1/sigma^2 is improper and no truth can be drawn from it, so
the noise is held at one level. The ranks are then uniform only as far as the data determine the
level, which a few hundred pixels do.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inpaint.errors import ArgumentError
from inpaint.generators import AnyGenerator
from inpaint.generators.samples import SAMPLES_STREAM, draw_latents
from inpaint.operators import Mask, measure
from inpaint.operators.mask import require_mask
from inpaint.posterior.config import PosteriorConfig
from inpaint.posterior.estimates import PLAIN
from inpaint.posterior.plain import pooled_pixels, posterior_images
from inpaint.posterior.sampler import sample_posterior
from inpaint.posterior.summary import summarise
from inpaint.posterior.types import PosteriorDraws, PosteriorSummary
from inpaint.search.objective import make_objective
from inpaint.studies.calibrate.ranking import (
    LEVELS,
    Coverage,
    Ranks,
    covered_by,
    functions_of,
    mean_coverage,
    rank_of,
)
from inpaint.types import ImageSet, Measurement, OnProgress, Progress, asks_to_stop

BATCH = 5
"""Truths sampled together."""

SAMPLING_SHARE = 0.7
"""Share of a batch's time that the sampling takes; the summary takes the rest."""


@dataclass(frozen=True)
class Truths:
    """Images to be restored whose truth is known.

    Attributes:
        measurement: What was measured of them; its ideal is the truth, and its noise level is what
            the sampler knows of the noise. B images
        latents: Their latent vectors, if they were drawn from the generator. Without them, as for
            real images, nothing is ranked. [B, D]
        noise: Standard deviation of their noise, in units of the pixels.
    """

    measurement: Measurement
    latents: Tensor | None
    noise: float


@dataclass(frozen=True)
class Calibration:
    """What sampling B known truths showed.

    Attributes:
        count: B; fewer than asked for after a cancellation, and perhaps 0.
        ranks: Of each function; none without latent vectors.
        coverage: Of the lost pixels that vary, at each of `LEVELS`.
        errors: L2 error of each estimate, by its name. [B]
        spreads: Square root of each posterior's total variance, which is the expected L2 error of
            its mean. [B]
        noise_levels: Posterior median of each noise level. [B]
        noise_covered: Share of the intervals that held the noise level; NaN where it was known.
        noise_level_stated: The probability that these intervals state.
        converged: Whether each posterior did. [B]
        r_hats: Largest R-hat of each. [B]
        modes: Number of modes of 5 % or more of each. [B]
        gradients: Gradients that each took. [B]
        seconds: Processor time of sampling one, on average.
        summary_seconds: Processor time of summarising one, on average.
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
        """Root mean square of an estimate's L2 errors."""
        return rms(self.errors[name])


def simulate_truths(
    generator: AnyGenerator, mask: Mask, count: int, *, noise: float, seed: int = 0
) -> Truths:
    """Draw truths from the generator's prior, and damage them with a mask and noise.

    Args:
        generator: What draws them, in float64.
        mask: What is observed of them.
        count: How many. A larger count of the same seed begins with the same truths.
        noise: Standard deviation of the noise, in units of the pixels.
        seed: Truths and noise follow from it.

    Raises:
        ArgumentError: If `noise` is not above 0.
    """
    if noise <= 0:
        raise ArgumentError(
            f"noise is {noise}; without noise there is no posterior. Choose a number above 0."
        )
    latents = draw_latents(seed, [SAMPLES_STREAM], count, generator.latent_size)[0]
    images = generator.to(dtype=torch.float64)(latents)
    return truths_of(images, mask, noise=noise, seed=seed, latents=latents)


def truths_of(
    images: Tensor, mask: Mask, *, noise: float, seed: int = 0, latents: Tensor | None = None
) -> Truths:
    """Damage images whose truth is known with a mask and noise. [B, C, H, W]"""
    measurement = measure(ImageSet(images, ideal=images), mask, noise=noise, seed=seed)
    return Truths(measurement, latents, noise)


def calibrate(
    truths: Truths,
    generator: AnyGenerator,
    config: PosteriorConfig = PosteriorConfig(),  # noqa: B008 (frozen)
    *,
    on_progress: OnProgress | None = None,
) -> Calibration:
    """Sample the posteriors of known truths, and compare each with its truth.

    Args:
        truths: B of them, damaged by a mask. The sampler knows the noise level if the measurement
            states it.
        generator: What restores them.
        config: How to sample.
        on_progress: Called during and after each batch with the number of truths done, of B. If it
            returns False, the result covers the batches before the current one.

    Raises:
        ArgumentError: If there is no truth, or the operator is not a mask.
    """
    total = len(truths.measurement)
    if total == 0:
        raise ArgumentError("There is no truth to calibrate with; give at least one.")
    mask = require_mask(truths.measurement.operator, "a calibration").batch(total)
    results: list[_TruthResult] = []
    sampling_time = summary_time = 0.0
    cancelled, backend = False, ""
    for first in range(0, total, BATCH):
        part = slice(first, min(first + BATCH, total))
        latents = None if truths.latents is None else truths.latents[part]
        batch = Truths(truths.measurement[part], latents, truths.noise)

        def report(progress: Progress, part: slice = part) -> bool | None:
            share = SAMPLING_SHARE * progress.done / (progress.total or 1)
            done = part.start + (part.stop - part.start) * share
            note = f"{progress.stage}, {progress.note}"
            return on_progress and on_progress(Progress("calibrating", done, total, note))

        def summarised(progress: Progress, part: slice = part) -> bool | None:
            # Half of the rest; the comparison with the truths follows.
            rest = (1 - SAMPLING_SHARE) / 2 * progress.done / (progress.total or 1)
            done = part.start + (part.stop - part.start) * (SAMPLING_SHARE + rest)
            return on_progress and on_progress(Progress("calibrating", done, total, progress.stage))

        began = time.process_time()
        posterior = sample_posterior(batch.measurement, generator, config, on_progress=report)
        backend = posterior.backend
        if posterior.cancelled:
            cancelled = True
            break
        middle = time.process_time()
        summaries = summarise(batch.measurement, generator, posterior, on_progress=summarised)
        if len(summaries) < len(posterior):
            cancelled = True
            break
        sampling_time += middle - began
        summary_time += time.process_time() - middle
        results += _compare(batch, ~mask[part], generator, posterior, summaries)
        progress = Progress("calibrating", part.stop, total)
        if on_progress and asks_to_stop(on_progress(progress)) and part.stop < total:
            cancelled = True
            break
    return _gather(results, config, backend, cancelled, sampling_time, summary_time)


def rms(values: Sequence[float]) -> float:
    """Root mean square; NaN without values."""
    if not values:
        return math.nan
    return math.sqrt(sum(value**2 for value in values) / len(values))


@dataclass(frozen=True)
class _TruthResult:
    """One truth compared with its posterior."""

    summary: PosteriorSummary
    ranks: dict[str, int]
    covered: tuple[float, ...] | None
    errors: dict[str, float]
    noise_covered: bool | None


def _compare(
    truths: Truths,
    lost: Tensor,
    generator: AnyGenerator,
    posterior: PosteriorDraws,
    summaries: Sequence[PosteriorSummary],
) -> list[_TruthResult]:
    """Rank the truths of a batch among their draws, and count how often intervals hold them.

    Args:
        truths: B of them.
        lost: Their lost pixels. [B, C, H, W]
        generator: What restored them.
        posterior: Their draws.
        summaries: What the draws say.
    """
    measurement, ideal = truths.measurement, truths.measurement.ideal
    assert ideal is not None
    estimates = {name: posterior_images(name, generator, posterior, summaries) for name in PLAIN}
    costs = None
    if truths.latents is not None:
        objective = make_objective(measurement, generator, dtype=torch.float64)
        costs = objective.cost(truths.latents[:, None].double())[:, 0]
    results = []
    for b, summary in enumerate(summaries):
        draws = pooled_pixels(generator, posterior, b, dtype=torch.float64)
        truth, missing = ideal[b].flatten().double(), lost[b].flatten()
        ranks: dict[str, int] = {}
        if truths.latents is not None and costs is not None:
            functions = functions_of(
                posterior,
                b,
                draws,
                truth,
                truths.latents[b],
                float(costs[b]),
                missing,
                truths.noise,
            )
            stream = np.random.Generator(
                np.random.Philox(key=[posterior.config.seed, measurement.numbers[b]])
            )
            ranks = {name: rank_of(*pair, stream) for name, pair in functions.items()}
        known = posterior.known_noise is not None
        low, high = summary.noise_interval
        results.append(
            _TruthResult(
                summary=summary,
                ranks=ranks,
                covered=covered_by(draws, truth, missing),
                errors={
                    name: float((images[b].double() - ideal[b]).norm())
                    for name, images in estimates.items()
                },
                noise_covered=None if known else low <= truths.noise <= high,
            )
        )
    return results


def _gather(
    results: Sequence[_TruthResult],
    config: PosteriorConfig,
    backend: str,
    cancelled: bool,
    sampling_time: float,
    summary_time: float,
) -> Calibration:
    shares = [one.covered for one in results if one.covered is not None]
    covered = np.array(shares).reshape(-1, len(LEVELS))
    noise = [one.noise_covered for one in results if one.noise_covered is not None]
    summaries = [one.summary for one in results]
    count = len(results)
    return Calibration(
        count=count,
        ranks=tuple(
            Ranks(name, tuple(one.ranks[name] for one in results))
            for name in (results[0].ranks if results else ())
        ),
        coverage=tuple(
            mean_coverage(level, covered[:, place]) for place, level in enumerate(LEVELS)
        ),
        errors={name: tuple(one.errors[name] for one in results) for name in PLAIN},
        spreads=tuple(one.expected_error for one in summaries),
        noise_levels=tuple(one.noise_level for one in summaries),
        noise_covered=sum(noise) / len(noise) if noise else math.nan,
        noise_level_stated=summaries[0].level if summaries else math.nan,
        converged=tuple(one.converged for one in summaries),
        r_hats=tuple(one.r_hat for one in summaries),
        modes=tuple(len(one.heavy_modes) for one in summaries),
        gradients=tuple(one.gradients for one in summaries),
        seconds=sampling_time / max(1, count),
        summary_seconds=summary_time / max(1, count),
        config=config,
        backend=backend,
        cancelled=cancelled,
    )
