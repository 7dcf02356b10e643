"""Records: complete, all or nothing, and enough to do the job again exactly."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from inpaint import PosteriorConfig, RestoreConfig, TrainConfig, write_generator
from inpaint.classifier.config import ClassifierConfig
from inpaint.errors import ArgumentError, FileError
from inpaint.files.examples import load_bundled
from inpaint.files.job import (
    CalibrateJob,
    EvaluateJob,
    PosteriorJob,
    RestoreJob,
    SampleJob,
    SweepJob,
)
from inpaint.files.output import check_writable, write_files
from inpaint.files.problem import Problem, load, select
from inpaint.files.record import (
    JOBS,
    check_inputs,
    encode_record,
    from_record,
    make_record,
    read_record,
    to_record,
)
from inpaint.files.results import write_restoration
from inpaint.files.training_job import TrainClassifierJob, TrainJob, TrainNetworkJob
from inpaint.files.words import Job
from inpaint.network.config import NetworkConfig
from inpaint.plots.comparison import compare
from inpaint.search.restore import restore
from inpaint.search.verdict import judge
from tests.helpers import random_generator

CONFIG = RestoreConfig(restarts=3, screen=10, solver="adam", steps=8, backend="torch", seed=5)

EVERY_JOB: dict[str, Job] = {
    "restore": RestoreJob(
        mask="box:8",
        noise=0.1,
        noise_level=0.2,
        value_range=(-1.0, 1.0),
        numbers=(2, 0),
        ink="dark",
        posterior=True,
        estimate="mean",
        config=CONFIG,
    ),
    "posterior": PosteriorJob(
        operator="blur:1.5", level=0.8, config=PosteriorConfig(chains=2, max_gradients=10**6)
    ),
    "sweep": SweepJob(keeps=(300, 400), restart_counts=(1, 2), repeats=3, config=CONFIG),
    "evaluate": EvaluateJob(
        images=Path("images"),
        labels=Path("labels"),
        digits=(8,),
        masks=("left", "box:8"),
        methods=("minimum", "pca"),
    ),
    "calibrate": CalibrateJob(keeps=(300,), noise_is="known", truths=5),
    "sample": SampleJob(count=7, columns=3, seed=9),
    "train": TrainJob(
        images=Path("images"),
        labels=Path("labels"),
        config=TrainConfig(hidden=(16, 8), steps=2),
    ),
    "train-network": TrainNetworkJob(
        images=Path("images"), labels=Path("labels"), config=NetworkConfig(steps=2)
    ),
    "train-classifier": TrainClassifierJob(
        images=Path("images"),
        labels=Path("labels"),
        strokes=0.1,
        config=ClassifierConfig(steps=2),
    ),
}
"""A job of each command, most fields away from their defaults."""


@pytest.fixture
def job(tmp_path: Path) -> RestoreJob:
    """Two of the bundled eights and a generator of random weights in a file."""
    file = tmp_path / "generator.safetensors"
    write_generator(random_generator((4, 8, 784), image_shape=(1, 28, 28)), file)
    return RestoreJob(generator=str(file), keep=300, noise=0.05, numbers=(2, 0), config=CONFIG)


def perform(job: RestoreJob, directory: Path) -> tuple[Problem, Path]:
    problem = load(job)
    search = restore(problem.measurement, problem.generator, job.config)
    comparison = compare(problem.measurement, problem.generator, search)
    return problem, write_restoration(directory, problem, search, comparison)


def test_there_is_a_job_for_every_command() -> None:
    assert set(EVERY_JOB) == set(JOBS)


@pytest.mark.parametrize("command", EVERY_JOB)
def test_every_job_comes_back_from_its_record(command: str, tmp_path: Path) -> None:
    job = EVERY_JOB[command]
    assert from_record(type(job), json.loads(json.dumps(to_record(job)))) == job
    path = tmp_path / "run.json"
    path.write_bytes(encode_record(make_record(job, sha256={}, results={})))
    assert read_record(path).job == job
    assert read_record(path, command).job == job
    other = "sample" if command != "sample" else "restore"
    with pytest.raises(FileError, match=f"not of inpaint {other}"):
        read_record(path, other)


def test_a_record_is_enough_to_repeat_the_run(job: RestoreJob, tmp_path: Path) -> None:
    _, first = perform(job, tmp_path / "first")
    record = read_record(first)
    assert isinstance(record.job, RestoreJob)
    assert record.job.config == CONFIG.resolved()
    problem, second = perform(record.job, tmp_path / "second")
    check_inputs(record, record.job, problem.digests())
    again = json.loads(second.read_text())
    assert again["results"]["images"] == record.results["images"]
    before = np.load(first.with_name("restoration.npz"))
    after = np.load(second.with_name("restoration.npz"))
    assert set(before) == set(after)
    for name in before:
        assert np.array_equal(before[name], after[name]), name


def test_a_record_made_in_one_folder_repeats_from_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    write_generator(random_generator((4, 8, 784), image_shape=(1, 28, 28)), "g.safetensors")
    np.save("images.npy", np.random.default_rng(0).random((2, 28, 28)))
    np.save("mask.npy", np.eye(28, dtype=bool))
    job = RestoreJob(source="images.npy", generator="g.safetensors", mask="mask.npy", config=CONFIG)
    _, path = perform(job, home / "out")
    monkeypatch.chdir(tmp_path)
    record = read_record(path)
    problem, _ = perform(record.job, tmp_path / "out")  # type: ignore[arg-type]
    check_inputs(record, record.job, problem.digests())
    assert "images.npy" in json.loads(path.read_text())["command"]
    # A name of what is shipped, or of damage, is no file even where one of that name lies.
    monkeypatch.chdir(home)
    for name in ("eights", "left"):
        (home / name).mkdir()
    plain = make_record(RestoreJob(mask="left"), sha256={}, results={})["job"]
    assert (plain["source"], plain["mask"]) == ("eights", "left")


def test_a_record_says_all_that_is_asked_of_it(job: RestoreJob, tmp_path: Path) -> None:
    problem, path = perform(job, tmp_path / "out")
    record = json.loads(path.read_text())
    assert record["kind"] == "restore"
    assert record["job"]["config"] == to_record(CONFIG.resolved())
    assert record["job"]["keep"] == 300
    assert record["job"]["noise"] == 0.05
    assert record["job"]["numbers"] == [2, 0]
    assert record["job"]["source"] == "eights"
    assert record["sha256"] == problem.digests()
    results = record["results"]
    assert results["backend"] == "torch (cpu)"
    assert results["reasons"]
    assert results["seconds"] > 0
    assert record["versions"]["torch"] == torch.__version__
    for number, image in zip((2, 0), results["images"], strict=True):
        assert image["number"] == number
        assert {"cost", "noise_level", "status", "metrics", "verdict"} < set(image)
        assert {"error", "psnr", "psnr_missing", "ssim", "ssim_missing"} < set(image["metrics"])
    assert results["time_limit"] is None
    arrays = np.load(path.with_name("restoration.npz"))
    assert arrays["images"].shape == arrays["ideal"].shape == (2, 1, 28, 28)
    assert arrays["latents"].shape == (2, 3, 4)
    assert arrays["history"].shape[1:] == (2, 3)
    assert arrays["mask"].sum() == 300
    assert path.with_name("figure.png").read_bytes().startswith(b"\x89PNG")


def test_a_record_holds_the_verdict_of_each_image(job: RestoreJob, tmp_path: Path) -> None:
    problem, path = perform(job, tmp_path / "out")
    search = restore(problem.measurement, problem.generator, job.config)
    verdicts = judge(problem.measurement, problem.generator, search)
    images = json.loads(path.read_text())["results"]["images"]
    for image, verdict in zip(images, verdicts, strict=True):
        kept = image["verdict"]
        assert kept == json.loads(json.dumps(to_record(verdict)))
        assert kept["flag"] == verdict.flag
        assert kept["sentence"] == verdict.sentence
        assert [check["name"] for check in kept["checks"]] == [c.name for c in verdict.checks]
        low, high = kept["noise_interval"]
        assert low < image["noise_level"] < high
        assert kept["search"]["rate"] == verdict.search.rate
        assert len(kept["search"]["modes"]) == len(verdict.search.modes)
        assert set(kept["search"]["modes"][0]) == {"restart", "cost", "gap", "starts", "weight"}
    assert path.with_name("modes.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_not_finite_is_null() -> None:
    assert to_record({"a": math.inf, "b": (1.0, math.nan)}) == {"a": None, "b": [1.0, None]}


@pytest.mark.usefixtures("clock")
def test_a_time_limit_is_recorded_as_what_it_allowed(job: RestoreJob, tmp_path: Path) -> None:
    hasty = replace(job, config=replace(job.config, time_limit=0.2))
    _, path = perform(hasty, tmp_path / "first")
    record = read_record(path)
    assert record.results["time_limit"] == 0.2
    assert isinstance(record.job, RestoreJob)
    assert record.job.config.time_limit is None
    assert "--time-limit" not in json.loads(path.read_text())["command"]
    _, again = perform(record.job, tmp_path / "second")
    assert json.loads(again.read_text())["results"]["images"] == record.results["images"]


def test_the_command_names_what_differs_from_the_defaults(job: RestoreJob) -> None:
    words = job.words()
    assert words[:4] == ["restore", "eights", "--generator", job.generator]
    for option, value in (("--keep", "300"), ("--images", "2,0"), ("--solver", "adam")):
        assert words[words.index(option) + 1] == value
    assert "--learning-rate" not in words
    published = replace(job, config=RestoreConfig.preset("published").resolved())
    assert published.words()[published.words().index("--tolerance") + 1] == "0.0"


def test_changed_inputs_are_refused(job: RestoreJob, tmp_path: Path) -> None:
    _, path = perform(job, tmp_path / "out")
    record = read_record(path)
    other = random_generator((4, 8, 784), image_shape=(1, 28, 28), seed=1)
    write_generator(other, job.generator)
    with pytest.raises(FileError, match=r"--generator is .* has changed since"):
        check_inputs(record, record.job, load(job).digests())
    changed = replace(record, sha256={**record.sha256, "source": "0" * 64})
    with pytest.raises(FileError, match=r"SOURCE is .eights.* has changed since"):
        check_inputs(changed, record.job, load(job).digests())


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda record: record.pop("job"), "no 'job'"),
        (lambda record: record["job"].update(keep="many"), "keep is 'many'"),
        (lambda record: record.update(format=99), "not a record of format"),
        (lambda record: record.update(kind="fly"), "not the record of a command"),
        (lambda record: record["job"]["config"].update(restarts=0), "restarts is 0"),
        (lambda record: record["job"]["config"].update(wings=2), "wings"),
        (lambda record: record["job"].update(numbers=["one"]), "cannot be repeated"),
        (lambda record: record["job"].update(ink="green"), "one of dark, light"),
        (lambda record: record.update(results=[1]), "cannot be repeated"),
    ],
)
def test_broken_records_are_refused(
    job: RestoreJob, tmp_path: Path, change, complaint: str
) -> None:
    path = tmp_path / "run.json"
    record = make_record(job, sha256={}, results={})
    change(record)
    path.write_text(json.dumps(record))
    with pytest.raises(FileError, match=complaint):
        read_record(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe\x00", b"null"])
def test_other_files_are_no_records(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"give the run\.json that"):
        read_record(path)


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
