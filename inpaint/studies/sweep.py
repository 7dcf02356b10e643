"""The same images at several numbers N of observed pixels, and with fewer restarts."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, TypeVar

from inpaint.checks import check_integer
from inpaint.config import RestoreConfig
from inpaint.errors import ArgumentError
from inpaint.files.job import KEEPS, RestoreJob, SweepJob
from inpaint.files.problem import Problem, pose
from inpaint.files.record import make_record
from inpaint.plots.comparison import Comparison, ComparisonRow, compare
from inpaint.search.modes import share_interval
from inpaint.search.partial import PartialSearch, check_nested, make_partial_searches
from inpaint.search.restore import restore
from inpaint.search.verdict import Flag
from inpaint.types import OnProgress, Progress, SearchResult, asks_to_stop

Figure = Literal["error", "cost", "success"]
Value = TypeVar("Value")

LONG_COLUMNS = (
    "image", "N", "cost", "error", "noise_level", "success_rate", "success_low", "success_high",
    "restarts_for_99", "modes", "verdict",
)  # fmt: skip
MOST_REPEATS = 1000
PARTIAL_COLUMNS = ("image", "N", "restarts", "seed", "cost", "error", "found")


@dataclass(frozen=True)
class Point:
    """One N of a sweep.

    Attributes:
        problem: The images at this N.
        search: What the restarts found.
        comparison: The five columns.
    """

    problem: Problem
    search: SearchResult
    comparison: Comparison

    @property
    def keep(self) -> int:
        """The number N of observed pixels."""
        return self.problem.job.keep


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
        points: In the order asked for, of the first seed; fewer if the sweep was cancelled.
        partial_searches: Every image, N, number of restarts and seed that was finished.
        cancelled: Whether it was cut short; the last point is then what was reached.
    """

    points: tuple[Point, ...]
    partial_searches: tuple[PartialSearch, ...] = ()
    cancelled: bool = False

    @property
    def numbers(self) -> tuple[int, ...]:
        """The images' numbers in their source: the rows of `errors`."""
        return self.points[0].problem.measurement.numbers

    @property
    def labels(self) -> tuple[str, ...]:
        """What to call the images, in the same order."""
        return self.points[0].problem.measurement.labels

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
        """Whether the restorations can be trusted, a row per image and a column per N."""
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

    def to_partial_csv(self) -> str:
        """All partial searches as CSV."""
        rows = (
            (s.number, s.keep, s.restarts, s.seed, s.cost, s.error, int(s.found))
            for s in self.partial_searches
        )
        return _to_csv(PARTIAL_COLUMNS, rows)

    def trend(self, figure: Figure, *, keep: int | None = None) -> tuple[TrendPoint, ...]:
        """How a figure changes with N or, where `keep` is given, with the restarts at that N.

        Success against N is how often one start succeeds, with the interval that the restarts
        give; against restarts it is how many of the seeds found the best image known.

        Args:
            figure: "error", "cost" or "success".
            keep: The N at which restarts are varied.

        Returns:
            Image by image; empty if the figure is not known.
        """
        if figure == "success" and keep is None:
            return self._success_of_one()
        # The whole search of an image comes last.
        most = self.partial_searches[-1].restarts if self.partial_searches else 0
        groups: dict[tuple[int, int], list[PartialSearch]] = {}
        for each in self.partial_searches:
            if each.restarts == most if keep is None else each.keep == keep:
                place = each.keep if keep is None else int(each.restarts)
                groups.setdefault((each.number, place), []).append(each)
        found = []
        for (number, place), found_with in sorted(groups.items()):
            if figure == "success":
                successes, count = sum(each.found for each in found_with), len(found_with)
                interval = share_interval(successes, count)
                found.append(TrendPoint(number, place, successes / count, *interval))
                continue
            values = [each.cost if figure == "cost" else each.error for each in found_with]
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

    def _table(self, figure: Callable[[ComparisonRow], Value]) -> list[list[Value]]:
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
    on_point: Callable[[Point], None] | None = None,
    on_progress: OnProgress | None = None,
) -> Sweep:
    """Restore a problem's images at several N, perhaps with several seeds.

    The noise added to an image is the same at every N and for every seed. Fewer restarts cost
    nothing: they are among the restarts of the whole search (`inpaint.search.partial`).

    Args:
        problem: Images, generator and settings; its own N, mask and operator are not used.
        keeps: The numbers of observed pixels.
        restart_counts: Numbers of restarts to compare, at most that of the settings.
        repeats: How many seeds to search with, beginning with the seed of the settings.
        on_point: Called with each N once its images are restored with the first seed.
        on_progress: Called between chunks of steps and while images are judged; if it returns False
            the sweep ends there, and what was reached is returned.

    Raises:
        ArgumentError: If `keeps` is empty or has duplicates, or a number is out of range.
    """
    job = problem.job
    assert isinstance(job, RestoreJob)
    config = job.config
    if not keeps or len(set(keeps)) < len(keeps):
        raise ArgumentError(
            f"keep is {', '.join(map(str, keeps)) or 'empty'}; give one or more different "
            "numbers of pixels."
        )
    check_integer("repeats", repeats, 1, MOST_REPEATS)
    for count in restart_counts:
        if isinstance(config.restarts, str):
            raise ArgumentError(
                f"restart_counts holds {count}, but restarts is {config.restarts!r}: an image then "
                "takes as many as it needs. Choose a number of restarts to compare fewer with."
            )
        check_integer("restart_counts", count, 1, config.restarts)
    if restart_counts:
        check_nested(config)
    # All problems are made first, so that a number out of range raises before any work.
    problems = [
        pose(
            replace(job, keep=keep, mask=None, operator=None), problem.image_set, problem.generator
        )
        for keep in keeps
    ]
    counts = [*sorted({*restart_counts} - {config.restarts}), config.restarts]
    points: list[Point] = []
    partial_searches: list[PartialSearch] = []
    cancelled = False

    def report(keep: int, done: int, progress: Progress) -> bool:
        nonlocal cancelled
        share = progress.done / (progress.total or 1)
        whole = Progress(
            f"N = {keep}: {progress.stage}", done + share, len(keeps) * repeats, progress.note
        )
        cancelled = on_progress is not None and asks_to_stop(on_progress(whole))
        return not cancelled

    def judged(keep: int, done: int, progress: Progress) -> bool:
        return report(keep, done, Progress(progress.stage, 0, None))

    for index, (keep, part) in enumerate(zip(keeps, problems, strict=True)):
        found: list[SearchResult] = []
        for repeat in range(repeats):
            search = restore(
                part.measurement,
                part.generator,
                replace(config, seed=config.seed + repeat),
                on_progress=partial(report, keep, index * repeats + repeat),
            )
            cancelled = cancelled or _interrupted(search, config)
            if not repeat:
                judging = partial(judged, keep, index * repeats + 1)
                points.append(_point(part.first(len(search)), search, judging))
                if on_point is not None:
                    on_point(points[-1])
            if cancelled:
                break
            found.append(search)
        if found:
            partial_searches += make_partial_searches(
                part.measurement, part.generator, found, counts, keep=keep
            )
        if cancelled:
            break
    return Sweep(tuple(points), tuple(partial_searches), cancelled=cancelled)


def record_sweep(job: SweepJob, problem: Problem, result: Sweep) -> dict[str, Any]:
    """What the `run.json` of a sweep holds.

    Args:
        job: What was asked for.
        problem: Its images at any N.
        result: What was found.
    """
    found = {
        "points": [
            {"keep": point.keep, "images": point.comparison.rows} for point in result.points
        ],
        "partial_searches": result.partial_searches,
        "cancelled": result.cancelled,
    }
    job = replace(job, numbers=problem.measurement.numbers, config=job.config.resolved())
    return make_record(job, sha256=problem.digests(), results=found)


def _point(problem: Problem, search: SearchResult, on_progress: OnProgress) -> Point:
    """One N, compared with the ideal images."""
    found = compare(problem.measurement, problem.generator, search, on_progress=on_progress)
    return Point(problem, search, found)


def _long_row(keep: int, row: ComparisonRow) -> list[object]:
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
        search.distinct,
        row.verdict.flag,
    ]


def _to_csv(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Headings and rows as CSV: six digits of a float, nothing for None."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(headings)
    for row in rows:
        writer.writerow([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row])
    return text.getvalue()


def _interrupted(search: SearchResult, config: RestoreConfig) -> bool:
    """Whether Ctrl-C, and not the settings, cut a search short."""
    done = search.config
    cut = (done.rounds, done.stop_after) != (config.rounds, config.stop_after)
    return cut and config.time_limit is None
