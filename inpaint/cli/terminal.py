"""What the commands show: tables on standard output, progress on standard error, Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any, Self

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

WIDTH = 110
"""Columns of a line where standard output is no terminal that knows better."""


def console() -> Console:
    """Standard output; a file or a pipe gets whole lines without colours."""
    return Console() if sys.stdout.isatty() else Console(width=WIDTH)


def say(text: str) -> None:
    """Print a line as it is."""
    console().print(text, highlight=False, markup=False, soft_wrap=True)


def warn(text: str) -> None:
    """Print a line to standard error."""
    Console(stderr=True).print(text, highlight=False, markup=False, soft_wrap=True)


def table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str,
    words: Sequence[str] = (),
) -> None:
    """Print rows of figures under headings, to the right; the columns `words` to the left."""
    grid = Table(box=box.SIMPLE, title=title, title_justify="left", pad_edge=False)
    for heading in headings:
        grid.add_column(heading, justify="left" if heading in words else "right")
    for row in rows:
        grid.add_row(*row)
    console().print(grid)


def number(value: float | None, decimals: int) -> str:
    """A figure for a table; None is a dash."""
    return "-" if value is None else f"{value:.{decimals}f}"


class Watch:
    """Progress of long work on standard error, and the first Ctrl-C as a wish to stop.

    A second Ctrl-C interrupts at once.
    """

    def __init__(self, task: str) -> None:
        self.stopped = False
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(task, total=None, note="")
        self._before: Any = None

    def __enter__(self) -> Self:
        """Listen to Ctrl-C and show the bar."""
        # Only a program's main thread receives signals.
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._stop)
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar away and leave Ctrl-C as it was."""
        self._bar.stop()
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def show(self, done: float, total: float, *, task: str, note: str = "") -> bool:
        """Draw how far the work is; False means that it shall stop."""
        self._bar.update(self._task, completed=done, total=total, description=task, note=note)
        return not self.stopped

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True
        self._bar.update(self._task, note="stopping; Ctrl-C again stops at once")
