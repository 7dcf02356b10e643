"""Generators in safetensors files: written, read back, and refused with a reason when damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from inpaint.config import RestoreConfig
from inpaint.errors import ArgumentError, FileError
from inpaint.files.examples import load_bundled
from inpaint.files.safetensors import read_safetensors, write_safetensors
from inpaint.generators import Dense, Generator
from inpaint.generators.pretrained import load_pretrained, model_card, pretrained_names
from inpaint.operators import Mask
from inpaint.search.restore import restore
from inpaint.types import Measurement


def small_generator() -> Generator:
    torch.manual_seed(0)
    layers = (
        Dense(torch.randn(5, 3), torch.randn(5), "leaky_relu", negative_slope=0.2),
        Dense(torch.randn(12, 5, dtype=torch.float64), torch.randn(12).double(), "sigmoid"),
    )
    return Generator(layers, (1, 3, 4), name="small", card={"seed": "7", "data": "none"})


def test_a_generator_is_read_back_exactly(tmp_path: Path) -> None:
    written = small_generator()
    write_safetensors(written, tmp_path / "small.safetensors")
    read = read_safetensors(tmp_path / "small.safetensors")
    assert read.digest() == written.digest()
    assert (read.name, read.card, read.image_shape) == ("small", written.card, (1, 3, 4))
    assert [layer.negative_slope for layer in read.layers] == [0.2, 0.01]
    assert [layer.weight.dtype for layer in read.layers] == [torch.float32, torch.float64]
    assert [path.name for path in tmp_path.iterdir()] == ["small.safetensors"]


def metadata(**changes: object) -> dict[str, str]:
    """The metadata of `small_generator`, with some entries changed or, if None, left out."""
    entries = {
        "activations": ["leaky_relu", "sigmoid"],
        "negative_slopes": [0.2, 0.01],
        "image_shape": [1, 3, 4],
        "card": {},
        **changes,
    }
    return {key: json.dumps(value) for key, value in entries.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"activations": None}, "no 'activations'"),
        ({"activations": 3}, "must be a JSON list"),
        ({"activations": ["relu", "swish"]}, "activation is 'swish'"),
        ({"activations": ["relu"]}, "1 activations and 2"),
        ({"activations": ["relu"], "negative_slopes": [0.1]}, "not part of its 1 layers"),
        ({"activations": ["relu"] * 3, "negative_slopes": [0.1] * 3}, "lacks the tensors"),
        ({"image_shape": [3, 4]}, "three sizes"),
        ({"image_shape": [1, 3, -4]}, "three sizes"),
        ({"image_shape": [1, 28, 28]}, "784"),
        ({"negative_slopes": [[], "x"]}, "sound generator"),
    ],
)
def test_unsound_metadata_is_refused_in_words(
    tmp_path: Path, changes: dict[str, object], word: str
) -> None:
    path = tmp_path / "file.safetensors"
    write_safetensors(small_generator(), path)
    save_file(load_file(path), path, metadata(**changes))
    with pytest.raises(FileError, match=word):
        read_safetensors(path)


@pytest.mark.parametrize(
    ("name", "tensor", "word"),
    [
        ("layers.0.bias", torch.full((5,), torch.nan), "NaN"),
        ("layers.0.weight", torch.zeros(5, 3, 1), r"\[out, in\]"),
        ("layers.1.weight", torch.zeros(12, 6), "must be equal"),
        ("layers.0.weight", torch.zeros(5, 3, dtype=torch.int32), "floating-point"),
        ("layers.2.weight", torch.zeros(5, 3), "not part"),
    ],
)
def test_unsound_tensors_are_refused_in_words(
    tmp_path: Path, name: str, tensor: torch.Tensor, word: str
) -> None:
    path = tmp_path / "file.safetensors"
    write_safetensors(small_generator(), path)
    save_file({**load_file(path), name: tensor}, path, metadata())
    with pytest.raises(FileError, match=word):
        read_safetensors(path)


def test_files_that_are_no_safetensors_are_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "file.safetensors"
    write_safetensors(small_generator(), path)
    whole = path.read_bytes()
    for content in (b"", b"plain text, not weights", whole[:-1], whole[:40], b"\xff" * 64):
        path.write_bytes(content)
        with pytest.raises(FileError, match="not a sound safetensors file"):
            read_safetensors(path)
    with pytest.raises(FileError, match="cannot be read"):
        read_safetensors(tmp_path / "missing")
    with pytest.raises(FileError, match="cannot be read"):
        read_safetensors(tmp_path)


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    file.touch()
    for path in (folder, folder / "missing" / "a.safetensors", file / "a.safetensors"):
        with pytest.raises(FileError, match="cannot be written"):
            write_safetensors(small_generator(), path)
    assert sorted(tmp_path.rglob("*")) == [file, folder]


def test_every_shipped_generator_loads_and_has_a_card() -> None:
    assert "eights-10" in pretrained_names()
    for name in pretrained_names():
        generator = load_pretrained(name)
        assert generator.name == name
        assert generator.image_shape == (1, 28, 28)
        assert generator.layers[-1].activation == "sigmoid"
        for fact in ("inpaint train", "--seed", "Missing-part PSNR"):
            assert fact in model_card(name), f"{name}.md does not give {fact!r}"
    shapes = [tuple(layer.weight.shape) for layer in load_pretrained("eights-10").layers]
    assert shapes == [(128, 10), (784, 128)]


def test_an_unknown_shipped_generator_is_refused_in_words() -> None:
    for load in (load_pretrained, model_card):
        with pytest.raises(ArgumentError, match=r"no shipped generator 'nines'; .*eights-10"):
            load("nines")


def test_the_shipped_generator_restores_the_bundled_examples() -> None:
    """Half of each drawing is lost; the restorations are much closer than white paper."""
    examples = load_bundled()
    assert examples.ideal is not None
    mask = Mask.leading(392, (1, 28, 28))
    config = RestoreConfig(restarts=8, screen=200, steps=100, backend="torch")
    measurement = Measurement(mask.apply(examples.images), mask)
    output = restore(measurement, load_pretrained("eights-10"), config).images
    error = (output - examples.ideal).flatten(1).norm(dim=1)
    paper = (1 - examples.ideal).flatten(1).norm(dim=1)
    assert (error < 0.5 * paper).all()
