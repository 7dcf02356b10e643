"""Two searches for the same images: what is asked, how it is computed, and how it is drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd
import results
import streamlit as st
import strips
from components import wipe
from results import GAP, SCALE, Result
from runner import Report
from strips import Picture
from widgets import Request

from inpaint import sheet
from inpaint.comparison import CAPTIONS, Comparison, Row, percent

SIDES = ("Left", "Right")
WIPE_SCALE = 15


@dataclass(frozen=True)
class Question:
    """The same images, damage and seed, searched in two ways."""

    left: Request
    right: Request

    @property
    def quick(self) -> bool:
        """Whether both searches are."""
        return self.left.quick and self.right.quick


@dataclass(frozen=True)
class Pair:
    """What the two searches found."""

    request: Question
    left: Result
    right: Result

    @property
    def stopped(self) -> bool:
        """Whether one of them was cut short."""
        return self.left.stopped or self.right.stopped

    @property
    def summary(self) -> str:
        """What was done, in a line."""
        seconds = [side.restoration.seconds for side in (self.left, self.right)]
        stopped = " Stopped: best so far." if self.stopped else ""
        return (
            f"**{self.left.comparison.title}.** Left in {seconds[0]:.2f} s, right in "
            f"{seconds[1]:.2f} s. {self._lower()}{stopped}"
        )

    def _lower(self) -> str:
        """On how many images which side fits better; costs this close are equal."""
        gaps = [a.cost - b.cost for a, b in self.rows()]
        left, right = sum(gap < -0.5 for gap in gaps), sum(gap > 0.5 for gap in gaps)
        if not left and not right:
            return "Both reached the same costs."
        return f"Lower cost: left on {left}, right on {right} of {len(gaps)} images."

    def rows(self) -> list[tuple[Row, Row]]:
        """Each image's row on the two sides."""
        return list(zip(self.left.comparison.rows, self.right.comparison.rows, strict=True))


def compute(question: Question, report: Report) -> Pair:
    """Search in both ways. Runs in a worker."""
    going_on = True

    def part(first: float, side: str) -> Report:
        def note(share: float, text: str) -> bool:
            nonlocal going_on
            going_on = report(first + share / 2, f"{side}. {text}")
            return going_on

        return note

    left = results.compute(question.left, part(0.0, "Left"))
    # A stopped search leaves nothing for the other side but its first steps.
    right = results.compute(question.right, part(0.5, "Right"))
    return Pair(question, left, right)


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
    st.caption(CAPTIONS["Difference"])


def draw_table(pair: Pair) -> None:
    """Figures of each image, side by side."""
    table = []
    for left, right in pair.rows():
        line: dict[str, object] = {"Image": left.number}
        for side, row in zip(SIDES, (left, right), strict=True):
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
    frame = pd.DataFrame(table)
    # Figures that belong together stand together.
    ending = [name.split(" ", 1)[-1] for name in frame]
    order = sorted(range(len(ending)), key=lambda place: ending.index(ending[place]))
    frame = frame.iloc[:, order]
    number = st.column_config.NumberColumn
    formats = {"cost J": "%.2f", "error": "%.2f", "PSNR missing": "%.1f dB"}
    config = {
        f"{side} {name}": number(format=shape) for side in SIDES for name, shape in formats.items()
    }
    st.dataframe(frame, hide_index=True, column_config=config)
    rows = [row for both in pair.rows() for row in both]
    if all(math.isfinite(row.cost) for row in rows):
        st.caption(
            "Success is the share of the restarts that ended at that side's best image. Where few "
            "pixels are left, a lower cost need not be a smaller error."
        )
