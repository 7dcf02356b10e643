"""The full bench: this package, its peers and the peak of the core, interleaved in one run.

python -m benchmarks.full --output bench.json     # 10 to 30 minutes
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.peers import PEERS
from benchmarks.worker import Place, Worker
from inpaint.bench import VARIANTS, BenchResult, Skipped, load_default_generator
from inpaint.bench.result import describe_machine, make_row
from inpaint.bench.timing import Cell, OnProgress, Plan, Sample, interleave
from inpaint.cli.bench import time_variants
from inpaint.errors import BackendError
from inpaint.files.reading import read_generator
from inpaint.generators import Generator

RESTARTS = (1, 8, 64, 512, 4096)
KEEPS = (350, 784)
PLACES = (Place(1), Place(2), Place(1, "avx2"))
SAMPLE_SECONDS = 0.05
PREPARATION = 0.4
"""Share of the progress that compiling, checking and warming up take."""


def run_full_bench(
    *,
    seconds: float,
    generator: Generator,
    on_progress: OnProgress,
    cancelled: Callable[[], bool],
    restarts: tuple[int, ...] = RESTARTS,
    keeps: tuple[int, ...] = KEEPS,
    places: tuple[Place, ...] = PLACES,
) -> BenchResult:
    """Check all variants at all sizes, then time them round after round.

    Args:
        seconds: Time for the timing.
        generator: One hidden ReLU layer and sigmoid pixels.
        on_progress: Called with the share that is done and what is done next.
        cancelled: Asked before each turn.
        restarts: Numbers of restarts R.
        keeps: Numbers of observed pixels N.
        places: Threads and instruction sets.

    Raises:
        AgreementError: If a variant computes something else than the objective.
    """
    machine = describe_machine() | {"generator": generator.name, "seconds": seconds}
    names = [variant.name for variant in (*VARIANTS, *PEERS)]
    with contextlib.ExitStack() as stack:
        workers = []
        for place in places:
            worker = Worker(place, generator, sample_seconds=SAMPLE_SECONDS)
            stack.callback(worker.close)
            workers.append(worker)
        cells = [
            (worker, Cell(name, keep, count))
            for worker, keep, count, name in itertools.product(workers, keeps, restarts, names)
        ]
        plans, skipped = _prepare(cells, on_progress, cancelled)
        turns: list[tuple[str, Callable[[], Sample]]] = [
            (cell.variant, partial(worker.sample, cell)) for worker, cell in plans
        ]
        metered = _with_peak(workers, skipped)
        turns += [("FMA peak", worker.peak) for worker in metered]
        samples = interleave(
            turns,
            seconds=seconds,
            on_progress=lambda share, text: on_progress(
                PREPARATION + (1 - PREPARATION) * share, text
            ),
            cancelled=cancelled,
        )
    peaks = dict(zip(metered, samples[len(plans) :], strict=True))
    machine["fma_peak"] = [_peak(worker, taken) for worker, taken in peaks.items() if taken]
    machine["load_after"] = os.getloadavg()[0]
    rows = []
    for ((worker, cell), plan), taken in zip(plans.items(), samples, strict=False):
        if not taken:
            continue
        row = make_row(
            cell,
            plan,
            taken,
            threads=worker.place.threads,
            instructions=worker.instructions,
        )
        if peaks.get(worker):
            operations = row["cpu_rate"] * dense_operations(generator, cell.keep)
            row["of_peak"] = operations / _cpu_rate(peaks[worker])
        rows.append(row)
    reasons = [Skipped(variant=name, reason=reason) for name, reason in dict.fromkeys(skipped)]
    return BenchResult(rows=rows, machine=machine, skipped=reasons, cancelled=cancelled())


def dense_operations(generator: Generator, keep: int) -> int:
    """Multiplications and additions of one restart-iteration if no hidden unit is skipped.

    Forward and backward pass take a multiplication and an addition per weight each; of the
    last layer only the observed rows are needed.
    """
    *hidden, last = [layer.weight.shape for layer in generator.layers]
    return 4 * (sum(rows * columns for rows, columns in hidden) + keep * last[1])


def _prepare(
    cells: list[tuple[Worker, Cell]], on_progress: OnProgress, cancelled: Callable[[], bool]
) -> tuple[dict[tuple[Worker, Cell], Plan], list[tuple[str, str]]]:
    """Plans of the cells that can run, and the variants that cannot, with their reasons."""
    plans: dict[tuple[Worker, Cell], Plan] = {}
    missing: dict[tuple[Worker, str], str] = {}
    for done, (worker, cell) in enumerate(cells):
        if cancelled() or (worker, cell.variant) in missing:
            continue
        on_progress(done / len(cells) * PREPARATION, f"checking {cell.variant}")
        try:
            plans[worker, cell] = worker.prepare(cell)
        except BackendError as error:
            missing[worker, cell.variant] = str(error)
    return plans, [(name, reason) for (_, name), reason in missing.items()]


def _with_peak(workers: list[Worker], skipped: list[tuple[str, str]]) -> list[Worker]:
    """The workers that can measure the FMA peak; the reasons of the others join `skipped`."""
    found = []
    for worker in workers:
        try:
            worker.peak()
        except BackendError as error:
            skipped.append(("FMA peak", str(error)))
        else:
            found.append(worker)
    return found


def _peak(worker: Worker, samples: list[Sample]) -> dict[str, Any]:
    """The FMA peak as the machine's description keeps it: operations per second."""
    rates = [sample.work / sample.seconds for sample in samples]
    return {
        "threads": worker.place.threads,
        "instructions": worker.instructions,
        "median": statistics.median(rates),
        "min": min(rates),
        "max": max(rates),
        "cpu_rate": _cpu_rate(samples),
    }


def _cpu_rate(samples: list[Sample]) -> float:
    return statistics.median(sample.work / sample.cpu_seconds for sample in samples)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--generator", help="generator file; left out, it is the shipped one")
    parser.add_argument("--seconds", type=float, default=600.0, help="time for the timing")
    parser.add_argument("--output", type=Path, help="JSON file for the rows and the machine")
    asked = parser.parse_args()
    generator = read_generator(asked.generator) if asked.generator else load_default_generator()
    time_variants(partial(run_full_bench, seconds=asked.seconds, generator=generator), asked.output)


if __name__ == "__main__":
    main()
