"""`inpaint evaluate`: its files, its damage, and what it says to bad input."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from inpaint import write_generator
from inpaint.network.files import write_network
from inpaint.network.model import InpaintingNetwork
from inpaint.studies.evaluate.evaluation import USUAL_METHODS
from tests.helpers import inpaint, random_generator, write_idx
from tests.tolerances import SINGLE

QUICK = ("--restarts", "2", "--screen", "0", "--steps", "5", "--backend", "torch")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, drawings: Tensor) -> Path:
    """The drawings as IDX files, labelled 8 and 3 in turn, a generator and a network."""
    folder = tmp_path_factory.mktemp("files")
    ink = np.rint(255 * (1 - drawings[:, 0].numpy())).astype(np.uint8)
    labels = np.where(np.arange(len(ink)) % 3, 8, 3).astype(np.uint8)
    arrays = {"images": ink, "labels": labels, "short": labels[:-1], "narrow": ink[:, :20]}
    for name, array in arrays.items():
        write_idx(folder / name, array)
    generator = random_generator((4, 8, 784), image_shape=(1, 28, 28))
    write_generator(generator, folder / "generator.safetensors")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = InpaintingNetwork((1, 28, 28), 8)
    write_network(network, folder / "network.safetensors")
    return folder


def rows(method: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures of every image."""
    return method["result"]["metrics"]


def figures(method: dict[str, Any], name: str) -> list[float]:
    """One figure of every image."""
    return [row[name] for row in rows(method)]


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


@pytest.mark.slow
def test_the_command_prints_the_table_and_writes_the_record(files: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = inpaint(*words(files, "--digit", 8, "--keep", 400, "--limit", 5, "--output", out))
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == ["evaluation.json", "figure.png"]
    record = json.loads((out / "evaluation.json").read_text())
    assert record["job"]["keeps"] == [400]
    assert record["job"]["noise"] == 0.0973
    results = record["results"]
    assert results["count"] == 5
    assert results["training_count"] == 16
    assert list(results["methods"]) == list(USUAL_METHODS)
    for name, method in results["methods"].items():
        assert method["result"]["not_run"] is None
        for figure in ("psnr", "psnr_observed", "psnr_missing", "ssim", "ssim_missing", "error"):
            mean, error = method["means"][figure]
            assert mean == pytest.approx(statistics.fmean(figures(method, figure)))
            assert error >= 0
        assert method["result"]["seconds"] >= 0
        assert name in result.stdout
        assert f"{method['means']['psnr_missing'][0]:.2f}" in result.stdout
    assert set(record["sha256"]) == {"images", "train", "generator", "network"}
    again = inpaint(*words(files, "--digit", 8, "--keep", 400, "--limit", 5, "--output", out))
    assert again.exit_code == 0
    repeated = json.loads((out / "evaluation.json").read_text())
    for name, method in results["methods"].items():
        assert repeated["results"]["methods"][name]["result"]["metrics"] == rows(method)


def test_images_after_those_skipped_have_the_figures_they_have_among_all(
    files: Path, tmp_path: Path
) -> None:
    found = {}
    for name, more in (("all", ("--limit", 6)), ("some", ("--skip", 2, "--limit", 3))):
        out = tmp_path / name
        methods = ("--keep", 400, "--methods", "minimum,pca", "--output", out)
        result = inpaint(*words(files, "--digit", 8, *methods, *more))
        assert result.exit_code == 0, result.output
        record = json.loads((out / "evaluation.json").read_text())
        found[name] = record["results"]
    assert record["job"]["skip"] == 2
    assert found["some"]["count"] == 3
    for name, method in found["some"]["methods"].items():
        whole = found["all"]["methods"][name]
        # An image keeps its noise and its starting points, whatever others stand beside it.
        for figure in rows(method)[0]:
            assert figures(method, figure) == pytest.approx(figures(whole, figure)[2:5], rel=SINGLE)


def test_several_n_get_a_folder_each(files: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    more = ("--keep", "400,784", "--limit", 2, "--methods", "pca,biharmonic", "--output", out)
    result = inpaint(*words(files, *more))
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == ["N400", "N784"]
    methods = json.loads((out / "N784" / "evaluation.json").read_text())["results"]["methods"]
    assert list(methods) == ["pca", "biharmonic"]
    assert methods["pca"]["means"]["psnr_missing"] is None
    assert methods["pca"]["means"]["psnr"][0] > 15


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
    for name, count in lost.items():
        record = json.loads((out / name / "evaluation.json").read_text())
        assert record["results"]["methods"]["network"]["means"]["psnr_missing"][0] > 0
        assert f"N = {784 - count} of 784 pixels observed, noise" in result.stdout
        assert ("masks" in record["sha256"]) == (name == "mine.npy")
    assert record["job"]["masks"] == [str(tmp_path / "mine.npy")]
    assert "mask mine.npy" in result.stdout

    assert "Read as: mine.npy: True is observed" in result.stdout

    inverse = inpaint(*words(files, "--mask", masks, "--mask-white", "lost", *more))
    assert inverse.exit_code == 0, inverse.output
    assert "N = 140 of 784 pixels observed" in inverse.stdout
    assert "N = 720 of 784 pixels observed" in inverse.stdout, "a preset has no white"
    for name in lost:
        record = json.loads((out / name / "evaluation.json").read_text())
        assert record["job"]["mask_white"] == ("lost" if name == "mine.npy" else None)
        repeated = inpaint("evaluate", "--from-run", out / name / "evaluation.json", *more[-2:])
        assert repeated.exit_code == 0, repeated.output

    # One of them alone has the same figures, and no folder of its own.
    alone = inpaint(*words(files, "--mask", "box:8", *more[:-1], tmp_path / "alone"))
    assert alone.exit_code == 0
    one, three = (
        json.loads((folder / "evaluation.json").read_text())["results"]["methods"]["pca"]
        for folder in (tmp_path / "alone", out / "box-8")
    )
    assert rows(one) == rows(three)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--mask", "box:8", "--keep", 400), "--keep and --mask both say what is observed"),
        (("--mask", "box:8,box:8"), "give masks of different names"),
        (("--mask", "circle"), "mask is 'circle'; write a preset like box:10"),
        (("--mask", "left,box:99"), "side is 99"),
        (("--mask", "missing.npy"), "missing.npy"),
        (("--mask", "box:8,left", "--mask-white", "lost"), "there is no mask file"),
        (("--mask-white", "lost"), "there is no mask file"),
        (("--labels", "short"), "must be one label for each"),
        (("--digit", 7), "no image of"),
        (("--limit", 0), "limit is 0"),
        (("--skip", -1), "skip is -1"),
        (("--skip", 12), "skip is 12; there are 12 such images. Choose 0 to 11."),
        (("--keep", 785), "keep is 785"),
        (("--keep", "400,400"), "give one or more different numbers"),
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
