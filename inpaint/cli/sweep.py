"""`inpaint sweep`: the same images at several N."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inpaint.cli import options, screen
from inpaint.cli.restore import make_run, report
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
    """Restore the same images at several N; write a figure for each and a table of errors."""
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
    write_files(output, {"errors.csv": result.to_csv().encode()})
    _print(result)
    folders = ", ".join(str(_folder(output, point.keep)) for point in result.points)
    screen.say(
        f"Wrote {output / 'errors.csv'}; figure.png, restoration.npz and run.json of each N "
        f"to {folders}."
    )
    if result.cancelled:
        screen.warn("Stopped by Ctrl-C; what was reached so far was written.")
        raise typer.Exit(130)


def _folder(output: Path, keep: int) -> Path:
    return output / f"N{keep}"


def _print(result: Sweep) -> None:
    headings = ["image", *(f"N={point.keep}" for point in result.points)]
    _print_table("Cost J", headings, result.numbers, result.costs())
    errors = result.errors()
    if errors[0][0] is not None:
        _print_table("L2 error against the ideal image", headings, result.numbers, errors)


def _print_table(
    title: str,
    headings: Sequence[str],
    numbers: Sequence[int],
    values: Sequence[Sequence[float | None]],
) -> None:
    rows = [
        [str(image), *(screen.number(value, 3) for value in row)]
        for image, row in zip(numbers, values, strict=True)
    ]
    screen.table(headings, rows, title=title)
