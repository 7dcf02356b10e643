"""The full bench: this package, its peers and the FMA peak of the cores, interleaved in one run.

python -m benchmarks.full --output bench.json     # 10 to 30 minutes
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import statistics
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.peers import PEERS
from benchmarks.worker import CpuSettings, Worker
from inpaint.bench.bench import time_tasks
from inpaint.bench.result import BenchResult, Skipped, describe_machine
from inpaint.bench.timing import Sample, Task
from inpaint.bench.variants import VARIANTS
from inpaint.cli.bench import time_variants
from inpaint.errors import BackendError
from inpaint.files.job import default_generator
from inpaint.files.reading import read_generator
from inpaint.generators import Generator
from inpaint.types import OnProgress

RESTARTS = (1, 8, 64, 512, 4096)
KEEPS = (350, 784)
SETTINGS = (CpuSettings(1), CpuSettings(2), CpuSettings(1, "avx2"))
TURN_SECONDS = 0.05


def run_full_bench(*, seconds: float, generator: Generator, on_progress: OnProgress) -> BenchResult:
    """Check all variants at all sizes, then time them round after round.

    Args:
        seconds: Duration of the timing.
        generator: A generator with one hidden ReLU layer and sigmoid pixels.
        on_progress: Called before each check and each turn; returning False cancels.

    Raises:
        AgreementError: If a variant computes something else than the objective.
    """
    machine = describe_machine() | {"generator": generator.name, "seconds": seconds}
    names = [variant.name for variant in (*VARIANTS, *PEERS)]
    with contextlib.ExitStack() as stack:
        workers = []
        for settings in SETTINGS:
            worker = Worker(settings, generator, turn_seconds=TURN_SECONDS)
            stack.callback(worker.close)
            workers.append(worker)
        tasks = [
            (worker, Task(name, keep, count))
            for worker, keep, count, name in itertools.product(workers, KEEPS, RESTARTS, names)
        ]
        metered, missing = _find_peak_workers(workers)
        timed = time_tasks(
            tasks,
            seconds=seconds,
            on_progress=on_progress,
            extra=[("FMA peak", worker.peak) for worker in metered],
        )
    peaks = [
        _summarize_peak(worker, samples)
        for worker, samples in zip(metered, timed.extra, strict=True)
        if samples
    ]
    machine |= {"fma_peak": peaks, "load_after": os.getloadavg()[0]}
    rates = {(peak["threads"], peak["instructions"]): peak["cpu_rate"] for peak in peaks}
    for row in timed.rows:
        peak = rates.get((row["threads"], row["instructions"]))
        if peak is not None:
            row["of_peak"] = row["cpu_rate"] * count_operations(generator, row["N"]) / peak
    return BenchResult(timed.rows, machine, [*timed.skipped, *missing], timed.cancelled)


def count_operations(generator: Generator, keep: int) -> int:
    """Multiplications and additions of one restart-iteration that skips no hidden unit.

    The forward and the backward pass take one multiplication and one addition per weight each; of
    the last layer only the observed rows are used.
    """
    *hidden, last = [layer.weight.shape for layer in generator.layers]
    return 4 * (sum(rows * columns for rows, columns in hidden) + keep * last[1])


def _find_peak_workers(workers: list[Worker]) -> tuple[list[Worker], list[Skipped]]:
    """The workers that can measure the FMA peak, and why others cannot."""
    found = []
    reasons: dict[str, None] = {}
    for worker in workers:
        try:
            worker.peak()
        except BackendError as error:
            reasons[str(error)] = None
        else:
            found.append(worker)
    return found, [Skipped(variant="FMA peak", reason=reason) for reason in reasons]


def _summarize_peak(worker: Worker, samples: list[Sample]) -> dict[str, Any]:
    """Operations per second at the FMA peak, for the description of the machine."""
    rates = [sample.work / sample.seconds for sample in samples]
    return {
        "threads": worker.threads,
        "instructions": worker.instructions,
        "median": statistics.median(rates),
        "min": min(rates),
        "max": max(rates),
        "cpu_rate": statistics.median(sample.work / sample.cpu_seconds for sample in samples),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--generator", help="generator file or name; default: the shipped one")
    parser.add_argument("--seconds", type=float, default=600.0, help="duration of the timing")
    parser.add_argument("--output", type=Path, help="JSON file for the rows and the machine")
    options = parser.parse_args()
    generator = read_generator(options.generator or default_generator())
    run = partial(run_full_bench, seconds=options.seconds, generator=generator)
    time_variants(run, options.output)


if __name__ == "__main__":
    main()
