"""Pictures of another size, fitted to a generator's: ink by its mass, photographs by cropping.

Lost pixels have no say: they are left out of the ink and of the paper's level, and what they cover
in the fitted image is lost there too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from inpaint.errors import FileError
from inpaint.files.normalize import MIN_INK, border_votes
from inpaint.files.paper import GRAIN, Pixels, Votes, paper_level
from inpaint.types import ImageShape

INK_BOX = 20 / 28
"""Share of the image's side that a digit of MNIST fills: 20x20 pixels of 28x28."""
INK_LEVEL = 0.1
"""A pixel belongs to the drawing if its ink is above this share of the darkest ink."""
SPECK = 0.02
"""Ink that is apart from the rest and has less than this share of it is dirt."""

CLEAN = 0.02
"""Paper that differs less than this from its level, everywhere, is left as it is."""
FAINT = 0.5
"""Ink on cleaned paper that is fainter than this is made as dark as a pen's."""
RULE = 0.6
"""A straight line over this share of the width at once, from edge to edge, is ruled."""
THIN = 0.06
"""Most of the height that a ruled line takes."""
EDGE = 0.03
"""A ruled line begins and ends this close to the edges, as a share of the width."""


@dataclass(frozen=True)
class Fitted:
    """A picture fitted to the shape of the generator's images.

    Attributes:
        image: Values of 0 to 1. [C, H, W]
        observed: What is observed of it; None if all is. [H, W]
        crop: What was taken of the picture: top, left, height and width in its pixels.
        note: What was done, in words.
    """

    image: Pixels
    observed: NDArray[np.bool_] | None
    crop: tuple[float, float, float, float]
    note: str


def crop_and_scale(image: Pixels, shape: ImageShape, votes: Votes | None) -> Fitted:
    """Fit a photograph [C, H, W]: its largest middle part of the right proportions, scaled.

    Args:
        image: Values of 0 to 1.
        shape: Shape of the generator's images. (C, H, W)
        votes: Which of its pixels are observed; None if all are. [H, W]
    """
    _, height, width = shape
    scale = min(image.shape[1] / height, image.shape[2] / width)
    tall, wide = (max(1, round(scale * side)) for side in (height, width))
    top, left = (image.shape[1] - tall) // 2, (image.shape[2] - wide) // 2
    part = (slice(top, top + tall), slice(left, left + wide))
    if votes is None:
        fitted = np.stack([_resize(channel[part], height, width) for channel in image])
        observed = None
    else:
        seen = votes[part].astype(np.float64)
        weight = _resize(seen, height, width)
        planes = [_resize(channel[part] * seen, height, width) for channel in image]
        fitted = np.stack(planes) / np.maximum(weight, 1e-9)
        observed = weight > 1 - 1e-6
    note = f"cropped to its middle and scaled to {height}x{width} pixels"
    return Fitted(fitted.clip(0, 1), observed, (top, left, tall, wide), note)


def centre_by_mass(
    grey: Pixels, paper: float, shape: ImageShape, votes: Votes | None, name: str
) -> Fitted:
    """Fit ink on paper [H, W] as MNIST's digits were: scaled to a box, centred by its mass.

    Shaded paper, grain and ruled lines are removed first, where there are any.

    Args:
        grey: Values of 0 to 1.
        paper: Level of the paper, 1 or 0.
        shape: Shape of the generator's images. (1, H, W)
        votes: Which of its pixels are observed; None if all are. [H, W]
        name: What to call the picture in messages.

    Raises:
        FileError: If it shows nothing but paper.
    """
    _, height, width = shape
    ink, cleaned = _extract_ink(np.abs(grey - paper), votes)
    darkest = float(ink.max())
    if darkest < MIN_INK:
        raise FileError(f"{name} shows nothing but paper; give a picture with ink on it.")
    drawn = ink > INK_LEVEL * darkest
    if cleaned:
        drawn = _without_specks(ink, drawn)
    rows, columns = (np.flatnonzero(drawn.any(axis)) for axis in (1, 0))
    top, left = int(rows[0]), int(columns[0])
    drawing = ink[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
    box = round(INK_BOX * min(height, width))
    scale = box / max(drawing.shape)
    small = _resize(drawing, *(max(1, round(scale * side)) for side in drawing.shape))
    total = float(small.sum())
    canvas = np.zeros((height, width))
    starts = []
    for axis, side in enumerate((height, width)):
        places = np.arange(small.shape[axis]) + 0.5
        centre = float((small.sum(1 - axis) * places).sum()) / total
        # Measured: on both axes the centre of mass of MNIST's digits lies in [14, 15) of 28.
        start = math.ceil(side / 2 - centre)
        starts.append(min(max(start, 0), side - small.shape[axis]))
    canvas[starts[0] : starts[0] + small.shape[0], starts[1] : starts[1] + small.shape[1]] = small
    # The part of the picture that the whole image shows.
    crop = (top - starts[0] / scale, left - starts[1] / scale, height / scale, width / scale)
    observed = None if votes is None else _window(votes, crop, (height, width))
    note = (
        f"cropped to its ink, scaled to {box}x{box} pixels and centred by its mass in "
        f"{height}x{width}, as MNIST was"
    )
    return Fitted(np.abs(paper - canvas)[None], observed, crop, f"{cleaned}{note}")


def _extract_ink(ink: Pixels, votes: Votes | None) -> tuple[Pixels, str]:
    """Ink of 0 to 1 on clean paper, and what was removed, in words. [H, W]"""
    seen = np.ones(ink.shape, dtype=bool) if votes is None else votes
    ink = np.where(seen, ink, 0.0)
    edge = ink[border_votes(seen)]
    # Most of the border is paper.
    if len(edge) == 0 or float(np.quantile(edge, 0.75)) < CLEAN:
        return ink, ""
    level = paper_level(1 - ink, seen)
    # Paper reflects a share of the light that falls on it, and ink a smaller one.
    ink = np.where(seen, 1 - (1 - ink) / np.maximum(level, 1e-3), 0.0)
    grain = 1.4826 * float(np.median(np.abs(ink[seen])))
    ink = np.where(ink < GRAIN * grain, 0.0, ink).clip(0, 1)
    ruled = _ruled(ink)
    ink = np.where(ruled, 0.0, ink)
    darkest = float(np.quantile(ink[ink > 0], 0.99)) if (ink > 0).any() else 0.0
    if MIN_INK <= darkest < FAINT:
        ink = (ink / darkest).clip(0, 1)
    removed = "the paper's shade" + (" and its ruled lines" if ruled.any() else "")
    return ink, f"{removed} removed, "


def _ruled(ink: Pixels) -> NDArray[np.bool_]:
    """Straight lines of ink from edge to edge, except where strokes cross them. [H, W]"""
    return _ruled_across(ink > 0) | _ruled_across((ink > 0).T).T


def _ruled_across(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The ruled lines from left to right. [H, W]"""
    height, width = marked.shape
    found = np.zeros_like(marked)
    # A line that leans by a pixel here and there is still one.
    thick = ndimage.maximum_filter1d(marked, 3, axis=0)
    length = math.ceil(RULE * width)
    lines = ndimage.maximum_filter1d(
        ndimage.minimum_filter1d(thick, length, axis=1, mode="constant"), length, axis=1
    )
    parts, _ = ndimage.label(lines, np.ones((3, 3)))
    for rows, columns in ndimage.find_objects(parts):
        thin = rows.stop - rows.start <= THIN * height
        if thin and columns.start <= EDGE * width and columns.stop >= (1 - EDGE) * width:
            found[rows, columns] |= lines[rows, columns]
    found &= marked
    strokes = marked & ~found
    across = ndimage.binary_closing(strokes, np.ones((math.ceil(THIN * height) + 2, 1)))
    return found & ~across


def _without_specks(ink: Pixels, drawn: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The pixels of a drawing, without small marks that are apart from it. [H, W]"""
    parts, count = ndimage.label(drawn, np.ones((3, 3)))
    mass = ndimage.sum_labels(ink, parts, np.arange(1, count + 1))
    kept = np.flatnonzero(mass >= SPECK * mass.sum()) + 1
    return np.isin(parts, kept)


def _window(
    votes: Votes, crop: tuple[float, float, float, float], size: tuple[int, int]
) -> NDArray[np.bool_]:
    """Which pixels of a fitted image are observed: those that cover only observed ones. [H, W]"""
    top, left, tall, wide = crop
    pad = math.ceil(max(0, -top, -left, top + tall - votes.shape[0], left + wide - votes.shape[1]))
    padded = Image.fromarray(np.pad(votes, pad).astype(np.float32))
    box = (left + pad, top + pad, left + wide + pad, top + tall + pad)
    scaled = padded.resize(size[::-1], Image.Resampling.BOX, box=box)
    return np.asarray(scaled) > 1 - 1e-3


def _resize(picture: Pixels, height: int, width: int) -> Pixels:
    """Scale an image: down by averages over areas, up by interpolation. [H, W]"""
    source = Image.fromarray(picture.astype(np.float32))
    kind = Image.Resampling.BOX if picture.shape[0] >= height else Image.Resampling.BILINEAR
    return np.asarray(source.resize((width, height), kind), dtype=np.float64).clip(0, 1)
