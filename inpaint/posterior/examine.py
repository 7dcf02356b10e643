"""A sampled posterior, examined: its estimates, and the finding for each image.

Images are examined as soon as they are sampled, so that a stop leaves little to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from inpaint.generators import AnyGenerator
from inpaint.posterior.config import PosteriorConfig
from inpaint.posterior.estimates import LEVEL
from inpaint.posterior.estimator import Estimated
from inpaint.posterior.finding import Finding, describe_posterior
from inpaint.posterior.plain import posterior_images, recommend
from inpaint.posterior.sampler import Sampling, join_draws
from inpaint.posterior.summary import summarise
from inpaint.posterior.types import PosteriorDraws, PosteriorSummary
from inpaint.types import Measurement, OnProgress, Progress, asks_to_stop

MOST_CUT = 16
"""Most images of a stopped sampling that are examined, if none was finished."""


def sample_estimated(
    measurement: Measurement,
    generator: AnyGenerator,
    config: PosteriorConfig,
    *,
    estimate: str | None = None,
    level: float = LEVEL,
    on_progress: OnProgress | None = None,
) -> tuple[Estimated, tuple[Finding, ...]]:
    """Sample the posterior, and describe the finding for each image.

    Args:
        measurement: What is known of B images.
        generator: Where to look for them.
        config: How to sample.
        estimate: One of `PLAIN` to show; None takes the one that `recommend` names.
        level: Probability of the intervals.
        on_progress: See `sample_posterior`; also called while draws are examined. After a
            cancellation the result has only the images that were finished, or if there is none,
            the first ones as far as they have come.

    Raises:
        ArgumentError: See `sample_posterior`.
    """
    images, sampling = len(measurement), Sampling(measurement, generator, config, None, on_progress)
    found: list[Estimated] = []
    findings: list[Finding] = []
    stopped = False

    def report(progress: Progress) -> bool:
        nonlocal stopped
        share = progress.done / (progress.total or 1)
        whole = Progress(progress.stage, (len(findings) + share) / images, 1.0, progress.note)
        stopped = stopped or (on_progress is not None and asks_to_stop(on_progress(whole)))
        return not stopped

    for draws in sampling.parts():
        if draws.cancelled and found:
            break
        draws = draws[:MOST_CUT] if draws.cancelled else draws
        first = len(findings)
        part = measurement[first : first + len(draws)]
        summaries = summarise(part, generator, draws, level=level, on_progress=report)
        if not summaries:
            if found:
                break
            part, draws = part[:MOST_CUT], draws[:MOST_CUT]
            summaries = summarise(part, generator, draws, level=level, follow=False)
        count = len(summaries)
        estimated, said = _describe(
            part[:count], generator, draws[:count], summaries, estimate=estimate, on_progress=report
        )
        found.append(estimated)
        findings += said
        if stopped:
            break
    joined = _join(found, cancelled=sampling.cancelled or stopped)
    return joined, tuple(findings)


def summarise_estimated(
    measurement: Measurement,
    generator: AnyGenerator,
    draws: PosteriorDraws,
    level: float = LEVEL,
    *,
    estimate: str | None = None,
) -> tuple[Estimated, tuple[Finding, ...]]:
    """What the draws of a posterior mean; see `sample_estimated`."""
    summaries = summarise(measurement, generator, draws, level=level)
    return _describe(measurement, generator, draws, summaries, estimate=estimate)


def _describe(
    measurement: Measurement,
    generator: AnyGenerator,
    draws: PosteriorDraws,
    summaries: tuple[PosteriorSummary, ...],
    *,
    estimate: str | None,
    on_progress: OnProgress | None = None,
) -> tuple[Estimated, tuple[Finding, ...]]:
    """The estimates of images whose draws are summarised, and what is found of them."""
    names = tuple(recommend(each) if estimate is None else estimate for each in summaries)
    images = posterior_images(names, generator, draws, summaries)
    findings = describe_posterior(measurement, generator, draws, summaries, on_progress=on_progress)
    return Estimated(images, names, draws, summaries), findings


def _join(parts: Sequence[Estimated], *, cancelled: bool) -> Estimated:
    """The estimates of all images as one."""
    draws = join_draws([part.draws for part in parts if part.draws is not None])
    return Estimated(
        images=torch.cat([part.images for part in parts]),
        names=tuple(name for part in parts for name in part.names),
        draws=replace(draws, cancelled=cancelled),
        summaries=tuple(summary for part in parts for summary in part.summaries),
    )
