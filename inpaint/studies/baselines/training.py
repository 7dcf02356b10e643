"""What baselines learn from, and how they choose their settings: on images put aside for that."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from inpaint.checks import check_number
from inpaint.errors import ArgumentError, ShapeError
from inpaint.files.idx import HALF_LEVEL
from inpaint.operators import Mask, measure
from inpaint.studies.baselines.gaussian import Gaussian
from inpaint.types import ImageSet

VALIDATION_SHARE = 0.1
"""Share of the training images on which settings are chosen."""
MOST_VALIDATION = 500
"""Images for that at most."""
FEWEST = 4
"""Training images at least: one of them is put aside."""

FINEST = HALF_LEVEL
"""An error below it is none, or empty paper would decide alone."""

Setting = TypeVar("Setting")


class Baseline(Protocol):
    """A way to restore damaged images that is ready for use."""

    @property
    def settings(self) -> dict[str, float]:
        """What was chosen, by name."""
        ...

    def restore(self, values: Tensor, mask: Mask) -> Tensor:
        """Restore images.

        Args:
            values: Observed pixels, with noise; lost ones are not looked at. [B, C, H, W]
            mask: Which pixels were observed, one mask for all images or one each.

        Returns:
            Values in 0 to 1. [B, C, H, W]
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Training:
    """Undamaged images to learn from, and the damage that will have to be repaired.

    A setting is chosen by fitting without the images put aside, and restoring those after the
    same kind of damage. What is then used is fitted to all of the images.

    Attributes:
        images: 1 = paper. [K, C, H, W]
        mask: What will be observed; shared by all images.
        noise: Standard deviation of the noise to be expected.
        seed: Which images are put aside, and their noise.
        on_setting: Called before a setting is tried, with how many were and how many there are;
            what it raises ends the fit.
    """

    images: Tensor
    mask: Mask
    noise: float
    seed: int = 0
    on_setting: Callable[[int, int], None] | None = None

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or tuple(self.images.shape[1:]) != self.mask.image_shape:
            raise ShapeError(
                f"The training images have shape {list(self.images.shape)}, and what is to be "
                f"restored is [B, {', '.join(map(str, self.mask.image_shape))}]; give training "
                "images of that shape."
            )
        if not self.mask.shared:
            raise ShapeError("Each image has a mask of its own; train for one that they share.")
        if len(self.images) < FEWEST:
            raise ArgumentError(
                f"There are {len(self.images)} training images; give at least {FEWEST}."
            )
        check_number("noise", self.noise, positive=False)

    @property
    def validation_size(self) -> int:
        """How many images are put aside."""
        return min(MOST_VALIDATION, math.ceil(VALIDATION_SHARE * len(self.images)))

    @cached_property
    def gaussian(self) -> Gaussian:
        """Mean and covariance of all images."""
        return Gaussian.fit(self.images)

    @cached_property
    def shuffled(self) -> Tensor:
        """The images in an order that the seed decides; those put aside come first. [K, C, H, W]"""
        stream = torch.Generator().manual_seed(self.seed)
        return self.images[torch.randperm(len(self.images), generator=stream)]

    @cached_property
    def noisy(self) -> Tensor:
        """The shuffled images as they would be measured. [K, C, H, W]"""
        # Of its own seed: the images put aside must not meet the noise that they are restored from.
        seed = self.seed + 1
        return measure(ImageSet(self.shuffled), self.mask, noise=self.noise, seed=seed).values

    @cached_property
    def _rest(self) -> Training:
        """The images that are not put aside."""
        return replace(self, images=self.shuffled[self.validation_size :])

    def choose(
        self, settings: Sequence[Setting], make: Callable[[Training, Setting], Baseline]
    ) -> Setting:
        """The setting that restores the images put aside best.

        Best is the highest mean PSNR of the lost pixels, the figure that evaluations report.

        Args:
            settings: What to choose from.
            make: A baseline from the images that are not put aside and a setting.
        """
        ideal = self.shuffled[: self.validation_size]
        damaged = measure(ImageSet(ideal), self.mask, noise=self.noise, seed=self.seed)
        lost = ~self.mask.batch(len(ideal)).flatten(1)
        if not lost.any():
            lost = ~lost

        def loss(setting: Setting) -> float:
            images = make(self._rest, setting).restore(damaged.values, self.mask)
            square = ((images - ideal).square().flatten(1) * lost).sum(1)
            return float((square / lost.sum(1)).clamp(min=FINEST**2).log().mean())

        losses = []
        for done, setting in enumerate(settings):
            if self.on_setting is not None:
                self.on_setting(done, len(settings))
            losses.append(loss(setting))
        return settings[losses.index(min(losses))]
