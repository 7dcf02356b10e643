"""A drawing, files of it, and what the command line makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from click.testing import Result
from numpy.typing import NDArray
from PIL import Image

import inpaint as package
from inpaint import Dense, Generator
from inpaint.files.job import RestoreJob
from inpaint.files.problem import Problem, load
from tests.helpers import inpaint

SIDE = 28
RIGHT = ("--mask", "right", "--restarts", "4", "--preset", "fast")
EIGHT = package.read_images("eights").ideal[0].numpy()
"""A drawing of values 0 to 1, with dark ink. [1, 28, 28]"""
LEVELS = np.rint(255 * EIGHT[0]).astype(np.uint8)
EXACT = {"rtol": 0, "atol": 1e-12}


def restore(tmp_path: Path, source: Any, *words: object) -> Result:
    return inpaint("restore", source, *RIGHT, *words, "--output", tmp_path / "out")


def read(source: Path, **options: Any) -> Problem:
    """What the command line makes of a source."""
    return load(RestoreJob(**{"mask": "right", "source": str(source), **options}))


def save(path: Path, array: NDArray[Any]) -> Path:
    """An array as .npy or as a picture."""
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        Image.fromarray(array).save(path)
    return path


def colour_generator(folder: Path, side: int = 12) -> Path:
    """A generator of smooth colours, with whatever border."""
    stream = torch.Generator().manual_seed(3)
    weight = torch.randn(3 * side * side, 4, generator=stream)
    layer = Dense(weight, torch.randn(3 * side * side, generator=stream), "sigmoid")
    generator = Generator((layer,), (3, side, side), name="colours")
    return package.write_generator(generator, folder / "colours.safetensors")
