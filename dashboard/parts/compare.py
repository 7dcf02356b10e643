"""Two restorations of the same images, drawn side by side."""

from __future__ import annotations

import math

import streamlit as st
from components import wipe
from forms.baselines import Method
from work.compare import Pair
from work.restore import Result

from inpaint.plots import sheet
from inpaint.plots.comparison import CAPTIONS, Comparison, ComparisonRow, percent
from parts import restoration
from parts.elements import Column, Picture, draw_pictures
from parts.elements import draw_table as draw_figures
from parts.restoration import GAP, SCALE

SIDES = ("Left", "Right")
WIPE_SCALE = 15

FIGURES = {
    "cost J": Column("What that side's search made small; lower fits better.", ".2f"),
    "error": restoration.FIGURES["Error"],
    "PSNR missing": Column("Peak signal-to-noise ratio of the lost pixels.", ".1f", " dB"),
    "success": Column("Share of the restarts that ended at that side's best image."),
}
"""Figures of each image on each side."""


def draw(pair: Pair) -> None:
    """The slider, the pictures side by side, and the figures."""
    draw_wipe(pair)
    draw_columns(pair)
    draw_table(pair)


def draw_wipe(pair: Pair) -> None:
    """Two pictures of one image on top of each other."""
    rows = pair.rows()
    controls, picture = st.columns(2, gap="medium")
    with controls:
        numbers = [row.label for row, _ in rows]
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


def _enlarged(row: ComparisonRow, column: str) -> sheet.Pixels:
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
    draw_pictures(pictures, key="sheet pair")
    st.caption(f"{CAPTIONS['Difference']} Input: {CAPTIONS['Corrupted']}")


def draw_table(pair: Pair) -> None:
    """Figures of each image, side by side."""
    table = []
    for left, right in pair.rows():
        line: dict[str, object] = {"Image": left.label}
        for side, row in zip(SIDES, (left, right), strict=True):
            if math.isfinite(row.cost):
                line[f"{side} cost J"] = row.cost
            if row.metrics is not None:
                line[f"{side} error"] = row.metrics.error
                line[f"{side} PSNR missing"] = row.metrics.psnr_missing
            if row.verdict is not None:
                search = row.verdict.search
                # The success rate of a single start says nothing.
                line[f"{side} success"] = (
                    "one start" if search.starts == 1 else percent(search.rate)
                )
        table.append(line)
    # The two sides of a figure stand next to each other.
    names = [f"{side} {name}" for name in FIGURES for side in SIDES]
    draw_figures(
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
            restoration.draw_repeat(found, key=side)
        else:
            st.markdown(
                "This side is no search: `inpaint evaluate` compares such methods on many images."
            )
