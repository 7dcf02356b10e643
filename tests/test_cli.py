"""The command line: what it writes, what it says, and how it refuses."""

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from typer.testing import CliRunner

from inpaint import RestoreConfig, write_generator
from inpaint.classifier.config import ClassifierConfig
from inpaint.cli import app
from inpaint.files.job import KEEPS
from inpaint.network.config import NetworkConfig
from inpaint.training.config import TrainConfig
from tests.helpers import QUICK_WORDS as QUICK
from tests.helpers import inpaint, random_generator, refused, write_idx

LOWEST_AT_500 = (760.429, 767.474, 782.752, 741.098)


def test_restore_writes_the_figure_the_arrays_and_the_record(
    generator: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = inpaint(
        "restore", "--generator", generator, "--images", "0,2-3", "--output", out, *QUICK
    )
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == [
        "figure.png",
        "modes.png",
        "restoration.npz",
        "run.json",
    ]
    record = json.loads((out / "run.json").read_text())
    job = record["job"]
    assert (job["source"], job["keep"], job["numbers"]) == ("eights", 350, [0, 2, 3])
    assert job["config"]["restarts"] == 2
    assert "L2 error" in result.stdout
    for image in record["results"]["images"]:
        assert f"{image['cost']:.3f}" in result.stdout
        verdict = image["verdict"]
        low, high = verdict["noise_interval"]
        assert f"{low:.4f} to {high:.4f}" in result.stdout
        said = f"Image {image['number']}. {verdict['sentence']}" in result.stdout
        assert said == (verdict["flag"] != "good")


def test_a_preset_comes_first_and_options_change_it(generator: Path, tmp_path: Path) -> None:
    words = ("restore", "--generator", generator, "--output", tmp_path / "out")
    inpaint(*words, "--preset", "published", "--steps", 3, "--backend", "torch")
    config = json.loads((tmp_path / "out" / "run.json").read_text())["job"]["config"]
    preset = RestoreConfig.preset("published", steps=3, backend="torch").resolved()
    assert config == dataclasses.asdict(preset)


def test_from_run_repeats_a_run_exactly(generator: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    inpaint("restore", "--generator", generator, "--noise", 0.1, "--output", first, *QUICK)
    result = inpaint("restore", "--from-run", first / "run.json", "--output", second)
    assert result.exit_code == 0, result.output
    assert "equal to the recorded ones" in result.stdout
    before, after = (json.loads((path / "run.json").read_text()) for path in (first, second))
    assert before["results"]["images"] == after["results"]["images"]
    before, after = (np.load(path / "restoration.npz") for path in (first, second))
    assert all(np.array_equal(before[name], after[name]) for name in before)


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("limit", [("--rounds", 3), ("--time-limit", 0.2), ("--time-limit", 1e-6)])
def test_from_run_repeats_rounds_and_time_limits(generator: Path, tmp_path: Path, limit) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    result = inpaint("restore", "--generator", generator, *QUICK, *limit, "--output", first)
    assert result.exit_code == 0, result.output
    record = json.loads((first / "run.json").read_text())
    if limit[0] == "--rounds":
        assert record["job"]["config"]["rounds"] == 3
    else:
        assert record["results"]["time_limit"] == limit[1]
        assert f"time limit of {limit[1]:g} s allowed" in result.stdout
    result = inpaint("restore", "--from-run", first / "run.json", "--output", second)
    assert "equal to the recorded ones" in result.stdout
    again = json.loads((second / "run.json").read_text())
    assert again["results"]["images"] == record["results"]["images"]


def test_from_run_takes_no_settings_and_no_other_inputs(generator: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    inpaint("restore", "--generator", generator, "--output", out, *QUICK)
    record = out / "run.json"
    refused(inpaint("restore", "--from-run", record, "--learning-rate", 1), "--learning-rate")
    kept = (out / "run.json").read_bytes()
    moved = generator.rename(tmp_path / "moved.safetensors")
    refused(inpaint("restore", "--from-run", record, "--output", out), "was moved")
    assert (
        inpaint(
            "restore", "--from-run", record, "--generator", moved, "--output", tmp_path / "n"
        ).exit_code
        == 0
    )
    write_generator(random_generator((4, 8, 784), image_shape=(1, 28, 28), seed=1), generator)
    refused(inpaint("restore", "--from-run", record, "--output", out), "has changed")
    assert (out / "run.json").read_bytes() == kept


def test_sweep_writes_a_figure_per_n_and_the_errors(generator: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = inpaint("sweep", "--generator", generator, "--images", "1,2", "--output", out, *QUICK)
    assert result.exit_code == 0, result.output
    for keep in KEEPS:
        assert (out / f"N{keep}" / "figure.png").stat().st_size > 10_000
        record = json.loads((out / f"N{keep}" / "run.json").read_text())
        assert record["job"]["keep"] == keep
    rows = list(csv.reader((out / "errors.csv").read_text().splitlines()))
    assert rows[0] == ["image", *(f"N={keep}" for keep in KEEPS)]
    assert [row[0] for row in rows[1:]] == ["1", "2"]
    assert len((out / "sweep.csv").read_text().splitlines()) == 1 + 2 * len(KEEPS)
    for title in ("L2 error", "Success rate", "Verdict"):
        assert title in result.stdout


def test_sweep_finds_the_lowest_known_costs(data_dir: Path, tmp_path: Path) -> None:
    words = ("sweep", data_dir / "data22.mat", "--generator", data_dir / "data21.mat")
    result = inpaint(*words, "--restarts", 64, "--keep", "500", "--output", tmp_path)
    assert result.exit_code == 0, result.output
    images = json.loads((tmp_path / "N500" / "run.json").read_text())["results"]["images"]
    for image, lowest in zip(images, LOWEST_AT_500, strict=True):
        assert image["cost"] < lowest + 1


def test_sample_draws_a_grid(generator: Path, tmp_path: Path) -> None:
    out = tmp_path / "folder" / "grid.png"
    result = inpaint("sample", "--generator", generator, "--output", out)
    assert result.exit_code == 0, result.output
    assert out.read_bytes().startswith(b"\x89PNG")
    refused(inpaint("sample", "--generator", generator, "--output", "grid.txt"), ".png")
    refused(inpaint("sample", "--generator", generator, "--count", 0), "count is 0")


def test_bench_writes_rows_and_machine(generator: Path, tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    words = ("--restarts", "1", "--keep", "350", "--seconds", "0.2", "--output", out)
    result = inpaint("bench", "--generator", generator, *words)
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())
    assert found["machine"]
    assert {"variant", "N", "R", "threads", "rate", "median", "min", "max"} <= set(found["rows"][0])
    refused(inpaint("bench", "--generator", generator, "--restarts", "0"), "restarts holds 0")


def test_train_writes_a_generator_that_restores(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = write_idx(tmp_path / "images-ubyte", rng.integers(0, 256, (40, 28, 28)))
    labels = write_idx(tmp_path / "labels-ubyte", np.arange(40) % 10)
    words = ("--labels", labels, "--digits", "3,8", "--hold-out", 10, "--output", tmp_path / "out")
    sizes = ("--hidden", "16", "--encoder-hidden", "8,8", "--steps", 2, "--inversion-steps", 0)
    result = inpaint("train", pictures, *words, *sizes, "--name", "tiny")
    assert result.exit_code == 0, result.output
    assert "6 images" in result.stdout
    record = json.loads((tmp_path / "out" / "tiny.json").read_text())
    assert record["job"]["config"]["encoder_hidden"] == [8, 8]
    made = tmp_path / "out" / "tiny.safetensors"
    assert (
        inpaint("restore", "--generator", made, "--output", tmp_path / "r", *QUICK).exit_code == 0
    )
    refused(inpaint("train", pictures, *words, "--hidden", "many"), "hidden is 'many'")
    refused(inpaint("train", labels, *words, *sizes), "labels")


def test_train_network_writes_a_network_that_an_evaluation_takes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = write_idx(tmp_path / "images-ubyte", rng.integers(0, 256, (40, 28, 28)))
    labels = write_idx(tmp_path / "labels-ubyte", np.arange(40) % 10)
    words = (pictures, "--labels", labels, "--digits", "3,8", "--hold-out", 10)
    sizes = ("--width", 8, "--steps", 2, "--batch-size", 4, "--name", "tiny")
    out = tmp_path / "out"
    result = inpaint("train-network", *words, *sizes, "--output", out)
    assert result.exit_code == 0, result.output
    assert "6 images" in result.stdout
    record = json.loads((out / "tiny.json").read_text())
    assert (record["results"]["steps"], record["job"]["config"]["width"]) == (2, 8)
    words = ("evaluate", pictures, "--labels", labels, "--hold-out", 10, "--limit", 2)
    more = ("--network", out / "tiny.safetensors", "--methods", "network", "--output", out)
    result = inpaint(*words, *more)
    assert result.exit_code == 0, result.output
    job = json.loads((out / "evaluation.json").read_text())["job"]
    assert job["network"] == str(out / "tiny.safetensors")
    refused(inpaint(*words, "--network", "nines", "--output", out), "no shipped network 'nines'")


def test_doctor_says_what_runs_here() -> None:
    result = inpaint("doctor")
    assert result.exit_code == 0, result.output
    for word in ("C++ extension", "backend", "instruction set", "threads", "generators"):
        assert word in result.stdout
    assert f"torch {torch.__version__}" in result.stdout


@pytest.mark.parametrize(
    ("command", "config"),
    [
        ("restore", RestoreConfig),
        ("train", TrainConfig),
        ("train-network", NetworkConfig),
        ("train-classifier", ClassifierConfig),
    ],
)
def test_every_setting_has_an_option_with_its_default(command: str, config: type) -> None:
    text = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "250"}).output
    for field in dataclasses.fields(config):
        assert f"--{field.name.replace('_', '-')} " in text
    assert f"[default: ({RestoreConfig().solver})]" in text or command != "restore"


BAD_OPTIONS = [
    (("--keep", "0"), ("keep is 0", "Choose 1 to 784")),
    (("--keep", "785"), ("keep is 785", "784 pixels")),
    (("--keep", "-3"), ("keep is -3",)),
    (("--keep", "many"), ("keep is 'many'", "whole number")),
    (("--restarts", "0"), ("restarts is 0",)),
    (("--restarts", "2.5"), ("restarts is '2.5'",)),
    (("--steps", "-1"), ("steps is -1",)),
    (("--solver", "newton"), ("solver is 'newton'", "adam")),
    (("--backend", "gpu"), ("backend is 'gpu'", "torch")),
    (("--preset", "magic"), ("preset is 'magic'", "published")),
    (("--noise", "-1"), ("noise is -1",)),
    (("--noise", "nan"), ("noise is nan",)),
    (("--images", "0,9"), ("number 9", "Choose 0 to 3")),
    (("--images", "first"), ("images is 'first'",)),
    (("--images", "3-1"), ("images is '3-1'",)),
    (("--learning-rate", "inf"), ("learning_rate is inf",)),
    (("--time-limit", "0"), ("time_limit is 0", "above 0")),
    (("--rounds", "0"), ("rounds is 0",)),
    (("--wings", "2"), ("--wings", "inpaint restore --help")),
    (("--keep",), ("--keep", "requires an argument")),
    (("one", "two"), ("two", "inpaint restore --help")),
]


@pytest.mark.parametrize(("words", "said"), BAD_OPTIONS, ids=lambda part: " ".join(part))
def test_bad_options_are_refused(generator: Path, tmp_path: Path, words, said) -> None:
    out = tmp_path / "out"
    refused(inpaint("restore", "--generator", generator, "--output", out, *words), *said)
    assert not out.exists()


def bad_images(folder: Path) -> dict[str, Path]:
    """Files that hold no images, by what is wrong with them."""
    good = np.random.default_rng(0).uniform(size=(784, 2))
    files = {
        name: folder / f"{name}.mat"
        for name in ("text", "empty", "truncated", "nan", "infinity", "shape", "other")
    }
    files["text"].write_text("These are words, not numbers.\n")
    files["empty"].touch()
    scipy.io.savemat(files["truncated"], {"X_n": good})
    files["truncated"].write_bytes(files["truncated"].read_bytes()[:3000])
    for name, value in (("nan", np.nan), ("infinity", np.inf)):
        spoiled = good.copy()
        spoiled[5] = value
        scipy.io.savemat(files[name], {"X_n": spoiled})
    scipy.io.savemat(files["shape"], {"X_n": good[:777]})
    scipy.io.savemat(files["other"], {"weather": good})
    files["missing"] = folder / "missing.mat"
    files["folder"] = folder
    return files


def test_files_that_hold_no_images_are_refused(generator: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for name, file in bad_images(tmp_path).items():
        result = inpaint("restore", file, "--generator", generator, "--output", out, *QUICK)
        refused(result, file.name)
        assert not out.exists(), name


def test_files_that_hold_no_generator_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "A_1": rng.normal(size=(128, 10)),
        "B_1": rng.normal(size=(128, 1)),
        "A_2": rng.normal(size=(784, 128)),
        "B_2": rng.normal(size=(784, 1)),
    }
    cases = {
        "incomplete": {name: arrays[name] for name in ("A_1", "B_1")},
        "shape": arrays | {"A_2": arrays["A_2"][:, :100]},
        "nan": arrays | {"A_2": arrays["A_2"] * np.nan},
    }
    for name, content in cases.items():
        file = tmp_path / f"{name}.mat"
        scipy.io.savemat(file, content)
        refused(inpaint("restore", "--generator", file, "--output", tmp_path / "out"))
    refused(inpaint("restore", "--generator", "nobody", "--output", tmp_path / "out"), "'nobody'")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    words = ("--output", tmp_path / "file" / "out")
    for command in ("restore", "sweep"):
        refused(inpaint(command, *words), "output is", "cannot be written")


def test_usage_errors_name_the_command() -> None:
    refused(inpaint("fly"), "'fly'")
    assert inpaint().exit_code == 0
    assert inpaint("--help").exit_code == 0
