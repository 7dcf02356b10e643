"""`inpaint sweep`: the same images at several N, and with fewer restarts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inpaint.cli import options
from inpaint.cli.restore import FILES, make_run, report
from inpaint.config import RestoreConfig
from inpaint.files.job import KEEPS

if TYPE_CHECKING:
    from inpaint.studies.sweep import Sweep


@options.settings_of(RestoreConfig)
def sweep(
    source: options.Source = None,
    generator: options.GeneratorName = None,
    keep: Annotated[
        str, typer.Option(metavar="NUMBERS", help="Numbers N of observed pixels.")
    ] = ",".join(map(str, KEEPS)),
    restart_counts: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBERS",
            help="Numbers of restarts told apart, up to --restarts, such as 1,4,16,64.",
            show_default="all of them only",
        ),
    ] = None,
    repeats: Annotated[
        str,
        typer.Option(metavar="INTEGER", help="Seeds with which all is done, from --seed on."),
    ] = "1",
    noise: options.Noise = None,
    images: options.Images = None,
    preset: options.Preset = None,
    output: options.Output = options.OUTPUT / "sweep",
    *,
    settings: dict[str, Any],
) -> None:
    """Restore the same images at several N; write the figures of each, and tables of all."""
    from inpaint.files.problem import load
    from inpaint.files.record import check_writable, write_files, write_run
    from inpaint.plots.columns import to_png
    from inpaint.plots.curves import draw_trends
    from inpaint.studies import sweep as sweeping

    keeps = options.whole_numbers("keep", keep)
    counts: tuple[int, ...] = ()
    if restart_counts is not None:
        counts = options.whole_numbers("restart_counts", restart_counts)
    seeds = options.whole_number("repeats", repeats)
    given = {"noise": noise, "images": images, "preset": preset, **settings}
    problem = load(make_run(source, generator, given))
    check_writable(output)
    with terminal.Watch("preparing") as watch:
        result = sweeping.sweep(
            problem,
            keeps,
            restart_counts=counts,
            repeats=seeds,
            on_progress=lambda done, progress: report(watch, f"N = {keeps[done // seeds]}: ")(
                progress
            ),
        )
    for point in result.points:
        write_run(_folder(output, point.keep), point.problem, point.restoration, point.comparison)
    tables = {"errors.csv": result.to_csv(), "sweep.csv": result.to_long_csv()}
    if result.trials:
        tables["trials.csv"] = result.to_trials_csv()
    content = {name: text.encode() for name, text in tables.items()}
    content["curves.png"] = to_png(draw_trends(result))
    write_files(output, content)
    _print(result)
    folders = ", ".join(str(_folder(output, point.keep)) for point in result.points)
    terminal.say(f"Wrote {', '.join(content)} to {output}; {FILES} of each N to {folders}.")
    if result.cancelled:
        terminal.warn("Stopped by Ctrl-C; what was reached so far was written.")
        raise typer.Exit(130)


def _folder(output: Path, keep: int) -> Path:
    return output / f"N{keep}"


def _print(result: Sweep) -> None:
    number = terminal.number
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
            terminal.table(headings, rows, title=title)
    if len({trial.restarts for trial in result.trials}) > 1:
        _print_restarts(result)


def _print_restarts(result: Sweep) -> None:
    """How many of the seeds found the best image, against restarts."""
    for point in result.points:
        shares = result.trend("success", keep=point.keep)
        places = sorted({share.place for share in shares})
        rows = [
            [str(image), *(terminal.number(s.middle, 3) for s in shares if s.number == image)]
            for image in result.numbers
        ]
        title = f"Share of the seeds that found the best image, N = {point.keep}"
        terminal.table(["image", *(f"R={place}" for place in places)], rows, title=title)
