"""The command line's masks and operators."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import QUICK_WORDS as QUICK
from tests.helpers import inpaint, refused


@pytest.mark.parametrize("mask", ["strokes:2:5", "file"])
def test_a_mask_is_recorded_and_repeated(mask: str, generator: Path, tmp_path: Path) -> None:
    file = tmp_path / "mask.npy"
    np.save(file, np.tri(28))
    name = str(file) if mask == "file" else mask
    words = ("restore", "--generator", generator, "--mask", name, *QUICK)
    result = inpaint(*words, "--output", tmp_path / "first")
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "first" / "run.json").read_text())
    assert record["job"]["mask"] == name
    assert f"--mask {name}" in record["command"]
    assert "--keep" not in record["command"]
    assert ("mask" in record["sha256"]) == (mask == "file")
    again = ("restore", "--from-run", tmp_path / "first" / "run.json", "--output", tmp_path / "n")
    result = inpaint(*again)
    assert "equal to the recorded ones" in result.stdout, result.output
    if mask == "file":
        assert inpaint(*again, "--mask", file.rename(tmp_path / "moved.npy")).exit_code == 0
        np.save(file, np.tri(28).T)
        refused(inpaint(*again), "--mask", "has changed")
    else:
        refused(inpaint(*again, "--mask", file), "--mask", "--from-run")
    refused(inpaint(*words, "--keep", 300), "--keep and --mask")
    refused(inpaint("restore", "--mask", "circle:3"), "'circle:3'", "box:10")


def test_block_averages_of_the_real_file_are_restored(data_dir: Path, tmp_path: Path) -> None:
    words = ("restore", data_dir / "data23.mat", "--generator", data_dir / "data21.mat")
    result = inpaint(*words, "--operator", "block-average", "--restarts", 64, "--output", tmp_path)
    assert result.exit_code == 0, result.output
    record = json.loads((tmp_path / "run.json").read_text())
    costs = [image["cost"] for image in record["results"]["images"]]
    assert costs == pytest.approx([-228.01, -275.87, -247.32, -271.65], abs=0.02)
    assert [image["verdict"]["flag"] for image in record["results"]["images"]] == ["good"] * 4
    assert "cpp" in record["results"]["backend"]
    assert "49 averages of 4x4 pixels" in result.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "figure.png",
        "modes.png",
        "restoration.npz",
        "run.json",
    ]
    refused(inpaint(*words), "7x7 values", "--operator block-average")
    refused(inpaint(*words, "--operator", "block-average:7"), "(1, 7, 7)", "BlockAverage")


def test_the_matrix_of_a_file_is_an_operator(generator: Path, tmp_path: Path) -> None:
    file = tmp_path / "matrix.npy"
    np.save(file, np.random.default_rng(0).standard_normal((60, 784)))
    words = ("restore", "--generator", generator, "--operator", file, *QUICK)
    result = inpaint(*words, "--noise", 0.1, "--mask", "rows:2", "--output", tmp_path / "first")
    refused(result, "some rows", "only one")
    result = inpaint(*words, "--noise", 0.1, "--mask", "columns:3", "--output", tmp_path / "first")
    assert result.exit_code == 0, result.output
    assert "M = 60 values" in result.stdout
    record = json.loads((tmp_path / "first" / "run.json").read_text())
    assert record["job"]["operator"] == str(file)
    assert set(record["sha256"]) == {"source", "generator", "operator"}
    again = ("restore", "--from-run", tmp_path / "first" / "run.json", "--output", tmp_path / "n")
    assert "equal to the recorded ones" in inpaint(*again).stdout
    moved = file.rename(tmp_path / "moved.npy")
    refused(inpaint(*again), "was moved")
    assert inpaint(*again, "--operator", moved).exit_code == 0
    refused(inpaint(*words, "--keep", 3), "--keep and --operator")


def test_a_way_of_reading_is_recorded_and_repeated(generator: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).random((2, 28, 28)) * 2 - 1)
    words = ("restore", tmp_path / "a.npy", "--generator", generator, *QUICK)
    out = tmp_path / "out"
    given = ("--range=-1:1", "--ink", "light", "--orientation", "columns")
    result = inpaint(*words, *given, "--output", out)
    assert result.exit_code == 0, result.output
    assert "Read as: pictures are stored column by column; -1 to 1" in result.stdout
    record = json.loads((out / "run.json").read_text())
    assert "--range=-1.0:1.0" in record["command"]
    result = inpaint("restore", "--from-run", out / "run.json", "--output", tmp_path / "again")
    assert "equal to the recorded ones" in result.stdout
    for text in ("3", "a:b", "1:2:3", ":"):
        refused(inpaint(*words, "--range", text), f"range is {text!r}", "0:255")
