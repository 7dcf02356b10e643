"""Draw a dozen kinds of pictures as they are read: python docs/pictures/draw.py."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from inpaint import read_images
from inpaint.files.job import RestoreJob
from inpaint.files.problem import load
from inpaint.plots.columns import to_png
from inpaint.plots.reading import show_crop, show_result

IDEAL = read_images("eights").ideal
assert IDEAL is not None
EIGHT: NDArray[np.float64] = IDEAL[0, 0].numpy()
BYTES = np.rint(255 * EIGHT).astype(np.uint8)
COLUMNS = 3
HALF = ("--mask", "right")


def page(
    light: Callable[[NDArray[Any], NDArray[Any]], NDArray[Any]], *, ruled: bool = False
) -> Any:
    """The drawing on a page, photographed under a light."""
    height, width = 260, 340
    across, down = np.meshgrid(np.arange(width) / width, np.arange(height) / height)
    paper = light(across, down) * np.ones((height, width))
    if ruled:
        paper[25::50] *= 0.75
        paper[26::50] *= 0.75
    ink = np.zeros((height, width))
    ink[20:244, 60:284] = np.kron(1 - EIGHT, np.ones((8, 8)))
    grain = 0.012 * np.random.default_rng(0).standard_normal((height, width))
    return np.rint(255 * (paper * (1 - 0.7 * ink) + grain).clip(0, 1)).astype(np.uint8)


def half(value: float) -> NDArray[Any]:
    """The drawing with a mark in its lost half."""
    marked = EIGHT.copy()
    marked[:, 14:] = value
    return marked


def ink(colour: int) -> NDArray[Any]:
    """Ink of a colour on nothing. [28, 28, 4]"""
    return np.dstack([np.full((28, 28, 3), colour, np.uint8), 255 - BYTES])


def painted() -> NDArray[Any]:
    """The drawing with its lost half painted black."""
    black = BYTES.copy()
    black[:, 14:] = 0
    return black


KINDS: dict[str, tuple[str, NDArray[Any], dict[str, Any]]] = {
    "Scan of the generator's size": ("a.png", BYTES, {}),
    "Light ink on dark paper": ("a.png", 255 - BYTES, {}),
    "White ink, transparent paper": ("a.png", ink(255), {}),
    "Colours for a grey generator": ("a.png", np.dstack([BYTES, BYTES // 2 + 127, BYTES]), {}),
    "Values of -1 to 1": ("a.npy", 2 * EIGHT - 1, {}),
    "12 bits": ("a.npy", np.rint(4095 * EIGHT).astype(np.uint16), {}),
    "-1 marks lost pixels": ("a.npy", half(-1.0), {}),
    "Lost half painted black": ("a.png", painted(), {"damaged": True}),
    "Large scan": ("a.png", page(lambda x, y: np.ones_like(x)), {}),
    "Grey paper": ("a.png", page(lambda x, y: 0.55 + 0 * x), {}),
    "Uneven light": ("a.png", page(lambda x, y: 0.95 - 0.5 * x), {}),
    "Ruled paper": ("a.png", page(lambda x, y: 0.95 - 0.2 * y, ruled=True), {}),
}


def main() -> None:
    """Write the figure next to this file."""
    rows = -(-len(KINDS) // COLUMNS)
    figure = Figure(figsize=(12, 2.55 * rows), dpi=100, layout="constrained")
    grid = figure.subplots(rows, 2 * COLUMNS, width_ratios=[1, 1] * COLUMNS)
    with tempfile.TemporaryDirectory() as folder:
        for place, (title, (name, values, options)) in enumerate(KINDS.items()):
            path = Path(folder) / name
            if path.suffix == ".npy":
                np.save(path, values)
            else:
                Image.fromarray(values).save(path)
            (read,) = load(RestoreJob(source=str(path), mask="right", **options)).read
            left, right = grid[place // COLUMNS, 2 * (place % COLUMNS) :][:2]
            left.imshow(show_crop(read), interpolation="nearest")
            left.set_title(title, loc="left", fontsize=11, fontweight="bold")
            right.imshow(show_result(read), interpolation="nearest")
            notes = [note for note in read.notes if "ink on" in note or "scaled to 0" in note]
            right.set_xlabel("\n".join(notes), fontsize=8)
            for axes in (left, right):
                axes.set(xticks=[], yticks=[])
    Path(__file__).with_name("read.png").write_bytes(to_png(figure))


if __name__ == "__main__":
    main()
