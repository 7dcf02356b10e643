"""Fixtures that many tests share: the real data, a small generator, the backends."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from torch import Tensor

from inpaint import Dense, Generator, ImageSet, read_generator, read_images
from inpaint.files.examples import PenStroke, draw

# Machines are shared and slow at times: no deadline, and the same examples in every run.
settings.register_profile("steady", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("steady")

# Torch splits every small operation over its threads, which collapses on a loaded machine.
torch.set_num_threads(1)

IN_CI = bool(os.environ.get("CI"))


def missing(reason: str) -> None:
    """Skip on a user's machine; in CI what is missing is a failure."""
    if IN_CI:
        pytest.fail(f"{reason} In CI that is a failure, not a skip.")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of the real data, from INPAINT_DATA_DIR."""
    folder = os.environ.get("INPAINT_DATA_DIR")
    if not folder:
        missing("INPAINT_DATA_DIR is not set, so the real data is not at hand.")
    path = Path(folder)
    if not (path / "data21.mat").is_file():
        missing(f"INPAINT_DATA_DIR names {path}, which holds no data21.mat.")
    return path


@pytest.fixture(scope="session")
def eights(data_dir: Path) -> ImageSet:
    """The four eights of the published problem."""
    return read_images(data_dir / "data22.mat")


@pytest.fixture(scope="session")
def published(data_dir: Path) -> Generator:
    """The published generator, 10-128-784."""
    return read_generator(data_dir / "data21.mat")


def random_generator(
    sizes: tuple[int, ...] = (3, 16, 20),
    activations: tuple[str, ...] = ("relu", "sigmoid"),
    image_shape: tuple[int, int, int] = (1, 4, 5),
    *,
    seed: int = 0,
) -> Generator:
    """A small generator with random weights, in float64."""
    stream = torch.Generator().manual_seed(seed)
    layers = tuple(
        Dense(
            torch.randn(after, before, generator=stream, dtype=torch.float64),
            torch.randn(after, generator=stream, dtype=torch.float64),
            activation,
        )
        for before, after, activation in zip(sizes, sizes[1:], activations, strict=False)
    )
    return Generator(layers, image_shape, name="random")


@pytest.fixture
def small_generator() -> Generator:
    """3 latent numbers to pictures of 4x5 pixels."""
    return random_generator()


def pen_strokes(count: int) -> Tensor:
    """Drawn eights, always the same. [count, 1, 28, 28]"""
    rng = np.random.default_rng(0)
    drawings = [draw(PenStroke.random(rng)) for _ in range(count)]
    return torch.from_numpy(np.stack(drawings))[:, None].float()


@pytest.fixture(scope="session")
def drawings() -> Tensor:
    """36 drawn eights, with the grey levels that an IDX file holds. [36, 1, 28, 28]"""
    return (255 * pen_strokes(36)).round() / 255
