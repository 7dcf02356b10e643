"""The level of the paper under a drawing: light falls on it unevenly, and ink hides parts of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Pixels = NDArray[np.float64]
Votes = NDArray[np.bool_]

TILES = 8
"""The paper's level is estimated in this many tiles along the longer side."""
DEGREE, ROUNDS, FITTED = 4, 8, 20_000
"""The paper's light is first fitted by a polynomial, in rounds, to about as many pixels."""
ENOUGH = 0.25
"""Least share of a neighbourhood that must be paper to show its level; else the next one does."""
DARKER = 0.9
"""Pixels below this share of the paper's light are ink, for the estimate of the paper's level."""
GRAIN = 3.0
"""Ink below this many standard deviations of the paper's grain is grain."""
DARKEST = 1e-3
"""Light below this is taken for it, since logarithms need some."""


def paper_level(light: Pixels, seen: Votes) -> Pixels:
    """The light that the paper reflects at each pixel, a smooth surface. [H, W]"""
    trend = np.exp(fit_trend(np.log(np.maximum(light, DARKEST)), seen))
    ratio = light / trend
    ink = ndimage.binary_dilation(ratio < DARKER, iterations=2)
    return trend * _surface(ratio, seen & ~ink)


def fit_trend(values: Pixels, seen: Votes) -> Pixels:
    """A polynomial through the values of the paper, from which ink is left out step by step.

    Args:
        values: Of which most are paper. [H, W]
        seen: The pixels that count. [H, W]
    """
    height, width = values.shape
    down, across = np.linspace(-1, 1, height), np.linspace(-1, 1, width)
    powers = [(i, j) for i in range(DEGREE + 1) for j in range(DEGREE + 1 - i)]
    rows, columns = np.nonzero(seen)
    step = max(1, len(rows) // FITTED)
    rows, columns = rows[::step], columns[::step]
    terms = np.stack([down[rows] ** i * across[columns] ** j for i, j in powers], axis=1)
    levels, kept = values[rows, columns], np.ones(len(rows), dtype=bool)
    factors: NDArray[Any] = np.zeros(len(powers))
    for _ in range(ROUNDS):
        factors = np.linalg.lstsq(terms[kept], levels[kept], rcond=None)[0]
        apart = levels - terms @ factors
        grain = 1.4826 * float(np.median(np.abs(apart[kept])))
        kept = np.abs(apart) < max(GRAIN * grain, 1 - DARKER)
        if kept.mean() < ENOUGH:
            break
    found: Pixels = np.zeros(values.shape)
    for factor, (i, j) in zip(factors, powers, strict=True):
        found += factor * np.outer(down**i, across**j)
    # Where the polynomial runs away from all values it says nothing.
    return found.clip(levels.min(), levels.max())


def _surface(light: Pixels, seen: Votes) -> Pixels:
    """The median of the light around each pixel, smooth. [H, W]"""
    height, width = light.shape
    tile = max(1, math.ceil(max(height, width) / TILES))
    levels = np.full((math.ceil(height / tile), math.ceil(width / tile)), np.nan)
    for row, column in np.ndindex(*levels.shape):
        # A neighbourhood of three by three tiles, so that a broad stroke does not fill it.
        part = (
            slice(max(0, (row - 1) * tile), (row + 2) * tile),
            slice(max(0, (column - 1) * tile), (column + 2) * tile),
        )
        if seen[part].mean() > ENOUGH:
            levels[row, column] = np.median(light[part][seen[part]])
    missing = np.isnan(levels)
    if missing.all():
        return np.ones(light.shape)
    if missing.any():
        nearest = ndimage.distance_transform_edt(
            missing, return_distances=False, return_indices=True
        )
        levels = levels[tuple(nearest)]
    places = np.meshgrid(
        (np.arange(height) + 0.5) / tile - 0.5, (np.arange(width) + 0.5) / tile - 0.5, indexing="ij"
    )
    smooth: Pixels = ndimage.map_coordinates(levels, places, order=1, mode="nearest")
    return smooth
