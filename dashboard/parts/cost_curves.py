"""Cost curves: small ones for the third of the five columns, a large one to look into.

The small ones are an SVG of the same proportions as a column of pictures, so that its rows
stay level with theirs at any width.
"""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from inpaint.plots.comparison import Comparison, ComparisonRow

MOST_POINTS = 64
"""Points of a small curve; the column is hardly wider in pixels."""

MOST_CURVES = 24
"""Restarts drawn in the small plot in addition to the best one."""

WIDE = 120
"""Pixels of a small plot in which two numbers fit side by side."""

SHRUNK = (
    "<style>@media (max-width: 110px) { text { font-size: 24px } .first { display: none } }</style>"
)
"""In a narrow window only one number is shown, large enough to read."""

BEST = "#d97706"
OTHERS = "#7c8aa5"
"""Both are visible on a light and on a dark page."""


def draw_column(comparison: Comparison, *, scale: int, gap: int) -> tuple[str, int, int]:
    """The curves of all images, one below the other.

    Args:
        comparison: At least one image.
        scale: As for `sheet.compose`.
        gap: As for `sheet.compose`.

    Returns:
        An SVG, its width and its height.
    """
    height, width = (scale * side for side in comparison.rows[0].output.shape[1:])
    rows = [
        f'<g transform="translate({gap},{gap + index * (height + gap)})">'
        f"{_draw_row(row, width, height)}</g>"
        for index, row in enumerate(comparison.rows)
    ]
    total_width, total_height = width + 2 * gap, gap + len(rows) * (height + gap)
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total_width}" height="{total_height}" '
        f'viewBox="0 0 {total_width} {total_height}" font-family="sans-serif">'
        f"{SHRUNK if width >= WIDE else ''}{''.join(rows)}</svg>"
    )
    return drawing, total_width, total_height


def _draw_row(row: ComparisonRow, width: int, height: int) -> str:
    """One plot: every restart faint, the best one bold, with the first and lowest cost."""
    best = row.best_curve.numpy()
    frame = (
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" fill="none" '
        f'stroke="{OTHERS}" stroke-opacity="0.6"/>'
    )
    finite = best[np.isfinite(best)]
    if not len(finite):
        return f'{frame}<text x="8" y="20" font-size="13" fill="{OTHERS}">no finite cost</text>'
    low, high = float(finite.min()), float(finite.max())
    starts = np.sort(row.curves[0].numpy())  # NaN comes last.
    high = max(high, float(np.nan_to_num(starts[np.isfinite(starts).sum() // 2], nan=high)))
    steps = np.unique(np.linspace(0, len(best) - 1, MOST_POINTS).astype(int))
    # In whole tenths of a pixel, which are formatted ten times as fast.
    across = (80 + 10 * (width - 16) * steps / max(1, len(best) - 1)).astype(int).tolist()
    down = 260 + 10 * (height - 36) * ((high - row.curves.numpy()[steps]) / ((high - low) or 1))

    def line(place: int, style: str) -> str:
        path = [
            f"{x} {y:.0f}" for x, y in zip(across, down[:, place].tolist(), strict=True) if y >= 260
        ]
        return f'<polyline points="{" ".join(path)}" {style}/>'

    first = f'<tspan class="first">{high:.0f} </tspan>' if width >= WIDE else ""
    faint = "".join(line(place, "") for place in range(min(MOST_CURVES, row.curves.shape[1])))
    return (
        f'{frame}<g transform="scale(.1)" fill="none">'
        f'<g stroke="{OTHERS}" stroke-width="10" stroke-opacity="0.35">{faint}</g>'
        + line(row.best, f'stroke="{BEST}" stroke-width="25" stroke-linejoin="round"')
        + f'</g><text x="{width - 6}" y="22" font-size="14" text-anchor="end" fill="{OTHERS}">'
        f"{first}&#8594; {row.cost:.1f}</text>"
    )


def draw_curves(row: ComparisonRow) -> alt.LayerChart | alt.FacetChart:
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
