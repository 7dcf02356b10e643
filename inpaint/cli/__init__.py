"""The command line: `inpaint COMMAND`, a module for each command.

Only this package prints. An error is one sentence on standard error and exit status 2; a run
ended by Ctrl-C has exit status 130.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated, Any

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
)
from inpaint.cli.terminal import INTERRUPTED
from inpaint.errors import InpaintError

USAGE_ERROR = 2
OUTPUT_ERROR = 1


class _Group(TyperGroup):
    """The commands; every expected error is printed as one sentence."""

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> Any:  # type: ignore[override]
        words = list(sys.argv[1:] if args is None else args) or ["--help"]
        extra["standalone_mode"] = False
        try:
            status = super().main(words, **extra)
            sys.stdout.flush()
        except InpaintError as error:
            _leave(str(error), USAGE_ERROR)
        except typer.TyperException as error:
            said = error.format_message().rstrip(".")
            stop = "" if said.endswith("?") else "."
            _leave(f"{said}{stop} See {_help_of(error)}.", USAGE_ERROR)
        except MemoryError as error:
            _leave(
                f"This needs more memory than there is ({error}); choose fewer --restarts, "
                "--screen or --images.",
                USAGE_ERROR,
            )
        except (KeyboardInterrupt, typer.Abort):
            _leave("Stopped before there was a result.", INTERRUPTED)
        except OSError as error:
            _leave_without_output(error)
        sys.exit(status if isinstance(status, int) else 0)


def _help_of(error: typer.TyperException) -> str:
    """The command that shows which words are allowed."""
    context = getattr(error, "ctx", None)
    command = f" {context.info_name}" if context is not None and context.parent else ""
    return f"inpaint{command} --help"


def _leave(message: str, status: int) -> None:
    print(message, file=sys.stderr)
    sys.exit(status)


def _leave_without_output(error: OSError) -> None:
    """End after standard output cannot be written, such as on a full disk."""
    # What is left in the buffer must not fail again when Python exits.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if error.errno == errno.ENOSPC:
        _leave("Standard output is full, so the rest is not shown.", OUTPUT_ERROR)
    _leave(f"Standard output cannot be written: {error.strerror or error}.", OUTPUT_ERROR)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"inpaint {metadata.version('inpaint')}")
        raise typer.Exit


app = typer.Typer(
    cls=_Group,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Restore damaged images by searching the latent space of a generator."""


for _command in (
    restore.restore,
    posterior.posterior,
    sample.sample,
    sweep.sweep,
    evaluate.evaluate,
    calibrate.calibrate,
    train.train,
    train.train_network,
    train.train_classifier,
    bench.bench,
    doctor.doctor,
):
    app.command()(_command)


def run() -> None:
    """Do what the command line asks for."""
    app(prog_name="inpaint")
