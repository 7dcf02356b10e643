"""Plays a descent back in the browser: play, pause, step, speed."""

from __future__ import annotations

import math

from components import data_url, register
from inpaint.plots import sheet
from inpaint.plots.comparison import Comparison, ComparisonRow
from inpaint.plots.film import compose_reel, pick_frames
from inpaint.search.replay import Replay

_MARGIN = 0.06
"""Share of the plot that is left free on each side."""

_render = register("player")


def show(film: Replay, row: ComparisonRow, *, token: str, key: str) -> None:
    """Show a film.

    Args:
        film: The iterates of a restart.
        row: The image that was restored.
        token: A different text for each film; the same film goes on playing through a rerun.
        key: Key of the component.
    """
    frames = pick_frames(film)
    height, width = row.output.shape[1:]
    costs = film.costs.tolist()
    still = sheet.compose(
        Comparison((row,), "", ""), columns=("Ideal", "Corrupted"), scale=1, gap=0
    )
    _render(
        key=key,
        data={
            "film": token,
            "width": width,
            "height": height,
            "frames": frames,
            "words": [_describe(costs[frame], film, row, frame) for frame in frames],
            "points": _plot([(frame, costs[frame]) for frame in frames], width, height),
            "reel": data_url(compose_reel(film, row, frames)),
            "still": data_url(still),
        },
    )


def _describe(cost: float, film: Replay, row: ComparisonRow, frame: int) -> str:
    if row.ideal is None:
        return f"J {cost:.2f}."
    error = float((row.ideal - film.images[frame]).norm())
    return f"J {cost:.2f}, error {error:.2f}."


def _plot(curve: list[tuple[int, float]], width: int, height: int) -> list[list[float]]:
    """Step, x and y in a plot of this size, for each point whose cost is finite."""
    finite = [(step, cost) for step, cost in curve if math.isfinite(cost)]
    if not finite:
        return []
    low, high = (pick(cost for _, cost in finite) for pick in (min, max))
    last = max(1, curve[-1][0])
    across, up = width * (1 - 2 * _MARGIN), height * (1 - 2 * _MARGIN)
    return [
        [
            step,
            round(width * _MARGIN + across * step / last, 2),
            round(height * _MARGIN + up * (high - cost) / ((high - low) or 1), 2),
        ]
        for step, cost in finite
    ]
