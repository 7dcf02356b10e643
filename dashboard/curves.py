"""Cost curves: small ones for the third of the five columns, a large one to look into.

The small ones are an SVG of the same proportions as a column of pictures, so that its rows
stay level with theirs at any width.
"""

from __future__ import annotations

import math

import altair as alt
import pandas as pd

from inpaint.comparison import Comparison, Row

MOST_POINTS = 64
"""Points of a small curve; the column is hardly wider in pixels."""

MOST_CURVES = 24
"""Restarts drawn beside the best one in the small plot."""

BEST = "#d97706"
OTHERS = "#7c8aa5"
"""Both are seen on a light and on a dark page."""


def draw_column(comparison: Comparison, *, scale: int, gap: int) -> str:
    """The curves of all images under one another, as SVG.

    Args:
        comparison: At least one image.
        scale: As for `sheet.compose`.
        gap: As for `sheet.compose`.
    """
    height, width = (scale * side for side in comparison.rows[0].output.shape[1:])
    rows = [
        f'<g transform="translate({gap},{gap + index * (height + gap)})">'
        f"{_draw_row(row, width, height)}</g>"
        for index, row in enumerate(comparison.rows)
    ]
    total_width, total_height = width + 2 * gap, gap + len(rows) * (height + gap)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total_width}" height="{total_height}" '
        f'viewBox="0 0 {total_width} {total_height}" font-family="sans-serif">'
        f"{''.join(rows)}</svg>"
    )


def _draw_row(row: Row, width: int, height: int) -> str:
    """One plot: every restart faint, the best one bold, with the first and lowest cost."""
    best = row.best_curve.tolist()
    frame = (
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" fill="none" '
        f'stroke="{OTHERS}" stroke-opacity="0.6"/>'
    )
    finite = [cost for cost in best if math.isfinite(cost)]
    if not finite:
        return f'{frame}<text x="8" y="20" font-size="13" fill="{OTHERS}">no finite cost</text>'
    low, high = min(finite), max(finite)
    starts = sorted(cost for cost in row.curves[0].tolist() if math.isfinite(cost))
    high = max([high, *starts[len(starts) // 2 : len(starts) // 2 + 1]])
    every = max(1, math.ceil((len(best) - 1) / (MOST_POINTS - 1)))
    steps = [*range(0, len(best) - 1, every), len(best) - 1]

    def line(curve: list[float], style: str) -> str:
        points = " ".join(
            f"{8 + (width - 16) * step / max(1, len(best) - 1):.1f},"
            f"{26 + (height - 36) * min(1.0, (high - curve[step]) / ((high - low) or 1)):.1f}"
            for step in steps
            if curve[step] <= high
        )
        return f'<polyline points="{points}" fill="none" {style}/>'

    others = row.curves[:, :MOST_CURVES].T.tolist()
    faint = f'stroke="{OTHERS}" stroke-width="1" stroke-opacity="0.35"'
    bold = f'stroke="{BEST}" stroke-width="2.5" stroke-linejoin="round"'
    return (
        frame
        + "".join(line(curve, faint) for curve in others)
        + line(best, bold)
        + f'<text x="{width - 8}" y="18" font-size="14" text-anchor="end" fill="{OTHERS}">'
        f"{high:.0f} &#8594; {row.cost:.1f}</text>"
    )


def draw_curves(row: Row) -> alt.LayerChart | alt.FacetChart:
    """One image's curves, to look into: every restart faint, the best one bold."""
    every = max(1, len(row.curves) // 250)
    steps = range(0, len(row.curves), every)
    curves = row.curves[::every, :64].T.tolist()
    others = pd.DataFrame(
        [
            {"iteration": step, "cost": cost, "restart": restart}
            for restart, curve in enumerate(curves)
            for step, cost in zip(steps, curve, strict=True)
        ]
    )
    best = pd.DataFrame({"iteration": steps, "cost": row.best_curve[::every].tolist()})
    axes = {
        "x": alt.X("iteration:Q", title="Iteration"),
        "y": alt.Y("cost:Q", title="Cost J", scale=alt.Scale(zero=False)),
    }
    faint = alt.Chart(others).mark_line(strokeWidth=0.8, opacity=0.3, color=OTHERS)
    bold = alt.Chart(best).mark_line(strokeWidth=2.5, color=BEST)
    return alt.layer(
        faint.encode(**axes, detail="restart:N", tooltip=["restart", "iteration", "cost"]),
        bold.encode(**axes, tooltip=["iteration", "cost"]),
    ).properties(height=280)
