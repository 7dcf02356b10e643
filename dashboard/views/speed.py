"""Speed: how fast C++ and Python are on this machine, measured on the spot."""

import math
import os
import shlex
from dataclasses import dataclass, field
from functools import partial

import altair as alt
import pandas as pd
import streamlit as st
from forms import problems, sources
from forms.damage import KEPT_SHARE
from forms.sources import Source
from work import runner
from work.runner import Report

from inpaint.bench import BenchResult, Row, run_bench
from inpaint.generators import Generator

PAGE = "speed"
RESTARTS = (1, 8, 64, 512)
DURATIONS = (5, 20, 60)
LIVE_SECONDS = 1.0
"""How often the bars of a measurement under way are drawn anew."""
USUAL_PIXELS = 784
"""Of an image before a generator was read."""
# Seen on a light and on a dark page.
GREY = "#7c8aa5"


@dataclass(frozen=True)
class Measured:
    """What was measured, and the command that measures the same."""

    result: BenchResult
    command: str


@dataclass
class Live:
    """What a measurement under way has found; the worker writes it, the page reads it."""

    rows: list[Row] = field(default_factory=list)


def main() -> None:
    """Ask what to measure, measure it, show it."""
    st.header("Speed", anchor=False)
    st.caption(
        "How many steps of the search this machine takes in a second: the loop of the published "
        "method, the torch backend and the C++ backend. Before anything is timed, all of them "
        "are checked to compute the same."
    )
    source = sources.ask_generator()
    keep, threads, seconds = ask(None if source is None else source.content)
    bar = st.container(key="bar")
    job = runner.attend(PAGE)
    with bar:
        if job is not None:
            runner.watch(job)
        elif (
            st.button(
                "Measure",
                key="measure",
                type="primary",
                icon=":material/speed:",
                disabled=source is None,
            )
            and source is not None
        ):
            live = Live()
            work = partial(measure, source, keep, threads, seconds, live)
            runner.begin(PAGE, work, quick=False, about=live)
            st.rerun()
    failure = runner.get_failure(PAGE)
    if failure is not None:
        problems.say(failure.error)
    # What was measured stays, also while another generator is awaited or cannot be read.
    measured: Measured | None = runner.get_result(PAGE)
    if job is not None:
        st.fragment(draw_live, run_every=LIVE_SECONDS)(job.about)
    elif measured is not None:
        draw(measured)
    elif source is not None:
        st.info("Nothing was measured yet.", icon=":material/info:")


def ask(generator: Generator | None) -> tuple[int, int, float]:
    """N, threads, seconds; while there is no generator, for images of the last one's size."""
    if generator is not None:
        st.session_state["bench pixels"] = math.prod(generator.image_shape[1:])
    pixels = st.session_state.get("bench pixels", USUAL_PIXELS)
    keeps = (round(pixels * KEPT_SHARE), pixels)
    row = st.container(horizontal=True, gap="medium")
    keep = row.segmented_control(
        "Pixels kept (N)", keeps, default=keeps[0], required=True, key="bench N"
    )
    cores = os.cpu_count() or 1
    threads = row.segmented_control(
        "Threads", sorted({1, cores}), default=1, required=True, key="bench threads"
    )
    seconds = row.segmented_control(
        "Duration",
        DURATIONS,
        default=DURATIONS[0],
        format_func=lambda seconds: f"{seconds} s",
        required=True,
        key="bench seconds",
    )
    return keep, threads, seconds


def measure(
    source: Source[Generator], keep: int, threads: int, seconds: float, live: Live, report: Report
) -> Measured:
    """Run the bench. Runs in a worker."""
    going_on = True

    def note(share: float, text: str) -> None:
        nonlocal going_on
        going_on = report(share, f"{text[:1].upper()}{text[1:]}.")

    def show(rows: list[Row]) -> None:
        live.rows = rows

    result = run_bench(
        restarts=RESTARTS,
        keeps=(keep,),
        threads=(threads,),
        seconds=seconds,
        generator=source.content,
        on_progress=note,
        cancelled=lambda: not going_on,
        on_rows=show,
    )
    words = ["inpaint", "bench", "--generator", source.name, "--keep", str(keep)]
    words += ["--threads", str(threads), "--seconds", str(seconds)]
    return Measured(result, shlex.join(words))


def draw_live(live: Live) -> None:
    """The bars as they are after the last round."""
    if live.rows:
        draw_rows(live.rows)
        st.caption(f"After {live.rows[0]['rounds']} rounds; more of them are under way.")
    else:
        st.caption("The bars come once all variants were seen to agree and had their first turn.")


def draw_rows(rows: list[Row]) -> None:
    """The bars below their title."""
    first = rows[0]
    threads = "1 thread" if first["threads"] == 1 else f"{first['threads']} threads"
    st.markdown(f"**Steps per second, N = {first['N']}, {threads}**")
    st.altair_chart(draw_bars(pd.DataFrame(rows)))


def draw(measured: Measured) -> None:
    """Bars, the machine, and the figures to take away."""
    result = measured.result
    if not result.rows:
        st.info("Stopped before anything was timed.", icon=":material/info:")
        return
    draw_rows(result.rows)
    st.caption(
        "A step is one forward pass, cost, gradient and update of one restart. Bars are medians, "
        "thin lines go from the slowest to the fastest round; all variants took turns in every "
        "round. The published loop follows one start after the other; its T picks the observed "
        "pixels."
    )
    machine = result.machine
    st.markdown(
        f":material/memory: {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['instructions']}, load {machine['load_before']:.1f} before the measurement. "
        + ("**Stopped early.** " if result.cancelled else "")
        + "All variants agreed in cost and gradient."
    )
    for skipped in result.skipped:
        st.warning(f"{skipped['variant']} was left out: {skipped['reason']}")
    st.code(measured.command, language="bash", wrap_lines=True)
    st.download_button(
        "Figures (JSON)",
        result.to_json,
        "bench.json",
        "application/json",
        icon=":material/download:",
        on_click="ignore",
    )


def draw_bars(rows: pd.DataFrame) -> alt.LayerChart | alt.FacetChart:
    """Bars in groups of equally many restarts, with the figure at their end."""
    order = list(dict.fromkeys(rows["variant"]))
    legend = alt.Legend(orient="top", title=None, columns=1, labelLimit=400)
    base = alt.Chart(rows).encode(
        y=alt.Y(
            "R:O",
            title=None,
            axis=alt.Axis(
                labelExpr="datum.value == 1 ? '1 restart' : datum.value + ' restarts'",
                ticks=False,
                domain=False,
                labelPadding=8,
            ),
            scale=alt.Scale(paddingInner=0.25),
        ),
        yOffset=alt.YOffset("variant:N", sort=order),
    )
    axis = alt.Axis(format="~s", tickCount=5)
    bars = base.mark_bar().encode(
        x=alt.X("rate:Q", title="Steps per second", axis=axis),
        color=alt.Color("variant:N", sort=order, legend=legend),
        tooltip=["variant", "R", alt.Tooltip("rate", format=".3s"), "rounds"],
    )
    spread = base.mark_rule(color=GREY, strokeWidth=1.5).encode(x="min:Q", x2="max:Q")
    figures = base.mark_text(align="left", dx=6, color=GREY, fontWeight=600).encode(
        x="max:Q", text=alt.Text("rate:Q", format=".3s")
    )
    return alt.layer(bars, spread, figures).properties(height=26 * len(rows) + 40)


main()
