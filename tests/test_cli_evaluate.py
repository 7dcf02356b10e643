"""`inpaint evaluate`: its files, its damage, and what it says to bad input."""

from __future__ import annotations

import json
import os
import signal
import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from typer.testing import CliRunner, Result

from inpaint import write_generator
from inpaint.cli import app
from inpaint.network import InpaintingNetwork, write_network
from inpaint.studies.evaluate.evaluation import METHODS
from tests.conftest import random_generator
from tests.tolerances import SINGLE

QUICK = ("--restarts", "2", "--screen", "0", "--steps", "5", "--backend", "torch")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, drawings: Tensor) -> Path:
    """The drawings as IDX files, labelled 8 and 3 in turn, a generator and a network."""
    folder = tmp_path_factory.mktemp("files")
    ink = np.rint(255 * (1 - drawings[:, 0].numpy())).astype(np.uint8)
    labels = np.where(np.arange(len(ink)) % 3, 8, 3).astype(np.uint8)
    for name, array in (("images", ink), ("labels", labels), ("short", labels[:-1])):
        header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
        (folder / name).write_bytes(header + array.tobytes())
    narrow = ink[:, :20]
    header = bytes([0, 0, 8, 3]) + struct.pack(">3I", *narrow.shape)
    (folder / "narrow").write_bytes(header + narrow.tobytes())
    generator = random_generator((4, 8, 784), image_shape=(1, 28, 28))
    write_generator(generator, folder / "generator.safetensors")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = InpaintingNetwork((1, 28, 28), 8)
    write_network(network, folder / "network.safetensors")
    return folder


def words(files: Path, *more: object, train: str = "images") -> list[str]:
    return [
        str(word)
        for word in (
            "evaluate", files / "images", "--labels", files / "labels", "--hold-out", "12",
            "--train", files / train, "--train-labels", files / "labels",
            "--generator", files / "generator.safetensors",
            "--network", files / "network.safetensors", *QUICK, *more,
        )
    ]  # fmt: skip


def inpaint(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in arguments])


def test_the_command_prints_the_table_and_writes_the_record(files: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = inpaint(*words(files, "--digit", 8, "--keep", 400, "--limit", 5, "--output", out))
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == ["evaluation.json", "figure.png"]
    record = json.loads((out / "evaluation.json").read_text())
    assert record["keep"] == 400
    assert record["count"] == 5
    assert record["training_count"] == 16
    assert record["settings"]["noise"] == 0.0973
    assert list(record["methods"]) == list(METHODS)
    for name, method in record["methods"].items():
        assert method["not_run"] is None
        for figure in ("psnr", "psnr_observed", "psnr_missing", "ssim", "ssim_missing", "error"):
            assert method[figure] == pytest.approx(statistics.fmean(method["images"][figure]))
            assert method["standard_errors"][figure] >= 0
        assert method["seconds"] >= 0
        assert name in result.stdout
        assert f"{method['psnr_missing']:.2f}" in result.stdout
    assert set(record["sha256"]) == {"images", "training", "mask", "generator", "network"}
    again = inpaint(*words(files, "--digit", 8, "--keep", 400, "--limit", 5, "--output", out))
    assert again.exit_code == 0
    repeated = json.loads((out / "evaluation.json").read_text())
    for name, method in record["methods"].items():
        assert repeated["methods"][name]["images"] == method["images"]


def test_images_after_those_skipped_have_the_figures_they_have_among_all(
    files: Path, tmp_path: Path
) -> None:
    found = {}
    for name, more in (("all", ("--limit", 6)), ("some", ("--skip", 2, "--limit", 3))):
        out = tmp_path / name
        methods = ("--keep", 400, "--methods", "minimum,pca", "--output", out)
        result = inpaint(*words(files, "--digit", 8, *methods, *more))
        assert result.exit_code == 0, result.output
        found[name] = json.loads((out / "evaluation.json").read_text())
    assert found["some"]["settings"]["skip"] == 2
    assert found["some"]["count"] == 3
    for name, method in found["some"]["methods"].items():
        whole = found["all"]["methods"][name]["images"]
        # An image keeps its noise and its starting points, whatever others stand beside it.
        for figure, values in method["images"].items():
            assert values == pytest.approx(whole[figure][2:5], rel=SINGLE)


def test_several_n_get_a_folder_each(files: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    more = ("--keep", "400,784", "--limit", 2, "--methods", "pca,biharmonic", "--output", out)
    result = inpaint(*words(files, *more))
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == ["N400", "N784"]
    record = json.loads((out / "N784" / "evaluation.json").read_text())
    assert list(record["methods"]) == ["pca", "biharmonic"]
    assert record["methods"]["pca"]["psnr_missing"] is None
    assert record["methods"]["pca"]["psnr"] > 15


def test_damage_of_other_kinds_by_name_and_by_file(files: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    observed = np.ones((28, 28), dtype=bool)
    observed[:5] = False
    np.save(tmp_path / "mine.npy", observed)
    masks = f"box:8, random:0.25,{tmp_path / 'mine.npy'}"
    more = ("--limit", 2, "--methods", "pca,network", "--output", out)
    result = inpaint(*words(files, "--mask", masks, *more))
    assert result.exit_code == 0, result.output
    lost = {"box-8": 64, "random-0.25": 196, "mine.npy": 140}
    assert sorted(path.name for path in out.iterdir()) == sorted(lost)
    hashes = set()
    for name, count in lost.items():
        record = json.loads((out / name / "evaluation.json").read_text())
        assert record["keep"] is record["settings"]["keep"] is None
        assert record["methods"]["network"]["psnr_missing"] > 0
        assert f"N = {784 - count} of 784, noise" in result.stdout
        hashes.add(record["sha256"]["mask"])
    assert len(hashes) == 3
    assert record["mask"] == str(tmp_path / "mine.npy")
    assert "mask mine.npy" in result.stdout

    # One of them alone has the same figures, and no folder of its own.
    alone = inpaint(*words(files, "--mask", "box:8", *more[:-1], tmp_path / "alone"))
    assert alone.exit_code == 0
    one, three = (
        json.loads((folder / "evaluation.json").read_text())["methods"]["pca"]["images"]
        for folder in (tmp_path / "alone", out / "box-8")
    )
    assert one == three


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--mask", "box:8", "--keep", 400), "--keep and --mask both say what is observed"),
        (("--mask", "box:8,box:8"), "give masks of different names"),
        (("--mask", "circle"), "mask is 'circle'; write a preset like box:10"),
        (("--mask", "left,box:99"), "side is 99"),
        (("--mask", "missing.npy"), "missing.npy"),
        (("--labels", "short"), "must be one label for each"),
        (("--digit", 7), "no image of"),
        (("--limit", 0), "limit is 0"),
        (("--skip", -1), "skip is -1"),
        (("--skip", 12), "skip is 12; there are 12 such images. Choose 0 to 11."),
        (("--keep", 785), "keep is 785"),
        (("--keep", "400,400"), "give different numbers"),
        (("--noise", -1), "noise is -1"),
        (("--hold-out", -1), "hold_out is -1"),
        (("--hold-out", 36), "hold_out is 36: so many images at its end are left out"),
        (("--hold-out", 0), "are training images of the baselines as well"),
        (("--methods", "best"), "the method is 'best'"),
        (("--train", "narrow"), "training images of that shape"),
        (("--generator", "eights-11"), "eights-11"),
    ],
)
def test_bad_input_is_one_sentence(files: Path, tmp_path: Path, more, message: str) -> None:
    more = [files / word if word in ("short", "narrow") else word for word in more]
    result = inpaint(*words(files, *more, "--output", tmp_path))
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert "\n" not in result.stderr.strip()
    assert result.stdout == ""


def test_training_images_without_labels_are_refused(files: Path) -> None:
    result = inpaint(
        "evaluate", files / "images", "--labels", files / "labels", "--train", files / "images"
    )
    assert result.exit_code == 2
    assert "give both" in result.stderr


def test_ctrl_c_ends_it_with_status_130(files: Path, tmp_path: Path) -> None:
    arguments = words(files, "--keep", 400, "--hold-out", 30, "--output", tmp_path / "out")
    slow = ("--restarts", "2000", "--steps", "100000", "--tolerance", "0")
    process = subprocess.Popen(
        [sys.executable, "-m", "inpaint", *arguments, *slow],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    while not (tmp_path / "out").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Stopped by Ctrl-C; there is no result yet." in errors
    assert not list((tmp_path / "out").iterdir())
