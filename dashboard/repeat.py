"""What is needed to repeat a run elsewhere: the files of a record, and a few lines of Python."""

from __future__ import annotations

import json
from dataclasses import fields

from inpaint.comparison import Comparison
from inpaint.config import RestoreConfig
from inpaint.figures import draw_comparison, to_png
from inpaint.problem import Problem
from inpaint.record import describe_run, pack_arrays
from inpaint.run import Run
from inpaint.types import Restoration


def figure_file(problem: Problem, restoration: Restoration, comparison: Comparison) -> bytes:
    """figure.png"""
    return to_png(draw_comparison(comparison))


def arrays_file(problem: Problem, restoration: Restoration, comparison: Comparison) -> bytes:
    """restoration.npz"""
    return pack_arrays(problem.measurement, restoration)


def record_file(problem: Problem, restoration: Restoration, comparison: Comparison) -> bytes:
    """run.json"""
    record = describe_run(problem, restoration, comparison)
    return json.dumps(record, indent=2, allow_nan=False).encode() + b"\n"


def as_python(run: Run) -> str:
    """A program that does the same run and writes its figure."""
    usual = RestoreConfig()
    settings = ", ".join(
        f"{field.name}={getattr(run.config, field.name)!r}"
        for field in fields(run.config)
        if getattr(run.config, field.name) != getattr(usual, field.name)
    )
    lost = f"keep={run.keep}" if run.mask is None else f"mask={run.mask!r}"
    arguments = [f"source={run.source!r}", f"generator={run.generator!r}", lost]
    if run.noise:
        arguments.append(f"noise={run.noise!r}")
    if run.numbers is not None:
        arguments.append(f"numbers={run.numbers!r}")
    return f"""\
from inpaint.comparison import compare
from inpaint.config import RestoreConfig
from inpaint.figures import draw_comparison
from inpaint.problem import load
from inpaint.restore import restore
from inpaint.run import Run

config = RestoreConfig({settings})
problem = load(Run({", ".join(arguments)}, config=config))
restoration = restore(problem.measurement, problem.generator, config)
comparison = compare(problem.measurement, problem.generator, restoration)
draw_comparison(comparison).savefig("figure.png")
"""
