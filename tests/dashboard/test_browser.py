"""The dashboard as its users meet it: in Chromium, with mouse, keyboard and files."""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Download, Locator, Page, TimeoutError, expect

from inpaint import RestoreConfig
from inpaint.files.job import RestoreJob
from inpaint.files.record import read_record
from inpaint.plots.comparison import COLUMNS
from tests.dashboard.helpers import hidden_columns, overflow

pytestmark = pytest.mark.browser


def choose(page: Page, label: str, option: str) -> None:
    """Pick an option of a select box."""
    page.get_by_role("combobox", name=re.compile(label)).click()
    page.get_by_role("option", name=option).click()


def file_input(page: Page, kind: str) -> Locator:
    """Where a file of this kind is chosen."""
    return page.locator(f".st-key-uploaded-{kind} input[type=file]")


def start_long_run(page: Page) -> None:
    """Start a run that nobody could wait for."""
    page.locator(".st-key-preset").get_by_text("published").click()
    page.get_by_text("Solver settings").click()
    for label, value in (("Restarts", "500"), ("Steps", "100000")):
        field = page.get_by_role("spinbutton", name=label, exact=True)
        field.fill(value)
        field.press("Enter")
    # Streamlit can lose a click that comes while it still draws the page.
    for _ in range(6):
        page.locator(".st-key-run button").click()
        with contextlib.suppress(TimeoutError):
            page.get_by_text(re.compile("^Descent:")).wait_for(timeout=8000)
            return
    raise AssertionError("The run did not begin.")


def saved(download: Download) -> Path:
    return Path(download.path())


def pictures(page: Page) -> list[str]:
    return [str(image.get_attribute("src")) for image in page.locator(".st-key-sheet img").all()]


def expect_pictures(page: Page, sources: list[str]) -> None:
    """See that the five columns are these, once the page has been drawn."""
    images = page.locator(".st-key-sheet img")
    expect(images).to_have_count(len(sources))
    for index, source in enumerate(sources):
        expect(images.nth(index)).to_have_attribute("src", source)


def drag(page: Page, canvas: Locator, points: list[tuple[float, float]]) -> None:
    """Draw with the mouse along points, given as shares of the canvas."""
    box = canvas.bounding_box()
    assert box is not None
    for index, (x, y) in enumerate(points):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        if index == 0:
            page.mouse.down()
    page.mouse.up()


def test_the_page_opens_with_the_bundled_example_restored(page: Page) -> None:
    images = page.locator(".st-key-sheet img")
    expect(images).to_have_count(len(COLUMNS))
    sizes = images.evaluate_all("all => all.map(i => [i.naturalWidth, i.naturalHeight])")
    assert len({tuple(size) for size in sizes}) == 1, "rows would not be level"
    assert sizes[0][0] >= 28 * 4
    rendering = images.evaluate_all("all => all.map(i => getComputedStyle(i).imageRendering)")
    assert set(rendering) == {"pixelated"}
    for column in COLUMNS:
        expect(page.locator(".st-key-sheet").get_by_text(column, exact=True)).to_be_visible()


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 800])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_asks_nobody_else(
    browser: Browser, server: str, width: int, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    hosts: set[str | None] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname))
    for title in ("Restore", "Sweep", "Uncertainty", "Watch", "Compare", "Generator", "Speed"):
        page.goto(f"{server}/{'' if title == 'Restore' else title.lower()}")
        page.get_by_role("heading", name=title).wait_for()
        if title == "Restore":
            page.get_by_text("Restored 4 images").wait_for()
            assert hidden_columns(page) <= 0
        assert overflow(page) <= 0
        expect(page.get_by_role("link", name="Speed")).to_be_visible()
    assert hosts - {None} == {"127.0.0.1"}
    context.close()


def test_the_picture_follows_the_slider(page: Page) -> None:
    before = pictures(page)
    slider = page.get_by_role("slider", name=re.compile("Pixels kept"))
    for _ in range(10):
        slider.press("ArrowRight")
    page.get_by_text("N = 360 of 784 pixels observed").wait_for()
    images = page.locator(".st-key-sheet img")
    expect(images.nth(1)).not_to_have_attribute("src", before[1])
    expect(images.nth(0)).to_have_attribute("src", before[0])
    assert "N=360" in page.url
    page.reload()
    page.get_by_text("N = 360 of 784 pixels observed").wait_for()


def test_real_files_are_uploaded_and_restored(page: Page, data_dir: Path) -> None:
    page.get_by_text("The same run as a command").click()
    page.get_by_text("inpaint restore eights").wait_for()
    choose(page, "Images", "Upload a file")
    page.get_by_text("the result will appear here").wait_for()
    file_input(page, "data").set_input_files(data_dir / "data22.mat")
    page.get_by_text("inpaint restore data22.mat").wait_for()
    choose(page, "Generator", "Upload a file")
    file_input(page, "generator").set_input_files(data_dir / "data21.mat")
    page.get_by_text("inpaint restore data22.mat --generator data21.mat --keep 350").wait_for()

    page.get_by_role("link", name="Speed").click()
    page.get_by_role("heading", name="Speed").wait_for()
    page.get_by_role("link", name="Restore").click()
    page.get_by_text("Still in use: data22.mat").wait_for()
    page.get_by_text("Restored 4 images").wait_for()


def test_an_upload_is_seen_by_its_own_session_only(
    page: Page, browser: Browser, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.npy"
    np.save(secret, np.random.default_rng(3).uniform(size=(1, 1, 28, 28)))
    choose(page, "Images", "Upload a file")
    file_input(page, "data").set_input_files(secret)
    page.get_by_text("Restored 1 image").wait_for()
    shown = pictures(page)
    # Another tab of the same browser has its owner's cookie; a stranger has not even that.
    for context in (page.context, browser.new_context()):
        other = context.new_page()
        other.goto(page.url)
        other.get_by_text("the result will appear here").wait_for()
        content = other.content()
        assert "secret.npy" not in content
        assert not any(picture in content for picture in shown)
        other.close()


def test_bad_files_are_refused_and_the_result_stays(page: Page, tmp_path: Path) -> None:
    before = pictures(page)
    text = tmp_path / "notes.mat"
    text.write_text("Not a file of arrays.")
    large = tmp_path / "large.mat"
    with large.open("wb") as file:
        file.truncate(200 * 2**20)
    choose(page, "Images", "Upload a file")
    uploader = file_input(page, "data")
    uploader.set_input_files(large)
    expect(page.get_by_text(re.compile("20.*MB or smaller"))).to_be_visible()
    uploader.set_input_files(text)
    alert = page.get_by_test_id("stAlert")
    expect(alert).to_contain_text("notes.mat")
    expect(alert).to_have_count(1)
    # The browser refuses a large file by itself; what was said of the earlier one gives way.
    uploader.set_input_files(large)
    expect(page.get_by_text("The file chosen last is larger than 20 MB.")).to_be_visible()
    expect(page.get_by_text(re.compile("20.*MB or smaller")).last).to_be_visible()
    expect(alert).not_to_be_visible()
    expect(page.get_by_label(re.compile("^notes.mat"))).not_to_be_visible()
    expect_pictures(page, before)
    picture = tmp_path / "mine.png"
    drawing = Image.new("L", (28, 28), 255)
    drawing.paste(0, (10, 6, 18, 22))
    drawing.save(picture)
    uploader.set_input_files(picture)
    page.get_by_text("Restored 1 image").wait_for()
    expect(page.get_by_text(re.compile("20.*MB or smaller")).last).not_to_be_visible()


def test_a_long_run_is_stopped_and_keeps_what_it_reached(page: Page) -> None:
    start_long_run(page)
    before = pictures(page)
    page.locator(".st-key-stop button").click()
    page.get_by_text("Stopped: best so far of 4 images").wait_for()
    expect(page.locator(".st-key-run button")).to_be_visible()
    expect(page.locator(".st-key-sheet img").nth(3)).not_to_have_attribute("src", before[3])


def test_a_run_is_found_again_after_a_reload_and_by_nobody_else(
    page: Page, browser: Browser
) -> None:
    start_long_run(page)
    assert "job=" in page.url
    page.reload()
    stop = page.locator(".st-key-stop button")
    stop.wait_for()

    stranger = browser.new_context().new_page()
    stranger.goto(page.url)
    stranger.get_by_text("Press Run to restore").wait_for()
    expect(stranger.locator(".st-key-stop")).to_have_count(0)
    stranger.context.close()

    stop.click()
    page.get_by_text("Stopped: best so far of 4 images").wait_for()
    assert "job=" not in page.url


def test_the_downloads_hold_the_run(page: Page, tmp_path: Path) -> None:
    files = {}
    for label in ("Figure (PNG)", "Arrays (npz)", "Record (run.json)"):
        with page.expect_download() as download:
            page.get_by_role("button", name=label).click()
        files[download.value.suggested_filename] = saved(download.value)
    assert set(files) == {"figure.png", "restoration.npz", "run.json"}

    figure = Image.open(io.BytesIO(files["figure.png"].read_bytes()))
    assert figure.width >= 1000
    arrays = np.load(files["restoration.npz"])
    assert arrays["images"].shape == (4, 1, 28, 28)
    assert arrays["ideal"].shape == (4, 1, 28, 28)
    assert int(arrays["mask"].sum()) == 350
    record = tmp_path / "run.json"
    record.write_bytes(files["run.json"].read_bytes())
    found = read_record(record, "restore")
    assert isinstance(found.job, RestoreJob)
    assert found.job.keep == 350
    assert found.job.config == RestoreConfig.preset("fast").resolved()
    assert len(found.results["images"]) == 4
    expect(page.get_by_text("Restored 4 images")).to_be_visible()


def test_the_speed_is_measured_and_stopped_early(page: Page) -> None:
    page.get_by_role("link", name="Speed").click()
    page.get_by_text("Nothing was measured yet.").wait_for()
    page.get_by_role("button", name="Measure").click()
    page.get_by_text(re.compile("^Timing")).wait_for(timeout=60_000)
    page.get_by_text(re.compile(r"^After \d+ rounds; more")).wait_for(timeout=60_000)
    expect(page.get_by_test_id("stVegaLiteChart")).to_be_visible()
    page.locator(".st-key-stop button").click()
    page.get_by_text("All variants agreed").wait_for()
    expect(page.get_by_test_id("stVegaLiteChart")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Figures (JSON)").click()
    rows = json.loads(saved(download.value).read_text())["rows"]
    assert {row["N"] for row in rows} == {350}
    assert all(row["rate"] > 0 for row in rows)


def test_a_descent_is_played_paused_and_downloaded(page: Page) -> None:
    page.get_by_role("link", name="Watch").click()
    play = page.get_by_role("button", name="Play or pause")
    play.wait_for()
    readout = page.locator(".readout")
    expect(readout).to_contain_text("Step 0 of")
    output = page.get_by_role("img", name="Output").first
    first = output.evaluate("canvas => canvas.toDataURL()")
    play.click()
    expect(readout).not_to_contain_text("Step 0 of")
    play.click()
    reached = readout.inner_text()
    page.wait_for_timeout(400)
    assert readout.inner_text() == reached, "it goes on though it was paused"
    page.get_by_role("button", name="One step forward").click()
    assert readout.inner_text() != reached
    assert output.evaluate("canvas => canvas.toDataURL()") != first
    with page.expect_download() as download:
        page.get_by_role("button", name="Film (GIF)").click()
    film = Image.open(io.BytesIO(saved(download.value).read_bytes()))
    assert film.format == "GIF"
    assert getattr(film, "n_frames", 1) > 10


def test_a_mask_is_painted_and_erased_with_the_mouse(page: Page) -> None:
    page.get_by_test_id("stMain").get_by_text("Paint", exact=True).click()
    canvas = page.get_by_label("Image to paint the mask on")
    observed = page.locator(".readout")
    expect(observed).to_contain_text("684 of 784")
    page.get_by_text("N = 684 of 784").wait_for()

    def count() -> int:
        return int(observed.inner_text().split()[0])

    drag(page, canvas, [(0.1, 0.1), (0.5, 0.1), (0.9, 0.1)])
    painted = count()
    assert painted < 684 - 50
    page.get_by_text(f"N = {painted} of 784").wait_for()

    page.get_by_role("button", name="Erase").click()
    drag(page, canvas, [(0.1, 0.1), (0.5, 0.1), (0.9, 0.1)])
    assert count() == 684
    page.get_by_role("button", name="Undo").click()
    assert count() == painted
    page.get_by_role("button", name="Redo").click()
    assert count() == 684
    page.get_by_role("button", name="Clear").click()
    assert count() == 784
    page.get_by_role("button", name="Rectangle").click()
    drag(page, canvas, [(0.51, 0.01), (0.75, 0.5), (0.99, 0.99)])
    assert count() == 392
    page.get_by_role("button", name="Invert").click()
    assert count() == 392
    page.get_by_text("N = 392 of 784").wait_for()

    with page.expect_download() as download:
        page.get_by_role("button", name="Mask (PNG)").click()
    mask = np.asarray(Image.open(saved(download.value)))
    assert mask.shape == (28, 28)
    assert (mask[:, :14] == 0).all()
    assert (mask[:, 14:] == 255).all()

    page.get_by_role("link", name="Watch").click()
    page.get_by_role("heading", name="Watch").wait_for()
    page.get_by_text("N = 392 of 784").wait_for()
    expect(observed.first).to_contain_text("392 of 784"), "the mask goes along"


def test_a_digit_is_drawn_with_the_mouse(page: Page) -> None:
    choose(page, "Images", "Draw your own")
    paper = page.get_by_label("Paper to draw on")
    paper.wait_for()
    turns = [2 * math.pi * step / 40 for step in range(41)]
    eight = [(0.5 + 0.25 * math.sin(2 * t), 0.5 - 0.4 * math.cos(t)) for t in turns]
    drag(page, paper, eight)
    page.get_by_text("Restored 1 image").wait_for()
    page.get_by_role("button", name="Clear").click()
    page.get_by_text("the result will appear here").wait_for()


def test_the_wipe_goes_from_one_picture_to_the_other(page: Page) -> None:
    page.get_by_role("link", name="Compare").click()
    slider = page.get_by_role("slider", name="From Left output to Right output")
    slider.wait_for()
    over = page.locator(".frame img.over")
    cut = "image => getComputedStyle(image).clipPath"
    assert over.evaluate(cut) == "inset(0px 50% 0px 0px)"
    slider.press("End")
    assert over.evaluate(cut) == "inset(0px 0% 0px 0px)"
    choose(page, "Before", "Ideal")
    page.get_by_role("slider", name="From Ideal to Right output").wait_for()
    assert over.evaluate(cut) == "inset(0px 0% 0px 0px)", "the slider stays"


@pytest.mark.slow
def test_a_link_repeats_the_run(page: Page, browser: Browser, tmp_path: Path) -> None:
    slider = page.get_by_role("slider", name=re.compile("Pixels kept"))
    slider.press("ArrowRight")
    page.get_by_role("textbox", name="Which of them").fill("0,2-3")
    page.get_by_role("textbox", name="Which of them").press("Enter")
    page.get_by_text("Restored 3 images").wait_for()
    choose(page, "What is observed", "Averages of blocks")
    page.get_by_text("M = 49 averages of 4x4 pixels observed").wait_for()
    page.get_by_text("Solver settings").click()
    for label, value in (("Restarts", "7"), ("Seed", "5"), ("Tolerance", "0.01")):
        field = page.get_by_role("spinbutton", name=label, exact=True)
        field.fill(value)
        field.press("Enter")
    page.wait_for_url(re.compile("(?=.*seed=5)(?=.*tolerance=0.01)(?=.*observed=)"))

    def record(page: Page) -> dict[str, object]:
        page.get_by_text("The same run as a command").click()
        expect(page.get_by_test_id("stCode").first).to_contain_text("--restarts 7")
        with page.expect_download() as download:
            page.get_by_role("button", name="Record (run.json)").click()
        found = json.loads(saved(download.value).read_text())
        images = found["results"]["images"]
        return {"job": found["job"], "sha256": found["sha256"], "images": images}

    other = browser.new_context().new_page()
    other.goto(page.url)
    other.get_by_text("Restored 3 images").wait_for()
    assert record(other) == record(page)
    other.context.close()
