"""The result of a bench: its rows, and the machine that they were measured on."""

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

from inpaint.bench.timing import Sample, Task, Workload

VERSIONS = ("inpaint", "torch", "numpy", "jax")


class Row(TypedDict):
    """One variant at one size.

    Rates are in restart-iterations per second: one forward pass, cost, gradient and step of
    one restart. `rate` equals `median`, taken over the rounds; `min` and `max` are the slowest and
    the fastest round.
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
    """Median of restart-iterations per second of processor time. It is about what one thread
    would reach on a core of its own, however busy the machine was."""
    rounds: int
    steps: int
    """Steps of a timed descent; a round may take several descents."""
    cores: float
    """Processor time per wall time; below `threads` where other programs used the cores."""
    load: float
    """Median load average of the machine; 1 is one busy core. The bench itself counts."""
    active: float
    """Share of hidden units that are active."""
    instructions: str
    of_peak: NotRequired[float]
    """Operations of a dense computation per second, over the FMA peak of the same cores."""


class Skipped(TypedDict):
    """A variant that cannot run here, and why."""

    variant: str
    reason: str


@dataclass(frozen=True)
class BenchResult:
    """The result of a bench, which can be written as JSON.

    Attributes:
        rows: One per variant and size, in the order of the first round.
        machine: CPU, cores, threads, instruction set, versions, load, generator.
        skipped: Variants that cannot run here.
        cancelled: Whether the bench was ended early.
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
    task: Task, workload: Workload, samples: Sequence[Sample], *, threads: int, instructions: str
) -> Row:
    """Summarize the samples of a task."""
    rates = [sample.work / sample.seconds for sample in samples]
    median = statistics.median(rates)
    return Row(
        variant=task.variant,
        N=task.keep,
        R=task.restarts,
        threads=threads,
        rate=median,
        median=median,
        min=min(rates),
        max=max(rates),
        cpu_rate=statistics.median(sample.work / sample.cpu_seconds for sample in samples),
        rounds=len(rates),
        steps=workload.steps,
        cores=statistics.median(sample.cpu_seconds / sample.seconds for sample in samples),
        load=statistics.median(sample.load for sample in samples),
        active=workload.active,
        instructions=instructions,
    )


def describe_machine() -> dict[str, Any]:
    """Describe CPU, cores, threads, instruction set and versions, for JSON."""
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
    # Virtual machines often hide the name; family and model still identify the core.
    return f"{name}, family {facts['cpu family']}, model {facts.get('model', '?')}"


def _versions() -> dict[str, str]:
    found = {}
    for name in VERSIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
