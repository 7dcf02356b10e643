"""How soon the dashboard answers, in a real browser: `python -m benchmarks.latency`.

Two figures: from the release of the slider to the pictures, and from Stop to its effect. What
many sessions at once cost is measured by `benchmarks.sessions`. The browser is Chromium as found
on the PATH or named by the variable CHROMIUM.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.serving import CHROMIUM_FLAGS, find_chromium, report, serve

PICTURES = ".st-key-sheet img"

# From the release of the pointer to the moment when the restored images have been replaced, are
# decoded, and the frame that shows them has begun.
WATCH = """
() => {
  const source = () => document.querySelectorAll('.st-key-sheet img')[3]?.src;
  window.latency = new Promise((resolve) => {
    document.addEventListener('pointerup', (event) => {
      const before = source();
      const began = event.timeStamp;
      const look = async () => {
        const images = [...document.querySelectorAll('.st-key-sheet img')];
        const late = performance.now() - began > 30000;
        if (!late && (images.length < 5 || !source() || source() === before)) {
          requestAnimationFrame(look);
          return;
        }
        await Promise.all(images.map((image) => image.decode().catch(() => {})));
        requestAnimationFrame(() => resolve(late ? null : performance.now() - began));
      };
      requestAnimationFrame(look);
    }, { once: true, capture: true });
  });
}
"""


@dataclass(frozen=True)
class Figures:
    """Times of one kind, in seconds."""

    name: str
    seconds: list[float]

    def __str__(self) -> str:
        times = sorted(self.seconds)
        return (
            f"{self.name:44} median {statistics.median(times):6.3f} s   "
            f"range {times[0]:.3f} to {times[-1]:.3f} s   n = {len(times)}"
        )


def new_page(browser: Browser, address: str) -> Page:
    """A session of its own."""
    page = browser.new_context(viewport={"width": 1280, "height": 1100}).new_page()
    page.set_default_timeout(60_000)
    page.goto(address)
    return page


def open_page(browser: Browser, address: str) -> Page:
    """A session of its own, after the bundled example was restored."""
    page = new_page(browser, address)
    page.get_by_text("Restored 4 images").wait_for()
    page.wait_for_function(f"() => document.querySelectorAll('{PICTURES}').length == 5")
    return page


def release(page: Page, share: float) -> None:
    """Drag the slider of N to a share of its way and let it go."""
    # The range input itself is hidden; what is seen of the slider stands around it.
    thumb = page.locator(".st-key-N input[type=range]").locator("xpath=../..")
    track, box = page.locator(".st-key-N [role=group]").bounding_box(), thumb.bounding_box()
    assert track is not None
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] * share, middle, steps=4)
    page.evaluate(WATCH)
    page.mouse.up()


def wait(page: Page) -> float:
    """Seconds from the last release to the pictures."""
    milliseconds = page.evaluate("() => window.latency")
    if milliseconds is None:
        raise RuntimeError("No other picture came within 30 s of the slider's release.")
    return float(milliseconds) / 1000


def shares(count: int) -> list[float]:
    """Places of the slider, each far from the one before."""
    return [0.3 + 0.5 * (index * 0.381966 % 1) for index in range(count)]


def measure_release(browser: Browser, address: str, repeats: int) -> Figures:
    """One session alone."""
    page = open_page(browser, address)
    seconds = []
    for share in shares(repeats + 2):
        release(page, share)
        seconds.append(wait(page))
        page.wait_for_timeout(200)
    page.context.close()
    return Figures("slider released to pictures", seconds[2:])


def measure_stop(browser: Browser, address: str, repeats: int) -> Figures:
    """A run that would take hours, stopped; until the page shows what was reached."""
    seconds = []
    for _ in range(repeats):
        page = new_page(browser, f"{address}/?restarts=500&steps=1000000&solver=gradient-descent")
        page.locator(".st-key-run button").click()
        page.get_by_text("Descent: step").wait_for()
        page.wait_for_timeout(500)
        began = time.perf_counter()
        page.locator(".st-key-stop button").click()
        page.get_by_text("Stopped: best so far").wait_for()
        seconds.append(time.perf_counter() - began)
        page.context.close()
    return Figures("Stop pressed to result shown", seconds)


def main() -> None:
    """Measure, print, and write the figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10, help="releases of the slider")
    parser.add_argument("--output", type=Path, help="JSON file for the figures")
    options = parser.parse_args()
    path = find_chromium()
    if path is None:
        sys.exit("There is no chromium; install it, or name it in the variable CHROMIUM.")
    load = os.getloadavg()[0]
    with serve() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        found = [
            measure_release(browser, server.address, options.repeats),
            measure_stop(browser, server.address, 3),
        ]
        browser.close()
    report(found, load, options.output)


if __name__ == "__main__":
    main()
