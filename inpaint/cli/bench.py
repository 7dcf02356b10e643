"""`inpaint bench`: time the backends on this machine."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from inpaint.cli import terminal
from inpaint.files.words import read_integers, read_number

if TYPE_CHECKING:
    from inpaint.bench.result import BenchResult
    from inpaint.types import OnProgress


def bench(
    generator: Annotated[
        str | None,
        typer.Option(
            help="Generator file (.mat, .safetensors) or name of a shipped one.",
            show_default="the shipped one",
        ),
    ] = None,
    restarts: Annotated[
        str | None, typer.Option(metavar="NUMBERS", help="Numbers of restarts R.")
    ] = None,
    keep: Annotated[
        str | None, typer.Option(metavar="NUMBERS", help="Numbers N of observed pixels.")
    ] = None,
    threads: Annotated[
        str | None, typer.Option(metavar="NUMBERS", help="Numbers of threads.")
    ] = None,
    seconds: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER", help="Duration of the timing; checking takes some more seconds."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="JSON file for the rows and the machine.")
    ] = None,
) -> None:
    """Check that all variants compute the same, then time them against each other."""
    from inpaint.bench.bench import run_bench
    from inpaint.files.job import default_generator
    from inpaint.files.reading import read_generator

    given: dict[str, Any] = {}
    for name, text in (("restarts", restarts), ("keeps", keep), ("threads", threads)):
        if text is not None:
            given[name] = read_integers(name, text)
    if seconds is not None:
        given["seconds"] = read_number("seconds", seconds)
    source = read_generator(generator or default_generator())
    time_variants(partial(run_bench, generator=source, **given), output)


class _Run(Protocol):
    def __call__(self, *, on_progress: OnProgress) -> BenchResult: ...


def time_variants(run: _Run, output: Path | None) -> None:
    """Run a bench, print its rows, and write them to a JSON file if one is given."""
    from inpaint.files.output import check_writable, write_files

    if output is not None:
        check_writable(output.parent)
    with terminal.Watch("checking") as watch:
        result = run(on_progress=watch.report)
    _print(result)
    if output is not None:
        write_files(output.parent, {output.name: (result.to_json() + "\n").encode()})
        terminal.say(f"Wrote {output}.")
    watch.leave_if_stopped("the rows so far are shown")


def _print(result: BenchResult) -> None:
    number = terminal.number
    rows = [
        [
            row["variant"],
            *(str(row[name]) for name in ("N", "R", "threads")),
            *(number(row[name] / 1000, 1) for name in ("median", "min", "max")),
        ]
        for row in result.rows
    ]
    headings = ["variant", "N", "R", "threads", "median", "min", "max"]
    title = "Thousand restart-iterations per second"
    if rows:
        terminal.table(headings, rows, title=title, words=["variant"])
    for skipped in result.skipped:
        terminal.say(f"{skipped['variant']} was skipped: {skipped['reason']}")
    machine = result.machine
    terminal.say(
        f"{machine['cpu']}, {machine['cores']} cores, {machine['instructions']}, load "
        f"{machine['load_before']:.2f} before and {machine.get('load_after', 0.0):.2f} after."
    )
