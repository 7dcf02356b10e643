"""The same images at several numbers N of observed pixels."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from inpaint.comparison import Comparison, Row, compare
from inpaint.config import RestoreConfig
from inpaint.errors import ArgumentError
from inpaint.problem import Problem, pose
from inpaint.restore import restore
from inpaint.run import KEEPS
from inpaint.types import Progress, Restoration, Status
from inpaint.verdict import Flag

OnProgress = Callable[[int, Progress], bool | None]
Value = TypeVar("Value")

LONG_COLUMNS = (
    "image", "N", "cost", "error", "noise_level", "success_rate", "success_low", "success_high",
    "restarts_for_99", "modes", "verdict",
)  # fmt: skip


@dataclass(frozen=True)
class Point:
    """One N of a sweep.

    Attributes:
        problem: The images at this N.
        restoration: What was found.
        comparison: The five columns.
    """

    problem: Problem
    restoration: Restoration
    comparison: Comparison

    @property
    def keep(self) -> int:
        """The number N of observed pixels."""
        return self.problem.run.keep


@dataclass(frozen=True)
class Sweep:
    """Restorations of the same images at several N.

    Attributes:
        points: In the order asked for; fewer where the sweep was cancelled.
        cancelled: Whether it was cut short; the last point then is what was reached.
    """

    points: tuple[Point, ...]
    cancelled: bool = False

    @property
    def numbers(self) -> tuple[int, ...]:
        """The images' numbers in their source: the rows of `errors`."""
        return self.points[0].problem.measurement.numbers

    def errors(self) -> list[list[float | None]]:
        """L2 errors, a row per image and a column per N; None where the ideal is not known."""
        return self._table(lambda row: None if row.metrics is None else row.metrics.error)

    def costs(self) -> list[list[float]]:
        """Lowest costs J, a row per image and a column per N."""
        return self._table(lambda row: row.cost)

    def success_rates(self) -> list[list[float | None]]:
        """How often one start succeeds, a row per image and a column per N."""
        return self._table(lambda row: None if row.verdict is None else row.verdict.search.rate)

    def flags(self) -> list[list[Flag | None]]:
        """Whether the restorations may be trusted, a row per image and a column per N."""
        return self._table(lambda row: None if row.verdict is None else row.verdict.flag)

    def to_csv(self) -> str:
        """The errors as CSV: the image's number, then a column per N; empty if unknown."""
        rows = zip(self.numbers, self.errors(), strict=True)
        return _to_csv(
            ["image", *(f"N={point.keep}" for point in self.points)],
            ([number, *errors] for number, errors in rows),
        )

    def to_long_csv(self) -> str:
        """All figures as CSV, a row per image and N; those that are not known are empty."""
        return _to_csv(
            LONG_COLUMNS,
            (_long_row(point.keep, row) for point in self.points for row in point.comparison.rows),
        )

    def _table(self, figure: Callable[[Row], Value]) -> list[list[Value]]:
        """A figure of every image at every N."""
        return [
            [figure(point.comparison.rows[index]) for point in self.points]
            for index in range(len(self.numbers))
        ]


def sweep(
    problem: Problem, keeps: Sequence[int] = KEEPS, *, on_progress: OnProgress | None = None
) -> Sweep:
    """Restore a problem's images at several N.

    The noise added to an image is the same at every N.

    Args:
        problem: Images, generator and settings; its own N is not used.
        keeps: The numbers of observed pixels.
        on_progress: Called with an index into `keeps` and that restoration's progress; if it
            returns False the sweep ends there, and what was reached is returned.

    Raises:
        ArgumentError: If `keeps` is empty, repeats itself, or a number is out of range.
    """
    if not keeps or len(set(keeps)) < len(keeps):
        raise ArgumentError(
            f"keep is {', '.join(map(str, keeps)) or 'empty'}; give one or more different "
            "numbers of pixels."
        )
    # All of them are made first, so that a number out of range is refused before any work.
    problems = [
        pose(replace(problem.run, keep=keep, mask=None), problem.image_set, problem.generator)
        for keep in keeps
    ]
    points: list[Point] = []
    cancelled = False

    def report(index: int, progress: Progress) -> bool:
        nonlocal cancelled
        cancelled = on_progress is not None and on_progress(index, progress) is False
        return not cancelled

    for index, part in enumerate(problems):
        config = part.run.config
        restoration = restore(
            part.measurement, part.generator, config, on_progress=partial(report, index)
        )
        comparison = compare(part.measurement, part.generator, restoration)
        points.append(Point(part, restoration, comparison))
        if cancelled or _interrupted(restoration, config):
            return Sweep(tuple(points), cancelled=True)
    return Sweep(tuple(points))


def _long_row(keep: int, row: Row) -> list[object]:
    """The figures of one image at one N, in the order of `LONG_COLUMNS`."""
    error = None if row.metrics is None else row.metrics.error
    figures: list[object] = [row.number, keep, row.cost, error, row.noise_level]
    if row.verdict is None:
        return figures + [None] * (len(LONG_COLUMNS) - len(figures))
    search = row.verdict.search
    return [
        *figures,
        search.rate,
        *search.interval,
        search.restarts_for_99,
        len(search.modes),
        row.verdict.flag,
    ]


def _to_csv(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows under headings; six digits of a number, nothing for None."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(headings)
    for row in rows:
        writer.writerow([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row])
    return text.getvalue()


def _interrupted(restoration: Restoration, config: RestoreConfig) -> bool:
    """Whether Ctrl-C, and not the settings, cut a restoration short."""
    cut = bool((restoration.status == Status.CANCELLED).any())
    return cut and config.stop_after is None and config.budget is None
