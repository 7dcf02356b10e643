"""What a caller gets back: a `Restoration`, and the `Posterior` of one.

Both hold B images. An index keeps or drops the batch axis as numpy's does: `result[2:5]` holds
three images, and the properties of `result[2]` are those of one, without the batch axis.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from inpaint.checks import check_type
from inpaint.generators import AnyGenerator
from inpaint.posterior.config import PosteriorConfig
from inpaint.posterior.estimates import LEVEL
from inpaint.posterior.estimator import Estimated, Estimator
from inpaint.posterior.examine import sample_estimated, summarise_estimated
from inpaint.posterior.finding import Finding
from inpaint.posterior.summary import interval_of
from inpaint.posterior.types import PosteriorDraws, PosteriorSummary
from inpaint.progress import showing
from inpaint.search.restore import describe_starts, stopped_early
from inpaint.search.verdict import Verdict, judge
from inpaint.types import Measurement, OnProgress, SearchResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from inpaint.plots.comparison import Comparison

Index = int | slice | Sequence[int]


class _Batch:
    """B images, or one of them without the batch axis."""

    measurement: Measurement
    single: bool

    def __len__(self) -> int:
        if self.single:
            raise TypeError("A single image has no length.")
        return len(self.measurement)

    def __iter__(self) -> Any:
        return (self[index] for index in range(len(self)))  # type: ignore[index]

    def _each(self, value: Any) -> Any:
        """A tensor [B, ...] or a tuple of B, without the batch axis if this is one image."""
        return value[0] if self.single else value

    def _places(self, index: Index) -> tuple[list[int], bool]:
        """The places that an index picks, and whether it drops the batch axis."""
        if self.single:
            raise TypeError("A single image cannot be indexed.")
        places = np.arange(len(self.measurement))[index]
        single = places.ndim == 0
        return [int(place) for place in np.atleast_1d(places)], single


class Restoration(_Batch):
    """Restored images, what they were restored from, and how far to trust them.

    Args:
        measurement: What was known of B images.
        generator: What restored them.
        search: What the restarts found.
        estimated: The estimate to show; None shows the minimum of J.
        single: Whether the batch axis is dropped.

    Attributes:
        measurement: See above.
        generator: See above.
        search: Every restart's latent vector, cost, curve and status.
        single: See above.
    """

    def __init__(
        self,
        measurement: Measurement,
        generator: AnyGenerator,
        search: SearchResult,
        *,
        estimated: Estimated | None = None,
        single: bool = False,
    ) -> None:
        self.measurement = measurement
        self.generator = generator
        self.search = search
        self.single = single
        self._estimated = estimated

    def __getitem__(self, index: Index) -> Restoration:
        places, single = self._places(index)
        return Restoration(
            self.measurement[places],
            self.generator,
            self.search[places],
            estimated=None if self._estimated is None else self._estimated[places],
            single=single,
        )

    @property
    def images(self) -> Tensor:
        """The restored images, values in 0 to 1. [B, C, H, W]"""
        shown = self.search.images if self._estimated is None else self._estimated.images
        return self._each(shown)

    @property
    def costs(self) -> Tensor:
        """The lowest J of each image, in nats x 2. [B]"""
        return self._each(self.search.best_costs)

    @property
    def latents(self) -> Tensor:
        """The latent vector of lowest J. [B, D]"""
        return self._each(self.search.best_latents)

    @property
    def noise_level(self) -> Tensor:
        """Estimated noise standard deviation, in units of the pixels. [B]"""
        return self._each(self.search.noise_level)

    @property
    def estimate_names(self) -> Any:
        """The estimate that each image shows: a key of `inpaint.ESTIMATES`."""
        shown = ("minimum",) * len(self.search)
        return self._each(shown if self._estimated is None else self._estimated.names)

    @cached_property
    def verdicts(self) -> Any:
        """A `Verdict` on each image: whether it can be trusted, and why."""
        found: tuple[Verdict, ...] = judge(self.measurement, self.generator, self.search)
        return self._each(found)

    def estimate(self, name: str, *, progress: bool | None = None) -> Restoration:
        """The same restoration with another estimate as its images.

        Args:
            name: A key of `inpaint.ESTIMATES`.
            progress: See `inpaint.restore`.
        """
        with showing(progress, None) as on_progress:
            estimator = Estimator(
                self.measurement,
                self.generator,
                self.search.config,
                search=self.search,
                on_progress=on_progress,
            )
            found = estimator.estimate(name)
        return Restoration(
            self.measurement, self.generator, self.search, estimated=found, single=self.single
        )

    def posterior(
        self,
        config: PosteriorConfig | None = None,
        *,
        level: float = LEVEL,
        progress: bool | None = None,
        on_progress: OnProgress | None = None,
    ) -> Posterior:
        """Draws from the posterior: all images that fit, not just one.

        Args:
            config: How to sample; None shares seed, backend and threads with the search.
            level: Probability of the intervals.
            progress: See `inpaint.restore`.
            on_progress: See `inpaint.restore`.
        """
        if config is None:
            config = Estimator(self.measurement, self.generator, self.search.config).sampling
        check_type("config", config, PosteriorConfig)
        with showing(progress, on_progress) as report:
            found = sample_estimated(
                self.measurement, self.generator, config, level=level, on_progress=report
            )
        reached = self.measurement[: len(found[0].images)]
        return Posterior(reached, self.generator, *found, single=self.single)

    def compare(self) -> Comparison:
        """The five columns as data: ideal, corrupted, cost, output, difference."""
        from inpaint.plots.comparison import compare

        return compare(self.measurement, self.generator, self.search, estimated=self._estimated)

    def plot(self) -> Figure:
        """The five columns as a matplotlib figure, a row per image."""
        from inpaint.plots.columns import plot_comparison

        return plot_comparison(self.compare())

    def save(self, directory: str | os.PathLike[str]) -> Path:
        """Write figure.png, arrays, settings and the generator's weights into a folder.

        `inpaint.load` reads them again. A generator that is a torch module is not written; give
        it to `inpaint.load`.

        Raises:
            ArgumentError: If the operator cannot be written: it is not a mask, and its matrix is
                too large.
            FileError: If the folder cannot be written.
        """
        from inpaint.files.saved import save_restoration

        return save_restoration(
            directory,
            self.measurement,
            self.generator,
            self.search,
            self.compare(),
            self._estimated,
        )

    @classmethod
    def load(
        cls, directory: str | os.PathLike[str], generator: AnyGenerator | None = None
    ) -> Restoration:
        """Read what `save` wrote.

        Args:
            directory: The folder.
            generator: What restored the images, if the folder does not hold it.

        Raises:
            FileError: If the folder does not hold a restoration, or the generator differs.
        """
        from inpaint.files.saved import load_restoration

        measurement, source, search, estimated = load_restoration(directory, generator)
        return cls(measurement, source, search, estimated=estimated)

    def __repr__(self) -> str:
        search = self.search
        count = "1 image" if len(search) == 1 else f"{len(search)} images"
        return (
            f"Restoration({count}, {self.measurement.operator.title}, generator "
            f"{self.generator.name!r}, {describe_starts(search)}, seed {search.config.seed}, "
            f"{search.backend}, {search.seconds:.2f} s{', stopped early' * stopped_early(search)})"
        )


class Posterior(_Batch):
    """All images that fit a measurement, by their probability.

    Args:
        measurement: What was known of B images.
        generator: What they were sampled with.
        estimated: Draws, summaries, and the estimate of each image.
        findings: What the draws say, in words.
        single: Whether the batch axis is dropped.

    Attributes:
        measurement: See above.
        generator: See above.
        single: See above.
    """

    def __init__(
        self,
        measurement: Measurement,
        generator: AnyGenerator,
        estimated: Estimated,
        findings: tuple[Finding, ...],
        *,
        single: bool = False,
    ) -> None:
        self.measurement = measurement
        self.generator = generator
        self.single = single
        self._estimated = estimated
        self._findings = findings

    def __getitem__(self, index: Index) -> Posterior:
        places, single = self._places(index)
        return Posterior(
            self.measurement[places],
            self.generator,
            self._estimated[places],
            tuple(self._findings[place] for place in places),
            single=single,
        )

    @property
    def draws(self) -> PosteriorDraws:
        """The draws, chain by chain, with their costs and diagnostics."""
        draws = self._estimated.draws
        assert draws is not None
        return draws

    @property
    def summaries(self) -> tuple[PosteriorSummary, ...]:
        """Mean, modes and diagnostics of each image; a tuple even for one image."""
        return self._estimated.summaries

    @property
    def verdicts(self) -> Any:
        """A `Finding` on each posterior: whether it can be trusted, and what it says."""
        return self._each(self._findings)

    @property
    def images(self) -> Tensor:
        """The estimate of each image: the mean where the sampling converged. [B, C, H, W]"""
        return self._each(self._estimated.images)

    @property
    def mean(self) -> Tensor:
        """Posterior mean of each pixel. [B, C, H, W]"""
        return self._stacked("mean")

    @property
    def std(self) -> Tensor:
        """Posterior standard deviation of each pixel. [B, C, H, W]"""
        return self._stacked("std")

    @property
    def median(self) -> Tensor:
        """Posterior median of each pixel. [B, C, H, W]"""
        return self._stacked("median")

    @property
    def samples(self) -> Tensor:
        """A few images drawn by their probability. [B, M, C, H, W]"""
        return self._stacked("samples")

    @property
    def converged(self) -> Any:
        """Whether the sampling of each image converged; only then do intervals hold."""
        return self._each(tuple(summary.converged for summary in self.summaries))

    def interval(self, level: float = LEVEL) -> tuple[Tensor, Tensor]:
        """Both ends of each pixel's interval. [B, C, H, W] each

        They hold only where `converged` is True.

        Args:
            level: Probability that an interval holds the pixel.
        """
        ends = [
            interval_of(self.draws, self.generator, image, level)
            for image in range(len(self.summaries))
        ]
        lower, upper = (torch.stack(side) for side in zip(*ends, strict=True))
        return self._each(lower), self._each(upper)

    def plot(self) -> Figure:
        """Mean, deviation, intervals and samples as a matplotlib figure, a row per image."""
        from inpaint.plots.posterior import plot_posterior

        return plot_posterior(self.measurement, self._estimated)

    def save(self, directory: str | os.PathLike[str]) -> Path:
        """Write figure.png, arrays, settings and the generator's weights into a folder.

        See `Restoration.save`.
        """
        from inpaint.files.saved import save_posterior

        return save_posterior(directory, self.measurement, self.generator, self._estimated)

    @classmethod
    def load(
        cls, directory: str | os.PathLike[str], generator: AnyGenerator | None = None
    ) -> Posterior:
        """Read what `save` wrote; see `Restoration.load`."""
        from inpaint.files.saved import load_posterior

        measurement, source, draws, level = load_posterior(directory, generator)
        return cls(measurement, source, *summarise_estimated(measurement, source, draws, level))

    def _stacked(self, name: str) -> Tensor:
        found = torch.stack([getattr(summary, name) for summary in self.summaries])
        return self._each(found)

    def __repr__(self) -> str:
        count = len(self.summaries)
        converged = sum(summary.converged for summary in self.summaries)
        images = "1 image" if count == 1 else f"{count} images"
        config = self.draws.config
        return (
            f"Posterior({images}, {self.measurement.operator.title}, generator "
            f"{self.generator.name!r}, {config.chains} chains of {config.particles} particles, "
            f"{converged} of {count} converged)"
        )
