"""A model of handwriting: the ten digits as lines of a pen, with the variety of many writers.

Each digit has a few ways of being written, given by points that the pen passes. Points,
proportions, slant, bend, width and pressure are picked at random.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from inpaint.errors import ArgumentError
from inpaint.files.strokes import Line, render_points, resample

POINTS = 400
"""Points along the curve of an eight."""

DENSE = 24
"""Points along a line for each point that the pen is told to pass."""


def draw_digit(digit: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a digit as some writer might, placed like a digit of MNIST.

    Args:
        digit: 0 to 9.
        rng: What picks the writer; the next call draws another one.

    Returns:
        The image, 1 = paper, 0 = ink. float64 [28, 28]

    Raises:
        ArgumentError: If there is no such digit.
    """
    if digit not in range(10):
        raise ArgumentError(f"digit is {digit!r}; choose 0 to 9.")
    hand = _Hand(rng)
    return _render(*hand.write(_SHAPES[digit](hand)))


@dataclass(frozen=True, kw_only=True)
class Eight:
    """The shape of an eight, one closed curve; lengths are relative to its height.

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
    def random(cls, rng: np.random.Generator) -> Eight:
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

    def curve(self) -> tuple[Line, NDArray[np.float64]]:
        """Points along the stroke, with y upwards [K, 2], and the pen's radius at each [K]."""
        turn = np.linspace(self.gap / 2, 1 - self.gap / 2, POINTS) + 1 / 16
        angle = 2 * np.pi * turn
        height = np.cos(angle)
        high = height > 0
        x = 0.5 * self.width * np.where(high, self.upper, 1.0) * np.sin(2 * angle)
        y = np.where(high, (1 - self.crossing) * height, self.crossing * height)
        x += self.slant * y + self.twist * np.sin(angle) * (1 - height**2)
        swell = 1 + self.pressure * np.cos(2 * np.pi * (2 * turn - self.phase))
        return np.stack([x, y], axis=1), 0.5 * self.pen * swell

    def draw(self) -> NDArray[np.float64]:
        """The image, placed like a digit of MNIST; 1 = paper, 0 = ink. float64 [28, 28]"""
        points, radius = self.curve()
        return _render(points, radius)


class _Hand:
    """A writer: what is picked at random, and what all lines of a digit share."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._tremor = self.pick(0.005, 0.04)

    def pick(self, low: float, high: float) -> float:
        """A number between two bounds."""
        return float(self._rng.uniform(low, high))

    def chance(self, share: float) -> bool:
        """True with a probability."""
        return bool(self._rng.random() < share)

    def eight(self) -> Eight:
        """The shape of an eight."""
        return Eight.random(self._rng)

    def line(self, *points: tuple[float, float]) -> Line:
        """A smooth line past points, each of which is missed by a little. [K, 2]"""
        passed = np.array(points) + self._tremor * self._rng.standard_normal((len(points), 2))
        steps = np.linalg.norm(np.diff(passed, axis=0), axis=1) ** 0.5
        along = np.concatenate([[0.0], np.cumsum(steps + 1e-9)])
        places = np.linspace(0, along[-1], DENSE * len(points))
        smooth: Line = CubicSpline(along, passed, bc_type="natural")(places)
        return smooth

    def about(self, mean: float, deviation: float) -> float:
        """A normal number, at most two deviations from its mean."""
        return mean + deviation * float(np.clip(self._rng.standard_normal(), -2, 2))

    def write(self, lines: Sequence[Line]) -> tuple[Line, NDArray[np.float64]]:
        """Points of all lines, slanted and bent [K, 2], and the pen's radius at each [K]."""
        points = np.concatenate(resample(lines))
        x, y = points.T
        width, slant, turn = self.about(1.15, 0.15), self.about(0.18, 0.2), self.about(0, 0.08)
        # A wave across and one along the height, each of less than a turn.
        x = width * x + slant * y + self.about(0, 0.03) * np.sin(4 * y + self.pick(0, 6))
        y = y + self.about(0, 0.03) * np.sin(5 * x + self.pick(0, 6))
        points = np.stack([x - turn * y, y + turn * x], axis=1)
        pen, pressure = self.about(2.4, 0.55), self.pick(0, 0.3)
        along = np.linspace(0, 2, len(points)) - self.pick(0, 1)
        return points, 0.5 * pen * (1 + pressure * np.cos(2 * np.pi * along))


def _render(points: Line, radius: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draw points with y upwards [K, 2] by a pen of some radius at each [K]. [28, 28]"""
    # Images count rows downwards.
    return render_points(points * [1, -1], radius)


def _zero(hand: _Hand) -> list[Line]:
    """A ring that starts at the top; it may stay open, or its ends may cross."""
    width, start = hand.pick(0.5, 0.95), hand.pick(0.3, 1.8)
    angle = start + np.linspace(0, 2 * np.pi + hand.pick(-0.25, 0.5), 9)
    drift = 1 + np.linspace(0, hand.pick(-0.2, 0.15), len(angle))
    return [
        hand.line(
            *zip(0.5 * width * drift * np.cos(angle), 0.5 * drift * np.sin(angle), strict=True)
        )
    ]


def _one(hand: _Hand) -> list[Line]:
    """A single stroke, which may have a flag at the top, and then a base as well."""
    bow = hand.pick(-0.03, 0.03)
    lines = [hand.line((0, 1), (bow, 0.5), (0, 0))]
    if hand.chance(0.15):
        lines.append(hand.line((-hand.pick(0.1, 0.2), hand.pick(0.74, 0.86)), (0, 1)))
        if hand.chance(0.5):
            side = hand.pick(0.15, 0.28)
            lines.append(hand.line((-side, 0), (side, hand.pick(-0.02, 0.03))))
    return lines


def _two(hand: _Hand) -> list[Line]:
    """A hook, a stroke down to the left, and a base after a corner or a loop."""
    width, shoulder = hand.pick(0.44, 0.6), hand.pick(0.7, 0.78)
    hook = [
        (hand.pick(-0.02, 0.08), hand.pick(0.68, 0.8)),
        (0.3 * width, 0.98),
        (0.8 * width, 0.94),
        (width, shoulder),
        (0.78 * width, hand.pick(0.34, 0.44)),
    ]
    end = (width + hand.pick(-0.02, 0.2), hand.pick(-0.02, 0.12))
    if hand.chance(0.5):
        height = hand.pick(0.12, 0.24)
        loop = [(0.08, 0.04), (-0.08, height / 2), (0.06, height), (0.55 * width, 0.07)]
        return [hand.line(*hook, *loop, end)]
    corner = (hand.pick(-0.05, 0.05), hand.pick(0.0, 0.04))
    base = (0.5 * width, hand.pick(-0.03, 0.06))
    return [np.concatenate([hand.line(*hook, corner), hand.line(corner, base, end)])]


def _three(hand: _Hand) -> list[Line]:
    """Two bows that meet in a corner, a small loop or a bar."""
    upper, lower = hand.pick(0.42, 0.58), hand.pick(0.5, 0.68)
    waist = (hand.pick(0.15, 0.3), hand.pick(0.5, 0.58))
    top = [
        (hand.pick(-0.02, 0.06), hand.pick(0.8, 0.92)),
        (0.5 * upper, 1),
        (upper, 0.79),
        (0.8 * upper, 0.62),
    ]
    bottom = [
        (0.85 * lower, 0.43),
        (lower, 0.24),
        (0.5 * lower, 0),
        (hand.pick(-0.06, 0.04), hand.pick(0.05, 0.18)),
    ]
    if hand.chance(0.25):
        loop = [
            (waist[0], waist[1]),
            (waist[0] - 0.06, waist[1] - 0.04),
            (waist[0], waist[1] - 0.07),
        ]
        return [hand.line(*top, *loop, *bottom)]
    return [np.concatenate([hand.line(*top, waist), hand.line(waist, *bottom)])]


def _four(hand: _Hand) -> list[Line]:
    """Open or closed at the top, with a corner or a bow at the left."""
    bar, stem = hand.pick(0.3, 0.45), hand.pick(0.38, 0.5)
    reach = stem + hand.pick(0.05, 0.25)
    foot = (stem + hand.pick(-0.06, 0.03), 0.0)
    left, end = (hand.pick(-0.02, 0.04), bar + hand.pick(0.0, 0.06)), (reach, bar + 0.03)
    if hand.chance(0.25):
        start = (stem - hand.pick(0.0, 0.06), 1.0)
        first = [hand.line(start, (0.5 * stem, 0.5 + bar / 2), left), hand.line(left, end)]
        return [np.concatenate(first), hand.line(start, (stem, 0.5), foot)]
    start = (hand.pick(0.04, 0.16), hand.pick(0.9, 1.0))
    if hand.chance(0.4):
        first = [hand.line(start, (0.03, bar + 0.2), (0.15, bar), (stem, bar + 0.08))]
    else:
        first = [hand.line(start, (0.05, bar + 0.25), left), hand.line(left, end)]
    top = (stem + hand.pick(0.0, 0.08), hand.pick(0.88, 1.0))
    return [np.concatenate(first), hand.line(top, (stem + 0.02, 0.5), foot)]


def _five(hand: _Hand) -> list[Line]:
    """A neck and a bow, with the bar at the top in one stroke with them or apart."""
    width, neck = hand.pick(0.48, 0.65), hand.pick(0.5, 0.6)
    corner = (hand.pick(0.08, 0.18), 0.97)
    below = (corner[0] - hand.pick(0.02, 0.08), neck)
    bow = [
        (0.55 * width, neck + hand.pick(0.03, 0.1)),
        (width, 0.32),
        (0.5 * width, 0.0),
        (hand.pick(-0.08, 0.04), hand.pick(0.03, 0.12)),
    ]
    bar = hand.line((corner[0] + hand.pick(0.35, 0.5), hand.pick(0.96, 1.05)), corner)
    body = [hand.line(corner, below), hand.line(below, *bow)]
    if hand.chance(0.5):
        bar = bar + np.array([hand.pick(-0.05, 0.05), hand.pick(-0.03, 0.05)])
    return [bar, np.concatenate(body)]


def _six(hand: _Hand) -> list[Line]:
    """A bow from the top that closes in a ring."""
    width, ring = hand.pick(0.36, 0.54), hand.pick(0.36, 0.5)
    return [
        hand.line(
            (width * hand.pick(0.6, 0.95), 1.0),
            (0.3 * width, hand.pick(0.68, 0.78)),
            (0.02, 0.32),
            (0.4 * width, 0.0),
            (width, 0.5 * ring),
            (0.55 * width, ring),
            (hand.pick(0.05, 0.12), hand.pick(0.16, 0.3)),
        )
    ]


def _seven(hand: _Hand) -> list[Line]:
    """A bar and a stem, with a hook at the start or a bar across the stem at times."""
    width = hand.pick(0.45, 0.62)
    corner = (width, hand.pick(0.92, 1.0))
    bar = [(0.0, hand.pick(0.88, 0.97)), (0.5 * width, 0.95), corner]
    if hand.chance(0.25):
        bar.insert(0, (hand.pick(-0.02, 0.03), hand.pick(0.74, 0.82)))
    foot = (hand.pick(0.1, 0.35) * width / 0.5, 0.0)
    middle = (0.5 * (width + foot[0]) + hand.pick(-0.02, 0.05), 0.5)
    lines = [np.concatenate([hand.line(*bar), hand.line(corner, middle, foot)])]
    if hand.chance(0.25):
        height, side = hand.pick(0.42, 0.55), hand.pick(0.15, 0.24)
        across = middle[0]
        lines.append(hand.line((across - side, height), (across + side, height + 0.03)))
    return lines


def _eight(hand: _Hand) -> list[Line]:
    """One closed curve, or a curl like an S that goes back up to its start."""
    if hand.chance(0.5):
        curve, _ = hand.eight().curve()
        # Its own slant makes it wide enough for the writer's.
        return [hand.line(*(curve[:: len(curve) // 12] * [0.85, 1]))]
    width, lower = hand.pick(0.36, 0.5), hand.pick(0.38, 0.54)
    waist = hand.pick(0.5, 0.56)
    return [
        hand.line(
            (width, hand.pick(0.78, 0.9)),
            (0.5 * width, 1.0),
            (0.05, 0.78),
            (0.45 * width, waist),
            (lower, 0.25),
            (0.45 * lower, 0.0),
            (hand.pick(-0.05, 0.04), 0.2),
            (0.5 * width, waist - 0.03),
            (hand.pick(0.85, 1.05) * width, hand.pick(0.76, 0.92)),
        )
    ]


def _nine(hand: _Hand) -> list[Line]:
    """A ring and a stem, straight or with a hook at its foot."""
    width, ring = hand.pick(0.4, 0.58), hand.pick(0.42, 0.55)
    low = 1 - ring
    points = [
        (width, hand.pick(0.8, 0.92)),
        (0.55 * width, 1.0),
        (0.02, 1 - 0.5 * ring),
        (0.4 * width, low),
        (0.85 * width, low + 0.3 * ring),
    ]
    stem = [(width, hand.pick(0.85, 0.98))]
    if hand.chance(0.3):
        stem += [(0.98 * width, 0.4), (0.75 * width, 0.05), (0.2 * width, 0.03)]
    else:
        stem += [(hand.pick(0.9, 1.0) * width, 0.5), (hand.pick(0.6, 1.0) * width, 0.0)]
    return [np.concatenate([hand.line(*points, stem[0]), hand.line(*stem)])]


_SHAPES: dict[int, Callable[[_Hand], list[Line]]] = {
    0: _zero,
    1: _one,
    2: _two,
    3: _three,
    4: _four,
    5: _five,
    6: _six,
    7: _seven,
    8: _eight,
    9: _nine,
}
"""The ways to write each digit."""
