"""A measurement of the speed of this machine."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from forms.sources import Source

from inpaint.bench.bench import run_bench
from inpaint.bench.result import BenchResult, Row
from inpaint.generators import Generator
from inpaint.types import Progress
from work.runner import Report

RESTARTS = (1, 8, 64, 512)


@dataclass(frozen=True)
class Measured:
    """What was measured, and the command that measures the same."""

    result: BenchResult
    command: str


@dataclass
class Live:
    """What a measurement under way has found; the worker writes it, the page reads it."""

    rows: list[Row] = field(default_factory=list)


def measure(
    source: Source[Generator], keep: int, threads: int, seconds: float, live: Live, report: Report
) -> Measured:
    """Run the bench. Runs in a worker."""

    def pass_on(progress: Progress) -> bool:
        words = f"{progress.stage}: {progress.note}" if progress.note else progress.stage
        share = progress.done / (progress.total or 1)
        return report(min(1.0, share), f"{words[:1].upper()}{words[1:]}.")

    def show(rows: list[Row]) -> None:
        live.rows = rows

    result = run_bench(
        restarts=RESTARTS,
        keeps=(keep,),
        threads=(threads,),
        seconds=seconds,
        generator=source.content,
        on_progress=pass_on,
        on_rows=show,
    )
    words = ["inpaint", "bench", "--generator", source.name, "--keep", str(keep)]
    words += ["--threads", str(threads), "--seconds", str(seconds)]
    return Measured(result, shlex.join(words))
