"""How pictures were read: what is taken of each, and what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from inpaint.files.interpret import ReadPicture

AMBER = (245, 158, 11)
"""Colour of lost pixels and of the frame around what is taken."""
LARGEST = 320
"""Longest side of a picture shown, in pixels."""
MAX_ROWS = 12
CELL, GAP, HEAD = 2.2, 0.3, 0.5
"""Lengths in inches."""

Picture = NDArray[np.uint8]


def show_crop(read: ReadPicture) -> Picture:
    """The picture as stored, lost pixels in amber, with a frame around what is taken. [H, W, 3]"""
    picture = _coloured(read.stored)
    if read.fitted is None:
        return picture
    height, width = picture.shape[:2]
    # The picture may have been made smaller to be shown.
    top, left, tall, wide = (place * height / read.stored.shape[1] for place in read.fitted.crop)
    line = max(1, round(max(height, width) / 120))
    edges = (top, top + tall), (left, left + wide)
    (first, last), (begin, end) = (
        [int(np.clip(round(place), 0, size)) for place in pair]
        for pair, size in zip(edges, (height, width), strict=True)
    )
    frame = np.zeros((height, width), dtype=bool)
    frame[first:last, begin:end] = True
    frame[first + line : last - line, begin + line : end - line] = False
    picture[frame] = AMBER
    return picture


def show_result(read: ReadPicture) -> Picture:
    """The generator's image that a picture became, lost pixels in amber. [H, W, 3]"""
    image = read.image.copy()
    if read.observed is not None:
        image[:, ~read.observed] = np.nan
    return _coloured(image)


def plot_reading(pictures: Sequence[ReadPicture], title: str) -> Figure:
    """A row per picture: as it is stored, and as it is restored."""
    rows = pictures[:MAX_ROWS]
    height = HEAD + len(rows) * (CELL + GAP)
    figure = Figure(figsize=(2 * (CELL + GAP) + 2.6, height), dpi=100)
    more = f" (the first {len(rows)} of {len(pictures)})" if len(pictures) > len(rows) else ""
    width = figure.get_figwidth()
    figure.text(0.2 / width, 1 - 0.2 / height, f"{title}{more}", va="top", size=11, weight="bold")
    for row, read in enumerate(rows):
        bottom = 1 - (HEAD + (row + 1) * (CELL + GAP) - GAP) / height
        for column, picture in enumerate((show_crop(read), show_result(read))):
            left = (0.2 + column * (CELL + GAP)) / width
            axes = figure.add_axes((left, bottom, CELL / width, CELL / height))
            axes.imshow(picture, interpolation="nearest")
            axes.set_axis_off()
        notes = "\n".join([read.name, *read.notes, *(f"? {doubt}" for doubt in read.doubts)])
        figure.text(
            (0.2 + 2 * (CELL + GAP)) / width,
            bottom + CELL / height,
            notes,
            va="top",
            size=8,
            wrap=True,
        )
    return figure


def _coloured(image: NDArray[np.float64]) -> Picture:
    """Values of 0 to 1 as colours, NaN in amber. [C, H, W] -> [H, W, 3]"""
    step = max(1, -(-max(image.shape[1:]) // LARGEST))
    small = image[:, ::step, ::step]
    lost = np.isnan(small).any(0)
    levels = np.rint(255 * np.nan_to_num(small).clip(0, 1)).astype(np.uint8)
    picture = np.repeat(levels, 3, axis=0) if len(levels) == 1 else levels
    picture = np.ascontiguousarray(picture.transpose(1, 2, 0))
    picture[lost] = AMBER
    return picture
