"""Markdown tables from the file of a full bench, and its targets beside what was reached.

python -m benchmarks.report bench.json
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from inpaint.bench import BenchResult, Row
from inpaint.bench.variants import CPP, INDEXED, PUBLISHED, TORCH

OWN = (PUBLISHED.name, INDEXED.name, TORCH.name, CPP.name)
LOOPS = (PUBLISHED.name, INDEXED.name)


def main(path: str) -> None:
    """Print the report of one file."""
    print(report(BenchResult.from_json(Path(path).read_text(encoding="utf-8"))))


def report(result: BenchResult) -> str:
    """Everything that the documentation shows of a run."""
    rows = result.rows
    places = dict.fromkeys((row["threads"], row["instructions"]) for row in rows)
    parts = [_machine(result)]
    for threads, instructions in places:
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
    """The rows with certain values."""
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


if __name__ == "__main__":
    main(*sys.argv[1:])
