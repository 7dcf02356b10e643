"""The page Restore where another image than that of lowest cost is shown."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from inpaint.files.problem import load
from inpaint.posterior.estimator import Estimator
from tests.dashboard.helpers import new_app, opened, press_run, run_inpaint, settle, strips, texts


@pytest.fixture
def accurate(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page with the accurate estimate of one image."""
    app = new_app(monkeypatch)
    app.query_params |= {"numbers": "1", "restarts": "8", "estimate": "accurate"}
    app.run()
    settle(app)
    assert "Press Run" in texts(app)
    app.button("run").click()
    return settle(app)


@pytest.mark.slow
def test_an_estimate_is_shown_and_repeated_by_all_copies(accurate: AppTest, tmp_path: Path) -> None:
    from work.restore import record_file

    assert "Output: The accurate estimate." in texts(accurate)
    shown = accurate.session_state["restore result"]
    assert shown.comparison.rows[0].metrics.error < torch.linalg.vector_norm(
        shown.comparison.rows[0].ideal - shown.search.images[0]
    )
    output = shown.comparison.rows[0].output
    opened(accurate, "repeat")
    command, program = (block.value for block in accurate.code)
    assert "--estimate accurate" in command
    run_inpaint(tmp_path, *shlex.split(command)[1:], "--output", "out")
    arrays = np.load(tmp_path / "out" / "restoration.npz")
    assert np.array_equal(arrays["posterior_estimate"][0], output.numpy())

    (tmp_path / "run.json").write_bytes(record_file(shown))
    run_inpaint(tmp_path, "restore", "--from-run", "run.json", "--output", "out")
    again = np.load(tmp_path / "out" / "restoration.npz")
    assert np.array_equal(again["posterior_estimate"][0], output.numpy())

    found: dict[str, object] = {"__name__": "copied"}
    exec(program.replace("figure.png", str(tmp_path / "figure.png")), found)
    assert torch.equal(found["result"].images[0], output)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["mean", "accurate"])
def test_an_estimate_is_that_of_the_core(accurate: AppTest, name: str) -> None:
    accurate.selectbox("estimate").set_value(name)
    shown = press_run(settle(accurate)).session_state["restore result"]
    problem = load(shown.job)
    expected = Estimator(problem.measurement, problem.generator, shown.job.config).estimate(name)
    assert torch.equal(shown.estimated.images, expected.images)


def test_the_record_brings_the_estimate_back(accurate: AppTest) -> None:
    from work.restore import record_file

    record = record_file(accurate.session_state["restore result"])
    assert json.loads(record)["job"]["estimate"] == "accurate"
    accurate.selectbox("estimate").set_value("minimum")
    settle(accurate)
    assert "Output: The accurate estimate." not in texts(accurate)
    accurate.file_uploader("opened file").set_value(("run.json", record, "application/json"))
    settle(accurate)
    assert accurate.selectbox("estimate").value == "accurate"


def test_another_page_takes_the_result_as_it_is(app: AppTest) -> None:
    app.selectbox("estimate").set_value("sharp")
    settle(app)
    app.button("run").click()
    shown = settle(app).session_state["restore result"]
    assert shown.estimated is not None
    app.switch_page("views/watch.py")
    settle(app)
    assert app.session_state["restore result"] is shown
    assert "earlier result" not in texts(app)


def test_an_estimate_that_was_stopped_is_said_and_not_copied(accurate: AppTest) -> None:
    from work.restore import compute

    request = accurate.session_state["restore result"].request
    texts_heard: list[str] = []

    def report(share: float, text: str) -> bool:
        texts_heard.append(text)
        return "gradients" not in text

    stopped = compute(request, report)
    assert stopped is not None
    assert stopped.stopped
    assert stopped.estimated is None
    assert stopped.job.estimate is None
    assert stopped.comparison.rows[0].estimate == "minimum"
    accurate.session_state["restore result"] = stopped
    settle(accurate)
    assert "the sampling was stopped before its end" in texts(accurate)
    assert strips(accurate)


def test_chains_that_disagree_are_said_in_one_sentence(accurate: AppTest) -> None:
    shown = accurate.session_state["restore result"]
    assert not accurate.warning
    unsure = tuple(replace(each, converged=False) for each in shown.estimated.summaries)
    estimated = replace(shown.estimated, summaries=unsure)
    accurate.session_state["restore result"] = replace(shown, estimated=estimated)
    settle(accurate)
    assert len(accurate.warning) == 1
    assert "behind this estimate of image 1 do not agree" in accurate.warning[0].value


def test_an_estimate_of_real_images_needs_pixels(accurate: AppTest) -> None:
    accurate.selectbox("observed").set_value("block-average")
    settle(accurate)
    accurate.button("run").click()
    settle(accurate)
    assert len(accurate.error) == 1
    assert "mask" in accurate.error[0].value


def test_a_link_with_an_unknown_estimate_shows_the_minimum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = new_app(monkeypatch)
    app.query_params |= {"estimate": "nonsense"}
    settle(app)
    assert app.selectbox("estimate").value == "minimum"
    assert "Restored 4 images" in texts(app)
    opened(app, "verdicts")
    assert "choose one under Show" in app.info[0].value
