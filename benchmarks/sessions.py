"""Ten sessions at once: `python -m benchmarks.sessions`.

Each session is a real one: it speaks Streamlit's protocol over a websocket as the browser does,
and moves the slider of N. What it waits for is the message that holds the new pictures. So the
server is measured without the browsers that would share its cores; what those cost is measured
by `--browsers`, which lets as many pages of Chromium do the same.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import websockets
from playwright.sync_api import sync_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetStates

from benchmarks import latency
from benchmarks.serving import (
    CHROMIUM_FLAGS,
    Server,
    cpu_seconds,
    find_chromium,
    report,
    serve,
)

SLIDER = "Pixels kept (N)"
PATIENCE_SECONDS = 60
PIXELS = 784


@dataclass
class Session:
    """One user.

    Attributes:
        socket: The connection.
        slider: The slider's id; empty before the page was drawn.
        pictures: The five columns that were sent last.
        polls: What the page wants to be asked again, and after how many seconds.
        waits: How often the queue was shown.
    """

    socket: websockets.ClientConnection
    slider: str = ""
    pictures: str = ""
    polls: dict[str, float] = field(default_factory=dict)
    waits: int = 0
    _states: WidgetStates = field(default_factory=WidgetStates)

    async def open(self) -> None:
        """See the page with the bundled example restored."""
        await self._send(BackMsg())
        await self._until_pictures("")

    async def move(self, keep: int) -> float:
        """Move the slider; seconds until the other pictures have come."""
        before = self.pictures
        message = BackMsg()
        state = message.rerun_script.widget_states.widgets.add()
        state.id = self.slider
        state.double_array_value.data.append(keep)
        self._states = message.rerun_script.widget_states
        began = time.perf_counter()
        await self._send(message)
        await self._until_pictures(before)
        return time.perf_counter() - began

    async def _send(self, message: BackMsg) -> None:
        message.rerun_script.query_string = ""
        await self.socket.send(message.SerializeToString())

    async def _until_pictures(self, before: str) -> None:
        """Read what the server sends, and poll it where the page asks for that."""
        self.polls.clear()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.pictures == before or not self.slider:
            if time.monotonic() > deadline:
                raise TimeoutError("The pictures did not come.")
            try:
                wait = min(self.polls.values(), default=PATIENCE_SECONDS)
                data = await asyncio.wait_for(self.socket.recv(), wait)
            except TimeoutError:
                for fragment in self.polls:
                    message = BackMsg()
                    message.rerun_script.fragment_id = fragment
                    message.rerun_script.widget_states.CopyFrom(self._states)
                    await self._send(message)
                continue
            if isinstance(data, bytes):
                self._take(ForwardMsg.FromString(data))

    def _take(self, message: ForwardMsg) -> None:
        if message.HasField("auto_rerun"):
            self.polls[message.auto_rerun.fragment_id] = message.auto_rerun.interval
        if not message.HasField("delta"):
            return
        element = message.delta.new_element
        if element.HasField("slider") and element.slider.label == SLIDER:
            self.slider = element.slider.id
        if element.HasField("html") and 'class="strip"' in element.html.body:
            self.pictures = element.html.body
        if element.HasField("progress") and "before yours" in element.progress.text:
            self.waits += 1


@dataclass(frozen=True)
class Figures:
    """What was found.

    Attributes:
        name: What was measured.
        seconds: From each move of the slider to its pictures.
        server: Time that the cores spent on the server for one move.
        browsers: The same for the browsers; None where there were none.
        queued: How often a page was told how many are before it; None in browsers.
    """

    name: str
    seconds: list[float]
    server: float
    browsers: float | None = None
    queued: int | None = None

    def __str__(self) -> str:
        times = sorted(self.seconds)
        cost = f"cores: server {self.server:.3f} s a move"
        if self.browsers is not None:
            cost += f", browsers {self.browsers:.3f} s a move"
        if self.queued is not None:
            cost += f"   queue shown {self.queued} times"
        return (
            f"{self.name:32} median {statistics.median(times):6.3f} s   worst {times[-1]:6.3f} s   "
            f"n = {len(times)}   {cost}"
        )


def keeps(count: int, session: int) -> list[int]:
    """Numbers N, other ones for each session, each far from the one before."""
    return [round(PIXELS * share) - session for share in latency.shares(count)]


async def measure_sockets(server: Server, sessions: int, moves: int) -> Figures:
    """Sessions without browsers: all move at once, again and again."""
    address = f"{server.address.replace('http', 'ws', 1)}/_stcore/stream"
    sockets = [
        await websockets.connect(
            address,
            subprotocols=[websockets.Subprotocol("streamlit")],
            origin=websockets.Origin(server.address),
            max_size=None,
        )
        for _ in range(sessions)
    ]
    users = [Session(socket) for socket in sockets]
    await asyncio.gather(*(user.open() for user in users))
    await asyncio.sleep(1)
    began = cpu_seconds(server.process)
    seconds: list[float] = []
    for move in zip(*(keeps(moves, place) for place in range(sessions)), strict=True):
        seconds += await asyncio.gather(
            *(user.move(keep) for user, keep in zip(users, move, strict=True))
        )
    spent = cpu_seconds(server.process) - began
    for socket in sockets:
        await socket.close()
    queued = sum(user.waits for user in users)
    name = f"{sessions} sessions, no browser"
    return Figures(name, seconds, spent / len(seconds), queued=queued)


def measure_browsers(server: Server, sessions: int, moves: int) -> Figures:
    """The same with pages of Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=CHROMIUM_FLAGS)
        pages = [latency.open_page(browser, server.address) for _ in range(sessions)]
        # All descend from this process; the server is one of them, and is told apart.
        before = cpu_seconds(server.process), cpu_seconds(os.getpid())
        seconds = []
        for share in latency.shares(moves):
            for page in pages:
                latency.release(page, share)
            seconds += [latency.wait(page) for page in pages]
        spent = cpu_seconds(server.process) - before[0]
        others = cpu_seconds(os.getpid()) - before[1] - spent
        browser.close()
    count = len(seconds)
    name = f"{sessions} sessions in Chromium"
    return Figures(name, seconds, spent / count, others / count)


def main() -> None:
    """Measure, print, and write the figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=10, help="sessions at once")
    parser.add_argument("--moves", type=int, default=5, help="moves of each slider")
    parser.add_argument("--browsers", action="store_true", help="measure with Chromium as well")
    parser.add_argument("--output", type=Path, help="JSON file for the figures")
    options = parser.parse_args()
    if options.browsers and find_chromium() is None:
        sys.exit("There is no chromium; install it, or name it in the variable CHROMIUM.")
    load = os.getloadavg()[0]
    with serve() as server:
        found = [
            asyncio.run(measure_sockets(server, 1, options.moves)),
            asyncio.run(measure_sockets(server, options.sessions, options.moves)),
        ]
        if options.browsers:
            found.append(measure_browsers(server, options.sessions, options.moves))
    report(found, load, options.output)


if __name__ == "__main__":
    main()
