"""`inpaint sweep`: the same images at several N."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inpaint.cli import options, screen
from inpaint.cli.restore import FILES, make_run, report
from inpaint.config import RestoreConfig
from inpaint.run import KEEPS

if TYPE_CHECKING:
    from inpaint.sweep import Sweep


@options.settings_of(RestoreConfig)
def sweep(
    source: options.Source = None,
    generator: options.GeneratorName = None,
    keep: Annotated[
        str, typer.Option(metavar="NUMBERS", help="Numbers N of observed pixels.")
    ] = ",".join(map(str, KEEPS)),
    noise: options.Noise = None,
    images: options.Images = None,
    preset: options.Preset = None,
    output: options.Output = options.OUTPUT / "sweep",
    *,
    settings: dict[str, Any],
) -> None:
    """Restore the same images at several N; write the figures of each and tables of all."""
    from inpaint import sweep as sweeping
    from inpaint.problem import load
    from inpaint.record import check_writable, write_files, write_run

    keeps = options.whole_numbers("keep", keep)
    given = {"noise": noise, "images": images, "preset": preset, **settings}
    problem = load(make_run(source, generator, given))
    check_writable(output)
    with screen.Watch("preparing") as watch:
        result = sweeping.sweep(
            problem,
            keeps,
            on_progress=lambda index, progress: report(watch, f"N = {keeps[index]}: ")(progress),
        )
    for point in result.points:
        write_run(_folder(output, point.keep), point.problem, point.restoration, point.comparison)
    tables = {"errors.csv": result.to_csv(), "sweep.csv": result.to_long_csv()}
    write_files(output, {name: text.encode() for name, text in tables.items()})
    _print(result)
    folders = ", ".join(str(_folder(output, point.keep)) for point in result.points)
    screen.say(
        f"Wrote {output / 'errors.csv'} and {output / 'sweep.csv'}; {FILES} of each N to {folders}."
    )
    if result.cancelled:
        screen.warn("Stopped by Ctrl-C; what was reached so far was written.")
        raise typer.Exit(130)


def _folder(output: Path, keep: int) -> Path:
    return output / f"N{keep}"


def _print(result: Sweep) -> None:
    number = screen.number
    tables: dict[str, list[list[str]]] = {
        "Cost J": [[number(cost, 3) for cost in row] for row in result.costs()],
        "L2 error against the ideal image": [
            [number(error, 3) for error in row] for row in result.errors()
        ],
        "Success rate of one start": [
            [number(rate, 3) for rate in row] for row in result.success_rates()
        ],
        "Verdict": [[flag or "-" for flag in row] for row in result.flags()],
    }
    headings = ["image", *(f"N={point.keep}" for point in result.points)]
    for title, table in tables.items():
        if any(cell != "-" for row in table for cell in row):
            rows = [[str(image), *row] for image, row in zip(result.numbers, table, strict=True)]
            screen.table(headings, rows, title=title)
