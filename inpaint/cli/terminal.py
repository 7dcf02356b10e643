"""What the commands show: tables on standard output, progress on standard error; how they stop."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Literal, Self

import typer
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

STOPS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
"""The signals that ask a run to stop, and what they are called."""

GRACE = 0.5
"""Seconds that a stopped run may still spend on judging what it has reached."""

STOPPING = "stopping; Ctrl-C again stops at once"

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
    """Shows progress on standard error, and takes the first Ctrl-C or SIGTERM as a request to stop.

    A second one interrupts at once.
    """

    def __init__(self, task: str) -> None:
        self._signal: signal.Signals | None = None
        self._end = 0.0
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
        """Listen to the signals and show the bar."""
        # Only a program's main thread receives signals.
        if threading.current_thread() is threading.main_thread():
            for each in STOPS:
                signal.signal(each, self._stop)
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the bar and let the signals interrupt."""
        self._bar.stop()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    @property
    def stopped(self) -> bool:
        """Whether a signal has asked the run to stop."""
        return self._signal is not None

    def leave_if_stopped(self, reached: str = "what was reached so far was written") -> None:
        """End the command with a sentence and the signal's exit status, if it was stopped."""
        if self._signal is not None:
            warn(f"Stopped by {STOPS[self._signal]}; {reached}.")
            raise typer.Exit(128 + self._signal)

    def report(self, progress: Progress) -> bool:
        """Draw the progress; returns False to stop the work."""
        self._show(progress)
        return not self.stopped

    def report_last(self, progress: Progress) -> bool:
        """Draw the progress of what follows a search; a stop leaves it `GRACE` seconds."""
        self._show(progress)
        return not self.stopped or time.monotonic() < self._end

    def _show(self, progress: Progress) -> None:
        self._bar.update(
            self._task,
            completed=progress.done,
            total=progress.total,
            description=progress.stage,
            note=STOPPING if self.stopped else progress.note,
        )

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self._signal, self._end = signal.Signals(number), time.monotonic() + GRACE
        self._bar.update(self._task, note=STOPPING)
