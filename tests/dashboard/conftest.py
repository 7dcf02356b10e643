"""What the dashboard's tests share: the app without a browser, and the app in Chromium."""

from __future__ import annotations

import html
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.io
from playwright.sync_api import Browser, Page, sync_playwright
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import ButtonGroup

from benchmarks.serving import CHROMIUM_FLAGS, ROOT, find_chromium, serve
from tests.conftest import missing

sys.path.insert(0, str(ROOT / "dashboard"))


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app on its first page, after the bundled example was restored."""
    return settle(new_app(monkeypatch))


def new_app(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app before it ran."""
    monkeypatch.chdir(ROOT)
    return AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)


def settle(app: AppTest) -> AppTest:
    """Run the app until no job is under way, as the polling fragment does in a browser."""
    deadline = time.monotonic() + 60
    app.run()
    while any(button.key == "stop" for button in app.button):
        assert time.monotonic() < deadline, "the job did not end"
        time.sleep(0.1)
        app.run()
    assert not app.exception
    return app


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The app's address, served as `streamlit run dashboard/app.py` serves it."""
    with serve() as running:
        yield running.address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium as Debian ships it, or the one that the variable CHROMIUM names."""
    path = find_chromium()
    if path is None:
        missing("There is no chromium; install it, or name it in the variable CHROMIUM.")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, server: str) -> Iterator[Page]:
    """The first page with the bundled example restored."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.goto(server)
    page.get_by_text("Restored 4 images").wait_for()
    page.wait_for_function(
        "() => { const all = [...document.querySelectorAll('.st-key-sheet img')];"
        " return all.length == 5 && all.every(image => image.complete); }"
    )
    yield page
    context.close()


def mat_file(path: Path, **arrays: np.ndarray) -> Path:
    """A .mat file of these arrays."""
    scipy.io.savemat(path, arrays)
    return path


def small_generator(folder: Path) -> bytes:
    """A generator file of images of 4x4 pixels."""
    rng = np.random.default_rng(0)
    path = mat_file(
        folder / "small.mat",
        A_1=rng.normal(size=(8, 3)),
        B_1=np.zeros((8, 1)),
        A_2=rng.normal(size=(16, 8)),
        B_2=np.zeros((16, 1)),
    )
    return path.read_bytes()


def texts(app: AppTest) -> str:
    return "\n".join(element.value for element in (*app.markdown, *app.caption))


def strips(app: AppTest) -> list[str]:
    """The HTML of pictures that stand side by side, row after row."""
    bodies = [str(element.proto.body) for element in app.get("html")]
    return [body for body in bodies if 'class="strip"' in body]


def strip(app: AppTest) -> str:
    """The first row of pictures."""
    return strips(app)[0]


def tables(app: AppTest) -> list[pd.DataFrame]:
    """The tables of figures, with numbers where all of a column are."""
    bodies = [str(element.proto.body) for element in app.get("html")]
    return [_table(body) for body in bodies if 'class="figures"' in body]


def _table(body: str) -> pd.DataFrame:
    heads, cells = (
        [html.unescape(text) for text in re.findall(rf"<{tag}\b[^>]*>(.*?)</{tag}>", body)]
        for tag in ("th", "td")
    )
    columns: dict[str, list[float] | list[str]] = {}
    for place, head in enumerate(heads):
        texts = cells[place :: len(heads)]
        try:
            columns[head] = [float(text.replace(",", "")) for text in texts]
        except ValueError:
            columns[head] = texts
    return pd.DataFrame(columns)


def opened(app: AppTest, key: str) -> AppTest:
    """Open one of the boxes below the result."""
    app.session_state[key] = True
    return settle(app)


def group(app: AppTest, key: str) -> ButtonGroup:
    """Several buttons of which one is always pressed."""
    found = next(group for group in app.get("button_group") if group.key == key)
    assert isinstance(found, ButtonGroup)
    return found


def choose(app: AppTest, key: str, option: str) -> AppTest:
    """Press one of several buttons."""
    group(app, key).set_value(option)
    return settle(app)


def command(app: AppTest) -> str:
    return str(opened(app, "repeat").code[0].value)


def upload(app: AppTest, kind: str, name: str, data: bytes) -> AppTest:
    """Choose to upload, and upload a file: kind is "images" or "generator"."""
    app.selectbox(kind).set_value("upload").run()
    key = {"images": "uploaded data", "generator": "uploaded generator"}[kind]
    app.file_uploader(key).set_value((name, data, "application/octet-stream"))
    return settle(app)
