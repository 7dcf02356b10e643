"""The same images at several numbers N of observed pixels, and with fewer restarts."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, TypeVar

from inpaint.checks import check_integer
from inpaint.config import RestoreConfig
from inpaint.errors import ArgumentError
from inpaint.files.job import KEEPS
from inpaint.files.problem import Problem, pose
from inpaint.plots.comparison import Comparison, Row, compare
from inpaint.search.modes import share_interval
from inpaint.search.restore import restore
from inpaint.search.subsearch import Trial, check_nested, make_trials
from inpaint.search.verdict import Flag
from inpaint.types import Progress, Restoration, Status

OnProgress = Callable[[int, Progress], bool | None]
Figure = Literal["error", "cost", "success"]
Value = TypeVar("Value")

LONG_COLUMNS = (
    "image", "N", "cost", "error", "noise_level", "success_rate", "success_low", "success_high",
    "restarts_for_99", "modes", "verdict",
)  # fmt: skip
MOST_REPEATS = 1000
TRIAL_COLUMNS = ("image", "N", "restarts", "seed", "cost", "error", "found")


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
class TrendPoint:
    """A figure of one image somewhere along a sweep.

    Attributes:
        number: The image's number in its source.
        place: N, or a number of restarts.
        middle: The median over the seeds, or the share of successes.
        low: The lowest over the seeds, or the lower end of the 95 % interval of the share.
        high: The highest, or the upper end.
    """

    number: int
    place: int
    middle: float
    low: float
    high: float


@dataclass(frozen=True)
class Sweep:
    """Restorations of the same images at several N.

    Attributes:
        points: In the order asked for, of the first seed; fewer where the sweep was cancelled.
        trials: Every image, N, number of restarts and seed that was finished.
        cancelled: Whether it was cut short; the last point then is what was reached.
    """

    points: tuple[Point, ...]
    trials: tuple[Trial, ...] = ()
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

    def to_trials_csv(self) -> str:
        """All trials as CSV."""
        rows = (
            (t.number, t.keep, t.restarts, t.seed, t.cost, t.error, int(t.found))
            for t in self.trials
        )
        return _to_csv(TRIAL_COLUMNS, rows)

    def trend(self, figure: Figure, *, keep: int | None = None) -> tuple[TrendPoint, ...]:
        """How a figure changes with N or, where `keep` is given, with the restarts at that N.

        Success against N is how often one start succeeds, with the interval that the restarts
        give; against restarts it is how many of the seeds found the best image known.

        Args:
            figure: "error", "cost" or "success".
            keep: The N at which restarts are varied.

        Returns:
            Image after image; nothing where the figure is not known.
        """
        if figure == "success" and keep is None:
            return self._success_of_one()
        most = max((trial.restarts for trial in self.trials), default=0)
        groups: dict[tuple[int, int], list[Trial]] = {}
        for trial in self.trials:
            if trial.restarts == most if keep is None else trial.keep == keep:
                place = trial.keep if keep is None else trial.restarts
                groups.setdefault((trial.number, place), []).append(trial)
        found = []
        for (number, place), trials in sorted(groups.items()):
            if figure == "success":
                successes, count = sum(trial.found for trial in trials), len(trials)
                interval = share_interval(successes, count)
                found.append(TrendPoint(number, place, successes / count, *interval))
                continue
            values = [trial.cost if figure == "cost" else trial.error for trial in trials]
            known = [value for value in values if value is not None]
            if known:
                middle = statistics.median(known)
                found.append(TrendPoint(number, place, middle, min(known), max(known)))
        return tuple(found)

    def _success_of_one(self) -> tuple[TrendPoint, ...]:
        """How often one start succeeds against N."""
        found = [
            TrendPoint(
                row.number, point.keep, row.verdict.search.rate, *row.verdict.search.interval
            )
            for point in self.points
            for row in point.comparison.rows
            if row.verdict is not None
        ]
        return tuple(sorted(found, key=lambda point: (point.number, point.place)))

    def _table(self, figure: Callable[[Row], Value]) -> list[list[Value]]:
        """A figure of every image at every N."""
        return [
            [figure(point.comparison.rows[index]) for point in self.points]
            for index in range(len(self.numbers))
        ]


def sweep(
    problem: Problem,
    keeps: Sequence[int] = KEEPS,
    *,
    restart_counts: Sequence[int] = (),
    repeats: int = 1,
    on_progress: OnProgress | None = None,
) -> Sweep:
    """Restore a problem's images at several N, perhaps with several seeds.

    The noise added to an image is the same at every N and for every seed. Fewer restarts cost
    nothing: they are a part of the most, as `trials.followed` picks it.

    Args:
        problem: Images, generator and settings; its own N, mask and operator are not used.
        keeps: The numbers of observed pixels.
        restart_counts: Numbers of restarts, up to the settings', whose trials are told beside
            those of all of them.
        repeats: Seeds with which the search is done, from the settings' own on.
        on_progress: Called with the number of searches done before and this one's progress; if
            it returns False the sweep ends there, and what was reached is returned.

    Raises:
        ArgumentError: If `keeps` is empty, repeats itself, or a number is out of range.
    """
    config = problem.run.config
    if not keeps or len(set(keeps)) < len(keeps):
        raise ArgumentError(
            f"keep is {', '.join(map(str, keeps)) or 'empty'}; give one or more different "
            "numbers of pixels."
        )
    check_integer("repeats", repeats, 1, MOST_REPEATS)
    for count in restart_counts:
        check_integer("restart_counts", count, 1, config.restarts)
    if restart_counts:
        check_nested(config)
    # All of them are made first, so that a number out of range is refused before any work.
    problems = [
        pose(
            replace(problem.run, keep=keep, mask=None, operator=None),
            problem.image_set,
            problem.generator,
        )
        for keep in keeps
    ]
    counts = sorted({*restart_counts, config.restarts})
    points: list[Point] = []
    trials: list[Trial] = []
    cancelled = False

    def report(done: int, progress: Progress) -> bool:
        nonlocal cancelled
        cancelled = on_progress is not None and on_progress(done, progress) is False
        return not cancelled

    for index, part in enumerate(problems):
        found: list[Restoration] = []
        for repeat in range(repeats):
            restoration = restore(
                part.measurement,
                part.generator,
                replace(config, seed=config.seed + repeat),
                on_progress=partial(report, index * repeats + repeat),
            )
            cancelled = cancelled or _interrupted(restoration, config)
            if not repeat:
                comparison = compare(part.measurement, part.generator, restoration)
                points.append(Point(part, restoration, comparison))
            if cancelled:
                break
            found.append(restoration)
        if found:
            trials += make_trials(
                part.measurement, part.generator, found, counts, keep=part.run.keep
            )
        if cancelled:
            break
    return Sweep(tuple(points), tuple(trials), cancelled=cancelled)


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
