"""Fixtures of the dashboard's tests: the app without a browser, and the app in Chromium."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from streamlit.testing.v1 import AppTest

from benchmarks.serving import CHROMIUM_FLAGS, ROOT, find_chromium, serve
from tests.dashboard.helpers import new_app, settle
from tests.helpers import missing

sys.path.insert(0, str(ROOT / "dashboard"))


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app on its first page, after the bundled example was restored."""
    return settle(new_app(monkeypatch))


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The app's address, served as `streamlit run dashboard/app.py` serves it."""
    with serve() as running:
        yield running


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
