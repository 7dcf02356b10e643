"""Draw the README's chart from the file of a full bench.

python -m benchmarks.chart bench.json docs/performance.png
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.report import select
from inpaint.bench import BenchResult, Row
from inpaint.bench.variants import CPP, PUBLISHED

OWN_COLOUR = "#c2410c"
COLOURS = (
    "#111827",
    "#1d4ed8",
    "#7c3aed",
    "#64748b",
    "#a16207",
    "#be185d",
    "#15803d",
    "#0369a1",
    "#0f766e",
)


class End(NamedTuple):
    """Where a line ends, and what is to be written there."""

    rate: float
    restarts: int
    name: str
    colour: str


LABEL_GAP = 1.27
"""Least factor between the heights of two labels."""


def main(source: str, target: str) -> None:
    """Draw the chart of one file."""
    result = BenchResult.from_json(Path(source).read_text(encoding="utf-8"))
    draw(result).savefig(target, dpi=160)


def draw(result: BenchResult) -> Figure:
    """Rate over R on one thread, a panel for each N, a line for each variant."""
    best = result.machine["instructions"]
    rows = select(result.rows, threads=1, instructions=best)
    keeps = list(dict.fromkeys(row["N"] for row in rows))
    figure = Figure(figsize=(5.4 * len(keeps) + 1.2, 4.8), layout="constrained")
    panels = figure.subplots(1, len(keeps), sharey=True, squeeze=False)[0]
    for axes, keep in zip(panels, keeps, strict=True):
        ends = _panel(axes, select(rows, N=keep), title=f"N = {keep} observed pixels")
    # The colours are the same in all panels, so that one list of names serves them.
    _label(axes, ends)
    figure.supxlabel("restarts R", fontsize=10)
    figure.supylabel("restart-iterations per second of one core", fontsize=10)
    shares = [row["active"] for row in rows]
    figure.suptitle(
        f"One thread, {best.upper()}, {result.machine['cpu'].split(',')[0]}, generator "
        f"{result.machine['generator']} ({min(shares):.0%} to {max(shares):.0%} of the hidden "
        "units active)",
        fontsize=10,
    )
    return figure


def _panel(axes: Axes, rows: list[Row], *, title: str) -> list[End]:
    """Draw a panel; returns where its lines end."""
    names = list(dict.fromkeys(row["variant"] for row in rows))
    others = [name for name in names if name != CPP.name]
    ends: list[End] = []
    for name in names:
        own = name == CPP.name
        colour = OWN_COLOUR if own else COLOURS[others.index(name) % len(COLOURS)]
        line = select(rows, variant=name)
        counts = [row["R"] for row in line]
        rates = [row["cpu_rate"] for row in line]
        axes.plot(
            counts,
            rates,
            marker="o",
            markersize=4,
            color=colour,
            linewidth=3 if own else 1.3,
            linestyle=":" if name == PUBLISHED.name else "-",
        )
        ends.append(End(rates[-1], counts[-1], name, colour))
    axes.set(xscale="log", yscale="log", title=title)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return ends


def _label(axes: Axes, ends: list[End]) -> None:
    """Write each line's name beside its end, pushed apart so that all can be read."""
    lowest = 0.0
    for rate, restarts, name, colour in sorted(ends):
        # On a logarithmic axis equal gaps are equal factors.
        height = max(rate, lowest)
        axes.annotate(
            name,
            (restarts, height),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=colour,
            fontweight="bold" if name == CPP.name else "normal",
            annotation_clip=False,
        )
        lowest = height * LABEL_GAP


if __name__ == "__main__":
    main(*sys.argv[1:])
