"""Reading the inputs of a job whose images are damaged, recorded or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inpaint.files.job import DamageJob
    from inpaint.files.problem import Problem
    from inpaint.files.record import Record


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
