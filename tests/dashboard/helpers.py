"""Functions that the dashboard's tests share: running, reading and operating the app."""

from __future__ import annotations

import html
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.io
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import ButtonGroup

from benchmarks.serving import ROOT


def new_app(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app before it ran."""
    monkeypatch.chdir(ROOT)
    return AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)


def settle(app: AppTest) -> AppTest:
    """Run the app until no job is under way, as the polling fragment does in a browser."""
    app.run()
    for _ in range(600):
        if not any(button.key == "stop" for button in app.button):
            break
        time.sleep(0.1)
        app.run()
    else:
        raise AssertionError("The job did not end.")
    assert not app.exception
    return app


def open_page(monkeypatch: pytest.MonkeyPatch, page: str, **query: str | list[str]) -> AppTest:
    """A page as a link opens it."""
    app = new_app(monkeypatch)
    # Restore is the first page that a test can open; what it does not know waits in the URL.
    app.query_params |= query
    app.run()
    if page != "restore":
        app.switch_page(f"views/{page}.py")
        # In a test, unlike in a browser, widgets know the link only from a page's second run on.
        app.run()
    return settle(app)


def run_inpaint(folder: Path, *words: str) -> None:
    """Run the command line in a folder."""
    command = [sys.executable, "-m", "inpaint", *words]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def press_run(app: AppTest) -> AppTest:
    """Press Run where the page waits for that."""
    if any(button.key == "run" for button in app.button):
        app.button("run").click()
        settle(app)
    return app


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


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than what is seen of it."""
    script = "main => main.scrollWidth - main.clientWidth"
    return int(page.get_by_test_id("stMain").evaluate(script))


def hidden_columns(page: Page) -> int:
    """By how many pixels tables are wider than what is seen of them."""
    tables = page.locator(".figures table")
    expect(tables).not_to_have_count(0, timeout=20_000)
    return max(tables.evaluate_all("all => all.map(one => one.scrollWidth - one.clientWidth)"))
