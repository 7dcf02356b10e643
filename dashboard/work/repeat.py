"""What is needed to repeat a run elsewhere: the files of a record, and a few lines of Python."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import fields, replace

from inpaint.config import RestoreConfig
from inpaint.files.job import Run
from inpaint.files.posterior_record import beside, posterior_arrays
from inpaint.files.problem import Problem
from inpaint.files.record import describe_run, pack_arrays
from inpaint.plots.columns import draw_comparison, to_png
from inpaint.plots.comparison import Comparison
from inpaint.posterior.sampled import Sampled, Wish
from inpaint.types import Restoration


def figure_file(problem: Problem, restoration: Restoration, comparison: Comparison) -> bytes:
    """figure.png"""
    return to_png(draw_comparison(comparison))


def arrays_file(
    problem: Problem,
    restoration: Restoration,
    comparison: Comparison,
    sampled: Sampled | None = None,
) -> bytes:
    """restoration.npz, with the posterior where it was sampled."""
    more = None if sampled is None else posterior_arrays(sampled, prefix="posterior_")
    return pack_arrays(problem.measurement, restoration, more)


def record_file(
    problem: Problem,
    restoration: Restoration,
    comparison: Comparison,
    made: Mapping[str, bytes] | None = None,
    *,
    sampled: Sampled | None = None,
    wish: Wish | None = None,
) -> bytes:
    """run.json, with what was made on the page inside, so that it can be opened there again.

    Args:
        problem: What was restored.
        restoration: The result.
        comparison: The result as figures.
        made: Content of the files that were made here, by the input that they are.
        sampled: The posterior, where it was sampled.
        wish: What was asked of it.
    """
    record = describe_run(problem, restoration, comparison)
    if sampled is not None and wish is not None:
        record |= beside(sampled, record["images"], wish.estimate)
        record["command"] += wish.words
    if made:
        record["made"] = {name: base64.b64encode(data).decode() for name, data in made.items()}
    return json.dumps(record, indent=2, allow_nan=False).encode() + b"\n"


def settled(run: Run, restoration: Restoration) -> Run:
    """The run that repeats a result: a time or a stop is replaced by what it allowed."""
    return replace(run, config=restoration.config.resolved())


SAMPLING = """\
sampled = sample(
    problem.measurement,
    problem.generator,
    config_beside(config),
    restoration=restoration,
    estimate={estimate!r},
)
comparison = compare_sampled(problem, restoration, sampled)
"""
COMPARING = """\
comparison = compare(problem.measurement, problem.generator, restoration)
"""


def as_python(run: Run, estimate: str | None = None) -> str:
    """A program that does the same run and writes its figure.

    Args:
        run: The run.
        estimate: Which image to show, if it takes the posterior.
    """
    first, more, last = "from inpaint.plots.comparison import compare\n", "", COMPARING
    if estimate is not None:
        first = ""
        more = "from inpaint.posterior.sampled import compare_sampled, config_beside, sample\n"
        last = SAMPLING.format(estimate=estimate)
    return f"""\
{first}from inpaint.config import RestoreConfig
from inpaint.plots.columns import draw_comparison
from inpaint.files.problem import load
from inpaint.search.restore import restore
from inpaint.files.job import Run
{more}
config = RestoreConfig({settings(run.config)})
problem = load(Run({keywords(inputs(run))}, config=config))
restoration = restore(problem.measurement, problem.generator, config)
{last}draw_comparison(comparison).savefig("figure.png")
"""


def settings(config: RestoreConfig) -> str:
    """The arguments of a `RestoreConfig`, defaults left out."""
    usual = RestoreConfig(solver=config.solver).resolved()
    config = config.resolved()
    changed = {
        field.name: getattr(config, field.name)
        for field in fields(config)
        if getattr(config, field.name) != getattr(usual, field.name)
    }
    if config.solver != RestoreConfig().solver:
        changed = {"solver": config.solver, **changed}
    return keywords(changed)


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
