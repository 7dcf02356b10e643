"""A measurement of the speed, drawn as bars."""

from __future__ import annotations

import altair as alt
import pandas as pd
import streamlit as st
from work.speed import Live, Measured

from inpaint.bench.result import Row

GREY = "#7c8aa5"
"""Visible on a light and on a dark page."""


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
    """Bars grouped by the number of restarts, each with its figure at the end."""
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
