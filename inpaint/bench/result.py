"""What a bench found: rows, and the machine that they hold for."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import torch

from inpaint.bench.timing import Cell, Plan, Sample

VERSIONS = ("inpaint", "torch", "numpy", "jax")


class Row(TypedDict):
    """One variant at one size.

    Rates are in restart-iterations per second: one forward pass, cost, gradient and step of
    one restart. `rate` is `median`, over the rounds; `min` and `max` are the slowest and the
    fastest round.
    """

    variant: str
    N: int
    R: int
    threads: int
    rate: float
    median: float
    min: float
    max: float
    cpu_rate: float
    """Median of restart-iterations per second of processor time: what one thread would reach
    if nobody else used its core, however busy the machine was."""
    rounds: int
    steps: int
    """Steps of the timed descents, of which a round may take several."""
    cores: float
    """Processor time per wall time: below `threads` where others had the cores."""
    load: float
    """Median load average of the machine; 1 is one busy core, the bench's own included."""
    active: float
    """Share of hidden units that are active."""
    instructions: str
    of_peak: NotRequired[float]
    """Arithmetic of a dense computation per second, over the FMA peak of the same cores."""


class Skipped(TypedDict):
    """A variant that did not run, and why."""

    variant: str
    reason: str


@dataclass(frozen=True)
class BenchResult:
    """What a bench found; all of it can be written as JSON.

    Attributes:
        rows: One per variant and size, in the order in which they were timed.
        machine: CPU, cores, threads, instruction set, versions, load, generator.
        skipped: Variants left out.
        cancelled: Whether it was cut short.
    """

    rows: list[Row]
    machine: dict[str, Any]
    skipped: list[Skipped] = field(default_factory=list)
    cancelled: bool = False

    def to_json(self) -> str:
        """The result as JSON text."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> BenchResult:
        """The inverse of `to_json`."""
        return cls(**json.loads(text))


def make_row(
    cell: Cell, plan: Plan, samples: Sequence[Sample], *, threads: int, instructions: str
) -> Row:
    """Sum a cell's samples up."""
    rates = [sample.work / sample.seconds for sample in samples]
    median = statistics.median(rates)
    return Row(
        variant=cell.variant,
        N=cell.keep,
        R=cell.restarts,
        threads=threads,
        rate=median,
        median=median,
        min=min(rates),
        max=max(rates),
        cpu_rate=statistics.median(sample.work / sample.cpu_seconds for sample in samples),
        rounds=len(rates),
        steps=plan.steps,
        cores=statistics.median(sample.cpu_seconds / sample.seconds for sample in samples),
        load=statistics.median(sample.load for sample in samples),
        active=plan.active,
        instructions=instructions,
    )


def describe_machine() -> dict[str, Any]:
    """CPU, cores, threads, instruction set and versions, as JSON can hold them."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability().lower(),
        "system": platform.platform(),
        "versions": {"python": platform.python_version()} | _versions(),
        "load_before": os.getloadavg()[0],
    }


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    facts = {key.strip(): value.strip() for key, value in lines.items()}
    name = facts.get("model name", platform.machine())
    if "cpu family" not in facts:
        return name
    # Virtual machines often hide the name; family and model still tell the core.
    return f"{name}, family {facts['cpu family']}, model {facts.get('model', '?')}"


def _versions() -> dict[str, str]:
    found = {}
    for name in VERSIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
