"""The same images restored in two ways: what is asked, and how it is computed."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass, replace

from forms.baselines import NETWORK, Method
from forms.request import Request

from inpaint.errors import ArgumentError
from inpaint.metrics import compare_images
from inpaint.network.files import load_network
from inpaint.operators import Mask
from inpaint.plots.comparison import Comparison, ComparisonRow
from inpaint.studies.baselines.catalog import fit_baseline
from inpaint.studies.baselines.training_set import Baseline, TrainingSet
from inpaint.types import Progress
from work import restore
from work.restore import Result
from work.runner import Report

MOST_FITS = 8
"""Fits that a session keeps."""


@dataclass(frozen=True)
class Question:
    """The same damaged images, restored in two ways.

    Attributes:
        left: A search.
        right: Another search with the same seed, or a method without a generator.
    """

    left: Request
    right: Request | Method

    @property
    def quick(self) -> bool:
        """Whether both sides are quick."""
        right = self.right
        soon = right.is_quick(self.left) if isinstance(right, Method) else right.quick
        return self.left.quick and soon


@dataclass(frozen=True)
class Filled:
    """What a baseline made of the damaged images.

    Attributes:
        name: Its title.
        comparison: As for a search; there is no cost.
        seconds: How long it took.
    """

    name: str
    comparison: Comparison
    seconds: float
    stopped: bool = False


@dataclass(frozen=True)
class Pair:
    """What was found in the two ways."""

    request: Question
    left: Result
    right: Result | Filled

    @property
    def stopped(self) -> bool:
        """Whether one of them was cut short."""
        return self.left.stopped or self.right.stopped

    @property
    def summary(self) -> str:
        """What was done, in a line."""
        stopped = " Stopped: best so far." if self.stopped else ""
        right = self.right.name if isinstance(self.right, Filled) else "right"
        return (
            f"**{self.left.comparison.title}.** Left in {self.left.seconds:.2f} s, {right} in "
            f"{self.right.seconds:.2f} s. {self._better()}{stopped}"
        )

    def _better(self) -> str:
        """On how many images each side is better: in cost, or in error against a baseline."""
        if isinstance(self.right, Filled):
            errors = [
                (a.metrics.error, b.metrics.error)
                for a, b in self.rows()
                if a.metrics is not None and b.metrics is not None
            ]
            if not errors:
                return "The ideal images are not known, so only the eye can judge."
            left = sum(mine < other for mine, other in errors)
            return f"Smaller error: left on {left} of {len(errors)} images."
        # Costs this close are equal.
        gaps = [a.cost - b.cost for a, b in self.rows()]
        left, right = sum(gap < -0.5 for gap in gaps), sum(gap > 0.5 for gap in gaps)
        if not left and not right:
            return "Both reached the same costs."
        return f"Lower cost: left on {left}, right on {right} of {len(gaps)} images."

    def rows(self) -> list[tuple[ComparisonRow, ComparisonRow]]:
        """Each image's row on the two sides."""
        return list(zip(self.left.comparison.rows, self.right.comparison.rows, strict=True))


def compute(question: Question, report: Report) -> Pair | None:
    """Restore in both ways; None if stopped before the right side began. Runs in a worker."""

    def part(first: float, side: str) -> Report:
        return lambda share, text: report(first + share / 2, f"{side}. {text}")

    left = restore.compute(question.left, part(0.0, "Left"))
    if isinstance(question.right, Method):
        filled = fill(question.right, left, part(0.5, "Right"))
        return None if filled is None else Pair(question, left, filled)
    # If the left search was stopped, the right one ends after its first steps.
    right = restore.compute(question.right, part(0.5, "Right"))
    # A search that was stopped may not have reached all images.
    count = min(len(left.search), len(right.search))
    return Pair(question, left.first(count), right.first(count))


def fit(
    method: Method, request: Request, mask: Mask, noise: float, report: Report
) -> Baseline | None:
    """Fit a method to its training images; a fit that the session has made is used again.

    Args:
        method: Which method, and what it learns from.
        request: What is to be restored.
        mask: What is observed of it.
        noise: Standard deviation of its noise.
        report: Called with the progress while a setting is chosen.

    Returns:
        None if it was stopped before it was ready.

    Raises:
        InpaintError: If the training images do not suit what is to be restored.
    """
    if method.name.startswith(NETWORK):
        return load_network(method.name.removeprefix(NETWORK))
    if method.images is None:
        return fit_baseline(method.name)
    key, fits = method.key(request), method.fits
    if key not in fits:
        images = method.images.content.images

        def watch(progress: Progress) -> None:
            assert progress.total is not None
            share = progress.done / progress.total
            if not report(share, f"Trying setting {progress.done + 1:.0f}."):
                raise _Stopped

        report(0.0, f"Learning from {len(images):,} images.")
        training = TrainingSet(images=images, mask=mask, noise=noise)
        try:
            fits[key] = fit_baseline(method.name, training, on_progress=watch)
        except _Stopped:
            return None
        for old in list(fits)[:-MOST_FITS]:
            del fits[old]
    return fits[key]


class _Stopped(Exception):
    """A fit was stopped."""


def fill(method: Method, left: Result, report: Report) -> Filled | None:
    """Restore the images of a search without a generator; None if stopped before that.

    Raises:
        InpaintError: If the operator is not a mask, or the training images do not suit.
    """
    measurement = left.problem.measurement
    mask = measurement.operator
    if not isinstance(mask, Mask):
        raise ArgumentError(
            "A method without a generator continues a picture, and what is observed here are not "
            "its pixels; choose pixels, or compare with another search."
        )
    # The noise of the images is not known; both sides use the level that the search found.
    found = [row.noise_level for row in left.comparison.rows if math.isfinite(row.noise_level)]
    noise = statistics.fmean(found) if found else left.problem.job.noise
    began = time.perf_counter()
    baseline = fit(method, left.request, mask, noise, report)
    if baseline is None:
        return None
    images = baseline.restore(measurement.values, mask)
    seconds = time.perf_counter() - began
    rows = tuple(
        replace(
            row,
            output=image,
            cost=math.nan,
            verdict=None,
            metrics=None if row.ideal is None else compare_images(image, row.ideal, row.observed),
        )
        for row, image in zip(left.comparison.rows, images.float(), strict=True)
    )
    comparison = replace(left.comparison, rows=rows, settings=method.title)
    return Filled(method.title, comparison, seconds)
