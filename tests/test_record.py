"""A run's record: complete, all or nothing, and enough to do the run again exactly."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from inpaint import RestoreConfig, restore, write_generator
from inpaint.errors import ArgumentError, FileError
from inpaint.files.examples import load_bundled
from inpaint.files.problem import Problem, Run, load, select
from inpaint.files.record import check_inputs, check_writable, read_run, write_files, write_run
from inpaint.plots.comparison import compare
from inpaint.search.verdict import judge
from tests.conftest import random_generator

CONFIG = RestoreConfig(restarts=3, screen=10, solver="adam", steps=8, backend="torch", seed=5)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Two of the bundled eights and a generator of random weights in a file."""
    file = tmp_path / "generator.safetensors"
    write_generator(random_generator((4, 8, 784), image_shape=(1, 28, 28)), file)
    return Run(generator=str(file), keep=300, noise=0.05, numbers=(2, 0), config=CONFIG)


def perform(run: Run, directory: Path) -> tuple[Problem, Path]:
    problem = load(run)
    restoration = restore(problem.measurement, problem.generator, run.config)
    comparison = compare(problem.measurement, problem.generator, restoration)
    return problem, write_run(directory, problem, restoration, comparison)


def test_a_record_is_enough_to_repeat_the_run(run: Run, tmp_path: Path) -> None:
    _, first = perform(run, tmp_path / "first")
    repeated, record = read_run(first)
    assert repeated.config == CONFIG.resolved()
    problem, second = perform(repeated, tmp_path / "second")
    check_inputs(problem, record)
    again = json.loads(second.read_text())
    assert again["images"] == record["images"]
    before = np.load(first.with_name("restoration.npz"))
    after = np.load(second.with_name("restoration.npz"))
    assert set(before) == set(after)
    for name in before:
        assert np.array_equal(before[name], after[name]), name


def test_a_record_says_all_that_is_asked_of_it(run: Run, tmp_path: Path) -> None:
    problem, path = perform(run, tmp_path / "out")
    record = json.loads(path.read_text())
    assert record["config"] == asdict(CONFIG.resolved())
    assert record["keep"] == 300
    assert record["noise"] == 0.05
    assert record["numbers"] == [2, 0]
    assert record["source"] == "eights"
    assert record["sha256"] == problem.digests()
    assert record["backend"] == "torch (cpu)"
    assert record["reasons"]
    assert record["seconds"] > 0
    assert record["versions"]["torch"] == torch.__version__
    for number, image in zip((2, 0), record["images"], strict=True):
        assert image["number"] == number
        assert {"cost", "noise_level", "status", "error"} < set(image)
        assert {"psnr", "psnr_missing", "ssim", "ssim_missing"} < set(image)
    assert record["budget"] is None
    arrays = np.load(path.with_name("restoration.npz"))
    assert arrays["images"].shape == arrays["ideal"].shape == (2, 1, 28, 28)
    assert arrays["latents"].shape == (2, 3, 4)
    assert arrays["history"].shape[1:] == (2, 3)
    assert arrays["mask"].sum() == 300
    assert path.with_name("figure.png").read_bytes().startswith(b"\x89PNG")


def test_a_record_holds_the_verdict_of_each_image(run: Run, tmp_path: Path) -> None:
    problem, path = perform(run, tmp_path / "out")
    restoration = restore(problem.measurement, problem.generator, run.config)
    verdicts = judge(problem.measurement, problem.generator, restoration)
    for image, verdict in zip(json.loads(path.read_text())["images"], verdicts, strict=True):
        assert image["verdict"]["flag"] == verdict.flag
        assert image["verdict"]["sentence"] == verdict.sentence
        for check in verdict.checks:
            kept = dict(image["verdict"]["checks"][check.name])
            assert kept == {key: getattr(check, key) for key in kept}
            assert set(kept) == {"fired", "value", "limit", "sentence"}
        low, high = image["noise_interval"]
        assert low < image["noise_level"] < high
        assert image["expected_error"] == verdict.expected_error
        assert image["success_rate"] == verdict.search.rate
        assert tuple(image["success_interval"]) == verdict.search.interval
        assert image["restarts_for_99"] == verdict.search.restarts_for_99
        for kept, mode in zip(image["modes"], verdict.search.modes, strict=True):
            assert kept == {key: getattr(mode, key) for key in kept}
            assert set(kept) == {"cost", "gap", "starts", "weight", "restart"}
    assert path.with_name("modes.png").read_bytes().startswith(b"\x89PNG")


def test_a_time_budget_is_recorded_as_what_it_allowed(run: Run, tmp_path: Path) -> None:
    hasty = replace(run, config=replace(run.config, budget=0.2))
    _, path = perform(hasty, tmp_path / "first")
    repeated, record = read_run(path)
    assert record["budget"] == 0.2
    assert repeated.config.budget is None
    assert "--budget" not in record["command"]
    _, again = perform(repeated, tmp_path / "second")
    assert json.loads(again.read_text())["images"] == record["images"]


def test_the_command_names_what_differs_from_the_defaults(run: Run) -> None:
    words = run.arguments()
    assert words[:3] == ["eights", "--generator", run.generator]
    for option, value in (("--keep", "300"), ("--images", "2,0"), ("--solver", "adam")):
        assert words[words.index(option) + 1] == value
    assert "--learning-rate" not in words
    published = replace(run, config=RestoreConfig.preset("published").resolved())
    assert published.arguments()[published.arguments().index("--tolerance") + 1] == "0.0"


def test_changed_inputs_are_refused(run: Run, tmp_path: Path) -> None:
    _, path = perform(run, tmp_path / "out")
    repeated, record = read_run(path)
    other = random_generator((4, 8, 784), image_shape=(1, 28, 28), seed=1)
    write_generator(other, run.generator)
    with pytest.raises(FileError, match=r"--generator is .* has changed since"):
        check_inputs(load(repeated), record)
    record["sha256"]["images"] = "0" * 64
    with pytest.raises(FileError, match=r"SOURCE is .eights.* has changed since"):
        check_inputs(load(repeated), record)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda record: record.pop("keep"), "no 'keep'"),
        (lambda record: record.update(keep="many"), "'keep' is 'many'"),
        (lambda record: record.update(format=99), "no record of format"),
        (lambda record: record["config"].update(restarts=0), "restarts is 0"),
        (lambda record: record["config"].update(wings=2), "wings"),
        (lambda record: record.update(numbers=["one"]), "cannot be repeated"),
        (lambda record: record.update(images=[1]), "cannot be repeated"),
    ],
)
def test_broken_records_are_refused(run: Run, tmp_path: Path, change, complaint: str) -> None:
    _, path = perform(run, tmp_path / "out")
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))
    with pytest.raises(FileError, match=complaint):
        read_run(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe\x00", b"null"])
def test_other_files_are_no_records(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"run\.json that a run has written"):
        read_run(path)


def test_a_failed_write_leaves_earlier_results(tmp_path: Path) -> None:
    write_files(tmp_path, {"a": b"old", "b": b"old"})
    (tmp_path / "c").mkdir()
    with pytest.raises(FileError, match="cannot be written"):
        write_files(tmp_path, {"a": b"new", "b": b"new", "c": b"new"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FileError, match=r"output is .*cannot be written"):
        check_writable(tmp_path / "file" / "out")


def test_images_are_chosen_by_number() -> None:
    every = load_bundled()
    some = select(every, (3, 1))
    assert some.numbers == (3, 1)
    assert torch.equal(some.images, every.images[[3, 1]])
    assert torch.equal(some.ideal, every.ideal[[3, 1]])
    with pytest.raises(ArgumentError, match=r"number 4.*Choose 0 to 3"):
        select(every, (4,))
