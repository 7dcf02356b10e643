"""What is observed of an image: the operator T, as a linear map on images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint.errors import ArgumentError, ShapeError


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
