"""Masks: some pixels of an image are observed, the others are lost."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, get_args, overload

import numpy as np
import torch
from torch import Tensor

from inpaint.checks import check_choice, check_image_shape, check_integer
from inpaint.errors import ArgumentError, ShapeError
from inpaint.operators import patterns
from inpaint.operators.patterns import Pattern
from inpaint.operators.unshaped import UnshapedOperator
from inpaint.placement import Place, check_index, check_placement
from inpaint.types import ImageShape

Side = Literal["left", "right", "top", "bottom"]
SIDES: tuple[Side, ...] = get_args(Side)
Axis = Literal["rows", "columns"]
AXES: tuple[Axis, ...] = get_args(Axis)

MAX_STROKES = 1000
MAX_SEED = 2**63 - 1


@dataclass(frozen=True, eq=False, repr=False)
class Mask:
    """Some pixels are observed, the others are lost: T = diag(observed).

    The constructors name what is lost, except `leading`, and treat all channels alike. Without
    an image shape they return an operator that takes the shape of the images it is applied to.
    Two masks are equal if they observe the same pixels.

    Attributes:
        observed: True where a pixel is observed, shared by all images or one mask per
            image. [C, H, W] or [B, C, H, W]
        notes: What a reader decided about a file: which level is observed.
    """

    observed: Tensor
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.observed, np.ndarray):
            object.__setattr__(self, "observed", torch.from_numpy(self.observed.copy()))
        if self.observed.dtype != torch.bool or self.observed.ndim not in (3, 4):
            raise ShapeError(
                f"observed is a {self.observed.dtype} tensor of shape "
                f"{tuple(self.observed.shape)}; a mask is a bool tensor [C, H, W] or [B, C, H, W]."
            )
        if not bool(self.observed.flatten(-3).any(-1).all()):
            raise ArgumentError(
                "The mask observes no pixel of an image, so nothing can be restored from it. "
                "Leave at least one pixel observed."
            )

    @overload
    @classmethod
    def leading(cls, keep: int) -> UnshapedOperator: ...
    @overload
    @classmethod
    def leading(cls, keep: int, image_shape: ImageShape) -> Mask: ...
    @classmethod
    def leading(cls, keep: int, image_shape: ImageShape | None = None) -> Mask | UnshapedOperator:
        """Observe the first `keep` pixels of each channel, column after column.

        The order is that of the published problem: the leftmost columns of the picture.

        Args:
            keep: Number of observed pixels N.
            image_shape: Shape of one image. (C, H, W)

        Raises:
            ArgumentError: If `keep` is not between 1 and the number of pixels H x W.
        """
        return cls._make(image_shape, patterns.leading, keep=keep)

    @overload
    @classmethod
    def box(cls, side: int) -> UnshapedOperator: ...
    @overload
    @classmethod
    def box(cls, side: int, image_shape: ImageShape) -> Mask: ...
    @classmethod
    def box(cls, side: int, image_shape: ImageShape | None = None) -> Mask | UnshapedOperator:
        """Lose a square in the centre.

        Args:
            side: Side of the square, in pixels.
            image_shape: Shape of one image. (C, H, W)

        Raises:
            ArgumentError: If `side` is not between 1 and the smaller side of the image.
        """
        return cls._make(image_shape, patterns.box, side=side)

    @overload
    @classmethod
    def half(cls, side: Side) -> UnshapedOperator: ...
    @overload
    @classmethod
    def half(cls, side: Side, image_shape: ImageShape) -> Mask: ...
    @classmethod
    def half(cls, side: Side, image_shape: ImageShape | None = None) -> Mask | UnshapedOperator:
        """Lose the half of the picture on one side; a middle row or column stays observed.

        Args:
            side: "left", "right", "top" or "bottom".
            image_shape: Shape of one image. (C, H, W)

        Raises:
            ArgumentError: If there is no such side.
        """
        check_choice("side", side, SIDES)
        return cls._make(image_shape, patterns.half, side=side)

    @overload
    @classmethod
    def random(cls, share: float, *, seed: int = 0) -> UnshapedOperator: ...
    @overload
    @classmethod
    def random(cls, share: float, image_shape: ImageShape, *, seed: int = 0) -> Mask: ...
    @classmethod
    def random(
        cls, share: float, image_shape: ImageShape | None = None, *, seed: int = 0
    ) -> Mask | UnshapedOperator:
        """Lose a share of the pixels, at random places.

        Args:
            share: Share of the pixels lost, rounded to whole pixels.
            image_shape: Shape of one image. (C, H, W)
            seed: Determines the pixels.

        Raises:
            ArgumentError: If `share` is not in [0, 1), or `seed` is out of range.
        """
        if not (math.isfinite(share) and 0 <= share < 1):
            raise ArgumentError(
                f"share is {share}; it is the share of the pixels that is lost. Choose 0 or above, "
                "and below 1."
            )
        check_integer("seed", seed, 0, MAX_SEED)
        return cls._make(image_shape, patterns.random, share=share, seed=seed)

    @overload
    @classmethod
    def every(cls, step: int, *, axis: Axis) -> UnshapedOperator: ...
    @overload
    @classmethod
    def every(cls, step: int, image_shape: ImageShape, *, axis: Axis) -> Mask: ...
    @classmethod
    def every(
        cls, step: int, image_shape: ImageShape | None = None, *, axis: Axis
    ) -> Mask | UnshapedOperator:
        """Lose every `step`-th row or column; the first one is observed.

        Args:
            step: 2 loses every other one.
            image_shape: Shape of one image. (C, H, W)
            axis: "rows" or "columns".

        Raises:
            ArgumentError: If `step` is not between 2 and their number, or there is no such `axis`.
        """
        check_choice("axis", axis, AXES)
        return cls._make(image_shape, patterns.every, step=step, axis=axis)

    @overload
    @classmethod
    def checkerboard(cls, side: int) -> UnshapedOperator: ...
    @overload
    @classmethod
    def checkerboard(cls, side: int, image_shape: ImageShape) -> Mask: ...
    @classmethod
    def checkerboard(
        cls, side: int, image_shape: ImageShape | None = None
    ) -> Mask | UnshapedOperator:
        """Lose every other square, like the dark ones of a checkerboard.

        Args:
            side: Side of a square, in pixels.
            image_shape: Shape of one image. (C, H, W)

        Raises:
            ArgumentError: If `side` is not between 1 and half of the smaller side.
        """
        return cls._make(image_shape, patterns.checkerboard, side=side)

    @overload
    @classmethod
    def strokes(cls, count: int, *, seed: int = 0) -> UnshapedOperator: ...
    @overload
    @classmethod
    def strokes(cls, count: int, image_shape: ImageShape, *, seed: int = 0) -> Mask: ...
    @classmethod
    def strokes(
        cls, count: int, image_shape: ImageShape | None = None, *, seed: int = 0
    ) -> Mask | UnshapedOperator:
        """Lose what free-hand strokes cover, like scratches and scribbles.

        Args:
            count: Number of strokes.
            image_shape: Shape of one image. (C, H, W)
            seed: Determines the strokes; a larger `count` adds strokes to those of a smaller one.

        Raises:
            ArgumentError: If `count` or `seed` is out of range.
        """
        check_integer("count", count, 1, MAX_STROKES)
        check_integer("seed", seed, 0, MAX_SEED)
        return cls._make(image_shape, patterns.strokes, count=count, seed=seed)

    @classmethod
    def _make(
        cls, image_shape: ImageShape | None, pattern: Callable[..., Pattern], **settings: Any
    ) -> Mask | UnshapedOperator:
        """The mask of a pattern, or an `UnshapedOperator` without an image shape."""
        lost = partial(pattern, **settings)
        if image_shape is not None:
            return cls._lose(lost, image_shape)
        texts = [f"{name}={value!r}" for name, value in settings.items()]
        texts[0] = texts[0].partition("=")[2]
        return UnshapedOperator(
            f"Mask.{pattern.__name__}({', '.join(texts)})", partial(cls._lose, lost)
        )

    @classmethod
    def _lose(cls, lost: Callable[[int, int], Pattern], image_shape: ImageShape) -> Mask:
        """The mask that loses a pattern in every channel."""
        channels, height, width = check_image_shape(image_shape)
        observed = torch.from_numpy(~lost(height, width))
        return cls(observed.expand(channels, height, width).contiguous())

    def __repr__(self) -> str:
        own = "" if self.shared else f"for {len(self.observed)} images, "
        shape = "x".join(map(str, self.image_shape))
        return f"Mask({own}{self.title.removeprefix('N = ')}, {shape})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mask):
            return NotImplemented
        return torch.equal(self.observed.cpu(), other.observed.cpu())

    def __hash__(self) -> int:
        return hash((self.observed.shape, self.observed.cpu().numpy().tobytes()))

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
        counts = observed.flatten(-3).sum(-1).reshape(-1).tolist() or [0]
        low, high = min(counts), max(counts)
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

    def to(
        self,
        *places: Place,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Mask:
        """The same mask on another device, as torch's `to`; a mask has no precision."""
        device, _ = check_placement(places, device, dtype)
        same = device in (None, self.observed.device)
        return self if same else replace(self, observed=self.observed.to(device))

    def batch(self, size: int) -> Tensor:
        """The mask of each of `size` images. [B, C, H, W]"""
        return self.observed.expand(size, *self.image_shape)

    def __getitem__(self, images: Any) -> Mask:
        """The masks of some images, chosen as in numpy; a shared mask stays as it is."""
        if self.shared:
            return self
        return replace(self, observed=self.observed[check_index(images, len(self.observed))])


def require_mask(operator: Any, purpose: str) -> Mask:
    """The operator, which must be a mask.

    Args:
        operator: What was observed.
        purpose: What a mask is needed for, as the subject of "needs a mask".

    Raises:
        ArgumentError: If it is another operator.
    """
    if not isinstance(operator, Mask):
        foreign = getattr(operator, "foreign", operator)
        raise ArgumentError(
            f"operator is a {type(foreign).__name__}; {purpose} needs a mask, which says of each "
            "pixel whether it was observed."
        )
    return operator
