"""Sweeps, comparisons and measurements that are repeated outside the dashboard."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from inpaint.studies.sweep import Sweep
from tests.dashboard.conftest import new_app, opened, settle, texts, upload


def opened_at(monkeypatch: pytest.MonkeyPatch, page: str, **query: str | list[str]) -> AppTest:
    """A page as a link opens it."""
    app = new_app(monkeypatch)
    app.query_params |= query
    app.run()
    app.switch_page(f"views/{page}.py")
    # In a test, unlike in a browser, widgets know the link only from a page's second run on.
    app.run()
    return settle(app)


def run_inpaint(folder: Path, *words: str) -> str:
    """Run the command line in a folder."""
    command = [sys.executable, "-m", "inpaint", *words]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout


def test_a_sweep_is_shared_by_its_link_and_repeated_by_its_copies(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    app = opened_at(
        monkeypatch,
        "sweep",
        numbers="1",
        restarts="4",
        seed="3",
        repeats="2",
        keeps=["450", "300"],
        counts=["1", "4"],
    )
    app.button("run").click()
    settle(app)
    found: Sweep = app.session_state["sweep result"].sweep
    assert "**Swept N = 450, 300**, 2 seeds" in texts(app)
    opened(app, "repeat")
    command, program = (block.value for block in app.code)

    run_inpaint(tmp_path, *shlex.split(command)[1:], "--output", "out")
    assert (tmp_path / "out" / "sweep.csv").read_text() == found.to_long_csv()
    assert (tmp_path / "out" / "trials.csv").read_text() == found.to_trials_csv()

    printed: list[str] = []
    exec(program, {"print": printed.append, "__name__": "copied"})
    assert printed == [found.to_long_csv()]


def test_a_sweep_of_a_file_read_in_a_set_way_has_a_program_only(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> None:
    app = opened_at(monkeypatch, "sweep", numbers="0", restarts="4", repeats="1")
    upload(app, "images", "data22.mat", (data_dir / "data22.mat").read_bytes())
    app.selectbox("ink").set_value("dark")
    settle(app)
    app.button("run").click()
    settle(app)
    opened(app, "repeat")
    (program,) = (block.value for block in app.code)
    assert "ink='dark'" in program


def test_both_sides_of_a_comparison_can_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened_at(monkeypatch, "compare", numbers="0")
    opened(app, "repeat")
    left, _, right, _ = (block.value for block in app.code)
    shown = app.session_state["compare result"]
    for command, side in ((left, shown.left), (right, shown.right)):
        assert command == side.problem.run.command
    app.selectbox("right").set_value("telea")
    settle(app)
    assert len(app.code) == 2
    assert "This side is no search" in texts(app)
