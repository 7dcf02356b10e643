"""Bundled example images that need no file and no network: eights drawn as pen strokes.

They are drawings, not handwriting: one closed curve each, drawn with a round pen whose
pressure varies, and placed in the picture as MNIST's digits are. So the undamaged image is
known exactly.
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
"""Standard deviation of the noise on the bundled images, about that of the published ones."""

PEN = 2.4
"""Width of the pen that draws by hand, in pixels: about that of MNIST's digits."""

MAX_POINTS = 5000
"""Points of a drawing by hand at most."""

_SIZE = 28
_BOX = 20
_SUPERSAMPLING = 8
_POINTS = 400
_SEEDS = {"eights": 18}
_COUNT = 4


@dataclass(frozen=True, kw_only=True)
class PenStroke:
    """The shape of one hand-drawn eight. Lengths are shares of its height.

    Attributes:
        width: Widest extent of the lower loop.
        upper: Width of the upper loop, as a share of the lower one's.
        crossing: Height at which the strokes cross, from 0 at the bottom to 1 at the top.
        slant: Shift to the right from bottom to top.
        twist: How far the strokes lean over in the crossing: 0 is a figure of two rings.
        gap: Share of the curve left out at the upper right, where pens begin and end.
        pen: Width of the stroke in pixels of the final picture.
        pressure: Share by which that width swells and shrinks along the stroke.
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
        """A shape such as people draw it."""
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
        """Points along the stroke, y upwards [K, 2], and the pen's radius there [K]."""
        turn = np.linspace(self.gap / 2, 1 - self.gap / 2, _POINTS) + 1 / 16
        angle = 2 * np.pi * turn
        height = np.cos(angle)
        high = height > 0
        x = 0.5 * self.width * np.where(high, self.upper, 1.0) * np.sin(2 * angle)
        y = np.where(high, (1 - self.crossing) * height, self.crossing * height)
        x += self.slant * y + self.twist * np.sin(angle) * (1 - height**2)
        swell = 1 + self.pressure * np.cos(2 * np.pi * (2 * turn - self.phase))
        return np.stack([x, y], axis=1), 0.5 * self.pen * swell


def draw(stroke: PenStroke) -> np.ndarray:
    """Draw a stroke as MNIST's digits are placed: in a box of 20x20, mass in the middle.

    Returns:
        The picture, 1 = paper, 0 = ink. float64 [28, 28]
    """
    points, radius = stroke.curve()
    return _place(points * [1, -1], radius)


def draw_strokes(strokes: Sequence[NDArray[np.float64]], *, pen: float = PEN) -> np.ndarray:
    """Draw lines that somebody drew by hand, placed as `draw` places its eights.

    Args:
        strokes: Points (x to the right, y downwards) along each line, in any unit. [K, 2] each
        pen: Width of the lines in pixels of the picture.

    Returns:
        The picture, 1 = paper, 0 = ink. float64 [28, 28]

    Raises:
        ArgumentError: If there is no point, one is not finite, or there are too many.
    """
    lines = [np.asarray(stroke, dtype=np.float64).reshape(-1, 2) for stroke in strokes]
    lines = [line for line in lines if len(line)]
    count = sum(len(line) for line in lines)
    if not 1 <= count <= MAX_POINTS or not all(np.isfinite(line).all() for line in lines):
        raise ArgumentError(
            f"The drawing has {count} points; draw with 1 to {MAX_POINTS}, all of them finite."
        )
    extent = float((np.concatenate(lines).max(axis=0) - np.concatenate(lines).min(axis=0)).max())
    # As close as the pen's path needs to look smooth, and no closer: each point costs time.
    spacing = max(extent, 1e-12) / (3 * _BOX)
    points = np.concatenate([_resample(line, spacing) for line in lines])
    return _place(points, np.full(len(points), pen / 2))


def _resample(line: NDArray[np.float64], spacing: float) -> NDArray[np.float64]:
    """Points at equal distances along a line of straight parts, both ends included. [K, 2]"""
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    along = np.concatenate([[0.0], lengths.cumsum()])
    places = np.linspace(0, along[-1], 1 + math.ceil(along[-1] / spacing))
    return np.stack([np.interp(places, along, line[:, axis]) for axis in (0, 1)], axis=1)


def _place(points: NDArray[np.float64], radius: NDArray[np.float64]) -> np.ndarray:
    """Ink along points, y downwards, enlarged to the box and moved to the middle. [28, 28]"""
    # The pen adds its radius to both sides of the curve, which so has a smaller box to fit.
    low, high = points.min(axis=0), points.max(axis=0)
    # A single dot has no size that could be enlarged.
    scale = (_BOX - 2 * radius.max()) / ((high - low).max() or 1.0)
    points = (points - (low + high) / 2) * scale + _SIZE / 2
    ink = _ink(points, radius)
    # MNIST moves digits by whole pixels.
    middle = (_SIZE - 1) / 2
    rows, columns = np.indices(ink.shape)
    mass = np.array([(ink * columns).sum(), (ink * rows).sum()]) / ink.sum()
    return 1 - _ink(points + np.round(middle - mass), radius)


def _ink(points: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Share of each pixel that the pen covers, [28, 28]."""
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
    """Draw a bundled set of images; it is the same on every call.

    Args:
        name: One of `bundled_names`.

    Returns:
        Four images [4, 1, 28, 28] with noise, and without as `ideal`. 1 = paper

    Raises:
        ArgumentError: If there is no such set.
    """
    if name not in _SEEDS:
        raise ArgumentError(f"There is no bundled set {name!r}; choose one of {', '.join(_SEEDS)}.")
    rng = np.random.Generator(np.random.Philox(_SEEDS[name]))
    drawings = np.stack([draw(PenStroke.random(rng)) for _ in range(_COUNT)])[:, None]
    noise = NOISE * rng.standard_normal(drawings.shape)
    return ImageSet(
        images=torch.from_numpy(drawings + noise),
        ideal=torch.from_numpy(drawings),
        source=f'bundled "{name}": pen-stroke drawings, not handwriting',
        notes=(f"Gaussian noise of standard deviation {NOISE} was added with a fixed seed.",),
    )


def hand_drawn(strokes: Sequence[NDArray[np.float64]]) -> ImageSet:
    """A drawing by hand as an image to be restored; see `draw_strokes`."""
    image = torch.from_numpy(draw_strokes(strokes))[None, None]
    return ImageSet(
        images=image,
        ideal=image,
        source="drawn by hand",
        notes=("placed as MNIST's digits are, without noise",),
    )
