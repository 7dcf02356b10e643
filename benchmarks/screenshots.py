"""Take screenshots of the dashboard's pages for the README and the docs.

python -m benchmarks.screenshots --data FOLDER

Chromium opens each page with the published images and generator, and does what a user would do.
The page Speed measures this machine, so run it while nothing else runs.
"""

from __future__ import annotations

import argparse
import io
import re
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from benchmarks.serving import ROOT, open_dashboard

WIDTH = 1280
MAX_HEIGHT = 1500
"""Height of a picture in pixels; what lies below is cut off."""
COLOURS = 128
"""Colours of a picture; so few make its file three times smaller, and it looks the same."""
TIMEOUT_MS = 120_000


def open_files(page: Page, data: Path) -> None:
    """Upload the published images and generator."""
    page.get_by_text("Restored 4 images").wait_for()
    for label, kind, name in (
        ("Images", "data", "data22.mat"),
        ("Generator", "generator", "data21.mat"),
    ):
        page.get_by_role("combobox", name=label).click()
        page.get_by_role("option", name="Upload a file").click()
        page.locator(f".st-key-uploaded-{kind} input[type=file]").set_input_files(data / name)
        page.get_by_text(name).first.wait_for()
    page.get_by_text("Restored 4 images").wait_for()


def go(page: Page, title: str) -> None:
    """Go to another page, which keeps the uploads."""
    page.get_by_role("link", name=title).click()
    page.get_by_role("heading", name=title).wait_for()


def run(page: Page) -> None:
    """Press Run."""
    page.locator(".st-key-run button").click()


def restore(page: Page) -> None:
    """Show the five columns and the verdicts."""
    page.get_by_text("May these be trusted?").click()
    page.get_by_text("Expected error").first.wait_for(state="attached")


def paint(page: Page) -> None:
    """Show the mask on the enlarged image."""
    page.get_by_test_id("stMain").get_by_text("Paint", exact=True).click()
    page.get_by_text("N = 684 of 784").wait_for()


def sweep(page: Page) -> None:
    """Show the curves over N and over restarts."""
    go(page, "Sweep")
    run(page)
    page.get_by_text(re.compile("Swept N")).wait_for()


def uncertainty(page: Page) -> None:
    """Show the posterior of all four images."""
    go(page, "Uncertainty")
    run(page)
    page.get_by_text("Look closer at image").wait_for()


def watch(page: Page) -> None:
    """Show the film in the middle of the descent."""
    go(page, "Watch")
    page.get_by_role("button", name="Play or pause").wait_for()
    for _ in range(12):
        page.get_by_role("button", name="One step forward").click()


def compare(page: Page) -> None:
    """Compare with a search from one start."""
    go(page, "Compare")
    page.get_by_text(re.compile("Lower cost: left")).wait_for()


def generator(page: Page) -> None:
    """Show a hundred samples."""
    go(page, "Generator")
    page.get_by_text("drawn at random").wait_for()


def speed(page: Page) -> None:
    """Show the bars of a short measurement."""
    go(page, "Speed")
    page.get_by_text("20 s").click()
    page.get_by_role("button", name="Measure").click()
    page.get_by_text("All variants agreed").wait_for()


PAGES: dict[str, Callable[[Page], None]] = {
    "restore": restore,
    "restore-dark": restore,
    "paint": paint,
    "sweep": sweep,
    "uncertainty": uncertainty,
    "watch": watch,
    "compare": compare,
    "generator": generator,
    "speed": speed,
}
"""What to do on each page before its picture is taken; "-dark" uses the dark theme."""


def shoot(page: Page) -> bytes:
    """Take the whole page as a PNG with few colours."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(1500)  # Charts appear after their data.
    main = page.get_by_test_id("stMain")
    height = min(MAX_HEIGHT, int(main.evaluate("main => main.scrollHeight")))
    page.set_viewport_size({"width": WIDTH, "height": height})
    main.evaluate("main => main.scrollTo(0, 0)")
    page.wait_for_timeout(1000)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    buffer = io.BytesIO()
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def main() -> None:
    """Take the pictures that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help=f"of {', '.join(PAGES)}; default: all")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with data21.mat, data22.mat"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "screenshots")
    options = parser.parse_args()
    unknown = set(options.names) - set(PAGES)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: choose from {', '.join(PAGES)}.")
    with open_dashboard() as (browser, address):
        for name in options.names or PAGES:
            context = browser.new_context(
                viewport={"width": WIDTH, "height": 800},
                color_scheme="dark" if name.endswith("-dark") else "light",
            )
            context.set_default_timeout(TIMEOUT_MS)
            page = context.new_page()
            page.goto(address)
            open_files(page, options.data)
            PAGES[name](page)
            picture = shoot(page)
            (options.output / f"{name}.png").write_bytes(picture)
            print(f"{name}.png: {len(picture):,} bytes")
            context.close()


if __name__ == "__main__":
    main()
