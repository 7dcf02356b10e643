"""A restoration with its posterior: sampled, summed up, and one estimate of it chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from inpaint.checks import check_choice
from inpaint.config import RestoreConfig
from inpaint.errors import FileError
from inpaint.files.job import Run
from inpaint.generators import AnyGenerator
from inpaint.posterior import (
    Posterior,
    PosteriorConfig,
    PosteriorSummary,
    sample_posterior,
    summarise,
)
from inpaint.posterior.checks import check_fit, check_level
from inpaint.posterior.config import SHARED
from inpaint.posterior.estimates import ESTIMATES, estimate_images, recommend
from inpaint.posterior.real import (
    REAL_ESTIMATES,
    check_real,
    estimate_real,
    fill_in,
    network_of,
    settings_for_real,
    tell_misfit,
)
from inpaint.posterior.sampler import OnProgress
from inpaint.search.misfit import Misfit
from inpaint.types import Measurement, Restoration

if TYPE_CHECKING:
    from inpaint.files.problem import Problem
    from inpaint.plots.comparison import Comparison

LEVEL = 0.9
"""Probability of the intervals where none is asked for."""


@dataclass(frozen=True)
class Sampled:
    """The posterior of B images, and what is shown of it.

    Attributes:
        posterior: The particles.
        summaries: What they say of each image.
        estimates: Which estimate of each image is shown.
        images: Those estimates. [B, C, H, W]
        misfit: Noise and misfit of each image, where the estimate tells them apart.
        network: SHA-256 of the inpainting network that the images are made with, if any.
    """

    posterior: Posterior
    summaries: tuple[PosteriorSummary, ...]
    estimates: tuple[str, ...]
    images: Tensor
    misfit: Misfit | None = None
    network: str | None = None


@dataclass(frozen=True)
class Wish:
    """What is wanted besides the search: None where it is the search alone.

    Attributes:
        config: How to sample the posterior.
        estimate: Which estimate to show, if one was asked for.
    """

    config: PosteriorConfig
    estimate: str | None

    @classmethod
    def of(cls, posterior: bool, estimate: str | None, config: RestoreConfig) -> Wish | None:
        """From the options; an estimate other than the minimum needs the posterior."""
        check_choices(LEVEL, estimate, also=tuple(REAL_ESTIMATES))
        if not posterior and estimate in (None, "minimum"):
            return None
        return cls(config_beside(config), estimate)

    @classmethod
    def recorded(cls, record: dict[str, Any], path: Path) -> Wish | None:
        """From run.json; records without a posterior have none."""
        if "posterior" not in record:
            return None
        try:
            return cls(PosteriorConfig(**record["posterior"]["config"]), record["estimate"])
        except (TypeError, KeyError, ValueError) as error:
            raise FileError(
                f"{path} cannot be repeated: its posterior is none ({error})."
            ) from error

    def check(self, measurement: Measurement, generator: AnyGenerator) -> None:
        """Refuse before the search what would be refused after it.

        Raises:
            ShapeError: If measurement and generator do not fit together, or the estimate needs
                a mask.
            ArgumentError: If a value is not finite, or particles or budget are too few.
        """
        check_fit(measurement, generator, self.config)
        if self.estimate is not None and self.estimate in REAL_ESTIMATES:
            check_real(self.estimate, measurement, generator)

    @property
    def words(self) -> str:
        """The options that ask for it."""
        return " --posterior" + (f" --estimate {self.estimate}" if self.estimate else "")


def sample(
    measurement: Measurement,
    generator: AnyGenerator,
    config: PosteriorConfig,
    *,
    restoration: Restoration | None = None,
    estimate: str | None = None,
    level: float = LEVEL,
    on_progress: OnProgress | None = None,
) -> Sampled:
    """Sample the posterior and choose what to show.

    Args:
        measurement: What is known of B images.
        generator: Where to look for them.
        config: How to sample.
        restoration: What a search found for the same images; needed for an estimate of
            `REAL_ESTIMATES`, whose settings take the place of some of `config`.
        estimate: Which estimate to show; None takes the recommended one of each image.
        level: Probability that the intervals shall hold.
        on_progress: See `sample_posterior`.

    Raises:
        ArgumentError: If there is no such estimate, or see `sample_posterior`.
    """
    check_choices(level, estimate, also=() if restoration is None else tuple(REAL_ESTIMATES))
    weighed, misfit, network, filled = measurement, None, None, None
    if estimate in REAL_ESTIMATES and restoration is not None:
        network = network_of(estimate, generator)
        filled = None if network is None else fill_in(network, measurement)
        weighed, misfit = tell_misfit(measurement, generator, restoration, filled)
        config = settings_for_real(config, generator)
    # Each run searches for itself, so that the same settings sample the same without a search.
    posterior = sample_posterior(weighed, generator, config, on_progress=on_progress)
    summaries = summarise(weighed, generator, posterior, level=level)
    names = _names(summaries, estimate)
    if misfit is None:
        images = estimate_images(names, generator, posterior, summaries, restoration)
        return Sampled(posterior, summaries, names, images)
    images = torch.stack([getattr(summary, REAL_ESTIMATES[names[0]].of) for summary in summaries])
    images = estimate_real(measurement, images, misfit, filled)
    return Sampled(
        posterior, summaries, names, images, misfit, None if network is None else network.digest()
    )


def compare_sampled(
    problem: Problem, restoration: Restoration, sampled: Sampled | None
) -> Comparison:
    """The comparison of a restoration, with what was sampled beside it if anything was."""
    # Only here: the command line's names and defaults need neither metrics nor their libraries.
    from inpaint.plots.comparison import compare

    return compare(
        problem.measurement,
        problem.generator,
        restoration,
        summaries=None if sampled is None else sampled.summaries,
        estimates=None if sampled is None else sampled.estimates,
        outputs=None if sampled is None else sampled.images,
    )


def check_choices(level: float, estimate: str | None, *, also: tuple[str, ...] = ()) -> None:
    """Refuse before the long work what would be refused after it.

    Args:
        level: Probability that intervals shall hold.
        estimate: Name of an estimate.
        also: Names that can be had besides those of `ESTIMATES`.

    Raises:
        ArgumentError: If `level` is no probability or there is no such estimate.
    """
    check_level(level)
    if estimate is not None:
        check_choice("estimate", estimate, (*ESTIMATES, *also))


def command_of(
    run: Run, config: PosteriorConfig, level: float = LEVEL, estimate: str | None = None
) -> list[str]:
    """Words of a command that samples the same, defaults left out."""
    # The search's own words name what both share once too often.
    words = replace(run, config=RestoreConfig()).arguments()
    for name, value in config.changed.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    if level != LEVEL:
        words += ["--level", repr(level)]
    if estimate is not None:
        words += ["--estimate", estimate]
    return ["inpaint", "posterior", *words]


def config_beside(config: RestoreConfig) -> PosteriorConfig:
    """How to sample beside a search: with the same seed, backend and knowledge of the noise."""
    return PosteriorConfig(**{name: getattr(config, name) for name in SHARED})


def _names(summaries: Sequence[PosteriorSummary], estimate: str | None) -> tuple[str, ...]:
    return tuple(recommend(summary) if estimate is None else estimate for summary in summaries)
