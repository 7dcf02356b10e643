"""The finding of a posterior in words: can it be trusted, how many images fit, how far apart.

The command line and the dashboard both show it, with the same doubts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint.config import RestoreConfig
from inpaint.generators import AnyGenerator
from inpaint.generators.samples import sample_images
from inpaint.operators import Mask
from inpaint.posterior.config import SHARED
from inpaint.posterior.types import HEAVY, PosteriorDraws, PosteriorSummary
from inpaint.search.restore import restore
from inpaint.search.verdict import Flag, judge
from inpaint.types import Measurement, OnProgress, Progress, asks_to_stop

LITTLE_EXPLAINED = 0.5
"""If the observed pixels remove less than this share of the lost pixels' variance, the image
comes from the generator more than from the measurement."""

PRIOR_DRAWS = 512
"""Draws from the prior that show how much a generator's images vary."""

UNCHECKED = "The work was stopped before it was checked that the generator can draw this image."


@dataclass(frozen=True)
class Finding:
    """What is known of an image, in plain words.

    Attributes:
        flag: "good" where one image fits; "ambiguous" where the measurement leaves it open;
            "doubtful" where the intervals must not be trusted.
        sentence: The reasons.
        spread: Root mean square of the lost pixels' posterior standard deviations.
        explained: Share of the lost pixels' prior variance that the measurement removed.
    """

    flag: Flag
    sentence: str
    spread: float
    explained: float


def describe_posterior(
    measurement: Measurement,
    generator: AnyGenerator,
    posterior: PosteriorDraws,
    summaries: Sequence[PosteriorSummary],
    *,
    on_progress: OnProgress | None = None,
) -> tuple[Finding, ...]:
    """Describe the posterior of each image.

    A quick search with the settings of the sampling finds the best image of each; the intervals are
    doubted if its verdict is doubtful. So the flag depends only on what was sampled.

    Args:
        measurement: What was sampled.
        generator: What it was sampled with.
        posterior: The draws of the measurement's first B images.
        summaries: What `summarise` says of them.
        on_progress: Called during the search; see `restore`. If it returns False, the images that
            were not searched are doubted.

    Returns:
        One record per image.
    """
    doubts: list[tuple[str, ...]] = [() for _ in summaries]
    # Where a sampling did not converge, that alone is the finding.
    places = [place for place, summary in enumerate(summaries) if summary.converged]
    if places:
        found = _find_doubts(measurement[places], generator, posterior, on_progress)
        for place, sentences in zip(places, found, strict=True):
            doubts[place] = sentences
    prior_std = sample_images(generator, PRIOR_DRAWS).std(0)
    chains = posterior.latents.shape[1]
    return tuple(
        _describe_image(summary, chains, lost_pixels(measurement, b), prior_std, doubts[b])
        for b, summary in enumerate(summaries)
    )


def _find_doubts(
    measurement: Measurement,
    generator: AnyGenerator,
    posterior: PosteriorDraws,
    on_progress: OnProgress | None,
) -> list[tuple[str, ...]]:
    """The doubts of each image's verdict, as sentences."""
    shared = {name: getattr(posterior.config, name) for name in SHARED}
    search = RestoreConfig.preset("fast", **shared)
    stopped = False

    def report(progress: Progress) -> bool:
        nonlocal stopped
        stopped = stopped or (on_progress is not None and asks_to_stop(on_progress(progress)))
        return not stopped

    restoration = restore(measurement, generator, search, on_progress=report)
    verdicts = () if stopped else judge(measurement, generator, restoration, on_progress=report)
    found = [verdict.doubts for verdict in verdicts]
    return found + [(UNCHECKED,)] * (len(measurement) - len(found))


def _describe_image(
    summary: PosteriorSummary, chains: int, lost: Tensor, prior_std: Tensor, doubts: Sequence[str]
) -> Finding:
    spread, prior = rms_over(summary.std, lost), rms_over(prior_std, lost)
    explained = max(0.0, 1 - (spread / prior) ** 2) if prior > 0 else 1.0
    if not summary.converged:
        return Finding("doubtful", summary.sentence, spread, explained)
    words = [f"Converged: {chains} independent chains agree (R-hat {summary.r_hat:.2f})."]
    if doubts:
        words += [*doubts, "The intervals hold for the generator's images only."]
        return Finding("doubtful", " ".join(words), spread, explained)
    several = _describe_modes(summary)
    flag: Flag = "ambiguous" if several or explained < LITTLE_EXPLAINED else "good"
    if explained < LITTLE_EXPLAINED:
        words.append(
            "Little is determined: the observed pixels remove only "
            f"{100 * explained:.0f} % of the variance that the lost pixels have among all images "
            "of the generator."
        )
    # If next to nothing is known, a single mode is the centre of all images and does not mean that
    # one of them fits best.
    words.append(several or ("One image fits." if flag == "good" else ""))
    words.append(f"The lost pixels are open by {spread:.2g} on average.")
    return Finding(flag, " ".join(filter(None, words)), spread, explained)


def _describe_modes(summary: PosteriorSummary) -> str:
    """How many images fit, in words; empty if it is one."""
    modes, heavy = summary.modes, summary.heavy_modes
    first = modes[0].weight if modes else 1.0
    if first >= 0.5 and len(heavy) <= 1:
        return ""
    if len(heavy) <= 1:
        return f"No image stands out: the likeliest of {len(modes)} has {100 * first:.0f} %."
    words = f"{len(heavy)} different images fit, the likeliest with {100 * first:.0f} %"
    rest = 1 - sum(mode.weight for mode in heavy)
    if rest >= HEAVY:
        words += f"; {len(modes) - len(heavy)} rarer ones share {100 * rest:.0f} %"
    return words + "."


def lost_pixels(measurement: Measurement, image: int = 0) -> Tensor:
    """Which pixels of an image were not observed; all if the operator is not a mask. [C, H, W]"""
    operator = measurement.operator
    if isinstance(operator, Mask):
        return ~operator.batch(len(measurement))[image].cpu()
    return torch.ones(operator.image_shape, dtype=torch.bool)


def rms_over(std: Tensor, pixels: Tensor) -> float:
    """Root mean square of standard deviations over the chosen pixels. [C, H, W] each"""
    chosen = std[pixels]
    return math.sqrt(float(chosen.double().square().mean())) if len(chosen) else 0.0
