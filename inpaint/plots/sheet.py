"""Pictures composed in numpy, each pixel enlarged to a square: quick to show in a browser."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from inpaint.errors import ArgumentError
from inpaint.plots.comparison import Comparison, ComparisonRow

Pixels = NDArray[np.uint8]

PICTURE_COLUMNS = ("Ideal", "Corrupted", "Output", "Difference")
BORDER = 208
"""Grey of the lines between pictures: visible on paper and ink, on light and dark pages."""
UNKNOWN = 160
"""Grey of a picture that does not exist, such as an unknown ideal."""


def compose(
    comparison: Comparison,
    *,
    columns: Sequence[str] = PICTURE_COLUMNS,
    scale: int = 5,
    gap: int = 4,
) -> Pixels:
    """The picture columns of a comparison side by side, a row per image.

    Args:
        comparison: At least one image.
        columns: Which of `PICTURE_COLUMNS`, from left to right.
        scale: Side of the square that shows one pixel.
        gap: Width of the lines between pictures, in pixels of the sheet.

    Returns:
        [H, W, 3]
    """
    for column in columns:
        if column not in PICTURE_COLUMNS:
            raise ArgumentError(
                f"columns holds {column!r}; choose from {', '.join(PICTURE_COLUMNS)}."
            )
    pictures = [_picture(row, column) for row in comparison.rows for column in columns]
    return _arrange(pictures, len(columns), scale=scale, gap=gap)


def strip(images: Tensor, *, scale: int = 5, gap: int = 4) -> Pixels:
    """Images in one row. [B, C, H, W], values in 0 to 1 -> [H, W, 3]"""
    return grid(images, columns=max(1, len(images)), scale=scale, gap=gap)


def modes_strip(row: ComparisonRow, *, scale: int = 5, gap: int = 4) -> Pixels:
    """An image's modes in one row, lowest cost first: those of `ComparisonRow.shown_modes`.

    Returns:
        [H, W, 3]

    Raises:
        ArgumentError: If there are none.
    """
    if not row.shown_modes:
        raise ArgumentError(f"Image {row.number} has no modes to show.")
    return strip(torch.stack([mode.image for mode in row.shown_modes]), scale=scale, gap=gap)


def grid(images: Tensor, *, columns: int = 10, scale: int = 5, gap: int = 4) -> Pixels:
    """Images row after row. [B, C, H, W], values in 0 to 1 -> [H, W, 3]"""
    if images.ndim != 4 or len(images) == 0 or columns < 1:
        raise ArgumentError(
            f"images has shape {list(images.shape)} and columns is {columns}; give at least one "
            "image [B, C, H, W] and one column."
        )
    pictures = [to_pixels(image) for image in images]
    return _arrange(pictures, min(columns, len(pictures)), scale=scale, gap=gap)


def to_pixels(image: Tensor, *, low: float = 0.0, high: float = 1.0) -> Pixels:
    """An image as bytes: `low` becomes black, `high` white. [C, H, W] or [H, W] -> [H, W, 3]"""
    array = image.detach().cpu().double().numpy()
    array = array[None] if array.ndim == 2 else array
    if len(array) not in (1, 3):
        array = array.mean(0, keepdims=True)
    unit = np.clip(np.nan_to_num((array - low) / (high - low)), 0, 1)
    bytes_ = np.rint(255 * unit).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(bytes_, (3, *bytes_.shape[1:])).transpose(1, 2, 0))


def to_png(pixels: Pixels) -> bytes:
    """A picture as the content of a PNG file, made for speed rather than size. [H, W, 3]"""
    grey = pixels[..., 0]
    plain = bool((grey[..., None] == pixels).all())
    buffer = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(grey if plain else pixels))
    picture.save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def _picture(row: ComparisonRow, column: str) -> Pixels:
    images = {"Ideal": row.ideal, "Corrupted": row.corrupted, "Output": row.output}
    image = row.difference if column == "Difference" else images[column]
    if image is None:
        return np.full((*row.output.shape[1:], 3), UNKNOWN, np.uint8)
    return to_pixels(image, low=-1.0 if column == "Difference" else 0.0)


def _arrange(pictures: Sequence[Pixels], columns: int, *, scale: int, gap: int) -> Pixels:
    """Enlarge pictures of one size and lay them out with lines between and around."""
    height, width = (scale * side for side in pictures[0].shape[:2])
    rows = math.ceil(len(pictures) / columns)
    sheet = np.full(
        (gap + rows * (height + gap), gap + columns * (width + gap), 3), BORDER, np.uint8
    )
    for index, picture in enumerate(pictures):
        top = gap + (index // columns) * (height + gap)
        left = gap + (index % columns) * (width + gap)
        large = picture.repeat(scale, axis=0).repeat(scale, axis=1)
        sheet[top : top + height, left : left + width] = large
    return sheet
