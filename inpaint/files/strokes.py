"""Lines of a pen as images, placed like the digits of MNIST.

A digit of MNIST is scaled to 20 pixels in height or width, whichever is more, and moved by whole
pixels until its centre of mass is in the middle of 28x28.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import ArgumentError

Line = NDArray[np.float64]
"""Points along a line of the pen. [K, 2]"""

PEN = 2.4
"""Width of a line drawn by hand, in pixels, close to that of MNIST's digits."""

MAX_POINTS = 5000
"""Most points of a drawing."""

SIZE = 28
"""Side of an image, in pixels."""

BOX = 20
"""Longer side of a digit, in pixels."""

_SUPERSAMPLING = 8


def render_strokes(strokes: Sequence[Line]) -> NDArray[np.float64]:
    """Draw lines given by their points with a pen of constant width.

    Args:
        strokes: Points along each line, x to the right and y downwards, in any unit. [K, 2] each

    Returns:
        The image, 1 = paper, 0 = ink. float64 [28, 28]

    Raises:
        ArgumentError: If there are no points, too many, or some that are not finite.
    """
    lines = [np.asarray(stroke, dtype=np.float64).reshape(-1, 2) for stroke in strokes]
    lines = [line for line in lines if len(line)]
    count = sum(len(line) for line in lines)
    if not 1 <= count <= MAX_POINTS or not all(np.isfinite(line).all() for line in lines):
        raise ArgumentError(
            f"The drawing has {count} points; draw with 1 to {MAX_POINTS}, all of them finite."
        )
    points = np.concatenate(resample(lines))
    return render_points(points, np.full(len(points), PEN / 2))


def resample(lines: Sequence[Line]) -> list[Line]:
    """Points at equal distances along each line, both ends included, close enough to be drawn."""
    points = np.concatenate(lines)
    extent = float((points.max(axis=0) - points.min(axis=0)).max())
    # Close enough for a smooth line; more points would only take more time.
    spacing = max(extent, 1e-12) / (3 * BOX)
    return [_resample(line, spacing) for line in lines]


def render_points(points: Line, radius: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draw a round pen at each point, placed like a digit of MNIST.

    Args:
        points: x to the right and y downwards, in any unit. [K, 2]
        radius: The pen's radius at each point, in pixels of the image. [K]

    Returns:
        The image, 1 = paper, 0 = ink. float64 [28, 28]
    """
    # The pen adds its radius on both sides, so the curve itself gets a smaller box.
    low, high = points.min(axis=0), points.max(axis=0)
    # A single dot has no extent to scale.
    scale = (BOX - 2 * radius.max()) / ((high - low).max() or 1.0)
    points = (points - (low + high) / 2) * scale + SIZE / 2
    ink = _ink(points, radius)
    # MNIST moves digits by whole pixels.
    middle = (SIZE - 1) / 2
    rows, columns = np.indices(ink.shape)
    mass = np.array([(ink * columns).sum(), (ink * rows).sum()]) / ink.sum()
    return 1 - _ink(points + np.round(middle - mass), radius)


def _resample(line: Line, spacing: float) -> Line:
    """Points at equal distances along a polyline. [K, 2]"""
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    along = np.concatenate([[0.0], lengths.cumsum()])
    places = np.linspace(0, along[-1], 1 + math.ceil(along[-1] / spacing))
    return np.stack([np.interp(places, along, line[:, axis]) for axis in (0, 1)], axis=1)


def _ink(points: Line, radius: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of each pixel that the pen covers. [28, 28]"""
    fine = (np.arange(SIZE * _SUPERSAMPLING) + 0.5) / _SUPERSAMPLING
    # Only the square about each point that the pen can reach is tested.
    reach = math.ceil(radius.max() * _SUPERSAMPLING) + 1
    steps = np.arange(-reach, reach + 1)
    places = np.floor(points * _SUPERSAMPLING).astype(int)[:, :, None] + steps
    inside = (places >= 0) & (places < fine.size)
    places = places.clip(0, fine.size - 1)
    x, y = ((fine[places[:, axis]] - points[:, axis, None]) ** 2 for axis in (0, 1))
    near = x[:, None, :] + y[:, :, None] < (radius * radius)[:, None, None]
    near &= inside[:, 0][:, None, :] & inside[:, 1][:, :, None]
    point, row, column = near.nonzero()
    covered = np.zeros((fine.size, fine.size), dtype=bool)
    covered[places[point, 1, row], places[point, 0, column]] = True
    blocks = covered.reshape(SIZE, _SUPERSAMPLING, SIZE, _SUPERSAMPLING)
    share: NDArray[np.float64] = blocks.mean(axis=(1, 3))
    return share
