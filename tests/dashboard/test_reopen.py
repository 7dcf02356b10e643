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

from inpaint import RestoreConfig, restore
from inpaint.files.job import Run
from inpaint.files.problem import load
from inpaint.files.record import read_run, write_run
from inpaint.plots.comparison import compare
from tests.dashboard.conftest import choose, new_app, opened, settle, texts, upload

EQUAL = "The costs are equal to those of the opened run."


def recorded(run: Run, folder: Path) -> bytes:
    """The run.json that `inpaint restore` writes."""
    problem = load(run)
    restoration = restore(problem.measurement, problem.generator, run.config)
    comparison = compare(problem.measurement, problem.generator, restoration)
    return write_run(folder, problem, restoration, comparison).read_bytes()


def open_run(app: AppTest, data: bytes) -> AppTest:
    app.file_uploader("opened file").set_value(("run.json", data, "application/json"))
    settle(app)
    if any(button.key == "run" for button in app.button):
        app.button("run").click()
        settle(app)
    return app


def costs(app: AppTest) -> list[float]:
    shown = app.session_state["restore result"]
    return [row.cost for row in shown.comparison.rows]


def page_record(app: AppTest) -> bytes:
    """What the button Record gives."""
    from parts import results

    shown = app.session_state["restore result"]
    return results.record(shown)


ADAM = {"solver": "adam", "steps": 40, "learning_rate": 0.123456789, "schedule": "constant"}


@pytest.mark.parametrize(
    "run",
    [
        Run(keep=410, noise=0.0973, numbers=(0, 2), config=RestoreConfig.preset("fast", seed=5)),
        Run(config=RestoreConfig.preset("published", stop_after=30, noise_level=0.12)),
        Run(mask="random:0.123456789:7", config=RestoreConfig(restarts=9, **ADAM, patience=7)),
        Run(operator="blur:1.5", mask="box:8", config=RestoreConfig(restarts=3, polish=2)),
        Run(operator="block-average:2", noise=0.7, config=RestoreConfig(restarts=3, rounds=2)),
        Run(config=RestoreConfig(restarts=4, backend="torch", dtype="float64", tolerance=0.5)),
    ],
    ids=["columns", "stopped", "pattern", "blur", "averages", "torch"],
)
def test_a_recorded_run_is_opened(app: AppTest, tmp_path: Path, run: Run) -> None:
    record = recorded(run, tmp_path)
    open_run(app, record)
    assert not app.error
    assert EQUAL in texts(app)
    asked = app.session_state["restore result"].problem.run
    assert asked.config.resolved() == read_run(tmp_path / "run.json")[0].config
    assert costs(app) == [image["cost"] for image in json.loads(record)["images"]]


def test_files_of_an_opened_run_are_asked_for_and_checked(
    app: AppTest, data_dir: Path, tmp_path: Path
) -> None:
    files = {name: data_dir / name for name in ("data21.mat", "data22.mat", "data23.mat")}
    config = RestoreConfig.preset("fast")
    run = Run(source=str(files["data22.mat"]), generator=str(files["data21.mat"]), config=config)
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
    run = Run(source=str(tmp_path / "one" / "images.npy"), config=config)
    open_run(app, recorded(run, tmp_path))
    upload(app, "images", "images.npy", (tmp_path / "two" / "images.npy").read_bytes())
    assert "other images stood in its files" in app.warning[0].value
    upload(app, "images", "images.npy", (tmp_path / "one" / "images.npy").read_bytes())
    assert EQUAL in texts(app)


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
    settle(app)
    if any(button.key == "run" for button in app.button):
        app.button("run").click()
        settle(app)
    return app


@pytest.mark.parametrize("prepare", [drawn_and_painted, hard_settings])
def test_the_copied_command_and_python_repeat_the_run(
    app: AppTest, tmp_path: Path, prepare: Any
) -> None:
    prepare(app)
    assert not app.error
    write_made(app, tmp_path)
    code = [block.value for block in opened(app, "repeat").code]
    program, *words = shlex.split(code[0])
    assert program == "inpaint"
    subprocess.run(
        [sys.executable, "-m", "inpaint", *words], cwd=tmp_path, check=True, capture_output=True
    )
    record = json.loads((tmp_path / "restored" / "run.json").read_text())
    assert [image["cost"] for image in record["images"]] == costs(app)
    done = subprocess.run(
        [sys.executable, "-c", code[1] + "\nprint([row.cost for row in comparison.rows])\n"],
        cwd=tmp_path, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == costs(app)
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def spoiled(**changes: Any) -> bytes:
    """A record with some of its entries changed."""
    record = {
        "format": 1, "source": "eights", "generator": "eights-10", "keep": 350, "mask": None,
        "noise": 0.0, "numbers": [0], "config": {}, "sha256": {}, "images": [{"cost": 1.0}],
    }  # fmt: skip
    return json.dumps(record | changes).encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no JSON", "is not JSON"),
        (b"", "is empty"),
        (spoiled(format=9), "is no record of format 1"),
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
