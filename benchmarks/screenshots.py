"""The pages as pictures, for the README and the docs: `python -m benchmarks.screenshots`.

Chromium opens each page with the published images and generator, does what a user would do, and
keeps what is then seen. The figures on the page Speed are measured on the spot: run it on a
machine that has nothing else to do.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from benchmarks.serving import CHROMIUM_FLAGS, ROOT, find_chromium, serve

WIDTH = 1280
TALLEST = 1500
"""Of a picture, in pixels; what lies below is left out."""
COLOURS = 128
"""Of a picture: with so few it takes a third of the room, and looks the same."""
PATIENCE_MS = 120_000


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
    """To another page; what was uploaded goes along."""
    page.get_by_role("link", name=title).click()
    page.get_by_role("heading", name=title).wait_for()


def run(page: Page) -> None:
    """Press Run once it is there."""
    page.locator(".st-key-run button").click()


def restore(page: Page) -> None:
    """The five columns, and the verdicts opened."""
    page.get_by_text("May these be trusted?").click()
    page.get_by_text("Expected error").first.wait_for(state="attached")


def paint(page: Page) -> None:
    """A mask on the enlarged image."""
    page.get_by_test_id("stMain").get_by_text("Paint", exact=True).click()
    page.get_by_text("N = 684 of 784").wait_for()


def sweep(page: Page) -> None:
    """The curves over N and over restarts."""
    go(page, "Sweep")
    run(page)
    page.get_by_text(re.compile("Swept N")).wait_for()


def uncertainty(page: Page) -> None:
    """The posterior of all four images."""
    go(page, "Uncertainty")
    run(page)
    page.get_by_text("Look closer at image").wait_for()


def watch(page: Page) -> None:
    """The film in the middle of the descent."""
    go(page, "Watch")
    page.get_by_role("button", name="Play or pause").wait_for()
    for _ in range(12):
        page.get_by_role("button", name="One step forward").click()


def compare(page: Page) -> None:
    """Another search with one start."""
    go(page, "Compare")
    page.get_by_text(re.compile("Lower cost: left")).wait_for()


def generator(page: Page) -> None:
    """A hundred samples."""
    go(page, "Generator")
    page.get_by_text("drawn at random").wait_for()


def speed(page: Page) -> None:
    """The bars of a short measurement."""
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
"""What is done on each page before its picture is taken; "-dark" shows it in the dark theme."""


def shoot(page: Page) -> bytes:
    """The page down to its end, as a PNG of few colours."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(1500)  # Charts are drawn after their data has come.
    main = page.get_by_test_id("stMain")
    height = min(TALLEST, int(main.evaluate("main => main.scrollHeight")))
    page.set_viewport_size({"width": WIDTH, "height": height})
    main.evaluate("main => main.scrollTo(0, 0)")
    page.wait_for_timeout(1000)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    buffer = io.BytesIO()
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def main() -> None:
    """Take the pictures that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(PAGES)}; all if left out")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with data21.mat, data22.mat"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "screenshots")
    options = parser.parse_args()
    path = find_chromium()
    if path is None:
        sys.exit("There is no chromium; install it, or name it in the variable CHROMIUM.")
    unknown = set(options.names) - set(PAGES)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: choose of {', '.join(PAGES)}.")
    with serve() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        for name in options.names or PAGES:
            context = browser.new_context(
                viewport={"width": WIDTH, "height": 800},
                color_scheme="dark" if name.endswith("-dark") else "light",
            )
            context.set_default_timeout(PATIENCE_MS)
            page = context.new_page()
            page.goto(server.address)
            open_files(page, options.data)
            PAGES[name](page)
            picture = shoot(page)
            (options.output / f"{name}.png").write_bytes(picture)
            print(f"{name}.png: {len(picture):,} bytes")
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
