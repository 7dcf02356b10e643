"""Orientation, value range and ink colour of images: made uniform once, when they are read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint.errors import ArgumentError
from inpaint.types import ImageShape

Orientation = Literal["rows", "columns"]
Ink = Literal["dark", "light"]
Range = tuple[float, float]

BYTES: Range = (0.0, 255.0)
UNIT: Range = (0.0, 1.0)
SIGNED: Range = (-1.0, 1.0)
UNIT_LIMIT = 16.0
"""Floats above this are not values of 0 to 1 with noise."""


@dataclass(frozen=True)
class ReadOptions:
    """How to understand the numbers of a file; None detects it or takes the format's default.

    Attributes:
        image_shape: Shape of the generator's images; pictures of another size are fitted to
            it. None keeps their size. (C, H, W)
        orientation: "rows" if pixels are stored row by row, "columns" if column by column.
        ink: "dark" ink on light paper, or "light" ink on dark paper.
        value_range: The file's values of black and white.
    """

    image_shape: ImageShape | None = None
    orientation: Orientation | None = None
    ink: Ink | None = None
    value_range: Range | None = None

    def __post_init__(self) -> None:
        for name, choices in (("orientation", ("rows", "columns")), ("ink", ("dark", "light"))):
            value = getattr(self, name)
            if value is not None and value not in choices:
                raise ArgumentError(f"{name} is {value!r}; choose {' or '.join(choices)}.")
        if self.value_range is not None:
            low, high = self.value_range
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ArgumentError(
                    f"range is {low:g} to {high:g}; give the values of black and white, such as "
                    "0:255."
                )

    def normalize(
        self,
        array: NDArray[np.generic],
        *,
        default_orientation: Orientation = "rows",
        default_range: Range | None = None,
    ) -> tuple[Tensor, tuple[str, ...]]:
        """Make images row-major, in 0 to 1, with ink 0 and paper 1.

        Args:
            array: Values from the file, laid out by `default_orientation`. [B, C, H, W]
            default_orientation: The format's own orientation.
            default_range: The format's own value range; None detects it.

        Returns:
            The images [B, C, H, W] in float64, and notes that say what was done.
        """
        notes = []
        orientation = self.orientation or default_orientation
        if orientation != default_orientation:
            array = array.swapaxes(-1, -2)
        if orientation != "rows" or self.orientation is not None:
            notes.append(f"pictures are stored {orientation[:-1]} by {orientation[:-1]}")
        low, high = self.value_range or default_range or _detect_range(array)
        images = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float64))
        if (low, high) == UNIT:
            notes.append("0 to 1")
        else:
            images = (images - low) / (high - low)
            notes.append(f"{low:g} to {high:g}, scaled to 0 to 1")
        images, note = normalize_ink(images, self.ink)
        return images, (*notes, note)


def normalize_ink(images: Tensor, ink: Ink | None = None) -> tuple[Tensor, str]:
    """Make paper 1 and ink 0, and return a note that says what was done.

    Args:
        images: Values of 0 to 1. [B, C, H, W]
        ink: Colour of the ink; None detects it.
    """
    if (ink or detect_ink(images)) == "dark":
        return images, "dark ink on light paper, kept"
    return 1 - images, "light ink on dark paper, inverted"


def detect_ink(images: Tensor) -> Ink:
    """Take the majority of the border pixels as paper, and name the ink on it. [B, C, H, W]"""
    border = torch.cat(
        [images[..., 0, :], images[..., -1, :], images[..., :, 0], images[..., :, -1]], dim=-1
    )
    return "dark" if float(border.median()) >= 0.5 else "light"


def _detect_range(array: NDArray[np.generic]) -> Range:
    if array.dtype.kind in "iu":
        largest = int(array.max())
        return UNIT if largest <= 1 else BYTES if largest <= 255 else (0.0, 65535.0)
    values = np.asarray(array, dtype=np.float64)
    if values.max() > UNIT_LIMIT:
        return BYTES
    return SIGNED if np.quantile(values, 0.1) < -0.5 or values.min() == -1 else UNIT
