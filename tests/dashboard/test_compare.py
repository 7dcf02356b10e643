"""The page Compare without a browser: two searches, and a search against a baseline."""

from __future__ import annotations

import pytest
import torch
from streamlit.testing.v1 import AppTest

from inpaint import RestoreConfig
from inpaint.studies.baselines.catalog import fit_baseline
from tests.dashboard.helpers import settle, tables, texts


def test_two_searches_are_compared_on_the_same_images(app: AppTest) -> None:
    app.switch_page("views/compare.py")
    settle(app)
    pair = app.session_state["compare result"]
    assert pair.left.request.job.config == RestoreConfig.preset("fast")
    assert pair.right.request.job.config == RestoreConfig.preset("published")
    left, right = (side.problem.measurement.values for side in (pair.left, pair.right))
    assert torch.equal(left, right)
    table = tables(app)[0]
    assert (table["Left cost J"] <= table["Right cost J"] + 0.5).all()
    assert "Lower cost: left on" in texts(app)
    assert len(app.get("bidi_component")) == 1

    app.selectbox("other").set_value("fast")
    settle(app)
    assert app.number_input("other_restarts").value == 64
    assert "Both reached the same costs." in texts(app)
    app.number_input("seed").set_value(3)
    settle(app)
    pair = app.session_state["compare result"]
    assert pair.right.request.job.config.seed == 3
    app.selectbox("other").set_value("best")
    settle(app)
    assert app.number_input("other_restarts").value is None
    pair = app.session_state["compare result"]
    assert pair.right.request.job.config.restarts == "auto"
    app.number_input("other_restarts").set_value(2000)
    settle(app)
    assert "Press Run" in texts(app)
    assert "Below is the earlier result" in texts(app)


def test_a_comparison_shows_the_images_that_both_sides_reached(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from work import compare

    app.switch_page("views/compare.py")
    pair = settle(app).session_state["compare result"]
    found = iter([pair.left, pair.right.first(2)])
    monkeypatch.setattr(compare.restore, "compute", lambda request, report: next(found))
    short = compare.compute(pair.request, lambda share, text: True)
    assert short is not None
    assert [(left.number, right.number) for left, right in short.rows()] == [(0, 0), (1, 1)]
    assert short.stopped
    assert short.left.job.numbers == (0, 1)
    assert "Stopped: best so far of 2 of 4 images" in short.left.summary


@pytest.mark.parametrize("name", ["biharmonic", "telea", "navier-stokes"])
def test_a_search_is_held_against_a_baseline(app: AppTest, name: str) -> None:
    app.switch_page("views/compare.py")
    settle(app)
    app.selectbox("right").set_value(name)
    settle(app)
    pair = app.session_state["compare result"]
    mask = pair.left.problem.measurement.operator
    values = pair.left.problem.measurement.values
    filled = fit_baseline(name).restore(values, mask)
    for row, image in zip(pair.right.comparison.rows, filled, strict=True):
        assert torch.equal(row.output, image.float())
    assert "Smaller error: left on 4 of 4 images." in texts(app)
    table = tables(app)[0]
    assert (table["Left error"] < table["Right error"]).all()
    assert "Right cost J" not in table
    app.selectbox("observed").set_value("block-average")
    settle(app)
    assert "A method without a generator continues a picture" in app.error[0].value
