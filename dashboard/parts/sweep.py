"""A sweep, drawn: curves, tables, and the five columns at each N."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st
from work.programs import sweep_program
from work.sweep import Answer

from inpaint.plots.columns import plot_comparison, to_png
from inpaint.plots.comparison import Comparison
from inpaint.plots.curves import plot_sweep
from inpaint.studies.sweep import Figure, Sweep
from parts import restoration

SMALL = 3
"""Side of the square that shows one pixel where several five-column figures stand together."""

WIDTH, HEIGHT = 290, 250
"""Size of a chart: three fit in a row; in a narrow window each takes a row of its own."""


def draw(answer: Answer) -> None:
    """Curves, the table, and the five columns of each N."""
    found = answer.sweep
    st.markdown("**Against the pixels kept**")
    draw_row(found, keep=None)
    st.caption(
        "Success is the share of restarts that ended at the best image found, with its 95 % "
        "interval. The bands of error and cost go from the lowest to the highest of the seeds. A "
        "low cost is not a small error where few pixels are left: several images fit them."
    )
    if len(answer.request.counts) > 1 and found.partial_searches:
        draw_restarts(answer)
    draw_files(answer)
    st.markdown("**The five columns at each N**")
    draw_columns(found)


def draw_restarts(answer: Answer) -> None:
    """Curves against the number of restarts, at one N."""
    found = answer.sweep
    keeps = [point.keep for point in found.points]
    left, right = st.columns([2, 3], vertical_alignment="center")
    left.markdown("**Against the restarts**")
    keep = right.segmented_control(
        "at N =", keeps, default=keeps[-1], required=True, key="restarts at"
    )
    draw_row(found, keep=keep if keep in keeps else keeps[-1])
    config = answer.request.job.config
    screened = (
        f"All begin with the same {config.screen:,} draws of a seed, of which so many are followed "
        "as fit best at the start: fewer restarts therefore begin better than random ones."
        if config.screen
        else "The first so many draws of a seed are followed."
    )
    st.caption(
        f"{screened} Success is the share of the seeds that found the best image known at this N, "
        "with its 95 % interval."
    )


def draw_row(found: Sweep, *, keep: int | None) -> None:
    """Error, cost and success side by side."""
    known = bool(found.trend("error"))
    figures: dict[Figure, str] = {"cost": "Lowest cost J", "success": "Success"}
    if known:
        figures = {"error": "L2 error", **figures}
    with st.container(horizontal=True, gap="small", key=f"trends {keep}"):
        for figure, title in figures.items():
            points = found.trend(figure, keep=keep)
            if points:
                with st.container(width=WIDTH):
                    table = pd.DataFrame(points)
                    st.altair_chart(draw_lines(table, title, restarts=keep is not None))


def draw_lines(
    points: pd.DataFrame, title: str, *, restarts: bool
) -> alt.LayerChart | alt.FacetChart:
    """A figure against N or against restarts, a line with a band per image."""
    legend = alt.Legend(
        orient="top", title="Image", titleOrient="left", symbolOpacity=1, columns=6, symbolSize=60
    )
    scale = alt.Scale(type="log", base=2) if restarts else alt.Scale(zero=False)
    name = "Restarts" if restarts else "Pixels kept (N)"
    values = sorted(points["place"].unique().tolist())
    base = alt.Chart(points).encode(
        x=alt.X("place:Q", scale=scale, title=name, axis=alt.Axis(values=values)),
        color=alt.Color("number:N", legend=legend),
    )
    success = title == "Success"
    scale = alt.Scale(domain=[0, 1]) if success else alt.Scale(zero=False)
    axis = alt.Axis(format="%") if success else alt.Axis()
    shown = [
        alt.Tooltip(field, title=heading, format="" if whole else ".3f")
        for field, heading, whole in (
            ("number:N", "Image", True),
            ("place:Q", name, True),
            ("middle:Q", title, False),
            ("low:Q", "from", False),
            ("high:Q", "to", False),
        )
    ]
    band = base.mark_area(opacity=0.12).encode(y="low:Q", y2="high:Q")
    line = base.mark_line(point=True).encode(
        y=alt.Y("middle:Q", title=title, scale=scale, axis=axis), tooltip=shown
    )
    return alt.layer(band, line).properties(height=HEIGHT)


def draw_files(answer: Answer) -> None:
    """Tables and figure to take away."""
    found = answer.sweep
    files: list[tuple[str, str, str, Callable[[], Any]]] = [
        ("Each image and N (CSV)", "sweep.csv", "text/csv", found.to_long_csv),
        (
            "Each seed and number of restarts (CSV)",
            "partial_searches.csv",
            "text/csv",
            found.to_partial_csv,
        ),
        ("Curves (PNG)", "curves.png", "image/png", lambda: to_png(plot_sweep(found))),
    ]
    with st.container(horizontal=True):
        for label, name, mime, make in files:
            st.download_button(
                label, make, name, mime, icon=":material/download:", on_click="ignore"
            )


def draw_repeat(answer: Answer) -> None:
    """The same sweep outside the dashboard."""
    job = answer.request.job
    images = answer.request.request.images
    restoration.draw_recipe([images], job.command_line, sweep_program(job))


def draw_columns(found: Sweep) -> None:
    """The five-column figures side by side: two in a row where there is room."""
    with st.container(key="figures", horizontal=True, gap="medium"):
        for point in found.points:
            with st.container(width=430, gap="xsmall"):
                st.markdown(f"N = {point.keep}")
                restoration.draw_columns(point.comparison, key=f"sheet {point.keep}", scale=SMALL)
                st.download_button(
                    "Figure (PNG)",
                    partial(_figure_file, point.comparison),
                    f"figure-{point.keep}.png",
                    "image/png",
                    key=f"figure {point.keep}",
                    icon=":material/download:",
                    on_click="ignore",
                    type="tertiary",
                )
    restoration.draw_captions()


def _figure_file(comparison: Comparison) -> bytes:
    return to_png(plot_comparison(comparison))
