"""Operators that mix neighbouring pixels: averages of blocks, and blur."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, overload

import torch
from torch import Tensor

from inpaint.checks import check_image_shape
from inpaint.errors import ArgumentError, ShapeError
from inpaint.operators.unshaped import UnshapedOperator
from inpaint.placement import Place, check_placement
from inpaint.types import ImageShape

REACH = 4.0
"""Standard deviations at which a Gaussian blur is cut off."""


@dataclass(frozen=True)
class BlockAverage:
    """Averages of square blocks are observed, as by a camera with fewer pixels.

    `BlockAverage(4)` alone takes the shape of the images that it is applied to.

    Attributes:
        side: Side of a block, in pixels.
        image_shape: Shape of one image. (C, H, W)
    """

    side: int
    # Without a shape `__new__` returns an UnshapedOperator, and no object of this class is made.
    image_shape: ImageShape = None  # type: ignore[assignment]

    def __new__(cls, side: int | None = None, image_shape: ImageShape | None = None) -> Any:
        """A block average, or an `UnshapedOperator` without an image shape."""
        if side is None or image_shape is not None:
            return super().__new__(cls)
        return UnshapedOperator(f"BlockAverage({side!r})", partial(cls, side))

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_shape", check_image_shape(self.image_shape))
        _, height, width = self.image_shape
        whole = isinstance(self.side, int) and not isinstance(self.side, bool)
        if not whole or self.side < 1 or height % self.side or width % self.side:
            raise ArgumentError(
                f"side is {self.side}; blocks must fill an image of {height}x{width} pixels. "
                f"Choose a divisor of {math.gcd(height, width)}."
            )

    @property
    def value_shape(self) -> ImageShape:
        """A smaller picture. (C, H / side, W / side)"""
        channels, height, width = self.image_shape
        return channels, height // self.side, width // self.side

    @property
    def observed(self) -> None:
        """All values are observed."""
        return None

    @property
    def title(self) -> str:
        """How many averages are observed, in words."""
        count = math.prod(self.value_shape)
        return f"M = {count} averages of {self.side}x{self.side} pixels observed"

    def apply(self, images: Tensor) -> Tensor:
        """Average the blocks. [B, ..., C, H, W] -> [B, ..., C, H', W']"""
        _, height, width = self.value_shape
        blocks = images.unflatten(-1, (width, self.side)).unflatten(-3, (height, self.side))
        return blocks.mean((-3, -1))

    def adjoint(self, values: Tensor) -> Tensor:
        """Spread each value over its block. [B, ..., C, H', W'] -> [B, ..., C, H, W]"""
        return self.picture(values) / self.side**2

    def picture(self, values: Tensor) -> Tensor:
        """The averages, enlarged. [B, ..., C, H', W'] -> [B, ..., C, H, W]"""
        return values.repeat_interleave(self.side, -1).repeat_interleave(self.side, -2)

    def to(
        self,
        *places: Place,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> BlockAverage:
        """The same operator: it holds no tensors."""
        check_placement(places, device, dtype)
        return self

    def __getitem__(self, images: Any) -> BlockAverage:
        return self


@dataclass(frozen=True, eq=False, repr=False)
class Blur:
    """A blurred image is observed: rows and columns are each mixed by a matrix.

    Attributes:
        rows: Mixes the rows. [H, H]
        columns: Mixes the columns. [W, W]
        channels: Number of channels C.
    """

    rows: Tensor
    columns: Tensor
    channels: int = 1

    def __post_init__(self) -> None:
        for name in ("rows", "columns"):
            matrix = getattr(self, name)
            if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
                raise ShapeError(f"{name} has shape {list(matrix.shape)}; it must be square.")
            if not torch.isfinite(matrix).all():
                raise ArgumentError(f"{name} holds NaN or infinity; every weight must be finite.")

    def __repr__(self) -> str:
        return f"Blur({'x'.join(map(str, self.image_shape))})"

    @overload
    @classmethod
    def gaussian(cls, deviation: float) -> UnshapedOperator: ...
    @overload
    @classmethod
    def gaussian(cls, deviation: float, image_shape: ImageShape) -> Blur: ...
    @classmethod
    def gaussian(
        cls, deviation: float, image_shape: ImageShape | None = None
    ) -> Blur | UnshapedOperator:
        """Blur with a Gaussian; at the border it averages the pixels that are there.

        Args:
            deviation: Standard deviation of the Gaussian, in pixels.
            image_shape: Shape of one image. (C, H, W) Without it the blur takes the shape of the
                images that it is applied to.

        Raises:
            ArgumentError: If `deviation` is not above 0 and at most the smaller side.
        """
        if image_shape is None:
            return UnshapedOperator(f"Blur.gaussian({deviation!r})", partial(cls._fit, deviation))
        return cls._fit(deviation, image_shape)

    @classmethod
    def _fit(cls, deviation: float, image_shape: ImageShape) -> Blur:
        channels, height, width = check_image_shape(image_shape)
        limit = min(height, width)
        if not 0 < deviation <= limit:
            raise ArgumentError(
                f"deviation is {deviation}; it is the width of the blur in pixels. Choose a number "
                f"above 0, at most {limit}."
            )
        return cls(_gaussian(height, deviation), _gaussian(width, deviation), channels)

    @property
    def image_shape(self) -> ImageShape:
        """Shape of one image. (C, H, W)"""
        return self.channels, len(self.rows), len(self.columns)

    @property
    def value_shape(self) -> ImageShape:
        """The blurred image. (C, H, W)"""
        return self.image_shape

    @property
    def observed(self) -> None:
        """All values are observed."""
        return None

    @property
    def title(self) -> str:
        """What is observed, in words."""
        return f"{math.prod(self.image_shape[1:])} pixels observed, blurred"

    def apply(self, images: Tensor) -> Tensor:
        """Blur. [B, ..., C, H, W] -> [B, ..., C, H, W]"""
        return self.rows.to(images) @ images @ self.columns.to(images).T

    def adjoint(self, values: Tensor) -> Tensor:
        """The transpose of the blur. [B, ..., C, H, W] -> [B, ..., C, H, W]"""
        return self.rows.to(values).T @ values @ self.columns.to(values)

    def picture(self, values: Tensor) -> Tensor:
        """The blurred images as they are. [B, ..., C, H, W] -> [B, ..., C, H, W]"""
        return values

    def to(
        self,
        *places: Place,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Blur:
        """The same operator on another device or in another precision, as torch's `to`."""
        device, dtype = check_placement(places, device, dtype)
        rows, columns = (x.to(device=device, dtype=dtype) for x in (self.rows, self.columns))
        return replace(self, rows=rows, columns=columns)

    def __getitem__(self, images: Any) -> Blur:
        return self


def _gaussian(size: int, deviation: float) -> Tensor:
    """Rows of weights that sum to 1. [size, size]"""
    places = torch.arange(size, dtype=torch.float64)
    distance = (places[:, None] - places) / deviation
    weights = torch.exp(-(distance.square()) / 2) * (distance.abs() <= REACH)
    return weights / weights.sum(1, keepdim=True)
