"""Written images are read back; state dicts and MATLAB 7.3 files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from inpaint import ImageSet, read_generator, read_images, write_images
from inpaint.errors import ArgumentError, FileError
from inpaint.files.matrices import read_operator
from inpaint.files.state_dict import read_state_dict
from tests.helpers import missing, random_generator

IMAGES = torch.ones(3, 1, 9, 9, dtype=torch.float64)
IMAGES[:, 0, 2:7, 3:5] = torch.linspace(0, 0.4, 30, dtype=torch.float64).reshape(3, 5, 2)
SET = ImageSet(IMAGES, ideal=IMAGES.round())


@pytest.mark.parametrize("name", ["a.mat", "a.npz", "a.npy", "a-ubyte", "a-ubyte.gz", "a.png", "a"])
def test_what_is_written_is_read_back(name: str, tmp_path: Path) -> None:
    written = SET[:1] if name == "a.png" else SET
    read = read_images(write_images(written, tmp_path / name))
    exact = name in ("a.mat", "a.npz", "a.npy")
    torch.testing.assert_close(read.images, written.images, rtol=0, atol=1e-12 if exact else 0.002)
    if name in ("a.mat", "a.npz"):
        assert read.ideal is not None
        torch.testing.assert_close(read.ideal, written.ideal)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("a.mat", (1, 1, 3, 4), "square images"),
        ("a-ubyte", (1, 3, 4, 4), "one channel"),
        ("a.png", (2, 1, 4, 4), "one image"),
        ("a.gif", (1, 1, 4, 4), "no ending"),
    ],
)
def test_what_a_file_cannot_hold_is_refused(
    name: str, shape: tuple[int, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ArgumentError, match=message):
        write_images(ImageSet(torch.ones(shape)), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be written"):
        write_images(SET, tmp_path / "absent" / "a.npz")


def save_73(path: Path, **arrays: np.ndarray) -> None:
    """Write a file as MATLAB 7.3 does: a header of 512 bytes, then HDF5, arrays transposed."""
    try:
        import h5py
    except ImportError:
        missing("h5py is not installed.")
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            file[name] = array.T
        file.create_group("a struct")
    with path.open("r+b") as header:
        header.write(b"MATLAB 7.3 MAT-file")


def test_files_of_matlab_73_read_like_older_ones(tmp_path: Path) -> None:
    columns = SET.images[:, 0].mT.flatten(1).T.numpy()
    generator = random_generator((3, 5, 81), image_shape=(1, 9, 9))
    layers = {
        f"{letter}_{k + 1}": array.reshape(len(array), -1).numpy()
        for k, layer in enumerate(generator.layers)
        for letter, array in (("A", layer.weight), ("B", layer.bias))
    }
    for name, arrays in {
        "images.mat": {"X_n": columns},
        "layers.mat": layers,
        "t.mat": {"T": np.ones((2, 81))},
    }.items():
        save_73(tmp_path / name, **arrays)
    torch.testing.assert_close(read_images(tmp_path / "images.mat").images, SET.images)
    assert read_generator(tmp_path / "layers.mat").latent_size == 3
    assert read_operator(str(tmp_path / "t.mat"), (1, 9, 9)).value_shape == (1, 1, 2)
    with pytest.raises(FileError, match="no X_n.*found: T"):
        read_images(tmp_path / "t.mat")
    content = (tmp_path / "images.mat").read_bytes()
    (tmp_path / "images.mat").write_bytes(content[:1000])
    with pytest.raises(FileError, match="truncated"):
        read_images(tmp_path / "images.mat")


def dense(**changes: torch.Tensor) -> dict[str, torch.Tensor]:
    """Layers 2 and 10 of a state dict, which must not be sorted as strings."""
    stream = torch.Generator().manual_seed(0)
    tensors = {
        "net.10.weight": torch.randn(4, 5, generator=stream),
        "net.10.bias": torch.randn(4, generator=stream),
        "net.2.weight": torch.randn(5, 3, generator=stream),
    }
    return tensors | changes


def test_a_state_dict_becomes_a_generator(tmp_path: Path) -> None:
    save_file(dense(), tmp_path / "g.safetensors")
    generator = read_state_dict(tmp_path / "g.safetensors", hidden="tanh", output="none")
    z = torch.randn(6, 3)
    expected = (z @ dense()["net.2.weight"].T).tanh() @ dense()["net.10.weight"].T
    torch.testing.assert_close(generator.pixels(z), expected + dense()["net.10.bias"])
    assert generator.image_shape == (1, 2, 2)


BAD_STATES = {
    "convolution": (dense(**{"net.12.weight": torch.ones(4, 1, 3, 3)}), "from_module"),
    "normalisation": (dense(**{"net.3.running_mean": torch.ones(5)}), "running_mean.*from_module"),
    "scale": (dense(**{"net.3.weight": torch.ones(5)}), r"a weight \[5\]"),
    "bias alone": (dense(**{"net.3.bias": torch.ones(5)}), "no weight"),
    "whole numbers": (dense(**{"net.2.weight": torch.ones(5, 3).long()}), "floating-point"),
    "widths": (dense(**{"net.2.weight": torch.ones(6, 3)}), "6 outputs.*5 inputs"),
    "NaN": (dense(**{"net.10.bias": torch.full((4,), torch.nan)}), "NaN or infinity"),
    "not square": (
        dense(**{"net.10.weight": torch.ones(6, 5), "net.10.bias": torch.ones(6)}),
        "6 values",
    ),
}


@pytest.mark.parametrize("name", BAD_STATES)
def test_a_state_dict_of_something_else_gets_one_sentence(name: str, tmp_path: Path) -> None:
    tensors, message = BAD_STATES[name]
    save_file(tensors, tmp_path / "g.safetensors")
    with pytest.raises(FileError, match=message) as error:
        read_state_dict(tmp_path / "g.safetensors")
    assert "\n" not in str(error.value)
