"""What the commands show: tables on standard output, progress on standard error, Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Literal, Self

from rich import box
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

if TYPE_CHECKING:
    from inpaint.types import Progress

INTERRUPTED = 130
"""Exit status of a run that Ctrl-C ended."""

WIDEST = 28
"""Columns of a table's cell, such as a file's name; the rest is cut off."""

WIDTH = 110
"""Columns of a line if standard output is not a terminal with a width of its own."""


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
    """Print rows under headings: figures aligned right, the columns in `words` left."""
    grid = Table(box=box.SIMPLE, title=title, title_justify="left", pad_edge=False)
    for heading in headings:
        justify: Literal["left", "right"] = "left" if heading in words else "right"
        grid.add_column(heading, justify=justify, no_wrap=True, max_width=WIDEST)
    for row in rows:
        grid.add_row(*row)
    console().print(grid)


def number(value: float | None, decimals: int) -> str:
    """A figure for a table; None is a dash."""
    return "-" if value is None else f"{value:.{decimals}f}"


class Watch:
    """Shows progress on standard error, and takes the first Ctrl-C as a request to stop.

    A second Ctrl-C interrupts at once.
    """

    def __init__(self, task: str) -> None:
        self.stopped = False
        console = Console(stderr=True)
        self._bar = Bar(
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

    def __enter__(self) -> Self:
        """Listen to Ctrl-C and show the bar."""
        # Only a program's main thread receives signals.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._stop)
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the bar and let Ctrl-C interrupt."""
        self._bar.stop()
        if threading.current_thread() is threading.main_thread():
            # From here on Ctrl-C raises an exception, so files are written whole or not at all.
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def report(self, progress: Progress) -> bool:
        """Draw the progress; returns False to stop the work."""
        self._bar.update(
            self._task,
            completed=progress.done,
            total=progress.total,
            description=progress.stage,
            note=progress.note,
        )
        return not self.stopped

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True
        self._bar.update(self._task, note="stopping; Ctrl-C again stops at once")
