"""What is needed to repeat a run elsewhere: the files of a record, and a few lines of Python."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import fields, replace

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


def record_file(
    problem: Problem,
    restoration: Restoration,
    comparison: Comparison,
    made: Mapping[str, bytes] | None = None,
) -> bytes:
    """run.json, with what was made on the page inside, so that it can be opened there again.

    Args:
        problem: What was restored.
        restoration: The result.
        comparison: The result as figures.
        made: Content of the files that were made here, by the input that they are.
    """
    record = describe_run(problem, restoration, comparison)
    if made:
        record["made"] = {name: base64.b64encode(data).decode() for name, data in made.items()}
    return json.dumps(record, indent=2, allow_nan=False).encode() + b"\n"


def settled(run: Run, restoration: Restoration) -> Run:
    """The run that repeats a result: a time or a stop is replaced by what it allowed."""
    return replace(run, config=restoration.config.resolved())


def as_python(run: Run) -> str:
    """A program that does the same run and writes its figure."""
    usual = RestoreConfig(solver=run.config.solver).resolved()
    config = run.config.resolved()
    changed = {
        field.name: getattr(config, field.name)
        for field in fields(config)
        if getattr(config, field.name) != getattr(usual, field.name)
    }
    if config.solver != RestoreConfig().solver:
        changed = {"solver": config.solver, **changed}
    return f"""\
from inpaint.comparison import compare
from inpaint.config import RestoreConfig
from inpaint.figures import draw_comparison
from inpaint.problem import load
from inpaint.restore import restore
from inpaint.run import Run

config = RestoreConfig({keywords(changed)})
problem = load(Run({keywords(inputs(run))}, config=config))
restoration = restore(problem.measurement, problem.generator, config)
comparison = compare(problem.measurement, problem.generator, restoration)
draw_comparison(comparison).savefig("figure.png")
"""


def inputs(run: Run) -> dict[str, object]:
    """The arguments of `Run` besides the settings of the search, defaults left out."""
    arguments: dict[str, object] = {"source": run.source, "generator": run.generator}
    if run.mask is None and run.operator is None:
        arguments["keep"] = run.keep
    return arguments | {
        field.name: getattr(run, field.name)
        for field in fields(run)
        if field.name not in ("source", "generator", "keep", "config")
        and getattr(run, field.name) != field.default
    }


def keywords(values: Mapping[str, object]) -> str:
    """Values as the keyword arguments of a call."""
    return ", ".join(f"{name}={value!r}" for name, value in values.items())
