"""A run leaves the page as command, Python, link and run.json, and comes back by each of them."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from inpaint import RestoreConfig
from inpaint.files.job import RestoreJob
from inpaint.files.problem import load
from inpaint.files.record import FORMAT, read_record
from inpaint.files.results import write_restoration
from inpaint.plots.comparison import compare
from inpaint.search.restore import restore
from tests.dashboard.helpers import (
    choose,
    new_app,
    opened,
    press_run,
    run_inpaint,
    settle,
    texts,
    upload,
)

EQUAL = "The costs are equal to those of the opened run."


def recorded(job: RestoreJob, folder: Path) -> bytes:
    """The run.json that `inpaint restore` writes."""
    problem = load(job)
    restoration = restore(problem.measurement, problem.generator, job.config)
    comparison = compare(problem.measurement, problem.generator, restoration)
    return write_restoration(folder, problem, restoration, comparison).read_bytes()


def open_run(app: AppTest, data: bytes) -> AppTest:
    app.file_uploader("opened file").set_value(("run.json", data, "application/json"))
    return press_run(settle(app))


def costs(app: AppTest) -> list[float]:
    shown = app.session_state["restore result"]
    return [row.cost for row in shown.comparison.rows]


def page_record(app: AppTest) -> bytes:
    """What the button Record gives."""
    from work.restore import record_file

    return record_file(app.session_state["restore result"])


ADAM = {"solver": "adam", "steps": 40, "learning_rate": 0.123456789, "schedule": "constant"}


@pytest.mark.parametrize(
    "job",
    [
        RestoreJob(
            keep=410, noise=0.0973, numbers=(0, 2), config=RestoreConfig.preset("fast", seed=5)
        ),
        RestoreJob(noise_level=0.12, config=RestoreConfig.preset("published", stop_after=30)),
        RestoreJob(
            mask="random:0.123456789:7", config=RestoreConfig(restarts=9, **ADAM, patience=7)
        ),
        RestoreJob(operator="blur:1.5", mask="box:8", config=RestoreConfig(restarts=3)),
        RestoreJob(
            operator="block-average:2", noise=0.7, config=RestoreConfig(restarts=3, rounds=2)
        ),
        RestoreJob(
            config=RestoreConfig(restarts=4, backend="torch", dtype="float64", tolerance=0.5)
        ),
        RestoreJob(keep=500, config=RestoreConfig(max_restarts=60)),
    ],
    ids=["columns", "stopped", "pattern", "blur", "averages", "torch", "automatic"],
)
def test_a_recorded_run_is_opened(app: AppTest, tmp_path: Path, job: RestoreJob) -> None:
    record = recorded(job, tmp_path)
    open_run(app, record)
    assert not app.error
    assert EQUAL in texts(app)
    asked = app.session_state["restore result"].problem.job
    assert asked.config.resolved() == read_record(tmp_path / "run.json").job.config
    assert costs(app) == [image["cost"] for image in json.loads(record)["results"]["images"]]


def test_files_of_an_opened_run_are_asked_for_and_checked(
    app: AppTest, data_dir: Path, tmp_path: Path
) -> None:
    files = {name: data_dir / name for name in ("data21.mat", "data22.mat", "data23.mat")}
    config = RestoreConfig.preset("fast")
    run = RestoreJob(
        source=str(files["data22.mat"]), generator=str(files["data21.mat"]), config=config
    )
    open_run(app, recorded(run, tmp_path))
    assert "data22.mat**: choose that file here" in texts(app)
    assert "data21.mat**: choose that file here" in texts(app)
    assert EQUAL not in texts(app)
    upload(app, "images", "data22.mat", files["data22.mat"].read_bytes())
    open_run(app, (tmp_path / "run.json").read_bytes())
    upload(app, "images", "data22.mat", files["data22.mat"].read_bytes())
    upload(app, "generator", "data21.mat", files["data21.mat"].read_bytes())
    assert EQUAL in texts(app)

    changed = np.load(tmp_path / "restoration.npz")["measurement"]
    np.save(tmp_path / "other.npy", changed)
    upload(app, "images", "data22.mat", b"")
    assert "data22.mat is empty" in app.error[0].value


def test_a_run_on_another_file_of_that_name_is_told_apart(app: AppTest, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "images.npy", rng.uniform(size=(1, 1, 28, 28)))
    config = RestoreConfig(restarts=2, screen=0, solver="adam", steps=5)
    run = RestoreJob(source=str(tmp_path / "one" / "images.npy"), config=config)
    open_run(app, recorded(run, tmp_path))
    upload(app, "images", "images.npy", (tmp_path / "two" / "images.npy").read_bytes())
    assert "its files held other images" in app.warning[0].value
    upload(app, "images", "images.npy", (tmp_path / "one" / "images.npy").read_bytes())
    assert EQUAL in texts(app)


def test_what_is_white_in_the_mask_of_an_opened_run_is_remembered(
    app: AppTest, tmp_path: Path
) -> None:
    np.save(tmp_path / "mask.npy", np.tri(28))
    config = RestoreConfig(restarts=2, screen=0, solver="adam", steps=5)
    mask = {"mask": str(tmp_path / "mask.npy"), "mask_white": "lost"}
    open_run(app, recorded(RestoreJob(config=config, **mask), tmp_path))
    data = (tmp_path / "mask.npy").read_bytes()
    app.file_uploader("uploaded mask").set_value(("mask.npy", data, "application/x-npy"))
    settle(app)
    assert EQUAL in texts(app)
    assert "N = 378 of 784 pixels observed" in texts(app)


def drawn_and_painted(app: AppTest) -> AppTest:
    """A drawing with a painted mask: both exist nowhere but on the page."""
    turn = np.linspace(0, 2 * np.pi, 60)
    eight = np.stack([140 + 60 * np.sin(2 * turn), 140 - 110 * np.cos(turn)], axis=1)
    app.session_state["pad kept"] = [eight.tolist()]
    app.selectbox("images").set_value("draw")
    settle(app)
    return choose(app, "damage", "paint")


def test_what_was_drawn_and_painted_comes_back_with_the_record(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn_and_painted(app)
    other = settle(new_app(monkeypatch))
    open_run(other, page_record(app))
    assert EQUAL in texts(other)
    assert costs(other) == costs(app)
    again = settle(new_app(monkeypatch))
    open_run(again, page_record(other))
    assert costs(again) == costs(app), "a record of an opened run holds all of it too"


def write_made(app: AppTest, folder: Path) -> None:
    """The files that the page offers beside the command."""
    request = app.session_state["restore result"].request
    for source in (request.images, request.mask):
        if source is not None and source.made is not None:
            (folder / source.name).write_bytes(source.made())


def hard_settings(app: AppTest) -> AppTest:
    """Whatever is easily forgotten: operator, mask, some images, noise, another solver."""
    app.selectbox("observed").set_value("blur")
    app.text_input("numbers").set_value("0,2-3")
    app.slider("noise").set_value(0.05)
    app.selectbox("solver").set_value("adam")
    settle(app)
    choose(app, "damage", "pattern")
    app.selectbox("pattern").set_value("strokes")
    app.number_input("restarts").set_value(6)
    app.number_input("steps").set_value(60)
    app.number_input("seed").set_value(11)
    app.number_input("tolerance").set_value(0.01)
    return press_run(settle(app))


@pytest.mark.slow
@pytest.mark.parametrize("prepare", [drawn_and_painted, hard_settings])
def test_the_copied_command_and_python_repeat_the_run(
    app: AppTest, tmp_path: Path, prepare: Any
) -> None:
    prepare(app)
    assert not app.error
    write_made(app, tmp_path)
    command, program = (block.value for block in opened(app, "repeat").code)
    run_inpaint(tmp_path, *shlex.split(command)[1:])
    record = json.loads((tmp_path / "restored" / "run.json").read_text())
    assert [image["cost"] for image in record["results"]["images"]] == costs(app)
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nprint(result.costs.tolist())\n"],
        cwd=tmp_path, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == costs(app)
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_the_record_is_that_of_the_command_line(app: AppTest, tmp_path: Path) -> None:
    page = json.loads(page_record(app))
    run_inpaint(tmp_path, *shlex.split(opened(app, "repeat").code[0].value)[1:])
    command = json.loads((tmp_path / "restored" / "run.json").read_text())
    # The page hands out each file by itself, so its record lists none beside it.
    assert command.pop("files")
    for record in (page, command):
        for name in ("seconds", "reasons"):
            del record["results"][name]
        del record["created"]
    assert page == command


def spoiled(*, config: dict[str, Any] | None = None, **changes: Any) -> bytes:
    """A record with some of its job's fields, or with some of its own entries, changed."""
    record = {
        "format": FORMAT, "kind": "restore",
        "job": {"source": "eights", "generator": "eights-10", "numbers": [0]},
        "sha256": {}, "results": {"images": [{"cost": 1.0}]},
    }  # fmt: skip
    for name in ("format", "made", "results"):
        if name in changes:
            record[name] = changes.pop(name)
    record["job"] |= changes | {"config": config or {}}  # type: ignore[operator]
    return json.dumps(record).encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no JSON", "is not JSON"),
        (b"", "is empty"),
        (spoiled(format=9), "is not a record of format 2"),
        (spoiled(results={}), "holds no costs"),
        (spoiled(config={"restarts": 0}), "restarts is 0"),
        (spoiled(config={"magic": 1}), "cannot be repeated"),
        (spoiled(keep=0), "keep is 0"),
        (spoiled(noise=-1), "noise is -1"),
        (spoiled(config={"seed": 2**60}), "seed is"),
        (spoiled(ink="pink"), "ink is 'pink'"),
        (spoiled(mask="box:ten"), "mask is 'box:ten'"),
        (spoiled(operator="blur:"), "operator is 'blur:'"),
        (spoiled(made=["mask"]), "'made' cannot be read"),
        (spoiled(made={"mask": "no base64!"}), "'made' cannot be read"),
    ],
)
def test_a_bad_record_is_said_and_leaves_the_form(app: AppTest, data: bytes, message: str) -> None:
    before = costs(app)
    open_run(app, data)
    assert message in app.error[0].value
    assert not app.exception
    assert costs(app) == before


def test_a_record_cannot_name_a_file_of_the_server(app: AppTest, tmp_path: Path) -> None:
    np.save(tmp_path / "secret.npy", np.zeros((1, 1, 28, 28)))
    open_run(app, spoiled(source=str(tmp_path / "secret.npy")))
    assert "secret.npy**: choose that file here" in texts(app)
    assert "the result will appear here" in texts(app)
