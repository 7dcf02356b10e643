"""A sweep: what is asked, how it is computed, and how it is drawn."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import partial

import altair as alt
import pandas as pd
import streamlit as st
from forms.widgets import Request
from parts import results

from inpaint.plots.columns import to_png
from inpaint.plots.curves import draw_trends
from inpaint.studies.sweep import Figure, Sweep, sweep
from inpaint.types import Progress
from work import repeat
from work.runner import WORKER_THREADS, Report

SMALL = 3
"""Side of the square that shows one pixel where several five-column figures stand together."""

WIDTH, HEIGHT = 290, 250
"""Of a chart: three stand in a row; in a narrow window each takes the whole of it."""


@dataclass(frozen=True)
class Question:
    """What the page asks for.

    Attributes:
        request: Images, generator and settings.
        keeps: The numbers N.
        counts: Numbers of restarts.
        repeats: Seeds.
    """

    request: Request
    keeps: tuple[int, ...]
    counts: tuple[int, ...]
    repeats: int
    quick: bool = False

    @property
    def command(self) -> str | None:
        """The same as a command for a shell; None where that cannot be told how to read a file."""
        run = self.request.run
        if any((run.orientation, run.ink, run.value_range)):
            return None
        words = run.arguments()
        words[words.index("--keep") + 1] = ",".join(map(str, self.keeps))
        if self.counts:
            words += ["--restart-counts", ",".join(map(str, self.counts))]
        if self.repeats > 1:
            words += ["--repeats", str(self.repeats)]
        return shlex.join(["inpaint", "sweep", *words])

    @property
    def program(self) -> str:
        """The same in Python."""
        run = self.request.run
        return f"""\
from inpaint.config import RestoreConfig
from inpaint.files.problem import load
from inpaint.files.job import Run
from inpaint.studies.sweep import sweep

config = RestoreConfig({repeat.settings(run.config)})
problem = load(Run({repeat.keywords(repeat.inputs(run))}, config=config))
found = sweep(
    problem, {self.keeps}, restart_counts={self.counts}, repeats={self.repeats}
)
print(found.to_long_csv())
"""


@dataclass(frozen=True)
class Answer:
    """A sweep that was done."""

    request: Question
    sweep: Sweep

    @property
    def stopped(self) -> bool:
        """Whether it was cut short."""
        return self.sweep.cancelled

    @property
    def summary(self) -> str:
        """What was done, in a line."""
        seconds = sum(point.restoration.seconds for point in self.sweep.points)
        keeps = ", ".join(str(point.keep) for point in self.sweep.points)
        done = "Stopped early: swept" if self.stopped else "Swept"
        seeds = f", {self.request.repeats} seeds" if self.request.repeats > 1 else ""
        return f"**{done} N = {keeps}**{seeds}, {seconds:.1f} s for each seed."


def compute(question: Question, report: Report) -> Answer:
    """Restore at every N with every seed. Runs in a worker."""
    problem = question.request.problem()
    total = len(question.keeps) * question.repeats

    def note(done: int, progress: Progress) -> bool:
        share, text = results.describe(progress)
        place, repeat = divmod(done, question.repeats)
        seed = f", seed {repeat + 1} of {question.repeats}" if question.repeats > 1 else ""
        return report((done + share) / total, f"N = {question.keeps[place]}{seed}. {text}")

    found = sweep(
        results.threaded(problem, WORKER_THREADS),
        question.keeps,
        restart_counts=question.counts,
        repeats=question.repeats,
        on_progress=note,
    )
    return Answer(question, found)


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
    if len(answer.request.counts) > 1 and found.trials:
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
    config = answer.request.request.run.config
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
    """Error, cost and success beside one another."""
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
    files = [
        ("Each image and N (CSV)", "sweep.csv", "text/csv", found.to_long_csv),
        ("Each seed and number of restarts (CSV)", "trials.csv", "text/csv", found.to_trials_csv),
        ("Curves (PNG)", "curves.png", "image/png", lambda: to_png(draw_trends(found))),
    ]
    with st.container(horizontal=True):
        for label, name, mime, make in files:
            st.download_button(
                label, make, name, mime, icon=":material/download:", on_click="ignore"
            )


def draw_repeat(answer: Answer) -> None:
    """The same sweep outside the dashboard."""
    question = answer.request
    images = question.request.images
    results.draw_recipe([images], question.command, question.program)


def draw_columns(found: Sweep) -> None:
    """The five-column figures side by side: two in a row where there is room."""
    with st.container(key="figures", horizontal=True, gap="medium"):
        for point in found.points:
            with st.container(width=430, gap="xsmall"):
                st.markdown(f"N = {point.keep}")
                results.draw_columns(point.comparison, key=f"sheet {point.keep}", scale=SMALL)
                st.download_button(
                    "Figure (PNG)",
                    partial(repeat.figure_file, point.problem, point.restoration, point.comparison),
                    f"figure-{point.keep}.png",
                    "image/png",
                    key=f"figure {point.keep}",
                    icon=":material/download:",
                    on_click="ignore",
                    type="tertiary",
                )
    results.draw_captions()
