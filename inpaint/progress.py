"""A progress bar for Python callers: in a terminal or a notebook, for work of over a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from inpaint.types import OnProgress, Progress

PATIENCE = 1.0
"""Seconds after which work is long enough to show a bar."""


@contextmanager
def showing(progress: bool | None, on_progress: OnProgress | None) -> Iterator[OnProgress | None]:
    """The callback to pass on: the caller's own, or one that draws a bar.

    Args:
        progress: True draws a bar, False does not; None draws one in a terminal or a notebook.
        on_progress: The caller's own callback; no bar is drawn with it.
    """
    if on_progress is not None or progress is False or (progress is None and not _is_watched()):
        yield on_progress
        return
    bar = _Bar()
    try:
        yield bar.report
    finally:
        bar.close()


class _Bar:
    """A bar that appears once the work has taken a while."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def report(self, progress: Progress) -> bool:
        """Draw the progress."""
        if self._bar is None:
            if time.monotonic() - self._began < PATIENCE:
                return True
            # Loaded only now, since most work ends sooner.
            from rich.console import Console
            from rich.progress import Progress as Bar

            self._bar = Bar(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task(progress.stage)
            self._bar.start()
        self._bar.update(
            self._task,
            description=progress.stage,
            completed=progress.done,
            total=progress.total,
        )
        return True

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.stop()


def _is_watched() -> bool:
    """Whether this runs in a terminal or a notebook."""
    notebook = "ipykernel" in sys.modules
    return notebook or (sys.stderr is not None and sys.stderr.isatty())
