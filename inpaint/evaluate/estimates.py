"""The images that a generator gives for damaged ones: estimates, by their names."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from inpaint.config import RestoreConfig
from inpaint.errors import ShapeError
from inpaint.evaluate.blending import blend_observed
from inpaint.generator import AnyGenerator, Generator
from inpaint.operators import Mask
from inpaint.restore import OnProgress, restore
from inpaint.types import Measurement, Restoration


@dataclass
class Search:
    """Damaged images and their generator, and the search that estimates share.

    Attributes:
        measurement: What was measured, by a mask; the ideal is not in it.
        generator: What shall restore the images.
        config: How to search.
        on_progress: See `restore`.
        used: Whether the restoration was asked for since `used` was last set to False; its
            time is then part of the estimate's.
    """

    measurement: Measurement
    generator: AnyGenerator
    config: RestoreConfig
    on_progress: OnProgress | None = None
    used: bool = False
    _found: Restoration | None = field(default=None, repr=False)

    @property
    def restoration(self) -> Restoration:
        """The images at the lowest J that the default search finds; searched for only once."""
        self.used = True
        if self._found is None:
            self._found = restore(
                self.measurement, self.generator, self.config, on_progress=self.on_progress
            )
        return self._found

    @property
    def searched(self) -> bool:
        """Whether the restoration is there already."""
        return self._found is not None

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
        """An estimate and its time, that of a search which another one has done included."""
        before = self.searched
        self.used = False
        start = time.perf_counter()
        found = images(self)
        seconds = time.perf_counter() - start
        if before and self.used:
            seconds += self.restoration.seconds
        return found, seconds


@dataclass(frozen=True)
class Estimate:
    """A named way from a measurement and a generator to images.

    Attributes:
        title: What to call it over a picture or in a table.
        images: From the search to images with values in 0 to 1. [B, C, H, W]
        unavailable: Why a generator cannot serve it, or None if it can.
    """

    title: str
    images: Callable[[Search], Tensor]
    unavailable: Callable[[AnyGenerator], str | None] = lambda generator: None


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


ESTIMATES: dict[str, Estimate] = {
    "minimum": Estimate("minimum of J", minimum),
    "blended": Estimate("blended", blended),
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
    values, hidden = latents, []
    for layer in generator.layers[:-1]:
        values = layer.forward(values)
        hidden.append(values != 0)
    return float(torch.cat(hidden, dim=1).double().mean())
