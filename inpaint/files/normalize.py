"""What the numbers of a picture mean: value range and ink, judged by its observed pixels alone.

Known ranges are taken; what is doubtful is said, or refused with the option that decides it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from inpaint.checks import check_choice
from inpaint.errors import ArgumentError, FileError
from inpaint.files.paper import Pixels, Votes, fit_trend
from inpaint.generators.kind import PictureKind
from inpaint.noise import estimate_noise

Orientation = Literal["rows", "columns"]
Ink = Literal["dark", "light"]
Range = tuple[float, float]

BYTES: Range = (0.0, 255.0)
UNIT: Range = (0.0, 1.0)
SIGNED: Range = (-1.0, 1.0)
TOPS = (100.0, 255.0, 1023.0, 4095.0, 65535.0)
"""Values of white that are known, beside 1: percent, and 8, 10, 12 and 16 bits."""
USE = (0.75, 1.25)
"""A picture is taken for one of these ranges if its highest values are this share of white."""

SLACK = 0.1
"""How far values without noise may leave 0 to 1, as after a sharpening or a linear layer."""
NEGATIVE = -0.3
"""Values of -1 to 1 go below this; values between it and `-SLACK` are doubtful."""
FAR = 1.0
"""No value lies further outside black and white than this, noise aside."""
LOW_USE = 0.25
"""A picture that uses less of its range than this may have another one."""
SIGMAS = 4.0
"""Noise reaches this many standard deviations."""
OUTLIERS = 3
"""Pixels at either end that say nothing about the range."""
LARGE = 40
"""Least side of a picture in which the paper's level is followed from place to place."""
CONTRAST = 0.02
"""Less than this between paper and ink shows nothing."""
CLEAR = 2.0
"""Ink lies on one side of the paper's level, this many times as far as anything on the other."""
UNCLEAR = 0.15
"""Paper this close to mid-grey does not tell its ink."""
MIN_INK = 0.05
"""A picture whose darkest ink is below this is blank."""


@dataclass(frozen=True)
class ReadOptions:
    """How to understand the numbers of a file; None detects it or takes the format's default.

    Attributes:
        orientation: "rows" if pixels are stored row by row, "columns" if column by column.
        ink: Colour of the picture's ink, "dark" or "light".
        value_range: The file's values of black and white.
    """

    orientation: Orientation | None = None
    ink: Ink | None = None
    value_range: Range | None = None

    def __post_init__(self) -> None:
        if self.orientation is not None:
            check_choice("orientation", self.orientation, ("rows", "columns"))
        if self.ink is not None:
            check_choice("ink", self.ink, ("dark", "light"))
        if self.value_range is not None:
            low, high = self.value_range
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ArgumentError(
                    f"range is {low:g} to {high:g}; give the values of black and white, such as "
                    "0:255."
                )


@dataclass(frozen=True)
class Meaning:
    """What the numbers of a picture mean.

    Attributes:
        value_range: Its values of black and white.
        inverted: Whether its ink is the opposite of the generator's.
        notes: What was decided, in words.
        doubts: What is doubtful about it, in words.
    """

    value_range: Range
    inverted: bool = False
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    def apply(self, values: Pixels) -> Pixels:
        """Values as 0 to 1, with the generator's ink."""
        low, high = self.value_range
        unit = values if self.value_range == UNIT else (values - low) / (high - low)
        return 1 - unit if self.inverted else unit


def find_range(
    values: NDArray[np.generic],
    votes: Votes,
    options: ReadOptions,
    *,
    declared: Range | None = None,
    name: str = "the picture",
) -> Meaning:
    """The values of black and white of one picture.

    Args:
        values: As stored. [C, H, W]
        votes: The pixels that are observed. [C, H, W]
        options: May hold the range.
        declared: The range that the format declares.
        name: What to call the picture in messages.

    Raises:
        FileError: If the range is doubtful, or values lie far outside.
    """
    seen = np.sort(values[votes].astype(np.float64))
    cut = min(OUTLIERS, len(seen) // 50)
    low, high = float(seen[cut]), float(seen[len(seen) - 1 - cut])
    noise = estimate_noise(np.where(votes, values.astype(np.float64), np.nan))
    doubts: tuple[str, ...] = ()
    if options.value_range is not None:
        chosen = options.value_range
    elif declared is not None or values.dtype == np.uint8:
        chosen = declared or BYTES
        if chosen == BYTES and float(seen[-1]) <= 1 and float(seen[0]) >= 0:
            chosen = UNIT
    elif values.dtype == np.bool_:
        chosen = UNIT
    else:
        chosen = _guess(low, high, noise, integers=values.dtype.kind in "iu", name=name)
    used = max(abs(low - chosen[0]), abs(high - chosen[0])) / (chosen[1] - chosen[0])
    if options.value_range is None and low < high and used < LOW_USE:
        doubts = (_low_use(name, high, chosen),)
    _check_far(values, votes, chosen, noise, name)
    scaled = "" if chosen == UNIT else ", scaled to 0 to 1"
    return Meaning(chosen, notes=(f"{chosen[0]:g} to {chosen[1]:g}{scaled}",), doubts=doubts)


def find_ink(
    image: Pixels, votes: Votes, kind: PictureKind, options: ReadOptions, name: str = "the picture"
) -> Meaning:
    """Whether the ink of a picture is the opposite of the generator's.

    Args:
        image: Grey values of 0 to 1. [H, W]
        votes: The pixels that are observed. [H, W]
        kind: What the generator's images are.
        options: May hold the ink.
        name: What to call the picture in messages.

    Returns:
        The meaning of values of 0 to 1.
    """
    if kind.paper is None:
        if options.ink is None:
            return Meaning(UNIT)
        # A user who says that a photograph is a negative gets its positive.
        inverted = options.ink == "light"
        return Meaning(UNIT, inverted, ("inverted, as --ink says",) if inverted else ())
    ink, unsure = options.ink, False
    if ink is None:
        ink, unsure = _detect_ink(image, votes)
    own: Ink = "dark" if kind.paper == 1 else "light"
    doubts: tuple[str, ...] = ()
    if unsure:
        ink = own
        doubts = (f"the ink of {name} may be dark or light; say --ink dark or --ink light",)
    paper = "light" if ink == "dark" else "dark"
    what = "kept" if ink == own else "inverted"
    return Meaning(UNIT, ink != own, (f"{ink} ink on {paper} paper, {what}",), doubts)


def check_ink(image: Pixels, votes: Votes, name: str) -> None:
    """Require something on the paper, whatever its level. [H, W]

    Raises:
        FileError: If the picture is blank.
    """
    edge = border_votes(votes)
    paper = np.median(image[edge if edge.any() else votes])
    ink = np.sort(np.abs(image - paper)[votes])
    if ink[max(0, len(ink) - 1 - min(OUTLIERS, len(ink) // 50))] < MIN_INK:
        raise FileError(f"{name} shows nothing but paper; give a picture with ink on it.")


def border_votes(votes: Votes) -> Votes:
    """The observed pixels of the border. [H, W]"""
    inner = np.zeros_like(votes)
    inner[1:-1, 1:-1] = True
    return votes & ~inner


def _detect_ink(image: Pixels, votes: Votes) -> tuple[Ink, bool]:
    """The ink, and whether that is unsure: paper is what most of the border shows.

    In large pictures the light may be uneven; paper is then what most of the surroundings show.
    """
    edge = border_votes(votes)
    paper = float(np.median(image[edge if edge.sum() >= 8 else votes]))
    level = fit_trend(image, votes) if min(image.shape) >= LARGE else np.full(image.shape, paper)
    low, high = np.quantile((image - level)[votes], [0.01, 0.99])
    darker, lighter = -float(low), float(high)
    if max(darker, lighter) > CONTRAST:
        if darker > CLEAR * lighter:
            return "dark", False
        if lighter > CLEAR * darker:
            return "light", False
    return ("dark" if paper >= 0.5 else "light"), abs(paper - 0.5) < UNCLEAR


def _guess(low: float, high: float, noise: float, *, integers: bool, name: str) -> Range:
    """The known range that values fit."""
    reach = SIGMAS * noise
    slack = SLACK + reach
    if low >= -slack and high <= 1 + slack:
        return UNIT
    if low <= NEGATIVE and low >= -1 - slack and high <= 1 + slack:
        return SIGNED
    if integers and (low, high) >= (-128, -128) and low < 0 and high <= 127:
        return (-128.0, 127.0)
    for top in TOPS:
        fits = USE[0] * top <= high <= USE[1] * top + reach
        if fits and low >= -SLACK * top - reach:
            return (0.0, top)
    raise FileError(
        f"{name} holds values from {low:g} to {high:g}, which is no known range; give the values "
        f"of black and white, such as --range={min(low, 0):.3g}:{high:.3g}."
    )


def _low_use(name: str, high: float, chosen: Range) -> str:
    top = next((top for top in (1.0, 16.0, *TOPS) if USE[0] * top <= high <= top), math.ceil(high))
    share = (high - chosen[0]) / (chosen[1] - chosen[0])
    return (
        f"{name} uses {share:.0%} of the range {chosen[0]:g} to {chosen[1]:g}, so it is nearly "
        f"black; if its white is {top:g}, say --range 0:{top:g}"
    )


def _check_far(
    values: NDArray[np.generic], votes: Votes, chosen: Range, noise: float, name: str
) -> None:
    """Require that no observed value lies far outside black and white."""
    low, high = chosen
    reach = FAR * (high - low) + 1.5 * SIGMAS * noise
    numbers = values.astype(np.float64)
    far = votes & ((numbers < low - reach) | (numbers > high + reach))
    if far.any():
        *_, row, column = (int(axis[0]) for axis in far.nonzero())
        worst = numbers[far][np.abs(numbers[far]).argmax()]
        raise FileError(
            f"{name} holds {worst:.6g} (row {row}, column {column}), far outside its range of "
            f"{low:g} to {high:g}; mark such pixels as lost, or give the range by --range."
        )
