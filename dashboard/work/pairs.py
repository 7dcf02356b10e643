"""The same images restored in two ways: what is asked, how it is computed and drawn."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass, replace

import streamlit as st
from components import wipe
from forms.learned import Method
from forms.widgets import Request
from parts import results, strips, tables
from parts.results import GAP, SCALE, Result
from parts.strips import Picture
from parts.tables import Column

from inpaint.errors import ArgumentError
from inpaint.metrics import compare_images
from inpaint.operators import Mask
from inpaint.plots import sheet
from inpaint.plots.comparison import CAPTIONS, Comparison, Row, percent
from work.runner import Report

SIDES = ("Left", "Right")
WIPE_SCALE = 15

FIGURES = {
    "cost J": Column("What that side's search made small; lower fits better.", ".2f"),
    "error": results.FIGURES["Error"],
    "PSNR missing": Column("Peak signal-to-noise ratio of the lost pixels.", ".1f", " dB"),
    "success": Column("Share of the restarts that ended at that side's best image."),
}
"""Of each image on each side."""


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
        """Whether both are."""
        right = self.right
        soon = right.is_quick(self.left) if isinstance(right, Method) else right.quick
        return self.left.quick and soon


@dataclass(frozen=True)
class Filled:
    """What a baseline made of the damaged images.

    Attributes:
        name: What to call it.
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
        """On how many images which side is better: in cost, or in error beside a baseline."""
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

    def rows(self) -> list[tuple[Row, Row]]:
        """Each image's row on the two sides."""
        return list(zip(self.left.comparison.rows, self.right.comparison.rows, strict=True))


def compute(question: Question, report: Report) -> Pair | None:
    """Restore in both ways; None if stopped before the right side began. Runs in a worker."""

    def part(first: float, side: str) -> Report:
        return lambda share, text: report(first + share / 2, f"{side}. {text}")

    left = results.compute(question.left, part(0.0, "Left"))
    if isinstance(question.right, Method):
        filled = fill(question.right, left, part(0.5, "Right"))
        return None if filled is None else Pair(question, left, filled)
    # A stopped search leaves nothing for the other side but its first steps.
    right = results.compute(question.right, part(0.5, "Right"))
    return Pair(question, left, right)


def fill(method: Method, left: Result, report: Report) -> Filled | None:
    """Restore without a generator what a search has restored; None if stopped before that.

    Raises:
        InpaintError: If what was observed are not pixels, or the training images do not suit.
    """
    measurement = left.problem.measurement
    mask = measurement.operator
    if not isinstance(mask, Mask):
        raise ArgumentError(
            "A method without a generator continues a picture, and what is observed here are not "
            "its pixels; choose pixels, or compare with another search."
        )
    # That of the images themselves is not known; both sides take what the search has found.
    found = [row.noise_level for row in left.comparison.rows if math.isfinite(row.noise_level)]
    noise = statistics.fmean(found) if found else left.problem.run.noise
    began = time.perf_counter()
    baseline = method.fit(left.request, mask, noise, report)
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


def draw(pair: Pair) -> None:
    """The slider, the pictures beside one another, and the figures."""
    draw_wipe(pair)
    draw_columns(pair)
    draw_table(pair)


def draw_wipe(pair: Pair) -> None:
    """Two pictures of one image on one another."""
    rows = pair.rows()
    controls, picture = st.columns(2, gap="medium")
    with controls:
        numbers = [str(row.number) for row, _ in rows]
        chosen = st.segmented_control(
            "Image", numbers, default=numbers[0], required=True, key="pair of"
        )
        left, right = rows[numbers.index(chosen) if chosen in numbers else 0]
        pictures = {
            "Left output": (left, "Output"),
            "Right output": (right, "Output"),
            "Corrupted": (left, "Corrupted"),
            "Left difference": (left, "Difference"),
            "Right difference": (right, "Difference"),
        }
        if left.ideal is not None:
            pictures["Ideal"] = (left, "Ideal")
        names = list(pictures)
        first = str(st.selectbox("Before", names, 0, key="before"))
        second = str(st.selectbox("After", names, 1, key="after"))
        st.caption("Drag over the picture, or use the arrow keys, to wipe from one to the other.")
    with picture:
        wipe.show(
            _enlarged(*pictures[first]),
            _enlarged(*pictures[second]),
            labels=(first, second),
            key="wipe",
        )


def _enlarged(row: Row, column: str) -> sheet.Pixels:
    one = Comparison((row,), "", "")
    return sheet.compose(one, columns=(column,), scale=WIPE_SCALE, gap=0)


def draw_columns(pair: Pair) -> None:
    """Ideal and corrupted once, outputs and differences of both sides."""
    columns = (
        ("Ideal", pair.left, "Ideal"),
        ("Input", pair.left, "Corrupted"),
        ("Left", pair.left, "Output"),
        ("Right", pair.right, "Output"),
        ("Left diff.", pair.left, "Difference"),
        ("Right diff.", pair.right, "Difference"),
    )
    pictures = [
        Picture.of_pixels(
            sheet.compose(side.comparison, columns=(column,), scale=SCALE, gap=GAP),
            title,
            title=title,
        )
        for title, side, column in columns
    ]
    strips.draw(pictures, key="sheet pair")
    st.caption(f"{CAPTIONS['Difference']} Input: {CAPTIONS['Corrupted']}")


def draw_table(pair: Pair) -> None:
    """Figures of each image, side by side."""
    table = []
    for left, right in pair.rows():
        line: dict[str, object] = {"Image": left.number}
        for side, row in zip(SIDES, (left, right), strict=True):
            if math.isfinite(row.cost):
                line[f"{side} cost J"] = row.cost
            if row.metrics is not None:
                line[f"{side} error"] = row.metrics.error
                line[f"{side} PSNR missing"] = row.metrics.psnr_missing
            if row.verdict is not None:
                search = row.verdict.search
                # One start that reached its own end says nothing.
                line[f"{side} success"] = (
                    "one start" if search.starts == 1 else percent(search.rate)
                )
        table.append(line)
    # Figures that belong together stand together.
    names = [f"{side} {name}" for name in FIGURES for side in SIDES]
    tables.draw(
        [{name: line.get(name) for name in ("Image", *names)} for line in table],
        {f"{side} {name}": column for side in SIDES for name, column in FIGURES.items()},
    )
    method = pair.request.right
    if isinstance(method, Method):
        st.caption(method.about)
    else:
        st.caption(
            "Success is the share of the restarts that ended at that side's best image. Where few "
            "pixels are left, a lower cost need not be a smaller error."
        )


def draw_repeat(pair: Pair) -> None:
    """Both searches outside the dashboard."""
    for side, found in zip(SIDES, (pair.left, pair.right), strict=True):
        st.markdown(f"**{side}**")
        if isinstance(found, Result):
            results.draw_repeat(found, key=side)
        else:
            st.markdown(
                "This side is no search: `inpaint evaluate` compares such methods on many images."
            )
