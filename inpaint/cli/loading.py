"""Reading the inputs of a job whose images are damaged, and saying what was doubtful in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inpaint.cli import terminal

if TYPE_CHECKING:
    from inpaint.files.job import DamageJob
    from inpaint.files.problem import Problem
    from inpaint.files.record import Record


PREVIEW = Annotated[
    Path | None,
    typer.Option(
        "--preview",
        metavar="FILE",
        help="Also write a PNG that shows how SOURCE was read: what was taken of each picture, and "
        "what it became.",
        show_default=False,
    ),
]
LEFT_OUT = 4
"""Exit status if some pictures of a source could not be read and were left out."""


def load_problem(job: DamageJob, record: Record | None) -> Problem:
    """Read a job's inputs; those of a record must not have changed.

    Raises:
        FileError: If an input cannot be read, or has changed since it was recorded.
    """
    from inpaint.errors import FileError
    from inpaint.files.problem import load
    from inpaint.files.record import check_inputs

    try:
        problem = load(job)
    except FileError as error:
        if record is None:
            raise
        raise FileError(
            f"{error} If an input of {record.path} was moved, give its new place as SOURCE, "
            "--generator, --mask or --operator."
        ) from error
    if record is not None:
        check_inputs(record, job, problem.digests())
    return problem


def report_doubts(problem: Problem) -> None:
    """Say what is doubtful about the pictures that were read, and which were left out."""
    for doubt in problem.image_set.doubts:
        terminal.warn(f"Careful: {doubt}.")
    for each in problem.image_set.skipped:
        terminal.warn(f"Left out: {each.reason}")


def show_preview(problem: Problem, path: Path) -> None:
    """Write a picture of how the images were read."""
    from inpaint.files.safetensors import write_whole
    from inpaint.plots.columns import to_png
    from inpaint.plots.reading import plot_reading

    write_whole(to_png(plot_reading(problem.read, problem.image_set.source)), path)
    terminal.say(f"Wrote {path}, which shows how {problem.image_set.source} was read.")


def end(problem: Problem) -> None:
    """End a command whose results are written, with `LEFT_OUT` if pictures were left out."""
    skipped = len(problem.image_set.skipped)
    if skipped:
        total = skipped + len(problem.image_set)
        terminal.warn(f"{skipped} of {total} pictures could not be read and were left out.")
        raise typer.Exit(LEFT_OUT)
