"""Which pixels of a picture each kind of mask loses. Every function returns bools [H, W]."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from inpaint.checks import check_integer
from inpaint.errors import ArgumentError

Pattern = NDArray[np.bool_]

STROKE_SEGMENTS = 4
"""Straight segments of a stroke."""
STROKE_LENGTHS = (0.2, 0.4)
"""Shortest and longest segment of a stroke, as a share of the picture's smaller side."""
STROKE_TURN = 1.2
"""Widest turn between two segments of a stroke, in radians."""
STROKE_WIDTH = 0.1
"""Width of a stroke, as a share of the picture's smaller side."""


def leading(height: int, width: int, keep: int) -> Pattern:
    """All but the first `keep` pixels, column after column."""
    pixels = height * width
    if isinstance(keep, bool) or not isinstance(keep, int) or not 1 <= keep <= pixels:
        raise ArgumentError(f"keep is {keep}; the image has {pixels} pixels. Choose 1 to {pixels}.")
    return np.asarray(np.arange(pixels) >= keep).reshape(width, height).T


def box(height: int, width: int, side: int) -> Pattern:
    """A square in the centre."""
    check_integer("side", side, 1, min(height, width))
    lost = np.zeros((height, width), dtype=bool)
    top, left = (height - side) // 2, (width - side) // 2
    lost[top : top + side, left : left + side] = True
    return lost


def half(height: int, width: int, side: str) -> Pattern:
    """The half on one side, without a middle row or column."""
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
    return lost


def random(height: int, width: int, share: float, seed: int) -> Pattern:
    """A share of the pixels, at random places."""
    order = _stream(seed).permutation(height * width)
    return np.asarray(order < round(share * height * width)).reshape(height, width)


def every(height: int, width: int, step: int, axis: str) -> Pattern:
    """Every `step`-th row or column, but not the first."""
    count = height if axis == "rows" else width
    if count < 2:
        raise ArgumentError(
            f"This mask leaves out some {axis} and keeps the others; the image has only one. "
            "Choose another mask."
        )
    check_integer("step", step, 2, count)
    lost = np.zeros((height, width), dtype=bool)
    if axis == "rows":
        lost[step - 1 :: step] = True
    else:
        lost[:, step - 1 :: step] = True
    return lost


def checkerboard(height: int, width: int, side: int) -> Pattern:
    """Every other square, but not the one in the upper left corner."""
    check_integer("side", side, 1, max(1, min(height, width) // 2))
    rows, columns = np.arange(height) // side, np.arange(width) // side
    return np.asarray((rows[:, None] + columns) % 2 == 1)


def strokes(height: int, width: int, count: int, seed: int) -> Pattern:
    """What free-hand strokes cover.

    Source: the free-form masks of Yu et al., Free-Form Image Inpainting with Gated Convolution
    (2019), section 3.5, with fewer and straight segments.
    """
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
    return lost


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
