"""Evaluation: every method on the same images, nothing learnt from them, all of it recorded."""

from __future__ import annotations

import dataclasses
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

from inpaint import Generator, Mask, RestoreConfig, measure, write_generator
from inpaint.baselines import BASELINES
from inpaint.cli import app
from inpaint.errors import ArgumentError, ShapeError
from inpaint.evaluate import evaluation as evaluations
from inpaint.evaluate.estimates import (
    ESTIMATES,
    Estimate,
    Search,
    active_share,
)
from inpaint.evaluate.evaluation import METHODS, evaluate
from inpaint.evaluate.report import draw_evaluation, summarize
from inpaint.examples import PenStroke, draw
from inpaint.network import InpaintingNetwork, write_network
from inpaint.posterior.real import RESTARTS
from inpaint.types import ImageSet, Measurement
from tests.conftest import random_generator
from tests.tolerances import SINGLE

CONFIG = RestoreConfig(restarts=2, screen=0, solver="adam", steps=5, backend="torch")
QUICK = ("--restarts", "2", "--screen", "0", "--steps", "5", "--backend", "torch")
NOISE = 0.1


@pytest.fixture(scope="module")
def drawings() -> Tensor:
    rng = np.random.default_rng(0)
    pictures = [draw(PenStroke.random(rng)) for _ in range(36)]
    # As an IDX file holds them.
    return torch.from_numpy(np.rint(255 * np.stack(pictures)) / 255)[:, None].float()


@pytest.fixture(scope="module")
def generator() -> Generator:
    return random_generator((4, 8, 784), image_shape=(1, 28, 28)).to(dtype=torch.float32)


@pytest.fixture(scope="module")
def network() -> InpaintingNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return InpaintingNetwork((1, 28, 28), 8)


@pytest.fixture(scope="module")
def damaged(drawings: Tensor) -> Measurement:
    image_set = ImageSet(drawings[:6], ideal=drawings[:6])
    return measure(image_set, Mask.leading(500, (1, 28, 28)), noise=NOISE)


def test_every_method_restores_every_image(
    damaged: Measurement, generator: Generator, network: InpaintingNetwork, drawings: Tensor
) -> None:
    found = evaluate(
        damaged, generator, network=network, training=drawings[6:], noise=NOISE, config=CONFIG
    )
    assert [result.name for result in found.results] == list(METHODS)
    figures = {}
    for result in found.results:
        assert result.not_run is None
        assert result.images.shape == damaged.values.shape
        assert result.images.min() >= 0
        assert result.images.max() <= 1
        figures[result.name], error = summarize(result)["psnr_missing"]
        values = [row.psnr_missing for row in result.metrics]
        assert figures[result.name] == pytest.approx(statistics.fmean(values))
        assert error == pytest.approx(statistics.stdev(values) / 6**0.5)
    # What has learnt from such drawings does better than what has not.
    assert figures["pca"] > figures["mean"] > figures["telea"]
    assert found.noise_level > NOISE
    assert 0 < found.active_share <= 1
    assert not found.cancelled


def test_an_exact_restoration_counts_as_that_of_half_a_grey_level(
    damaged: Measurement, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = Estimate("exact", lambda search: damaged.ideal)
    monkeypatch.setitem(ESTIMATES, "minimum", exact)
    found = evaluate(damaged, generator, methods=("minimum",))
    means = summarize(found.results[0])
    assert means["psnr_missing"] == pytest.approx((54.15, 0), abs=0.01)
    assert means["ssim"] == pytest.approx((1, 0))


def test_batches_change_nothing(
    damaged: Measurement, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = evaluate(damaged, generator, config=CONFIG)
    monkeypatch.setattr(evaluations, "BATCH", 4)
    parts = evaluate(damaged, generator, config=CONFIG)
    for first, second in zip(whole.results, parts.results, strict=True):
        assert (first.images is None) == (second.images is None)
        if first.images is not None:
            torch.testing.assert_close(first.images, second.images)


def test_no_method_sees_the_ideal_and_each_is_timed_with_its_search(
    damaged: Measurement, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def spy(search) -> Tensor:
        seen.append(search.measurement.ideal)
        return search.restoration.images

    monkeypatch.setitem(ESTIMATES, "minimum", Estimate("spy", spy))
    found = evaluate(damaged, generator, config=CONFIG, methods=("minimum", "blended"))
    assert seen == [None]
    first, second = found.results
    assert second.seconds > 0.5 * first.seconds


def test_few_restarts_tell_noise_from_misfit(damaged: Measurement, generator: Generator) -> None:
    many = dataclasses.replace(CONFIG, restarts=RESTARTS + 5)
    search = Search(damaged, generator, many)
    assert search.found is None
    assert search.told is search.told
    assert search.found is search.first
    assert search.first.starts.shape[1] == RESTARTS
    assert search.restoration.starts.shape[1] == RESTARTS + 5
    assert search.found is search.restoration
    assert Search(damaged, generator, CONFIG).first.starts.shape[1] == CONFIG.restarts

    few = dataclasses.replace(CONFIG, restarts=RESTARTS)
    one, two = (
        evaluate(damaged, generator, config=config, methods=methods)
        for config, methods in ((many, ("minimum", "accurate")), (few, ("accurate",)))
    )
    assert one.results[1].images is not None
    assert two.results[0].images is not None
    assert torch.equal(one.results[1].images, two.results[0].images)
    assert two.backend == one.backend != ""


def test_what_cannot_run_says_why(
    damaged: Measurement, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    unfit = Estimate("unfit", lambda search: search.measurement.values, lambda generator: "No.")
    monkeypatch.setitem(ESTIMATES, "minimum", unfit)
    found = evaluate(damaged, generator, config=CONFIG)
    reasons = {result.name: result.not_run for result in found.results if result.not_run}
    assert reasons.pop("minimum") == "No."
    for name in ("telea", "navier-stokes"):
        assert "need OpenCV" in reasons.pop(name)
    assert set(reasons) == {"mean", "nearest", "pca", "ridge", "kernel", "combined", "network"}
    for result in found.results:
        assert (result.seconds is None) == (result.not_run is not None)
        assert (summarize(result)["psnr"] is None) == (result.not_run is not None)


def test_cancelling_keeps_the_images_that_all_methods_have_restored(
    damaged: Measurement, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluations, "BATCH", 2)

    def until(images: int, task: str = ""):
        return lambda done, total, now: not (done == images and task in now)

    for task in ("searching", "Telea"):
        found = evaluate(damaged, generator, config=CONFIG, on_progress=until(4, task))
        assert found.cancelled
        assert found.measurement.numbers == (0, 1, 2, 3)
        assert {len(result.metrics) for result in found.results if not result.not_run} == {4}
    found = evaluate(damaged, generator, config=CONFIG, on_progress=until(0))
    assert found.cancelled
    assert len(found.measurement) == 0


def test_unfair_or_unfit_inputs_are_refused(
    damaged: Measurement, generator: Generator, drawings: Tensor
) -> None:
    with pytest.raises(ArgumentError, match="2 of the 6 images are training images"):
        evaluate(damaged, generator, training=drawings[4:], config=CONFIG)
    with pytest.raises(ArgumentError, match="choose one of minimum, blended, accurate"):
        evaluate(damaged, generator, methods=("best",))
    with pytest.raises(ArgumentError, match="each of them once"):
        evaluate(damaged, generator, methods=("pca", "pca"))
    with pytest.raises(ShapeError, match="choose a generator of that shape"):
        evaluate(damaged, random_generator())
    with pytest.raises(ShapeError, match="training images of that shape"):
        evaluate(damaged, generator, training=drawings[6:, :, 1:])
    with pytest.raises(ShapeError, match="their ideals"):
        evaluate(dataclasses.replace(damaged, ideal=None), generator)


def test_the_picture_has_a_square_for_every_image_and_method(
    damaged: Measurement, generator: Generator
) -> None:
    found = evaluate(damaged, generator, config=CONFIG, methods=("minimum", "biharmonic"))
    figure = draw_evaluation(found, title="six")
    words = {text.get_text() for text in figure.texts}
    assert {"six", "ideal", "corrupted", "minimum of J", "biharmonic"} <= words
    (axes,) = figure.axes
    pixels = axes.images[0].get_array()
    assert pixels.shape == (6 * 116 + 4, 4 * 116 + 4, 3)
    # Every pixel is a square of one grey: as sharp as it is.
    ideal = np.rint(255 * damaged.ideal[0, 0].numpy())
    np.testing.assert_array_equal(pixels[4:116:4, 4:116:4, 0], ideal)
    np.testing.assert_array_equal(pixels[7:116:4, 7:116:4, 0], ideal)


def test_the_active_share_counts_units_that_are_not_zero(generator: Generator) -> None:
    latents = torch.randn(50, 4)
    first = generator.layers[0]
    hidden = latents @ first.weight.T + first.bias
    assert active_share(generator, latents) == pytest.approx(float((hidden > 0).float().mean()))


@pytest.fixture(scope="module")
def files(
    tmp_path_factory: pytest.TempPathFactory,
    drawings: Tensor,
    generator: Generator,
    network: InpaintingNetwork,
):
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
    write_generator(generator, folder / "generator.safetensors")
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


def test_names_are_those_of_estimates_and_baselines() -> None:
    assert tuple(METHODS) == (*ESTIMATES, *BASELINES)
