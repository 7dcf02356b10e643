"""A sweep over N: what is asked, how it is computed, and how it is drawn."""

from dataclasses import dataclass
from functools import partial

import altair as alt
import pandas as pd
import repeat
import results
import streamlit as st
from runner import Report
from widgets import Request

from inpaint.sweep import Sweep, sweep
from inpaint.types import Progress


@dataclass(frozen=True)
class Question:
    """What the page asks for: a request, and the numbers N at which it is answered."""

    request: Request
    keeps: tuple[int, ...]


@dataclass(frozen=True)
class Answer:
    """A sweep, and its figures as a table: a row per image and N."""

    question: Question
    sweep: Sweep
    table: pd.DataFrame


def compute(question: Question, report: Report) -> Answer:
    """Restore at every N. Runs in a worker."""
    count = len(question.keeps)

    def note(index: int, progress: Progress) -> bool:
        share, text = results.describe(progress)
        return report((index + share) / count, f"N = {question.keeps[index]}. {text}")

    found = sweep(question.request.problem(), question.keeps, on_progress=note)
    rows = []
    for point in found.points:
        for row in point.comparison.rows:
            search = None if row.verdict is None else row.verdict.search
            rows.append(
                {
                    "N": point.keep,
                    "Image": str(row.number),
                    "Error": None if row.metrics is None else row.metrics.error,
                    "Cost J": row.cost,
                    "Success": None if search is None else search.rate,
                    "low": None if search is None else search.interval[0],
                    "high": None if search is None else search.interval[1],
                }
            )
    return Answer(question, found, pd.DataFrame(rows))


def draw(answer: Answer) -> None:
    """Curves against N, the table, and the five columns of each N."""
    left, right = st.columns(2, gap="medium")
    known = answer.table["Error"].notna().all()
    with left:
        st.markdown("**L2 error against the ideal**" if known else "**Cost J**")
        st.altair_chart(draw_lines(answer.table, "Error" if known else "Cost J"))
    with right:
        st.markdown("**How often one start succeeds**")
        st.altair_chart(draw_lines(answer.table, "Success", band=True))
    st.caption(
        "Success is the share of restarts that reached the lowest cost found; the bands are 95 % "
        "intervals. A low cost is not a small error where few pixels are left: then several "
        "images fit equally well."
    )
    values = "Error" if known else "Cost J"
    table = answer.table.pivot(index="Image", columns="N", values=values)
    table.columns = [f"N = {keep}" for keep in table.columns]
    st.dataframe(
        table, column_config={c: st.column_config.NumberColumn(format="%.2f") for c in table}
    )
    st.download_button(
        "All figures (CSV)",
        answer.sweep.to_long_csv,
        "sweep.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
    points = {f"N = {point.keep}": point for point in answer.sweep.points}
    for tab, point in zip(st.tabs(list(points)), points.values(), strict=True):
        with tab:
            results.draw_columns(point.comparison, key=f"sheet {point.keep}")
            st.download_button(
                "Figure (PNG)",
                partial(repeat.figure_file, point.problem, point.restoration, point.comparison),
                f"figure-{point.keep}.png",
                "image/png",
                key=f"figure {point.keep}",
                icon=":material/download:",
                on_click="ignore",
            )


def draw_lines(
    table: pd.DataFrame, figure: str, *, band: bool = False
) -> alt.LayerChart | alt.FacetChart:
    """A figure against N, a line per image."""
    legend = alt.Legend(
        orient="top", title=None, labelExpr="'image ' + datum.label", symbolOpacity=1
    )
    base = alt.Chart(table).encode(
        x=alt.X("N:Q", scale=alt.Scale(zero=False), title="Pixels kept (N)"),
        color=alt.Color("Image:N", legend=legend),
    )
    axis = alt.Y(f"{figure}:Q", title=None)
    if band:
        axis = alt.Y(f"{figure}:Q", title=None, scale=alt.Scale(domain=[0, 1]))
    layers: list[alt.Chart] = [
        base.mark_line(point=True).encode(y=axis, tooltip=["Image", "N", figure])
    ]
    if band:
        layers.insert(0, base.mark_area(opacity=0.12).encode(y="low:Q", y2="high:Q"))
    return alt.layer(*layers).properties(height=320)
