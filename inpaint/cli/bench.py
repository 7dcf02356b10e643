"""`inpaint bench`: how fast the backends are here, measured on the spot."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inpaint.cli import options

if TYPE_CHECKING:
    from inpaint.bench import BenchResult


def bench(
    generator: options.GeneratorName = None,
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
            metavar="NUMBER", help="Time for the timing; some seconds of preparation come on top."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="JSON file for the rows and the machine.")
    ] = None,
) -> None:
    """Check that all variants compute the same, then time them against each other."""
    from inpaint.bench import run_bench
    from inpaint.files.job import default_generator
    from inpaint.files.reading import read_generator

    given: dict[str, Any] = {}
    for name, text in (("restarts", restarts), ("keeps", keep), ("threads", threads)):
        if text is not None:
            given[name] = options.whole_numbers(name, text)
    if seconds is not None:
        given["seconds"] = options.real_number("seconds", seconds)
    source = read_generator(generator or default_generator())
    time_variants(partial(run_bench, generator=source, **given), output)


def time_variants(run: Callable[..., BenchResult], output: Path | None) -> None:
    """Run a bench, print its rows, and write them if asked to.

    Args:
        run: Takes `on_progress` and `cancelled`.
        output: JSON file, if any.
    """
    from inpaint.files.record import check_writable, write_files

    if output is not None:
        check_writable(output.parent)
    with terminal.Watch("preparing") as watch:
        result = run(
            on_progress=lambda share, text: watch.show(share, 1, task=text),
            cancelled=lambda: watch.stopped,
        )
    _print(result)
    if output is not None:
        write_files(output.parent, {output.name: (result.to_json() + "\n").encode()})
        terminal.say(f"Wrote {output}.")
    if result.cancelled:
        terminal.warn("Stopped by Ctrl-C; what was measured so far is shown.")
        raise typer.Exit(130)


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
        terminal.say(f"{skipped['variant']} was left out: {skipped['reason']}")
    machine = result.machine
    terminal.say(
        f"{machine['cpu']}, {machine['cores']} cores, {machine['instructions']}, load "
        f"{machine['load_before']:.2f} before and {machine.get('load_after', 0.0):.2f} after."
    )
