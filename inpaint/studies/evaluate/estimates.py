"""What a generator, or a network beside it, makes of damaged images: estimates, by their names."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from inpaint.config import RestoreConfig
from inpaint.errors import ShapeError
from inpaint.generators import AnyGenerator, Generator
from inpaint.network import InpaintingNetwork
from inpaint.operators import Mask
from inpaint.posterior import PosteriorConfig, sample_posterior
from inpaint.posterior.real import (
    REAL_ESTIMATES,
    estimate_real,
    fill_in,
    first_search,
    settings_for_real,
    tell_misfit,
)
from inpaint.search.misfit import Misfit, join
from inpaint.search.restore import OnProgress, restore
from inpaint.studies.evaluate.blending import blend_observed
from inpaint.types import Measurement, Restoration

Made = TypeVar("Made")


@dataclass
class Search:
    """Damaged images and their generator, and the search that estimates share.

    Attributes:
        measurement: What was measured, by a mask; the ideal is not in it.
        generator: What shall restore the images.
        config: How to search.
        network: What fills in lost pixels without a search, where there is such a network.
        on_progress: See `restore`.
    """

    measurement: Measurement
    generator: AnyGenerator
    config: RestoreConfig
    network: InpaintingNetwork | None = None
    on_progress: OnProgress | None = None
    _made: dict[str, tuple[Any, float]] = field(default_factory=dict, repr=False)
    _used: set[str] = field(default_factory=set, repr=False)

    @property
    def restoration(self) -> Restoration:
        """The images at the lowest J that the search finds; searched for only once."""
        return self._once("restoration", lambda: self._search(self.config))

    @property
    def first(self) -> Restoration:
        """The same by a shorter search, which is enough to tell noise from misfit."""
        config = first_search(self.config)
        if config == self.config:
            return self.restoration
        return self._once("first", lambda: self._search(config))

    @property
    def found(self) -> Restoration | None:
        """What has been searched for already, the longer search first."""
        for name in ("restoration", "first"):
            if name in self._made:
                made: Restoration = self._made[name][0]
                return made
        return None

    @property
    def told(self) -> tuple[Measurement, Misfit]:
        """The measurement with weights, and its noise and misfit; told apart only once."""
        first = self.first
        return self._once("told", lambda: tell_misfit(self.measurement, self.generator, first))

    @property
    def filled(self) -> Tensor:
        """What the network makes of the images, [B, C, H, W]; made only once."""
        network = self.network
        assert network is not None
        return self._once("filled", lambda: fill_in(network, self.measurement))

    @property
    def draws(self) -> tuple[Tensor, ...]:
        """Images from the posterior of each image, [P, C, H, W]; drawn only once.

        Each observed pixel weighs by its noise and misfit.
        """
        weighed, _ = self.told
        return self._once("draws", lambda: _draw(self, weighed))

    @property
    def joined_draws(self) -> tuple[Tensor, ...]:
        """The same, given the second witness as well."""
        _, misfit = self.told
        joined, _ = join(self.measurement, misfit, self.filled)
        return self._once("joined_draws", lambda: _draw(self, joined))

    def _search(self, config: RestoreConfig) -> Restoration:
        return restore(self.measurement, self.generator, config, on_progress=self.on_progress)

    def _once(self, name: str, make: Callable[[], Made]) -> Made:
        """What `make` gives, made at the first call; its time is kept."""
        self._used.add(name)
        if name not in self._made:
            start = time.perf_counter()
            self._made[name] = make(), time.perf_counter() - start
        made: Made = self._made[name][0]
        return made

    @property
    def mask(self) -> Mask:
        """What was observed.

        Raises:
            ShapeError: If it is not pixels.
        """
        operator = self.measurement.operator
        if not isinstance(operator, Mask):
            raise ShapeError(
                f"The operator is a {type(operator).__name__}; estimates are compared on images "
                "with lost pixels. Give a mask."
            )
        return operator

    def timed(self, images: Callable[[Search], Tensor]) -> tuple[Tensor, float]:
        """An estimate and its time, that of what other estimates have made for it included."""
        before = {name: seconds for name, (_, seconds) in self._made.items()}
        self._used.clear()
        start = time.perf_counter()
        found = images(self)
        seconds = time.perf_counter() - start
        return found, seconds + sum(before.get(name, 0.0) for name in self._used)


@dataclass(frozen=True)
class Estimate:
    """A named way from a measurement and a generator to images.

    Attributes:
        title: What to call it over a picture or in a table.
        images: From the search to images with values in 0 to 1. [B, C, H, W]
        unavailable: Why a generator cannot serve it, or None if it can.
        needs_network: Whether it takes the image of an inpainting network as well.
    """

    title: str
    images: Callable[[Search], Tensor]
    unavailable: Callable[[AnyGenerator], str | None] = lambda generator: None
    needs_network: bool = False


def minimum(search: Search) -> Tensor:
    """The generator's images at the lowest J."""
    return search.restoration.images


def blended(search: Search) -> Tensor:
    """The same, combined with what was observed where the generator misses it."""
    blend = blend_observed(
        search.measurement.values,
        search.mask,
        search.restoration.images,
        noise_level=search.config.noise_level,
    )
    return blend.images.clamp(0, 1)


def accurate(search: Search) -> Tensor:
    """The posterior mean, each observed pixel weighing by its noise and misfit, and the misfit."""
    return _real(search, "accurate", search.draws)


def sharp(search: Search) -> Tensor:
    """The posterior median of each pixel, likewise: ink or paper, not grey."""
    return _real(search, "sharp", search.draws)


def combined(search: Search) -> Tensor:
    """The same given what the network fills in as well, and a share of that."""
    return _real(search, "combined", search.joined_draws, search.filled)


def _real(
    search: Search, name: str, draws: tuple[Tensor, ...], filled: Tensor | None = None
) -> Tensor:
    """One image of the draws of each, and the misfit to be expected."""
    _, misfit = search.told
    mean = REAL_ESTIMATES[name].of == "mean"
    pooled = [each.mean(0) if mean else each.median(0).values for each in draws]
    return estimate_real(search.measurement, torch.stack(pooled), misfit, filled)


def _draw(search: Search, weighed: Measurement) -> tuple[Tensor, ...]:
    # One run is enough for a mean; intervals would need more.
    config = PosteriorConfig(
        runs=1,
        seed=search.config.seed,
        backend=search.config.backend,
        threads=search.config.threads,
    )
    config = settings_for_real(config, search.generator)
    posterior = sample_posterior(weighed, search.generator, config)
    generator = search.generator.to(dtype=torch.float32)
    return tuple(generator(latents.float()) for latents in posterior.latents.flatten(1, 2))


ESTIMATES: dict[str, Estimate] = {
    "minimum": Estimate("minimum of J", minimum),
    "blended": Estimate("blended", blended),
    "accurate": Estimate(REAL_ESTIMATES["accurate"].title, accurate),
    "sharp": Estimate(REAL_ESTIMATES["sharp"].title, sharp),
    "combined": Estimate(REAL_ESTIMATES["combined"].title, combined, needs_network=True),
    "network": Estimate("inpainting network", lambda search: search.filled, needs_network=True),
}
"""Every estimate by its name, in the order of tables."""


def active_share(generator: AnyGenerator, latents: Tensor) -> float | None:
    """Mean share of the hidden units that are not zero, which no kernel can skip.

    Args:
        generator: None is returned for one that is not of layers with hidden units.
        latents: Where to look. [B, D]
    """
    if not isinstance(generator, Generator) or len(generator.layers) < 2:
        return None
    values, hidden = latents.to(generator.layers[0].weight), []
    for layer in generator.layers[:-1]:
        values = layer.forward(values)
        hidden.append(values != 0)
    return float(torch.cat(hidden, dim=1).double().mean())
