"""The same images at several numbers N of observed pixels."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from inpaint.comparison import Comparison, compare
from inpaint.config import RestoreConfig
from inpaint.errors import ArgumentError
from inpaint.problem import Problem, pose
from inpaint.restore import restore
from inpaint.run import KEEPS
from inpaint.types import Progress, Restoration, Status

OnProgress = Callable[[int, Progress], bool | None]


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
        return [
            [
                None if metrics is None else metrics.error
                for metrics in (point.comparison.rows[index].metrics for point in self.points)
            ]
            for index in range(len(self.numbers))
        ]

    def costs(self) -> list[list[float]]:
        """Lowest costs J, a row per image and a column per N."""
        return [
            [point.comparison.rows[index].cost for point in self.points]
            for index in range(len(self.numbers))
        ]

    def to_csv(self) -> str:
        """The errors as CSV: the image's number, then a column per N; empty if unknown."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["image", *(f"N={point.keep}" for point in self.points)])
        for number, row in zip(self.numbers, self.errors(), strict=True):
            writer.writerow([number, *("" if error is None else f"{error:.6g}" for error in row)])
        return text.getvalue()


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
        pose(replace(problem.run, keep=keep), problem.image_set, problem.generator)
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


def _interrupted(restoration: Restoration, config: RestoreConfig) -> bool:
    """Whether Ctrl-C, and not the settings, cut a restoration short."""
    cut = bool((restoration.status == Status.CANCELLED).any())
    return cut and config.stop_after is None and config.budget is None
