"""The dashboard as its users start it, for benchmarks and tests; and the browser to look at it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-gpu",
]
START_SECONDS = 30


@dataclass(frozen=True)
class Server:
    """A server under way.

    Attributes:
        address: Such as http://127.0.0.1:8501.
        process: Its number.
    """

    address: str
    process: int


def find_chromium() -> str | None:
    """Chromium as found on the PATH, or the one that the variable CHROMIUM names."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium")


@contextlib.contextmanager
def serve() -> Iterator[Server]:
    """Run the dashboard on a free port.

    Raises:
        RuntimeError: If it ends at once, or does not answer.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "dashboard/app.py"]
    options = ["--server.port", str(port), "--server.headless", "true"]
    process = subprocess.Popen(
        [*command, *options], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/_stcore/health", process)
        yield Server(address, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def report(found: Sequence[Any], load: float, output: Path | None) -> None:
    """Print what was measured, and write it to a JSON file if one is named.

    Args:
        found: Records of figures.
        load: Mean load of the machine before.
        output: The file.
    """
    print(f"{os.cpu_count()} cores, load {load:.1f} before; server and clients share them.")
    for figures in found:
        print(figures)
    if output is not None:
        content = {"cores": os.cpu_count(), "load": load, "figures": [asdict(f) for f in found]}
        output.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    began = time.monotonic()
    while time.monotonic() - began < START_SECONDS:
        if process.poll() is not None:
            raise RuntimeError("The server ended at once.")
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"The server did not answer within {START_SECONDS} s.")


def cpu_seconds(process: int) -> float:
    """Time that the cores have spent on a process and its descendants (Linux).

    That of descendants that have ended, and were waited for, is counted too.
    """
    children: dict[int, list[int]] = {}
    spent: dict[int, float] = {}
    ticks = os.sysconf("SC_CLK_TCK")
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # The name may hold blanks; what follows its bracket does not.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(folder.name))
            spent[int(folder.name)] = sum(map(int, fields[11:15])) / ticks
    total, waiting = 0.0, [process]
    while waiting:
        one = waiting.pop()
        total += spent.get(one, 0.0)
        waiting += children.get(one, [])
    return total
