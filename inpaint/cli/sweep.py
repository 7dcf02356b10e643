"""`inpaint sweep`: the same images at several N, and with fewer restarts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from inpaint.cli import options, terminal
from inpaint.cli.loading import end, load_problem, report_doubts
from inpaint.files.job import SweepJob

if TYPE_CHECKING:
    from inpaint.files.record import Record
    from inpaint.studies.sweep import Sweep


@options.command_of(SweepJob, output=options.OUTPUT / "sweep")
def sweep(job: SweepJob, *, output: Path, record: Record | None) -> None:
    """Restore the same images at several N; write the figures of each, and tables of all."""
    from inpaint.files.output import check_writable
    from inpaint.files.record import write_results
    from inpaint.files.results import restoration_files
    from inpaint.plots.columns import to_png
    from inpaint.plots.curves import plot_sweep
    from inpaint.studies import sweep as sweeping

    # What is observed at the largest N shows how to read the pictures.
    problem = load_problem(job.at(max(job.keeps)), record)
    check_writable(output)
    report_doubts(problem)
    content: dict[str, bytes] = {}

    def draw(point: sweeping.Point) -> None:
        files = restoration_files(point.problem, point.search, point.comparison)
        content.update({f"{_folder(point.keep)}/{name}": data for name, data in files.items()})

    with terminal.Watch("preparing") as watch:
        result = sweeping.sweep(
            problem,
            job.keeps,
            restart_counts=job.restart_counts,
            repeats=job.repeats,
            on_point=draw,
            on_progress=watch.report,
        )
        tables = {"errors.csv": result.to_csv(), "sweep.csv": result.to_long_csv()}
        if result.partial_searches:
            tables["partial_searches.csv"] = result.to_partial_csv()
        content |= {name: text.encode() for name, text in tables.items()}
        content["curves.png"] = to_png(plot_sweep(result))
        write_results(output, content, "run.json", sweeping.record_sweep(job, problem, result))
    _print(result)
    folders = ", ".join(str(output / _folder(point.keep)) for point in result.points)
    terminal.say(
        f"Wrote {', '.join(tables)}, curves.png and run.json to {output}; the files of each N to "
        f"{folders}."
    )
    watch.leave_if_stopped()
    end(problem)


def _folder(keep: int) -> str:
    return f"N{keep}"


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
            rows = [[label, *row] for label, row in zip(result.labels, table, strict=True)]
            terminal.table(headings, rows, title=title)
    for point in result.points:
        for row in point.comparison.rows:
            if row.verdict is not None and row.verdict.flag != "good":
                terminal.say(f"N = {point.keep}, image {row.label}. {row.verdict.sentence}")
    if len({each.restarts for each in result.partial_searches}) > 1:
        _print_restarts(result)


def _print_restarts(result: Sweep) -> None:
    """How many of the seeds found the best image, against restarts."""
    for point in result.points:
        shares = result.trend("success", keep=point.keep)
        places = sorted({share.place for share in shares})
        rows = [
            [label, *(terminal.number(s.middle, 3) for s in shares if s.number == image)]
            for image, label in zip(result.numbers, result.labels, strict=True)
        ]
        title = f"Share of the seeds that found the best image, N = {point.keep}"
        terminal.table(["image", *(f"R={place}" for place in places)], rows, title=title)
