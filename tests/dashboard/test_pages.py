"""Every page without a browser: what is asked, what is run, what is shown, and bad input."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from inpaint import RestoreConfig
from inpaint.config import PRESETS
from inpaint.plots.comparison import CAPTIONS, COLUMNS
from inpaint.studies.samples import FIGURES
from tests.dashboard.helpers import (
    choose,
    command,
    group,
    mat_file,
    new_app,
    opened,
    settle,
    small_generator,
    strip,
    strips,
    tables,
    texts,
    upload,
)


def test_the_bundled_example_is_restored_when_the_page_opens(app: AppTest) -> None:
    shown = texts(app)
    assert "N = 350 of 784 pixels observed" in shown
    assert "Restored 4 images" in shown
    assert CAPTIONS["Difference"] in shown
    pictures = strip(app)
    assert re.findall("<b>(.*?)</b>", pictures) == list(COLUMNS)
    assert re.findall('<img src="data:image/([a-z+]+);', pictures) == [
        "png", "png", "svg+xml", "png", "png",
    ]  # fmt: skip
    table = tables(app)[0]
    assert list(table["Image"]) == [0, 1, 2, 3]
    assert {"PSNR observed", "PSNR missing", "SSIM", "SSIM missing"} <= set(table)
    labels = [button.label for button in app.download_button]
    assert labels == ["Figure (PNG)", "Arrays (npz)", "Record (run.json)"]


def test_the_result_follows_the_slider(app: AppTest) -> None:
    before = list(tables(app)[0]["Cost J"])
    app.slider("N").set_value(500)
    settle(app)
    assert "N = 500 of 784 pixels observed" in texts(app)
    assert list(tables(app)[0]["Cost J"]) != before


def test_defaults_and_choices_are_those_of_the_configuration(app: AppTest) -> None:
    usual = RestoreConfig.preset("fast")
    assert app.number_input("restarts").value == usual.restarts
    assert app.number_input("steps").value is usual.steps
    assert app.selectbox("solver").value == usual.solver
    assert group(app, "preset").options == list(PRESETS)


def test_a_preset_sets_the_solver(app: AppTest) -> None:
    app.number_input("restarts").set_value(7)
    settle(app)
    choose(app, "preset", "published")
    assert app.number_input("restarts").value == 1
    assert app.selectbox("solver").value == "gradient-descent"
    assert "--solver gradient-descent" in command(app)
    assert "Restored 4 images" in texts(app)


def test_a_heavy_run_waits_for_its_button(app: AppTest) -> None:
    app.number_input("restarts").set_value(900)
    settle(app)
    assert "press run" in texts(app).lower()
    assert "Below is the earlier result" in texts(app)
    app.button("run").click()
    settle(app)
    assert "Restored 4 images" in texts(app)
    assert "--restarts 900" in command(app)


def test_a_link_sets_the_form(monkeypatch: pytest.MonkeyPatch) -> None:
    app = new_app(monkeypatch)
    app.query_params |= {"N": "400", "restarts": "5", "noise": "0.1"}
    settle(app)
    assert "N = 400 of 784" in texts(app)
    assert "--noise 0.1 --keep 400 --restarts 5" in command(app)


def test_a_link_with_bad_values_opens_with_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    app = new_app(monkeypatch)
    app.query_params |= {"N": "-3", "restarts": "0", "solver": "magic", "backend": "abacus"}
    settle(app)
    assert "N = 350 of 784" in texts(app)
    assert not app.error


def test_the_copied_python_repeats_the_run(app: AppTest, tmp_path: Path) -> None:
    app.slider("N").set_value(410)
    settle(app)
    program = opened(app, "repeat").code[1].value + "\nprint(*result.compare().rows[0].lines)\n"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert f"J {tables(app)[0]['Cost J'][0]:.2f}" in done.stdout


def test_uploaded_files_are_restored_and_gone_from_the_disk(
    app: AppTest, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    upload(app, "images", "data22.mat", (data_dir / "data22.mat").read_bytes())
    upload(app, "generator", "data21.mat", (data_dir / "data21.mat").read_bytes())
    assert "inpaint restore data22.mat --generator data21.mat" in command(app)
    assert list(tables(app)[0]["Cost J"]) == pytest.approx(
        [404.253, 431.333, 431.303, 380.387], abs=1.0
    )
    assert list(tmp_path.iterdir()) == []


def no_arrays(path: Path) -> None:
    mat_file(path, other=np.zeros(3))


def wrong_shapes(path: Path) -> None:
    mat_file(path, X_n=np.zeros((785, 4)))


def not_finite(path: Path) -> None:
    mat_file(path, X_n=np.full((784, 4), np.nan))


def truncated(path: Path) -> None:
    mat_file(path, X_n=np.zeros((784, 40)))
    path.write_bytes(path.read_bytes()[:2000])


def only_text(path: Path) -> None:
    path.write_text("This is not a file of arrays.")


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("kind", ["images", "generator"])
@pytest.mark.parametrize(
    "spoil", [no_arrays, wrong_shapes, not_finite, truncated, only_text, empty]
)
def test_a_bad_upload_is_said_and_leaves_nothing_but_the_result(
    app: AppTest,
    tmp_path: Path,
    kind: str,
    spoil: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "disk").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "disk"))
    before = tables(app)[0]
    spoil(tmp_path / "bad.mat")
    if kind == "generator" and spoil in (wrong_shapes, not_finite):
        shape = (785, 128) if spoil is wrong_shapes else (784, 128)
        weights = {"A_1": np.zeros((128, 10)), "B_1": np.zeros((128, 1))}
        value = np.nan if spoil is not_finite else 0.0
        mat_file(tmp_path / "bad.mat", **weights, A_2=np.full(shape, value), B_2=np.zeros((784, 1)))
    upload(app, kind, "bad.mat", (tmp_path / "bad.mat").read_bytes())
    assert len(app.error) == 1
    message = app.error[0].value
    assert re.search(r"\.$", message), message
    assert "bad.mat" in message or "NaN" in message or "layer" in message, message
    assert str(tmp_path.parent) not in message
    assert tables(app)[0].equals(before)
    assert app.text_input("numbers").label == "Which of them", "nothing jumps"
    assert list((tmp_path / "disk").iterdir()) == []


def test_a_bad_setting_is_said_and_leaves_the_result(app: AppTest) -> None:
    app.selectbox("solver").set_value("adam")
    settle(app)
    before = tables(app)[0]
    app.number_input("learning_rate").set_value(-1.0)
    settle(app)
    assert [error.value for error in app.error] == [
        "Learning rate: learning_rate is -1.0; choose a finite number above 0."
    ]
    assert tables(app)[0].equals(before)


def test_a_generator_of_other_images_is_said(app: AppTest, tmp_path: Path) -> None:
    upload(app, "generator", "small.mat", small_generator(tmp_path))
    assert "choose a generator of that shape" in app.error[0].value
    assert "Below is the earlier result" in texts(app)


def test_the_cpp_backend_never_falls_back(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inpaint.search.backends.cpp.obstacle", lambda objective: "It was hidden.")
    app.selectbox("backend").set_value("cpp")
    settle(app)
    assert app.error[0].value == "backend is 'cpp', which cannot serve here: It was hidden."
    app.selectbox("backend").set_value("auto")
    settle(app)
    assert not app.error


def test_the_speed_page_measures(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    from work import speed

    monkeypatch.setattr(speed, "RESTARTS", (1, 8))
    short = partial(speed.run_bench, seconds=0.5)
    monkeypatch.setattr(speed, "run_bench", lambda **given: short(**{**given, **short.keywords}))
    app.switch_page("views/speed.py")
    settle(app)
    assert app.info[0].value == "Nothing was measured yet."
    app.button("measure").click()
    settle(app)
    assert "All variants agreed" in texts(app)
    assert len(app.get("vega_lite_chart")) == 1
    upload(app, "generator", "notes.mat", b"no arrays")
    assert "notes.mat" in app.error[0].value
    assert "All variants agreed" in texts(app), "what was measured stays"
    assert app.button("measure").disabled
    app.switch_page("views/restore.py")
    settle(app)
    assert "Restored 4 images" in texts(app)


def test_the_record_can_be_run_again(app: AppTest) -> None:
    from work.restore import record_file

    record = json.loads(record_file(app.session_state["restore result"]))
    assert record["job"]["keep"] == 350
    assert record["job"]["config"]["restarts"] == RestoreConfig.preset("fast").restarts
    assert len(record["results"]["images"]) == 4


def test_the_boxes_hold_verdicts_and_curves(app: AppTest) -> None:
    opened(app, "verdicts")
    assert "Image 3." in texts(app)
    assert {"Noise, 95 %", "Reached", "Modes"} <= set(tables(app)[1])
    opened(app, "curves")
    assert len(app.get("vega_lite_chart")) == 1


def test_the_sweep_page_restores_at_each_number_of_pixels(app: AppTest) -> None:
    app.switch_page("views/sweep.py")
    settle(app)
    assert app.multiselect("keeps").value == [500, 400, 350, 300]
    app.multiselect("keeps").set_value([450, 300])
    app.multiselect("counts").set_value([1, 2, 64])
    app.number_input("restarts").set_value(5)
    settle(app)
    app.button("run").click()
    settle(app)
    assert "Swept N = 450, 300" in texts(app)
    answer = app.session_state["sweep result"]
    assert {each.restarts for each in answer.sweep.partial_searches} == {1, 2, 5}
    assert len({each.seed for each in answer.sweep.partial_searches}) == 5
    assert len(app.get("vega_lite_chart")) == 6
    heads = [re.findall("<b>(.*?)</b>", html) for html in strips(app)]
    assert heads == [list(COLUMNS), list(COLUMNS)]
    labels = [button.label for button in app.download_button]
    assert labels[2:] == ["Curves (PNG)", "Figure (PNG)", "Figure (PNG)"]

    app.multiselect("keeps").set_value([])
    settle(app)
    assert "Choose files in the sidebar and at least one N." in texts(app)
    app.switch_page("views/restore.py")
    settle(app)
    assert app.number_input("restarts").value == 5, "settings are kept from page to page"


def test_a_generator_without_figures_says_how_to_measure_them(app: AppTest, tmp_path: Path) -> None:
    app.switch_page("views/generator.py")
    settle(app)
    upload(app, "generator", "small.mat", small_generator(tmp_path))
    assert "holds no figures" in texts(app)
    assert not app.table


def test_the_generator_page_shows_what_it_can_make(app: AppTest) -> None:
    app.switch_page("views/generator.py")
    settle(app)
    assert "latent vectors drawn at random" in texts(app)
    assert [header.value for header in app.subheader] == ["How well does it draw?"]
    figures = app.table[0].value
    assert list(figures["figure"]) == [figure.title for figure in FIGURES]
    assert list(figures["what it says"]) == [figure.meaning for figure in FIGURES]
    assert all("real images" in text for text in figures["samples"])
    assert "held-out images of class 8" in texts(app)
    assert [tab.label for tab in app.tabs] == [
        "Samples",
        "By hand",
        "Walk",
        "Model card",
        "Training",
    ]

    app.session_state["show"] = "By hand"
    settle(app)
    before = [slider.value for slider in app.slider]
    assert len(before) == 10
    app.button("another").click()
    settle(app)
    assert [slider.value for slider in app.slider] != before

    app.session_state["show"] = "Walk"
    settle(app)
    assert "straight way" in texts(app)
    app.session_state["show"] = "Model card"
    settle(app)
    assert "10 → 128 → 784" in texts(app)

    app.session_state["show"] = "Training"
    settle(app)
    history = [{"step": 100, "variational": 2.5}, {"step": 200, "variational": 2.0, "inversion": 1}]
    record = json.dumps({"history": history, "steps": 200, "generator": {"sha256": "another"}})
    app.file_uploader("uploaded training").set_value(
        ("eights.json", record.encode(), "application/json")
    )
    settle(app)
    assert len(app.get("vega_lite_chart")) == 2
    assert "another generator" in app.warning[0].value
    for bad in (b"[]", b"no JSON", b'{"history": [{"step": 1, "loss": "low"}]}', b""):
        app.file_uploader("uploaded training").set_value(("bad.json", bad, "application/json"))
        settle(app)
        assert "bad.json" in app.error[0].value


def test_the_watch_page_plays_a_restart_of_the_result(app: AppTest) -> None:
    before = app.session_state["restore result"]
    app.switch_page("views/watch.py")
    settle(app)
    assert app.session_state["restore result"] is before, "the result goes along"
    film = app.session_state["film"][1]
    assert len(app.get("bidi_component")) == 1
    assert float(film.costs.min()) == pytest.approx(before.comparison.rows[0].cost, abs=1e-2)
    assert [button.label for button in app.download_button] == ["Film (GIF)"]

    choose(app, "restart", "The worst")
    worst = app.session_state["film"][1]
    assert float(worst.costs[-1]) >= float(film.costs[-1])
    choose(app, "restart", "By number")
    assert app.number_input("restart number").value < 64


def test_a_film_that_is_too_long_is_said(app: AppTest) -> None:
    app.switch_page("views/watch.py")
    settle(app)
    choose(app, "preset", "published")
    app.number_input("steps").set_value(6000)
    settle(app)
    assert "films are made of 1 to 5,000" in app.info[0].value
