"""What a baseline is, and what it learns from: images, some of them to choose its settings."""

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
from inpaint.types import ImageSet, OnProgress, Progress, asks_to_stop

VALIDATION_SHARE = 0.1
"""Share of the training images on which settings are chosen."""
MAX_VALIDATION = 500
"""Limit on the number of these images."""
MIN_IMAGES = 4
"""Fewest training images: one of them is for validation."""

MIN_RMSE = HALF_LEVEL
"""Smaller errors of an image count as this one; otherwise empty paper alone would decide."""

Setting = TypeVar("Setting")


class Baseline(Protocol):
    """A way to restore damaged images that is ready to use."""

    @property
    def settings(self) -> dict[str, float]:
        """The settings that were chosen on training images, by name."""
        ...

    def restore(self, values: Tensor, mask: Mask) -> Tensor:
        """Restore images.

        Args:
            values: Observed pixels, with noise; the values of lost ones are ignored. [B, C, H, W]
            mask: Which pixels were observed, one mask for all images or one each.

        Returns:
            Pixels from 0 to 1. [B, C, H, W]
        """
        ...


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """Undamaged images to learn from, and the damage that will have to be repaired.

    A setting is chosen by fitting without the validation images and restoring those after the
    same kind of damage. The final fit uses all images.

    Attributes:
        images: 1 = paper. [K, C, H, W]
        mask: What will be observed; shared by all images.
        noise: Standard deviation of the noise to expect, in units of the pixels.
        seed: Decides which images are for validation, and their noise.
    """

    images: Tensor
    mask: Mask
    noise: float
    seed: int = 0

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or tuple(self.images.shape[1:]) != self.mask.image_shape:
            raise ShapeError(
                f"The training images have shape {list(self.images.shape)}, and the images to "
                f"restore are [B, {', '.join(map(str, self.mask.image_shape))}]; give training "
                "images of that shape."
            )
        if not self.mask.shared:
            raise ShapeError("Each image has a mask of its own; train for one that they share.")
        if len(self.images) < MIN_IMAGES:
            raise ArgumentError(
                f"There are {len(self.images)} training images; give at least {MIN_IMAGES}."
            )
        check_number("noise", self.noise, positive=False)

    @property
    def validation_size(self) -> int:
        """Number of validation images."""
        return min(MAX_VALIDATION, math.ceil(VALIDATION_SHARE * len(self.images)))

    @cached_property
    def gaussian(self) -> Gaussian:
        """Mean and covariance of all images."""
        return Gaussian.fit(self.images)

    @cached_property
    def shuffled(self) -> Tensor:
        """The images in an order set by the seed; the validation images come first. [K, C, H, W]"""
        stream = torch.Generator().manual_seed(self.seed)
        return self.images[torch.randperm(len(self.images), generator=stream)]

    @cached_property
    def noisy(self) -> Tensor:
        """The shuffled images as they would be measured. [K, C, H, W]"""
        # With another seed, so that fits do not know the noise of the validation images.
        seed = self.seed + 1
        return measure(ImageSet(self.shuffled), self.mask, noise=self.noise, seed=seed).values

    @cached_property
    def _without_validation(self) -> TrainingSet:
        return replace(self, images=self.shuffled[self.validation_size :])

    def choose(
        self,
        settings: Sequence[Setting],
        make: Callable[[TrainingSet, Setting], Baseline],
        on_progress: OnProgress | None = None,
    ) -> Setting:
        """The setting that restores the validation images best.

        The criterion is the mean PSNR of the lost pixels, as in evaluations.

        Args:
            settings: The settings to try.
            make: Makes a baseline from the other training images and a setting.
            on_progress: Called before each setting that is tried. If it returns False, the best
                of the settings tried so far is taken, or the first one.
        """
        ideal = self.shuffled[: self.validation_size]
        damaged = measure(ImageSet(ideal), self.mask, noise=self.noise, seed=self.seed)
        lost = ~self.mask.batch(len(ideal)).flatten(1)
        if not lost.any():
            lost = ~lost

        def loss(setting: Setting) -> float:
            images = make(self._without_validation, setting).restore(damaged.values, self.mask)
            square = ((images - ideal).square().flatten(1) * lost).sum(1)
            return float((square / lost.sum(1)).clamp(min=MIN_RMSE**2).log().mean())

        losses: list[float] = []
        for done, setting in enumerate(settings):
            progress = Progress("choosing settings", done, len(settings))
            if on_progress is not None and asks_to_stop(on_progress(progress)):
                break
            losses.append(loss(setting))
        return settings[losses.index(min(losses))] if losses else settings[0]
