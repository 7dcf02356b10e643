"""The command line: `inpaint COMMAND`, a module for each command.

Only this package prints. An error is one sentence on standard error and exit status 2; a run
ended by Ctrl-C has exit status 130.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from inpaint.cli import (
    bench,
    calibrate,
    doctor,
    evaluate,
    posterior,
    restore,
    sample,
    sweep,
    train,
    train_network,
)
from inpaint.errors import InpaintError

USAGE_ERROR = 2
INTERRUPTED = 130


class _Group(TyperGroup):
    """The commands, with every foreseen error as one sentence."""

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> Any:  # type: ignore[override]
        words = list(sys.argv[1:] if args is None else args) or ["--help"]
        extra["standalone_mode"] = False
        try:
            status = super().main(words, **extra)
        except InpaintError as error:
            _leave(str(error), USAGE_ERROR)
        except typer.TyperException as error:
            _leave(f"{error.format_message().rstrip('.')}. See {_help_of(error)}.", USAGE_ERROR)
        except MemoryError as error:
            _leave(
                f"This needs more memory than there is ({error}); choose fewer --restarts, "
                "--screen or --images.",
                USAGE_ERROR,
            )
        except (KeyboardInterrupt, typer.Abort):
            _leave("Stopped before there was a result.", INTERRUPTED)
        sys.exit(status if isinstance(status, int) else 0)


def _help_of(error: typer.TyperException) -> str:
    """The command that explains what a wrong word should have been."""
    context = getattr(error, "ctx", None)
    command = f" {context.info_name}" if context is not None and context.parent else ""
    return f"inpaint{command} --help"


def _leave(message: str, status: int) -> None:
    print(message, file=sys.stderr)
    sys.exit(status)


app = typer.Typer(
    cls=_Group,
    help="Restore damaged images by searching the latent space of a generator.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _command in (
    restore.restore,
    posterior.posterior,
    sample.sample,
    sweep.sweep,
    evaluate.evaluate,
    calibrate.calibrate,
    train.train,
    train_network.train_network,
    bench.bench,
    doctor.doctor,
):
    app.command()(_command)


def main() -> None:
    """The console script `inpaint`."""
    app(prog_name="inpaint")
