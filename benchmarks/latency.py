"""How fast the dashboard answers in Chromium.

python -m benchmarks.latency                   # one session: the slider, and Stop
python -m benchmarks.latency --sessions 10     # ten sessions that move their sliders at once

The first time runs from the release of the slider to the new pictures, the second one from Stop to
the result. Chromium is found on the PATH or named by the variable CHROMIUM.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page

from benchmarks.serving import open_dashboard

PICTURES = ".st-key-sheet img"

# Measures from the release of the pointer to the start of the frame that shows the new restored
# images, decoded.
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
class Times:
    """Times of one kind, in seconds."""

    name: str
    seconds: list[float]

    def __str__(self) -> str:
        return (
            f"{self.name:44} median {statistics.median(self.seconds):6.3f} s   "
            f"range {min(self.seconds):.3f} to {max(self.seconds):.3f} s   n = {len(self.seconds)}"
        )


def new_page(browser: Browser, address: str) -> Page:
    """Open a new session."""
    page = browser.new_context(viewport={"width": 1280, "height": 1100}).new_page()
    page.set_default_timeout(60_000)
    page.goto(address)
    return page


def open_page(browser: Browser, address: str) -> Page:
    """Open a session and wait until the bundled example is restored."""
    page = new_page(browser, address)
    page.get_by_text("Restored 4 images").wait_for()
    page.wait_for_function(f"() => document.querySelectorAll('{PICTURES}').length == 5")
    return page


def release(page: Page, share: float) -> None:
    """Drag the slider of N to a share of its range and release it."""
    # The range input itself is hidden; its grandparent is the visible thumb.
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
    """Wait for the pictures; returns the seconds since the release."""
    milliseconds = page.evaluate("() => window.latency")
    if milliseconds is None:
        raise RuntimeError("No new picture came within 30 s of the slider's release.")
    return float(milliseconds) / 1000


def slider_shares(count: int) -> list[float]:
    """Positions of the slider, each far from the one before."""
    return [0.3 + 0.5 * (index * 0.381966 % 1) for index in range(count)]


def measure_release(browser: Browser, address: str, sessions: int, repeats: int) -> Times:
    """Sessions that release their sliders at once; the first two releases warm up."""
    pages = [open_page(browser, address) for _ in range(sessions)]
    seconds = []
    for share in slider_shares(repeats + 2):
        for page in pages:
            release(page, share)
        seconds += [wait(page) for page in pages]
        pages[0].wait_for_timeout(200)
    for page in pages:
        page.context.close()
    name = "slider released to pictures" + f", {sessions} sessions" * (sessions > 1)
    return Times(name, seconds[2 * sessions :])


def measure_stop(browser: Browser, address: str, repeats: int) -> Times:
    """From Stop to the best result so far, in a search that would take hours."""
    seconds = []
    for _ in range(repeats):
        page = new_page(browser, f"{address}/?restarts=500&steps=1000000&solver=gradient-descent")
        page.locator(".st-key-run button").click()
        page.get_by_text("Descent:").wait_for()
        page.wait_for_timeout(500)
        began = time.perf_counter()
        page.locator(".st-key-stop button").click()
        page.get_by_text("Stopped: best so far").wait_for()
        seconds.append(time.perf_counter() - began)
        page.context.close()
    return Times("Stop pressed to result shown", seconds)


def main() -> None:
    """Measure, print, and write the times if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=1, help="sessions at once")
    parser.add_argument("--repeats", type=int, default=10, help="releases of each slider")
    parser.add_argument("--output", type=Path, help="JSON file for the times")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with open_dashboard() as (browser, address):
        found = [measure_release(browser, address, options.sessions, options.repeats)]
        if options.sessions == 1:
            found.append(measure_stop(browser, address, 3))
    print(f"{os.cpu_count()} cores, load {load:.1f} before; server and browser share them.")
    for times in found:
        print(times)
    if options.output is not None:
        content = {"cores": os.cpu_count(), "load": load, "times": [asdict(t) for t in found]}
        options.output.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
