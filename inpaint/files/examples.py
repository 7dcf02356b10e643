"""Bundled example images: eights drawn as pen strokes, so that no file is needed.

They are drawings, not handwriting: each is one closed curve, drawn with a round pen of varying
pressure and placed in the image like a digit of MNIST. The undamaged image is known exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from inpaint.errors import ArgumentError
from inpaint.types import ImageSet

NOISE = 0.1
"""Standard deviation of the noise in the bundled images, close to that in the published ones."""

PEN = 2.4
"""Width of a line drawn by hand, in pixels, close to that of MNIST's digits."""

MAX_POINTS = 5000
"""Most points of a drawing."""

_SIZE = 28
_BOX = 20
_SUPERSAMPLING = 8
_POINTS = 400
_SEEDS = {"eights": 18}
_COUNT = 4


@dataclass(frozen=True, kw_only=True)
class PenStroke:
    """The shape of a drawn eight; lengths are relative to its height.

    Attributes:
        width: Width of the lower loop.
        upper: Width of the upper loop, relative to the lower one.
        crossing: Height at which the strokes cross, from 0 at the bottom to 1 at the top.
        slant: Shift to the right from bottom to top.
        twist: How far the strokes lean at the crossing; 0 makes two rings.
        gap: Share of the curve left out at the upper right, where the pen starts and stops.
        pen: Width of the stroke in pixels of the image.
        pressure: Relative variation of that width along the stroke.
        phase: Where along the stroke the pressure is highest, in turns.
    """

    width: float
    upper: float
    crossing: float
    slant: float
    twist: float
    gap: float
    pen: float
    pressure: float
    phase: float

    @classmethod
    def random(cls, rng: np.random.Generator) -> PenStroke:
        """Pick a random shape, within the range of handwriting."""
        return cls(
            width=rng.uniform(0.42, 0.7),
            upper=rng.uniform(0.65, 1.0),
            crossing=rng.uniform(0.48, 0.6),
            slant=rng.uniform(-0.05, 0.4),
            twist=rng.uniform(0.0, 0.12),
            gap=rng.uniform(0.0, 0.03),
            pen=rng.uniform(2.0, 3.0),
            pressure=rng.uniform(0.05, 0.25),
            phase=rng.uniform(0.0, 1.0),
        )

    def curve(self) -> tuple[np.ndarray, np.ndarray]:
        """Points along the stroke, with y upwards [K, 2], and the pen's radius at each [K]."""
        turn = np.linspace(self.gap / 2, 1 - self.gap / 2, _POINTS) + 1 / 16
        angle = 2 * np.pi * turn
        height = np.cos(angle)
        high = height > 0
        x = 0.5 * self.width * np.where(high, self.upper, 1.0) * np.sin(2 * angle)
        y = np.where(high, (1 - self.crossing) * height, self.crossing * height)
        x += self.slant * y + self.twist * np.sin(angle) * (1 - height**2)
        swell = 1 + self.pressure * np.cos(2 * np.pi * (2 * turn - self.phase))
        return np.stack([x, y], axis=1), 0.5 * self.pen * swell


def render_stroke(stroke: PenStroke) -> np.ndarray:
    """Draw an eight and place it like a digit of MNIST: 20 pixels high or wide, centred by mass.

    Returns:
        The image, 1 = paper, 0 = ink. float64 [28, 28]
    """
    points, radius = stroke.curve()
    return _place(points * [1, -1], radius)


def render_strokes(strokes: Sequence[NDArray[np.float64]]) -> np.ndarray:
    """Draw lines given by their points, placed as `render_stroke` places an eight.

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
    extent = float((np.concatenate(lines).max(axis=0) - np.concatenate(lines).min(axis=0)).max())
    # Close enough for a smooth line; more points would only take more time.
    spacing = max(extent, 1e-12) / (3 * _BOX)
    points = np.concatenate([_resample(line, spacing) for line in lines])
    return _place(points, np.full(len(points), PEN / 2))


def _resample(line: NDArray[np.float64], spacing: float) -> NDArray[np.float64]:
    """Points at equal distances along a polyline, both ends included. [K, 2]"""
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    along = np.concatenate([[0.0], lengths.cumsum()])
    places = np.linspace(0, along[-1], 1 + math.ceil(along[-1] / spacing))
    return np.stack([np.interp(places, along, line[:, axis]) for axis in (0, 1)], axis=1)


def _place(points: NDArray[np.float64], radius: NDArray[np.float64]) -> np.ndarray:
    """Scale points, with y downwards, to the box, draw them and centre the ink. [28, 28]"""
    # The pen adds its radius on both sides, so the curve itself gets a smaller box.
    low, high = points.min(axis=0), points.max(axis=0)
    # A single dot has no extent to scale.
    scale = (_BOX - 2 * radius.max()) / ((high - low).max() or 1.0)
    points = (points - (low + high) / 2) * scale + _SIZE / 2
    ink = _ink(points, radius)
    # MNIST moves digits by whole pixels.
    middle = (_SIZE - 1) / 2
    rows, columns = np.indices(ink.shape)
    mass = np.array([(ink * columns).sum(), (ink * rows).sum()]) / ink.sum()
    return 1 - _ink(points + np.round(middle - mass), radius)


def _ink(points: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Share of each pixel that the pen covers. [28, 28]"""
    fine = (np.arange(_SIZE * _SUPERSAMPLING) + 0.5) / _SUPERSAMPLING
    covered = np.zeros((fine.size, fine.size), dtype=bool)
    for (x, y), r in zip(points, radius, strict=True):
        covered |= (fine[None, :] - x) ** 2 + (fine[:, None] - y) ** 2 < r * r
    blocks = covered.reshape(_SIZE, _SUPERSAMPLING, _SIZE, _SUPERSAMPLING)
    share: np.ndarray = blocks.mean(axis=(1, 3))
    return share


def bundled_names() -> tuple[str, ...]:
    """The names that `load_bundled` knows."""
    return tuple(_SEEDS)


def load_bundled(name: str = "eights") -> ImageSet:
    """Load a bundled set of images, the same on every call.

    Args:
        name: One of `bundled_names`.

    Returns:
        Four images with noise, and without it as `ideal`; 1 = paper. [4, 1, 28, 28]

    Raises:
        ArgumentError: If there is no such set.
    """
    if name not in _SEEDS:
        raise ArgumentError(f"There is no bundled set {name!r}; choose one of {', '.join(_SEEDS)}.")
    rng = np.random.Generator(np.random.Philox(_SEEDS[name]))
    drawings = np.stack([render_stroke(PenStroke.random(rng)) for _ in range(_COUNT)])[:, None]
    noise = NOISE * rng.standard_normal(drawings.shape)
    return ImageSet(
        images=torch.from_numpy(drawings + noise),
        ideal=torch.from_numpy(drawings),
        source=f'bundled "{name}": pen-stroke drawings, not handwriting',
        notes=(f"Gaussian noise of standard deviation {NOISE} was added with a fixed seed",),
    )


def hand_drawn(strokes: Sequence[NDArray[np.float64]]) -> ImageSet:
    """Turn a drawing by hand into an image to restore; see `render_strokes`."""
    image = torch.from_numpy(render_strokes(strokes))[None, None]
    return ImageSet(
        images=image,
        ideal=image,
        source="drawn by hand",
        notes=("placed like a digit of MNIST, without noise",),
    )
