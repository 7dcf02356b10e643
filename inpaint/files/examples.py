"""Bundled example images: digits drawn as pen strokes, so that no file is needed.

They are drawings, not handwriting, so the undamaged image is known exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from inpaint.errors import ArgumentError
from inpaint.files.digits import Eight, draw_digit
from inpaint.files.strokes import Line, render_strokes
from inpaint.types import ImageSet

NOISE = 0.1
"""Standard deviation of the noise in the bundled images, close to that in the published ones."""

_Drawings = list[NDArray[np.float64]]


def _four_eights(rng: np.random.Generator) -> _Drawings:
    return [Eight.random(rng).draw() for _ in range(4)]


def _ten_digits(rng: np.random.Generator) -> _Drawings:
    return [draw_digit(digit, rng) for digit in range(10)]


_SETS: dict[str, tuple[int, Callable[[np.random.Generator], _Drawings]]] = {
    "eights": (18, _four_eights),
    "digits": (4, _ten_digits),
}
"""A seed, and what it draws, by the names of the sets."""


def bundled_names() -> tuple[str, ...]:
    """The names that `load_bundled` knows."""
    return tuple(_SETS)


def load_bundled(name: str = "eights") -> ImageSet:
    """Load a bundled set of images, the same on every call.

    Args:
        name: One of `bundled_names`: "eights" has four of them, "digits" one of each, 0 to 9.

    Returns:
        The images with noise, and without it as `ideal`; 1 = paper. [B, 1, 28, 28]

    Raises:
        ArgumentError: If there is no such set.
    """
    if name not in _SETS:
        raise ArgumentError(f"There is no bundled set {name!r}; choose one of {', '.join(_SETS)}.")
    seed, draw = _SETS[name]
    rng = np.random.Generator(np.random.Philox(seed))
    drawings = np.stack(draw(rng))[:, None]
    noise = NOISE * rng.standard_normal(drawings.shape)
    return ImageSet(
        images=torch.from_numpy(drawings + noise),
        ideal=torch.from_numpy(drawings),
        source=f'bundled "{name}": pen-stroke drawings, not handwriting',
        notes=(f"Gaussian noise of standard deviation {NOISE} was added with a fixed seed",),
    )


def hand_drawn(strokes: Sequence[Line]) -> ImageSet:
    """Turn a drawing by hand into an image to restore; see `render_strokes`."""
    image = torch.from_numpy(render_strokes(strokes))[None, None]
    return ImageSet(
        images=image,
        ideal=image,
        source="drawn by hand",
        notes=("placed like a digit of MNIST, without noise",),
    )
