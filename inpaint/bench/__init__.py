"""How fast the backends are here, measured on the spot.

`run_bench` compares the published loop in numpy, the torch backend and the C++ backend.
`python -m benchmarks.full` in the checkout adds the peers.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from functools import partial

from inpaint.bench.case import AgreementError, Problem, Trace, Variant
from inpaint.bench.result import BenchResult, Row, Skipped, describe_machine, make_row
from inpaint.bench.timing import Cell, OnProgress, Plan, Sample, Station, interleave
from inpaint.bench.variants import VARIANTS
from inpaint.errors import ArgumentError, BackendError
from inpaint.files.job import default_generator
from inpaint.files.reading import read_generator
from inpaint.generators import Generator
from inpaint.operators import Mask

__all__ = [
    "VARIANTS",
    "AgreementError",
    "BenchResult",
    "Problem",
    "Row",
    "Skipped",
    "Trace",
    "Variant",
    "run_bench",
]


def run_bench(
    *,
    restarts: Sequence[int] = (1, 8, 64, 512),
    keeps: Sequence[int] = (350, 784),
    threads: Sequence[int] = (1,),
    seconds: float = 10.0,
    generator: Generator | None = None,
    variants: Sequence[Variant] = VARIANTS,
    on_progress: OnProgress | None = None,
    cancelled: Callable[[], bool] | None = None,
    on_rows: Callable[[list[Row]], object] | None = None,
) -> BenchResult:
    """Time the variants against each other, once they were seen to compute the same.

    Args:
        restarts: Numbers of restarts R.
        keeps: Numbers of observed pixels N.
        threads: Numbers of threads.
        seconds: Time for the timing, to which some seconds of preparation come; every
            variant is timed in three rounds at least.
        generator: Whose latent space is searched; None takes the shipped one.
        variants: What is timed; one that cannot run here is left out, with its reason.
        on_progress: Called with the share that is done, 0 to 1, and what is done next.
        cancelled: Asked often; True ends the bench, and what was measured is returned.
        on_rows: Called after each round with the rows as they are by then.

    Raises:
        AgreementError: If a variant computes something else than the others.
        ArgumentError: If a number is out of range.
    """
    report = on_progress or _ignore
    stop = cancelled or _never
    if generator is None:
        generator = load_default_generator()
    _check(restarts, keeps, threads, seconds, generator)

    sizes = list(itertools.product(threads, keeps, restarts))
    sample_seconds = min(0.1, max(0.002, seconds / (12 * len(sizes) * len(variants))))
    stations = {
        count: Station(generator, variants, threads=count, sample_seconds=sample_seconds)
        for count in threads
    }
    machine = describe_machine() | {"generator": generator.name, "seconds": seconds}
    instructions = machine["instructions"]

    plans: dict[tuple[int, Cell], Plan] = {}
    skipped: dict[str, str] = {}
    for done, (count, keep, number) in enumerate(sizes):
        for variant in variants:
            if variant.name in skipped or stop():
                continue
            report(done / len(sizes) * PREPARATION, f"checking {variant.name}")
            cell = Cell(variant.name, keep, number)
            try:
                plans[count, cell] = stations[count].prepare(cell)
            except BackendError as error:
                skipped[variant.name] = str(error)

    def make_rows(samples: list[list[Sample]]) -> list[Row]:
        return [
            make_row(cell, plan, taken, threads=count, instructions=instructions)
            for ((count, cell), plan), taken in zip(plans.items(), samples, strict=True)
            if taken
        ]

    samples = interleave(
        [(cell.variant, partial(stations[count].sample, cell)) for count, cell in plans],
        seconds=seconds,
        on_progress=lambda share, text: report(PREPARATION + (1 - PREPARATION) * share, text),
        cancelled=stop,
        on_round=None if on_rows is None else lambda samples: on_rows(make_rows(samples)),
    )
    machine["load_after"] = os.getloadavg()[0]
    report(1.0, "done")
    return BenchResult(
        rows=make_rows(samples),
        machine=machine,
        skipped=[Skipped(variant=name, reason=reason) for name, reason in skipped.items()],
        cancelled=stop(),
    )


PREPARATION = 0.2
"""Share of the progress that checking and warming up take."""


def load_default_generator() -> Generator:
    """The shipped generator that is timed where none is named."""
    generator = read_generator(default_generator())
    assert isinstance(generator, Generator)
    return generator


def _check(
    restarts: Sequence[int],
    keeps: Sequence[int],
    threads: Sequence[int],
    seconds: float,
    generator: Generator,
) -> None:
    for name, numbers, most in (("restarts", restarts, 1_000_000), ("threads", threads, 1024)):
        for number in numbers:
            if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= most:
                raise ArgumentError(
                    f"{name} holds {number!r}; each must be a whole number. Choose 1 to {most}."
                )
    for name, numbers in (("restarts", restarts), ("keeps", keeps), ("threads", threads)):
        if not numbers:
            raise ArgumentError(f"{name} is empty; give at least one number.")
    for keep in keeps:
        Mask.leading(keep, generator.image_shape)
    if not 0 < seconds < float("inf"):
        raise ArgumentError(f"seconds is {seconds!r}; choose a finite number above 0.")


def _ignore(share: float, text: str) -> None:
    """Take no notice of progress."""


def _never() -> bool:
    return False
