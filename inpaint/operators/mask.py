"""Masks: some pixels of an image are observed, the others are lost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint.errors import ArgumentError, ShapeError
from inpaint.types import ImageShape

Side = Literal["left", "right", "top", "bottom"]
SIDES: tuple[str, ...] = get_args(Side)
Axis = Literal["rows", "columns"]
AXES: tuple[str, ...] = get_args(Axis)

STROKE_SEGMENTS = 4
"""Straight parts of a stroke."""
STROKE_LENGTHS = (0.2, 0.4)
"""Shortest and longest part of a stroke, as a share of the picture's smaller side."""
STROKE_TURN = 1.2
"""Widest turn between two parts of a stroke, in radians."""
STROKE_WIDTH = 0.1
"""Width of a stroke, as a share of the picture's smaller side."""
MAX_STROKES = 1000


@dataclass(frozen=True)
class Mask:
    """Some pixels are observed, the others are lost: T = diag(observed).

    The constructors name what is lost, `leading` excepted, and treat all channels alike.

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
    def leading(cls, keep: int, image_shape: ImageShape) -> Mask:
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

    @classmethod
    def box(cls, side: int, image_shape: ImageShape) -> Mask:
        """Lose a square in the centre.

        Args:
            side: Side of the square, in pixels.
            image_shape: Shape of one image. (C, H, W)

        Raises:
            ArgumentError: If `side` is not between 1 and the smaller side of the image.
        """
        _, height, width = image_shape
        _check_whole("side", side, 1, min(height, width))
        lost = np.zeros((height, width), dtype=bool)
        top, left = (height - side) // 2, (width - side) // 2
        lost[top : top + side, left : left + side] = True
        return cls._without(lost, image_shape)

    @classmethod
    def half(cls, side: Side, image_shape: ImageShape) -> Mask:
        """Lose the half of the picture on one side; a middle row or column is observed.

        Args:
            side: "left", "right", "top" or "bottom".
            image_shape: Shape of one image. (C, H, W)

        Raises:
            ArgumentError: If there is no such side.
        """
        _, height, width = image_shape
        if side not in SIDES:
            raise ArgumentError(f"side is {side!r}; choose one of {', '.join(SIDES)}.")
        lost = np.zeros((height, width), dtype=bool)
        match side:
            case "left":
                lost[:, : width // 2] = True
            case "right":
                lost[:, width - width // 2 :] = True
            case "top":
                lost[: height // 2] = True
            case "bottom":
                lost[height - height // 2 :] = True
        return cls._without(lost, image_shape)

    @classmethod
    def random(cls, share: float, image_shape: ImageShape, *, seed: int = 0) -> Mask:
        """Lose a share of the pixels, spread at random.

        Args:
            share: Share of the pixels lost, rounded to whole pixels.
            image_shape: Shape of one image. (C, H, W)
            seed: The pixels follow from it.

        Raises:
            ArgumentError: If `share` is not between 0 and 1.
        """
        _, height, width = image_shape
        if not (math.isfinite(share) and 0 <= share < 1):
            raise ArgumentError(
                f"share is {share}; it is the share of the pixels that is lost. Choose 0 or above, "
                "and below 1."
            )
        order = _stream(seed).permutation(height * width)
        lost = (order < round(share * height * width)).reshape(height, width)
        return cls._without(lost, image_shape)

    @classmethod
    def every(cls, step: int, image_shape: ImageShape, *, axis: Axis) -> Mask:
        """Lose every `step`-th row or column; the first one is observed.

        Args:
            step: 2 loses every other one.
            image_shape: Shape of one image. (C, H, W)
            axis: "rows" or "columns".

        Raises:
            ArgumentError: If `step` is not between 2 and their number, or `axis` is another.
        """
        _, height, width = image_shape
        if axis not in AXES:
            raise ArgumentError(f"axis is {axis!r}; choose one of {', '.join(AXES)}.")
        _check_whole("step", step, 2, height if axis == "rows" else width)
        lost = np.zeros((height, width), dtype=bool)
        if axis == "rows":
            lost[step - 1 :: step] = True
        else:
            lost[:, step - 1 :: step] = True
        return cls._without(lost, image_shape)

    @classmethod
    def checkerboard(cls, side: int, image_shape: ImageShape) -> Mask:
        """Lose every other square, like the dark ones of a checkerboard.

        Args:
            side: Side of a square, in pixels.
            image_shape: Shape of one image. (C, H, W)

        Raises:
            ArgumentError: If `side` is not between 1 and half of the smaller side.
        """
        _, height, width = image_shape
        _check_whole("side", side, 1, max(1, min(height, width) // 2))
        rows, columns = np.arange(height) // side, np.arange(width) // side
        return cls._without((rows[:, None] + columns) % 2 == 1, image_shape)

    @classmethod
    def strokes(cls, count: int, image_shape: ImageShape, *, seed: int = 0) -> Mask:
        """Lose what free-hand strokes cover, as scratches and scribbles do.

        Source: the free-form masks of Yu et al., Free-Form Image Inpainting with Gated
        Convolution (2019), section 3.5, in fewer and straight parts.

        Args:
            count: Number of strokes.
            image_shape: Shape of one image. (C, H, W)
            seed: The strokes follow from it; more strokes of one seed contain the fewer.

        Raises:
            ArgumentError: If `count` is out of range.
        """
        _, height, width = image_shape
        _check_whole("count", count, 1, MAX_STROKES)
        stream = _stream(seed)
        unit = min(height, width)
        lost = np.zeros((height, width), dtype=bool)
        for _ in range(count):
            point = stream.random(2) * (height, width)
            angle = stream.uniform(0, 2 * math.pi)
            for _ in range(STROKE_SEGMENTS):
                length = unit * stream.uniform(*STROKE_LENGTHS)
                end = point + length * np.array([math.sin(angle), math.cos(angle)])
                distance = _distance_to_segment((height, width), point, end)
                lost |= distance <= max(1.0, STROKE_WIDTH * unit) / 2
                point = end
                angle += stream.uniform(-STROKE_TURN, STROKE_TURN)
        return cls._without(lost, image_shape)

    @classmethod
    def _without(cls, lost: NDArray[np.bool_], image_shape: ImageShape) -> Mask:
        """The mask that loses these pixels in every channel. [H, W]"""
        return cls(torch.from_numpy(~lost).expand(image_shape).contiguous())

    @property
    def image_shape(self) -> ImageShape:
        """Shape of one image. (C, H, W)"""
        channels, height, width = self.observed.shape[-3:]
        return channels, height, width

    @property
    def shared(self) -> bool:
        """Whether all images have the same mask."""
        return self.observed.ndim == 3

    @property
    def value_shape(self) -> ImageShape:
        """A mask's values are images. (C, H, W)"""
        return self.image_shape

    @property
    def title(self) -> str:
        """How many pixels are observed, in words."""
        observed, unit = self.observed, "values"
        if bool((observed == observed[..., :1, :, :]).all()):
            observed, unit = observed[..., :1, :, :], "pixels"
        counts = observed.flatten(-3).sum(-1)
        low, high = int(counts.min()), int(counts.max())
        number = f"{low}" if low == high else f"{low} to {high}"
        return f"N = {number} of {math.prod(observed.shape[-3:])} {unit} observed"

    def apply(self, images: Tensor) -> Tensor:
        """Set the lost pixels to zero. [B, ..., C, H, W] -> [B, ..., C, H, W]"""
        observed = self.observed.to(images)
        if not self.shared:
            between = [1] * (images.ndim - 4)
            observed = observed.reshape(len(observed), *between, *self.image_shape)
        return images * observed

    def adjoint(self, values: Tensor) -> Tensor:
        """A mask is its own transpose. [B, ..., C, H, W] -> [B, ..., C, H, W]"""
        return self.apply(values)

    def picture(self, values: Tensor) -> Tensor:
        """The observed pixels; lost ones are dark. [B, C, H, W] -> [B, C, H, W]"""
        return self.apply(values)

    def to(self, *, dtype: torch.dtype, device: torch.device | str = "cpu") -> Mask:
        """The same mask in another place; it has no precision."""
        return Mask(self.observed.to(device))

    def batch(self, size: int) -> Tensor:
        """The mask of each of `size` images. [B, C, H, W]"""
        return self.observed.expand(size, *self.image_shape)

    def __getitem__(self, images: slice) -> Mask:
        return self if self.shared else Mask(self.observed[images])


def _check_whole(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ArgumentError(f"{name} is {value}; choose a whole number from {low} to {high}.")


def _stream(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed, 0]))


def _distance_to_segment(
    size: tuple[int, int], start: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance of every pixel's centre from a line segment; points are (row, column). [H, W]"""
    centres = np.moveaxis(np.indices(size), 0, -1) + 0.5
    along = end - start
    place = ((centres - start) @ along / (along @ along)).clip(0, 1)
    nearest = start + place[..., None] * along
    return np.asarray(np.linalg.norm(centres - nearest, axis=-1))
