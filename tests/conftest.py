"""Fixtures that many tests share: the real data, small generators, the instruction sets."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import settings
from torch import Tensor

from inpaint.files.reading import read_generator, read_images, write_generator
from inpaint.generators import Generator
from inpaint.search.backends import cpp
from inpaint.types import ImageSet
from tests.helpers import missing, pen_strokes, random_generator

# Machines are shared and slow at times: no deadline, and the same examples in every run.
settings.register_profile("steady", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("steady")

# Torch splits every small operation over its threads, which collapses on a loaded machine.
torch.set_num_threads(1)


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


@pytest.fixture
def small_generator() -> Generator:
    """3 latent numbers to images of 4x5 pixels."""
    return random_generator()


@pytest.fixture
def generator(tmp_path: Path) -> Path:
    """A generator of random weights for images of 28x28 pixels, in a file."""
    file = tmp_path / "generator.safetensors"
    return write_generator(random_generator((4, 8, 784), image_shape=(1, 28, 28)), file)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search's own clock, which goes on by 10 ms each time it is read."""
    ticks = itertools.count()
    fake = SimpleNamespace(perf_counter=lambda: next(ticks) / 100)
    for module in ("restore", "rounds"):
        monkeypatch.setattr(f"inpaint.search.{module}.time", fake)


@pytest.fixture(params=("portable", "avx2", "avx512"))
def capability(request: pytest.FixtureRequest) -> str:
    """Each instruction set that this processor has."""
    name: str = request.param
    if not cpp._extension().supports(name):
        pytest.skip(f"This processor has no {name}.")
    return name


@pytest.fixture(scope="session")
def drawings() -> Tensor:
    """36 drawn eights, with the grey levels that an IDX file holds. [36, 1, 28, 28]"""
    return (255 * pen_strokes(36)).round() / 255
