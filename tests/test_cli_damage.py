"""The command line's masks and operators."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers import QUICK_WORDS as QUICK
from tests.helpers import inpaint, refused

SAMPLING = ("--chains", "2", "--particles", "64", "--start", "prior", "--threads", "1")
"""Options for a quick posterior."""


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


@pytest.mark.parametrize("command", ["restore", "posterior"])
def test_what_is_white_is_recorded_said_and_repeated(
    command: str, generator: Path, tmp_path: Path
) -> None:
    strokes = np.zeros((28, 28), dtype=np.uint8)
    strokes[8:20, 8:20] = 255
    Image.fromarray(strokes).save(tmp_path / "strokes.png")
    quick = QUICK if command == "restore" else ("--images", "0", *SAMPLING)
    words = (command, "--generator", generator, "--mask", tmp_path / "strokes.png", *quick)
    out = tmp_path / "out"
    result = inpaint(*words, "--mask-white", "lost", "--output", out)
    assert result.exit_code in (0, 3), result.output
    assert "N = 640 of 784 pixels observed" in result.stdout
    said = " ".join(result.stdout.split())
    assert "Read as: " in said
    assert "strokes.png: white is lost" in said
    record = json.loads((out / "run.json").read_text())
    assert record["job"]["mask_white"] == "lost"
    assert "--mask-white lost" in record["command"]
    assert record["results"]["read_as"][-1] == "strokes.png: white is lost"
    assert "640" in record["results"]["observed"]
    again = (command, "--from-run", out / "run.json", "--output", tmp_path / "again")
    assert inpaint(*again).exit_code == result.exit_code
    repeated = json.loads((tmp_path / "again" / "run.json").read_text())
    assert repeated["job"] == record["job"]
    assert repeated["sha256"] == record["sha256"]
    refused(inpaint(*again, "--mask-white", "observed"), "--from-run", "--mask-white")
    assert "N = 144 of 784" in inpaint(*words, "--output", out).stdout


def test_what_is_white_is_asked_of_mask_files_only(generator: Path, tmp_path: Path) -> None:
    words = ("restore", "--generator", generator, "--mask-white", "lost")
    refused(inpaint(*words), "mask_white is 'lost'", "no mask")
    refused(inpaint(*words, "--mask", "box:8"), "mask_white is 'lost'", "preset box:8")
    np.save(tmp_path / "mask.npy", np.ones((28, 28)))
    words = ("restore", "--generator", generator, "--mask", tmp_path / "mask.npy")
    refused(inpaint(*words), "mask.npy loses nothing", "--mask-white lost")
    refused(inpaint(*words, "--mask-white", "black"), "'black'", "observed, lost")


def test_masks_of_the_chosen_images(generator: Path, tmp_path: Path) -> None:
    words = ("restore", "--generator", generator, *QUICK)
    masks = np.ones((4, 1, 28, 28), dtype=bool)
    for number in range(4):
        masks[number, :, : 5 + number] = False
    np.savez(tmp_path / "masks.npz", mask=masks)
    first = inpaint(*words, "--mask", tmp_path / "masks.npz", "--output", tmp_path / "first")
    assert "N = 560 to 644 of 784 pixels observed" in first.stdout, first.output
    for file in (tmp_path / "masks.npz", tmp_path / "first" / "restoration.npz"):
        some = ("--mask", file, "--images", "3,1", "--output", tmp_path / "some")
        assert inpaint(*words, *some).exit_code == 0
        with np.load(tmp_path / "some" / "restoration.npz") as found:
            assert found["numbers"].tolist() == [3, 1]
            assert np.array_equal(found["mask"], masks[[3, 1]])
    # What that run wrote has masks of the images 3 and 1 only.
    part = ("--mask", tmp_path / "some" / "restoration.npz")
    assert inpaint(*words, *part, "--images", "1").exit_code == 0
    refused(inpaint(*words, *part), "masks of the images 3, 1, and none of 0, 2")
    np.savez(tmp_path / "masks.npz", mask=masks[:3])
    short = ("--mask", tmp_path / "masks.npz", "--images", "0,1")
    refused(inpaint(*words, *short), "3 masks", "4 images, of which 0, 1 are taken")


def test_the_readers_choice_is_said_of_values_that_are_no_pixels(
    generator: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "mask.npy", np.where(np.tri(28), 7, 3))
    words = ("restore", "--generator", generator, "--operator", "blur:1", *QUICK)
    result = inpaint(*words, "--mask", tmp_path / "mask.npy", "--output", tmp_path / "out")
    assert "N = 406 of 784" in " ".join(result.stdout.split()), result.output
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["results"]["read_as"][-1].endswith("levels are 3 and 7, 7 is observed")


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
