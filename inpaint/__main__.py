"""The command line: `inpaint`, or `python -m inpaint`.

Ctrl-C and SIGTERM end it with one sentence from the start, even while libraries are loading; a
running command takes them as a request to stop (`inpaint.cli.terminal.Watch`).
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """The console script."""
    for name in ("stdout", "stderr"):
        # A closed stream is None; nothing can be printed to it.
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (open as long as the process)
    signal.signal(signal.SIGINT, _leave)
    signal.signal(signal.SIGTERM, _leave)
    if hasattr(signal, "SIGPIPE"):
        # A reader that stops early, such as `head`, ends the command silently.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)

    from inpaint.cli import run

    run()


def _leave(number: int, frame: FrameType | None) -> None:
    """End at once; an exception could be lost in a library that is being imported."""
    os.write(2, b"Stopped before there was a result.\n")
    os._exit(128 + number)


if __name__ == "__main__":
    main()
