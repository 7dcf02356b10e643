"""The page Uncertainty: what is asked, what is shown, what is refused, and pixels revealed."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, TimeoutError, expect
from streamlit.testing.v1 import AppTest

from inpaint import PosteriorConfig
from inpaint.plots import posterior_views as views
from inpaint.posterior.config import STARTS
from tests.dashboard.helpers import (
    choose,
    new_app,
    open_page,
    opened,
    run_inpaint,
    settle,
    strips,
    tables,
    texts,
)

SMALL = {"numbers": "2", "N": "308", "particles": "96", "chains": "2", "moves": "2"}
"""A sampling that takes a moment, of a bundled image that one image fits."""


@pytest.fixture
def uncertain(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page, after a small sampling of one image."""
    return opened_with(monkeypatch)


def opened_with(monkeypatch: pytest.MonkeyPatch, **query: str) -> AppTest:
    """The page as a link with the small settings opens it."""
    return open_page(monkeypatch, "uncertainty", **{**SMALL, **query})


def titles(app: AppTest) -> list[str]:
    return [title for html in strips(app) for title in re.findall("<b>(.*?)</b>", html)]


def test_a_link_samples_one_image(uncertain: AppTest) -> None:
    assert "Sampled 1 image" in texts(uncertain)
    assert "**Image 2.** Converged: 2 independent chains agree" in texts(uncertain)
    assert titles(uncertain) == [
        "Ideal", "Corrupted", "Mean", "Std", "Lower end", "Median", "Upper end",
    ]  # fmt: skip
    assert "Black: all agree, 0. White: open by" in texts(uncertain)
    assert "What all of them share is known" in texts(uncertain)
    table = tables(uncertain)[0]
    assert list(table["Converged"]) == ["\u2713 yes"]
    assert re.fullmatch(r"0\.\d{3} to 0\.\d{3}", table["Noise, 90 %"][0])
    assert not uncertain.warning


def test_several_images_wait_for_the_button(monkeypatch: pytest.MonkeyPatch) -> None:
    from work import posterior

    monkeypatch.setattr(posterior, "QUICK_PARTICLES", 100)
    app = opened_with(monkeypatch, numbers="1-2")
    assert "Press Run to sample" in texts(app)
    assert not tables(app)
    app.button("run").click()
    settle(app)
    assert list(tables(app)[0]["Image"]) == [1, 2]
    choose(app, "posterior of", "2")
    assert "Row" in texts(app)


def test_defaults_are_those_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    app = new_app(monkeypatch)
    app.run()
    app.switch_page("views/uncertainty.py")
    settle(app)
    usual = PosteriorConfig()
    for field in fields(usual):
        widgets = app.selectbox if isinstance(getattr(usual, field.name), str) else app.number_input
        assert widgets(field.name).value == getattr(usual, field.name)
    choose(app, "sampling", "thorough")
    assert app.number_input("particles").value > usual.particles


@pytest.mark.parametrize("start", STARTS)
def test_the_command_and_the_python_name_what_was_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, start: str
) -> None:
    uncertain = opened_with(monkeypatch, start=start)
    opened(uncertain, "repeat")
    command, program = (block.value for block in uncertain.code)
    words = shlex.split(command)
    assert words[:3] == ["inpaint", "posterior", "eights"]
    given = dict(zip(words[3::2], words[4::2], strict=True))
    assert given["--particles"] == "96"
    assert given["--images"] == "2"
    printed: list[str] = []
    found: dict[str, Any] = {"print": printed.append, "__name__": "copied"}
    exec(program, found)
    one = uncertain.session_state["uncertainty result"].found[0]
    assert printed == [one.finding.sentence]
    assert torch.equal(found["posterior"].mean[0], one.summary.mean)

    run_inpaint(tmp_path, *words[1:], "--output", "out")
    (image,) = json.loads((tmp_path / "out" / "run.json").read_text())["results"]["images"]
    assert image["posterior"]["r_hat"] == one.summary.r_hat
    assert image["finding"]["sentence"] == one.finding.sentence
    arrays = np.load(tmp_path / "out" / "posterior.npz")
    assert np.array_equal(arrays["mean"][0], one.summary.mean.numpy())


def test_what_did_not_converge_shows_no_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened_with(monkeypatch, start="prior", max_gradients="6000")
    assert "Not converged" in texts(app)
    assert "Lower end" not in titles(app)
    assert "choose the preset thorough, or more particles" in app.warning[0].value
    assert list(tables(app)[0]["Noise, 90 %"]) == ["not shown"]
    assert "no interval is shown" in texts(app)
    opened(app, "reveal")
    assert any("once it has converged" in warning.value for warning in app.warning)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"particles": "9"}, "needs at least 40"),
        ({"max_gradients": "10"}, "max_gradients is 10 per image"),
        ({"N": "8"}, "no more than the 10 latent numbers"),
        ({"acceptance": "2"}, "acceptance is 2"),
        ({"noise_level": "-1"}, "noise_level is -1"),
        ({"numbers": "99"}, "images asks for number 99"),
    ],
)
def test_bad_settings_are_explained(
    monkeypatch: pytest.MonkeyPatch, query: dict[str, str], sentence: str
) -> None:
    app = opened_with(monkeypatch, **query)
    assert len(app.error) == 1
    assert sentence in app.error[0].value


def test_stop_keeps_the_images_that_were_done(monkeypatch: pytest.MonkeyPatch) -> None:
    from work.posterior import compute

    uncertain = opened_with(monkeypatch, start="prior")
    question = uncertain.session_state["uncertainty result"].request
    heard: list[str] = []

    def report(share: float, text: str) -> bool:
        assert 0 <= share <= 1
        heard.append(text)
        return len(heard) < 4

    answer = compute(question, report)
    assert answer.stopped
    assert not answer.found[0].summary.converged
    assert "was stopped" in answer.found[0].finding.sentence
    assert "gradients" in heard[2]


def test_a_digit_that_the_generator_cannot_draw_is_doubted(monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened_with(monkeypatch, numbers="1", N="500")
    assert "the generator cannot draw this image" in texts(app)
    assert "The intervals hold for the generator's images only." in texts(app)
    assert "No intervals are shown, for the generator cannot draw this image" in (
        app.warning[0].value
    )
    assert "Lower end" not in titles(app)
    assert list(tables(app)[0]["Noise, 90 %"]) == ["not shown"]
    assert "no interval is shown, for the generator cannot draw this image" in texts(app)
    assert "What all of them share is known" not in texts(app)
    assert "The true one is none of them" in texts(app)
    opened(app, "misfit")
    assert "Lower end" in titles(app)
    assert "Of the true image that says nothing." in texts(app)


def test_pixels_are_revealed_step_by_step(uncertain: AppTest) -> None:
    opened(uncertain, "reveal")
    assert "Measuring the 8 numbered pixels is expected to lower the deviation" in texts(uncertain)
    first = uncertain.session_state["uncertainty result"].found[0]
    uncertain.button("accept all").click()
    settle(uncertain)
    uncertain.button("accept first").click()
    settle(uncertain)
    answer = uncertain.session_state["uncertainty result"]
    assert "N = 317 of 784 pixels observed" in texts(uncertain)
    (step, reached), (_, now) = answer.found[0].steps
    assert step.pixels == 8
    assert step.before == first.spread
    assert reached < first.spread
    assert now == answer.found[0].spread
    steps = next(table for table in tables(uncertain) if "Reached" in table)
    assert list(steps["Pixels"]) == [8, 1]
    assert [metric.label for metric in uncertain.metric] == ["Expected drop", "Reached drop"]
    opened(uncertain, "repeat")
    assert "--mask revealed.npz" in uncertain.code[0].value
    uncertain.button("take back").click()
    settle(uncertain)
    assert "N = 308 of 784 pixels observed" in texts(uncertain)


def test_revealing_changes_no_other_image(monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened_with(monkeypatch, numbers="1-2")
    opened(app, "reveal")
    before = app.session_state["uncertainty result"]
    choose(app, "posterior of", "2")
    app.button("accept first").click()
    settle(app)
    after = app.session_state["uncertainty result"]
    assert after.found[0] is before.found[0]
    assert len(after.found[1].steps) == 1


@pytest.mark.parametrize("sent", [None, 3, {"row": "x", "column": 1}, {"row": 99, "column": 0}])
def test_what_the_browser_sends_of_a_pixel_is_checked(sent: object) -> None:
    from components.pixels import _read

    assert _read(sent, 28, 28) is None


def test_the_most_open_pixel_is_shown_until_one_is_chosen(uncertain: AppTest) -> None:
    app, widest = uncertain, set()
    for keep in (350, 200):
        app.slider("N").set_value(keep)
        settle(app)
        found = app.session_state["uncertainty result"].found[0]
        row, column = views.widest_pixel(found.summary.std)
        widest.add((row, column))
        assert f"Row {row}, column {column}, lost" in texts(app)
    assert len(widest) == 2
    app.session_state["pixel"] = {"pixel": {"row": 4, "column": 20}}
    for keep in (200, 350):
        app.slider("N").set_value(keep)
        settle(app)
        assert "Row 4, column 20, lost" in texts(app)


def open_small(page: Page) -> None:
    """The page with a small sampling, in the browser."""
    query = "&".join(f"{name}={value}" for name, value in SMALL.items())
    page.goto(f"{page.url.partition('?')[0].rstrip('/')}/uncertainty?{query}")
    page.get_by_text("Sampled 1 image").wait_for(timeout=60_000)
    page.get_by_text("One pixel").wait_for()


@pytest.mark.browser
def test_a_pixel_is_clicked_and_moved_by_the_keys(page: Page) -> None:
    open_small(page)
    canvas = page.locator("canvas.pixels")
    box = canvas.bounding_box()
    assert box is not None
    canvas.click(position={"x": box["width"] * 9.5 / 28, "y": box["height"] * 4.5 / 28})
    page.get_by_text(re.compile("Row 4, column 9, observed as")).wait_for()
    canvas.press("ArrowRight")
    page.get_by_text(re.compile("Row 4, column 10, observed as")).wait_for()
    expect(page.locator(".st-key-sheet-intervals img")).to_have_count(3)


@pytest.mark.slow
@pytest.mark.browser
def test_stop_ends_a_long_sampling(page: Page) -> None:
    base = page.url.partition("?")[0].rstrip("/")
    page.goto(f"{base}/uncertainty?numbers=2&particles=1000&moves=50&start=prior")
    for _ in range(6):
        page.locator(".st-key-run button").click()
        with contextlib.suppress(TimeoutError):
            page.locator(".st-key-stop button").wait_for(timeout=8000)
            break
    # On a busy machine the first stage takes its time.
    page.get_by_text(re.compile(r"\d gradients")).first.wait_for(timeout=60_000)
    page.locator(".st-key-stop button").click()
    page.get_by_text(re.compile("was stopped at inverse temperature")).first.wait_for()
    expect(page.get_by_text("No intervals are shown")).to_be_visible()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 800])
def test_it_fits(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    open_small(page)
    main = page.get_by_test_id("stMain")
    assert main.evaluate("main => main.scrollWidth - main.clientWidth") <= 0
    images = page.locator('[class*="st-key-sheet-posterior"] img')
    rendering = images.evaluate_all("all => all.map(i => getComputedStyle(i).imageRendering)")
    assert set(rendering) == {"pixelated"}
