"""Sweeps, comparisons and measurements that are repeated outside the dashboard."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from inpaint.studies.sweep import Sweep
from tests.dashboard.helpers import open_page, opened, run_inpaint, settle, texts, upload


@pytest.mark.slow
def test_a_sweep_is_shared_by_its_link_and_repeated_by_its_copies(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    app = open_page(
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
    assert (tmp_path / "out" / "partial_searches.csv").read_text() == found.to_partial_csv()

    printed: list[str] = []
    exec(program, {"print": printed.append, "__name__": "copied"})
    assert printed == [found.to_long_csv()]


def test_a_sweep_of_a_file_is_repeated_with_how_it_was_read(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> None:
    app = open_page(monkeypatch, "sweep", numbers="0", restarts="4", repeats="1")
    upload(app, "images", "data22.mat", (data_dir / "data22.mat").read_bytes())
    app.selectbox("ink").set_value("dark")
    settle(app)
    app.button("run").click()
    settle(app)
    opened(app, "repeat")
    command, program = (block.value for block in app.code)
    assert "--ink dark" in command
    assert "ink='dark'" in program


def test_both_sides_of_a_comparison_can_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    app = open_page(monkeypatch, "compare", numbers="0")
    opened(app, "repeat")
    left, _, right, _ = (block.value for block in app.code)
    shown = app.session_state["compare result"]
    for command, side in ((left, shown.left), (right, shown.right)):
        assert command == side.job.command_line
    app.selectbox("right").set_value("telea")
    settle(app)
    assert len(app.code) == 2
    assert "This side is no search" in texts(app)
