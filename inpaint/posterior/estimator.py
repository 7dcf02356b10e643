"""The `Estimator`: every estimate of damaged images, computed in one place.

`restore --estimate`, `evaluate`, the dashboard and Python all use it, so the same settings and
seed give the same image everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from inpaint.checks import check_between, check_choice
from inpaint.config import RestoreConfig
from inpaint.errors import ArgumentError
from inpaint.generators import AnyGenerator
from inpaint.network.files import load_network, network_names
from inpaint.network.model import InpaintingNetwork
from inpaint.operators.mask import require_mask
from inpaint.posterior.config import PARTICLES_PER_LATENT, SHARED, PosteriorConfig
from inpaint.posterior.estimates import ESTIMATES, LEVEL
from inpaint.posterior.plain import posterior_images, recommend
from inpaint.posterior.sampler import check_fit, sample_posterior
from inpaint.posterior.summary import summarise
from inpaint.posterior.types import PosteriorDraws, PosteriorSummary
from inpaint.search.misfit import Misfit, continue_misfit, fit_misfit, join, weigh
from inpaint.search.restore import restore
from inpaint.types import Measurement, OnProgress, SearchResult, ShortRepr

MISFIT_PARTICLES = 160
"""Particles of a sampling with misfit; a generator with many latent numbers gets more."""

MISFIT_WEIGHT = 0.8
"""Misfit weight: the misfit's remaining correlation makes N pixels count as fewer."""

NEAR_SHARE = 0.8
"""Share of the network in the combined estimate, at observed pixels and their neighbours."""

FAR_SHARE = 0.4
"""The same at all other pixels. Both were chosen on 80 held-out eights (600 to 679)."""

Made = TypeVar("Made")


@dataclass(frozen=True, eq=False, repr=False)
class Estimated(ShortRepr):
    """The estimates of B images, and what they were made from.

    Attributes:
        images: Values in 0 to 1. [B, C, H, W]
        names: Which estimate each image is.
        draws: Draws from the posterior; None where the search alone was enough.
        summaries: What the draws say of each image; empty without draws.
        misfit: Noise and misfit of each image, where the estimate separates them.
        network: SHA-256 of the inpainting network's weights, if one took part.
    """

    images: Tensor
    names: tuple[str, ...]
    draws: PosteriorDraws | None = None
    summaries: tuple[PosteriorSummary, ...] = ()
    misfit: Misfit | None = None
    network: str | None = None

    def __getitem__(self, images: slice | list[int]) -> Estimated:
        places = list(range(len(self.names)))[images] if isinstance(images, slice) else images
        return replace(
            self,
            images=self.images[images],
            names=tuple(self.names[place] for place in places),
            draws=None if self.draws is None else self.draws[places],
            summaries=tuple(self.summaries[place] for place in places if self.summaries),
            misfit=None if self.misfit is None else self.misfit[places],
        )


class Estimator:
    """Damaged images and their estimates; what several estimates need is computed once.

    Args:
        measurement: What is known of B images.
        generator: Where to look for them.
        config: How to search. A sampling shares its seed, backend, precision and threads.
        network: The inpainting network; None takes the shipped one with the generator's name.
        search: What the restarts found, if they have been followed already.
        level: Probability of the posterior's intervals.
        on_progress: Called during searches and samplings; if it returns False, the one under way
            ends with what it has reached.
    """

    def __init__(
        self,
        measurement: Measurement,
        generator: AnyGenerator,
        config: RestoreConfig = RestoreConfig(),  # noqa: B008 (frozen)
        *,
        network: InpaintingNetwork | None = None,
        search: SearchResult | None = None,
        level: float = LEVEL,
        on_progress: OnProgress | None = None,
    ) -> None:
        check_between("level", level, 0.01, 0.999)
        self.measurement = measurement
        self.generator = generator
        self.config = config
        self.sampling = PosteriorConfig(**{name: getattr(config, name) for name in SHARED})
        self._network = network
        self._level = level
        self._on_progress = on_progress
        self._made: dict[str, tuple[Any, float]] = {}
        if search is not None:
            self._made["search"] = search, search.seconds
        self._used: set[str] = set()

    def check(self, name: str | None) -> None:
        """Check the requirements of an estimate before the search.

        Raises:
            ArgumentError: If there is no such estimate, it needs a mask and the operator is not
                one, or it needs a network and there is none for this generator.
            ShapeError: If measurement and generator do not fit together.
        """
        if name is not None:
            check_choice("estimate", name, tuple(ESTIMATES))
        if name == "minimum":
            return
        if name is None or not ESTIMATES[name].misfit:
            check_fit(self.measurement, self.generator, self.sampling)
            return
        check_fit(self.measurement, self.generator, misfit_sampling(self.sampling, self.generator))
        require_mask(self.measurement.operator, f"the {name} estimate")
        if ESTIMATES[name].network:
            self._check_network(name)

    @property
    def search(self) -> SearchResult:
        """What the restarts found."""
        return self._once("search", self._search)

    @property
    def searched(self) -> SearchResult | None:
        """What the restarts found, if they have been followed already."""
        made: SearchResult | None = self._made["search"][0] if "search" in self._made else None
        return made

    @property
    def filled(self) -> Tensor:
        """What the inpainting network makes of the images. [B, C, H, W]"""
        return self._once("filled", self._fill)

    def estimate(self, name: str | None = None) -> Estimated:
        """An estimate of each image.

        Args:
            name: A key of `ESTIMATES`; None takes the one that `recommend` names for each image.

        Raises:
            ArgumentError: See `check` and `sample_posterior`.
        """
        self.check(name)
        if name == "minimum":
            return Estimated(self.search.images, (name,) * len(self.measurement))
        if name is None or not ESTIMATES[name].misfit:
            draws, summaries = self._once("plain", self._sample_plain)
            names = tuple(recommend(each) if name is None else name for each in summaries)
            images = posterior_images(names, self.generator, draws, summaries, self.search)
            return Estimated(images, names, draws, summaries)
        uses_network = ESTIMATES[name].network
        part = "joined" if uses_network else "weighted"
        draws, summaries = self._once(part, self._sample_joined if uses_network else self._weighted)
        statistic = "mean" if ESTIMATES[name].of == "mean" else "median"
        images = torch.stack([getattr(summary, statistic) for summary in summaries])
        filled = self.filled if uses_network else None
        return Estimated(
            images=_with_misfit(self.measurement, images, self._misfit, filled),
            names=(name,) * len(summaries),
            draws=draws,
            summaries=summaries,
            misfit=self._misfit,
            network=self._load_network(name).digest() if uses_network else None,
        )

    def timed(self, make: Callable[[], Made]) -> tuple[Made, float]:
        """What `make` returns, and its seconds, including parts that earlier estimates computed."""
        before = {name: seconds for name, (_, seconds) in self._made.items()}
        self._used.clear()
        start = time.perf_counter()
        found = make()
        seconds = time.perf_counter() - start
        return found, seconds + sum(before.get(name, 0.0) for name in self._used)

    def _once(self, name: str, make: Callable[[], Made]) -> Made:
        """What `make` returns at the first call."""
        self._used.add(name)
        if name not in self._made:
            start = time.perf_counter()
            self._made[name] = make(), time.perf_counter() - start
        made: Made = self._made[name][0]
        return made

    def _search(self) -> SearchResult:
        return restore(self.measurement, self.generator, self.config, on_progress=self._on_progress)

    @property
    def _misfit(self) -> Misfit:
        return self._once(
            "misfit", lambda: fit_misfit(self.measurement, self.generator, self.search)
        )

    def _sample_plain(self) -> tuple[PosteriorDraws, tuple[PosteriorSummary, ...]]:
        return self._sample(self.measurement, self.sampling)

    def _weighted(self) -> tuple[PosteriorDraws, tuple[PosteriorSummary, ...]]:
        return self._sample_misfit(weigh(self.measurement, self._misfit))

    def _sample_joined(self) -> tuple[PosteriorDraws, tuple[PosteriorSummary, ...]]:
        return self._sample_misfit(join(self.measurement, self._misfit, self.filled)[0])

    def _sample_misfit(
        self, measurement: Measurement
    ) -> tuple[PosteriorDraws, tuple[PosteriorSummary, ...]]:
        return self._sample(measurement, misfit_sampling(self.sampling, self.generator))

    def _sample(
        self, measurement: Measurement, sampling: PosteriorConfig
    ) -> tuple[PosteriorDraws, tuple[PosteriorSummary, ...]]:
        # Each chain does its own search, so a sampling without a search gives the same result.
        draws = sample_posterior(
            measurement, self.generator, sampling, on_progress=self._on_progress
        )
        return draws, self._summarise(measurement[: len(draws)], draws)

    def _summarise(
        self, measurement: Measurement, draws: PosteriorDraws
    ) -> tuple[PosteriorSummary, ...]:
        """Summaries of all images; what a cancellation leaves out is done without modes."""
        found = summarise(
            measurement, self.generator, draws, level=self._level, on_progress=self._on_progress
        )
        rest = slice(len(found), None)
        if len(found) == len(draws):
            return found
        return found + summarise(
            measurement[rest], self.generator, draws[rest], level=self._level, follow=False
        )

    def _fill(self) -> Tensor:
        mask = require_mask(self.measurement.operator, "an inpainting network")
        return self._load_network("network").restore(self.measurement.values, mask)

    def _load_network(self, name: str) -> InpaintingNetwork:
        """The network given, or the shipped one with the generator's name."""
        if self._network is not None:
            return self._network
        self._check_network(name)
        return self._once("network", lambda: load_network(self.generator.name))

    def _check_network(self, name: str) -> None:
        """Require that an estimate's network exists, without reading weights."""
        if self._network is None and self.generator.name not in network_names():
            raise ArgumentError(
                f"The {name} estimate needs an inpainting network, and there is none for the "
                f"generator {self.generator.name!r}; choose the estimate accurate, or the "
                f"generator {' or '.join(network_names())}."
            )


def misfit_sampling(sampling: PosteriorConfig, generator: AnyGenerator) -> PosteriorConfig:
    """How to sample where misfit is separated from noise: enough for a mean and a median."""
    return replace(
        sampling,
        particles=max(MISFIT_PARTICLES, PARTICLES_PER_LATENT * generator.latent_size),
        start="prior",
        moves=2,
        final_stages=1,
        leapfrog=3,
        ess_target=0.2,
        jumps=0,
        misfit_weight=MISFIT_WEIGHT,
    )


def _with_misfit(
    measurement: Measurement, images: Tensor, misfit: Misfit, filled: Tensor | None
) -> Tensor:
    """Add the expected misfit, and the network's share, to a statistic of the posterior.

    Args:
        measurement: What was observed. B images
        images: The statistic of each image's posterior. [B, C, H, W]
        misfit: Noise and misfit of the measurement.
        filled: What a network makes of the images, if it takes part. [B, C, H, W]

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

    Next to observed pixels the network is more accurate than any generator; farther away the
    generator draws whole strokes where the network is grey.
    """
    mask = require_mask(measurement.operator, "the combined estimate")
    observed = mask.batch(len(measurement)).float()
    near = max_pool2d(observed, 3, stride=1, padding=1)
    return FAR_SHARE + (NEAR_SHARE - FAR_SHARE) * near
