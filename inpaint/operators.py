"""What is observed of an image: the operator T, as a linear map on images."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inpaint.errors import ArgumentError, ShapeError
from inpaint.types import ImageSet, Measurement

NOISE_STREAM = 2**32
"""Added to an image's number for the random stream of its noise."""


@dataclass(frozen=True)
class Mask:
    """Some pixels are observed, the others are lost: T = diag(observed).

    Attributes:
        observed: True where a pixel is observed, shared by all images or one mask per
            image. [C, H, W] or [B, C, H, W]
    """

    observed: Tensor

    def __post_init__(self) -> None:
        if self.observed.dtype != torch.bool or self.observed.ndim not in (3, 4):
            raise ShapeError(
                f"observed is a {self.observed.dtype} tensor of shape "
                f"{tuple(self.observed.shape)}; a mask is a bool tensor [C, H, W] or [B, C, H, W]."
            )
        counts = self.observed.flatten(-3).sum(-1)
        if int(counts.min()) == 0:
            raise ArgumentError(
                "The mask observes no pixel of an image, so nothing can be restored from it. "
                "Leave at least one pixel observed."
            )

    @classmethod
    def leading(cls, keep: int, image_shape: tuple[int, int, int]) -> Mask:
        """Observe the first `keep` pixels of each channel, column after column.

        The order is that of the published problem: the leftmost columns of the picture.

        Args:
            keep: Number of observed pixels N.
            image_shape: Shape of one image. (C, H, W)

        Raises:
            ArgumentError: If `keep` is not between 1 and the number of pixels H x W.
        """
        channels, height, width = image_shape
        pixels = height * width
        if isinstance(keep, bool) or not isinstance(keep, int) or not 1 <= keep <= pixels:
            raise ArgumentError(
                f"keep is {keep}; the image has {pixels} pixels. Choose 1 to {pixels}."
            )
        columns = (torch.arange(pixels) < keep).reshape(width, height)
        return cls(columns.T.expand(channels, height, width).contiguous())

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Shape of one image. (C, H, W)"""
        channels, height, width = self.observed.shape[-3:]
        return channels, height, width

    @property
    def shared(self) -> bool:
        """Whether all images have the same mask."""
        return self.observed.ndim == 3

    def apply(self, images: Tensor) -> Tensor:
        """Set the lost pixels to zero. [B, C, H, W] -> [B, C, H, W]"""
        return images * self.observed.to(images)

    def batch(self, size: int) -> Tensor:
        """The mask of each of `size` images. [B, C, H, W]"""
        return self.observed.expand(size, *self.image_shape)

    def __getitem__(self, images: slice) -> Mask:
        return self if self.shared else Mask(self.observed[images])


def measure(
    image_set: ImageSet, operator: Mask, *, noise: float = 0.0, seed: int = 0
) -> Measurement:
    """Damage images: add noise, then keep what the operator observes.

    Args:
        image_set: B images.
        operator: What is observed of them.
        noise: Standard deviation of the Gaussian noise added, in units of the pixels; the
            noise that the images already have is not known here.
        seed: The noise of an image follows from this and from the image's number.

    Raises:
        ArgumentError: If `noise` is negative or not finite.
        ShapeError: If the operator is for images of another shape.
    """
    if not (math.isfinite(noise) and noise >= 0):
        raise ArgumentError(f"noise is {noise}; choose a finite standard deviation of 0 or above.")
    shape = tuple(image_set.images.shape[1:])
    if shape != operator.image_shape:
        raise ShapeError(
            f"The images have shape {shape}, the mask {operator.image_shape}; they must be equal."
        )
    images = image_set.images
    if noise > 0:
        # A second key, so that the noise and the restarts drawn from one seed are independent.
        streams = [
            np.random.Generator(np.random.Philox(key=[seed, NOISE_STREAM + number]))
            for number in image_set.numbers
        ]
        grain = np.stack([stream.standard_normal(shape) for stream in streams])
        images = images + noise * torch.from_numpy(grain).to(images)
    return Measurement(
        values=operator.apply(images),
        operator=operator,
        ideal=image_set.ideal,
        numbers=image_set.numbers,
        source=image_set.source,
    )
