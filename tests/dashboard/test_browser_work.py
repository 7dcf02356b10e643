"""Longer work in Chromium: a sweep that is taken away, and two sessions that work at once."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from inpaint import RestoreConfig
from inpaint.files.job import RestoreJob
from inpaint.files.problem import load
from inpaint.search.restore import restore
from tests.dashboard.helpers import hidden_columns, overflow

pytestmark = pytest.mark.browser


def download(page: Page, label: str, place: int = 0) -> Path:
    """Take a file, under the name that it is offered with."""
    with page.expect_download() as found:
        page.get_by_role("button", name=label).nth(place).click()
    path = Path(found.value.path())
    return path.rename(path.with_name(f"{path.name}-{found.value.suggested_filename}"))


def costs(job: RestoreJob) -> list[float]:
    """What the library finds."""
    problem = load(job)
    found = restore(problem.measurement, problem.generator, job.config)
    return [float(cost) for cost in found.best_costs]


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_the_files_of_a_sweep_hold_what_was_swept(page: Page, server: str) -> None:
    page.goto(f"{server}/sweep?numbers=0,2&restarts=8")
    page.locator(".st-key-run button").click()
    page.get_by_text("Swept N = 500, 400, 350, 300").wait_for()

    rows = read_csv(download(page, "Each image and N (CSV)"))
    assert [(row["N"], row["image"]) for row in rows] == [
        (str(keep), number) for keep in (500, 400, 350, 300) for number in ("0", "2")
    ]
    config = RestoreConfig.preset("fast", restarts=8)
    for keep in (500, 300):
        found = costs(RestoreJob(keep=keep, numbers=(0, 2), config=config))
        # As many digits are written.
        shown = [f"{cost:.6g}" for cost in found]
        assert [row["cost"] for row in rows if row["N"] == str(keep)] == shown

    partial = read_csv(download(page, "Each seed and number of restarts (CSV)"))
    assert {row["restarts"] for row in partial} == {"1", "4", "8"}
    assert {row["seed"] for row in partial} == {"0", "1", "2", "3", "4"}
    assert len(partial) == 4 * 2 * 3 * 5

    curves = Image.open(download(page, "Curves (PNG)"))
    assert min(curves.size) >= 400
    figures = page.get_by_role("button", name="Figure (PNG)")
    expect(figures).to_have_count(4)
    for place, keep in enumerate((500, 400, 350, 300)):
        path = download(page, "Figure (PNG)", place)
        assert path.name.endswith(f"figure-{keep}.png")
        figure = Image.open(path).convert("L")
        assert figure.width >= 1000
        darkest, brightest = figure.getextrema()
        assert (darkest, brightest) == (0, 255)


@pytest.mark.slow
def test_two_sessions_work_at_once_and_each_gets_its_own(browser: Browser, server: str) -> None:
    long = {"solver": "adam", "restarts": 200, "steps": 12_000, "tolerance": 0, "screen": 0}
    asked = [{"N": 300, "seed": 1}, {"N": 450, "seed": 2}]
    pages = []
    for one in asked:
        page = browser.new_context(viewport={"width": 1280, "height": 1100}).new_page()
        page.set_default_timeout(60_000)
        query = "&".join(f"{name}={value}" for name, value in (long | one).items())
        page.goto(f"{server}/?numbers=0&{query}")
        page.get_by_text("Press Run to restore").wait_for()
        pages.append(page)
    first, second = pages
    for page in pages:
        page.locator(".st-key-run button").click()
        page.locator(".st-key-stop button").wait_for()
    # The second one waits for the first, and says so; its user can work on meanwhile.
    second.get_by_text("1 run is before yours").wait_for()
    first.get_by_text(re.compile("^Descent:")).wait_for()

    for page, one in zip(pages, asked, strict=True):
        page.get_by_text(f"N = {one['N']} of 784 pixels observed").wait_for()
        record = json.loads(download(page, "Record (run.json)").read_text())
        config = RestoreConfig.preset("fast", seed=one["seed"], **long)
        expected = costs(RestoreJob(keep=one["N"], numbers=(0,), config=config))
        assert [image["cost"] for image in record["results"]["images"]] == expected
        assert record["job"]["config"]["seed"] == one["seed"]
    for page in pages:
        page.context.close()


@pytest.mark.slow
def test_sliders_follow_while_another_session_runs_for_long(browser: Browser, server: str) -> None:
    busy, quick = (browser.new_context().new_page() for _ in range(2))
    busy.goto(f"{server}/?solver=adam&restarts=500&steps=100000&tolerance=0")
    busy.locator(".st-key-run button").click()
    busy.get_by_text(re.compile("^Descent:")).wait_for()
    quick.goto(f"{server}/?numbers=0,1&seed=5")
    for keep in (400, 300):
        quick.goto(f"{server}/?numbers=0,1&seed=5&N={keep}")
        quick.get_by_text(f"N = {keep} of 784 pixels observed").wait_for()
        record = json.loads(download(quick, "Record (run.json)").read_text())
        config = RestoreConfig.preset("fast", seed=5)
        assert [image["cost"] for image in record["results"]["images"]] == costs(
            RestoreJob(keep=keep, numbers=(0, 1), config=config)
        )
    expect(busy.locator(".st-key-stop button")).to_be_visible()
    busy.locator(".st-key-stop button").click()
    busy.get_by_text("Stopped: best so far of 4 images").wait_for()
    for page in (busy, quick):
        page.context.close()


@pytest.mark.parametrize("title", ["restore", "uncertainty"])
def test_figures_of_four_images_fit_a_narrow_window(
    browser: Browser, server: str, title: str
) -> None:
    context = browser.new_context(viewport={"width": 800, "height": 900})
    context.set_default_timeout(60_000)
    page = context.new_page()
    # With so few pixels verdicts are of their longest words.
    page.goto(f"{server}/{title if title != 'restore' else ''}?N=200&particles=96")
    if title == "restore":
        page.get_by_text("May these be trusted?").click()
        page.get_by_text("Expected error").wait_for()
    else:
        page.get_by_text("Look closer at image").wait_for()
    assert hidden_columns(page) <= 0
    assert overflow(page) <= 0
    context.close()


def test_a_model_card_is_read_whole_in_a_narrow_window(browser: Browser, server: str) -> None:
    context = browser.new_context(viewport={"width": 800, "height": 900})
    page = context.new_page()
    page.goto(f"{server}/generator")
    page.get_by_role("tab", name="Model card").click()
    commands = page.locator(".st-key-card pre")
    commands.first.wait_for()
    cut = "all => Math.max(...all.map(one => one.scrollWidth - one.clientWidth))"
    assert commands.evaluate_all(cut) <= 0
    size = "head => parseFloat(getComputedStyle(head).fontSize)"
    heading = page.get_by_role("heading", name="Generator")
    assert page.locator(".st-key-card h1").evaluate(size) < heading.evaluate(size)
    context.close()
