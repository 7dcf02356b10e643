"""Markdown tables and the chart of a full bench.

python -m benchmarks.report bench.json --chart docs/performance.png
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from inpaint.bench.result import BenchResult, Row
from inpaint.bench.variants import CPP, INDEXED, PUBLISHED, TORCH

OWN = (PUBLISHED.name, INDEXED.name, TORCH.name, CPP.name)
LOOPS = (PUBLISHED.name, INDEXED.name)
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
LABEL_GAP = 1.27
"""Smallest factor between the heights of two labels in the chart."""


def main() -> None:
    """Print the tables of a file, and draw its chart if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("result", type=Path, help="JSON file of a full bench")
    parser.add_argument("--chart", type=Path, help="PNG file for the chart")
    options = parser.parse_args()
    result = BenchResult.from_json(options.result.read_text(encoding="utf-8"))
    print(report(result))
    if options.chart:
        draw(result).savefig(options.chart, dpi=160)


def report(result: BenchResult) -> str:
    """All tables that the documentation shows."""
    rows = result.rows
    settings = dict.fromkeys((row["threads"], row["instructions"]) for row in rows)
    parts = [_machine(result)]
    for threads, instructions in settings:
        for keep in dict.fromkeys(row["N"] for row in rows):
            chosen = select(rows, threads=threads, instructions=instructions, N=keep)
            figure = "cpu_rate" if threads == 1 else "rate"
            unit = "second of processor time" if threads == 1 else "second"
            heading = f"N = {keep}, {threads} thread{'s' * (threads > 1)}, {instructions}"
            parts.append(f"**{heading}**, thousand restart-iterations per {unit}\n")
            parts.append(_rates(chosen, figure))
    parts.append("**Ratios**\n")
    parts.append(_ratios(rows))
    return "\n".join(parts)


def select(rows: Iterable[Row], **wanted: object) -> list[Row]:
    """The rows that hold the wanted values."""
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def _machine(result: BenchResult) -> str:
    machine = result.machine
    loads = [row["load"] for row in result.rows]
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores; "
        + ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        + f"; generator {machine['generator']}.",
        f"Load average {min(loads):.1f} to {max(loads):.1f}; "
        f"{min(row['rounds'] for row in result.rows)} rounds or more.",
    ]
    lines += [
        f"FMA peak, {peak['threads']} thread(s), {peak['instructions']}: "
        f"{peak['cpu_rate'] / 1e9:.0f} GFLOP per second of processor time "
        f"(median {peak['median'] / 1e9:.0f}, {peak['min'] / 1e9:.0f} to "
        f"{peak['max'] / 1e9:.0f} per second)."
        for peak in machine.get("fma_peak", [])
    ]
    return "\n".join(f"- {line}" for line in lines) + "\n"


def _rates(rows: Sequence[Row], figure: str) -> str:
    counts = list(dict.fromkeys(row["R"] for row in rows))
    names = list(dict.fromkeys(row["variant"] for row in rows))
    found = {(row["variant"], row["R"]): row for row in rows}
    body = []
    for name in names:
        cells = []
        for count in counts:
            row = found.get((name, count))
            if row is None:
                cells.append("")
                continue
            text = _short(row[figure] / 1e3)
            if figure == "rate":
                text += f" ({_short(row['min'] / 1e3)} to {_short(row['max'] / 1e3)})"
            cells.append(text)
        body.append([f"**{name}**" if name == CPP.name else name, *cells])
    return _table(["", *(f"R={count}" for count in counts)], body)


def _ratios(rows: Sequence[Row]) -> str:
    body = []
    for own in select(rows, variant=CPP.name):
        same = select(
            rows, N=own["N"], R=own["R"], threads=own["threads"], instructions=own["instructions"]
        )
        figure = "cpu_rate" if own["threads"] == 1 else "rate"
        others = {row["variant"]: row for row in same if row["variant"] not in OWN}
        best = max(others.values(), key=lambda row: row[figure], default=None)
        rates = {row["variant"]: row[figure] for row in same}
        body.append(
            [
                str(own["N"]),
                str(own["R"]),
                str(own["threads"]),
                own["instructions"],
                f"{own[figure] / best[figure]:.2f} ({best['variant']})" if best else "",
                *(_times(rates, name) for name in (*LOOPS, TORCH.name)),
                f"{own['of_peak']:.2f}" if "of_peak" in own else "",
                f"{own['active']:.2f}",
            ]
        )
    heading = ["N", "R", "threads", "set", "best peer", "loop, matrix", "loop, indices"]
    return _table([*heading, "torch backend", "of FMA peak", "active"], body)


def _times(rates: dict[str, float], name: str) -> str:
    return f"{rates[CPP.name] / rates[name]:.0f}" if name in rates else ""


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"


def _table(heading: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [heading, ["---"] + ["---:"] * (len(heading) - 1), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


class LineEnd(NamedTuple):
    """Where a line of the chart ends, and its label."""

    rate: float
    restarts: int
    name: str
    colour: str


def draw(result: BenchResult) -> Figure:
    """Rates over R on one thread: a panel for each N, a line for each variant."""
    best = result.machine["instructions"]
    rows = select(result.rows, threads=1, instructions=best)
    keeps = list(dict.fromkeys(row["N"] for row in rows))
    figure = Figure(figsize=(5.4 * len(keeps) + 1.2, 4.8), layout="constrained")
    panels = figure.subplots(1, len(keeps), sharey=True, squeeze=False)[0]
    for axes, keep in zip(panels, keeps, strict=True):
        ends = _panel(axes, select(rows, N=keep), title=f"N = {keep} observed pixels")
    # All panels have the same colours, so only the last one is labelled.
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


def _panel(axes: Axes, rows: list[Row], *, title: str) -> list[LineEnd]:
    """Draw a panel; returns where its lines end."""
    names = list(dict.fromkeys(row["variant"] for row in rows))
    others = [name for name in names if name != CPP.name]
    ends = []
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
        ends.append(LineEnd(rates[-1], counts[-1], name, colour))
    axes.set(xscale="log", yscale="log", title=title)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.minorticks_off()
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return ends


def _label(axes: Axes, ends: list[LineEnd]) -> None:
    """Write each line's name at its end, spaced so that all can be read."""
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
    main()
