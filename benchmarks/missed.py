"""How often an automatic search misses the lowest minimum, and whether it says so.

    python -m benchmarks.missed --images 20 --replays 20 --output docs/missed.json
    python -m benchmarks.missed --table docs/missed.json

Reads data21.mat and MNIST from INPAINT_DATA_DIR. Images in range are drawn from the generator, real
eights are from MNIST; noise of standard deviation 0.1 is added to all. 4,096 starts of each image
are followed once, and searches are replayed with them in random orders. A search missed the lowest
minimum if its best cost is more than .1 higher and the image differs; if not, it stalled.
"""

from __future__ import annotations

import argparse
import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.search import SAME_COST, cases
from benchmarks.verdicts import NOISE, image_sets
from inpaint import Generator, ImageSet, RestoreConfig, SearchResult, read_generator
from inpaint.operators import measure
from inpaint.search.evidence import Evidence
from inpaint.search.minima import Minima
from inpaint.search.modes import SAME_IMAGE
from inpaint.search.restore import restore
from inpaint.search.rounds import next_block

POOL = RestoreConfig(restarts=4096, screen=0, seed=10**6, threads=1)
KINDS = ("in range", "real eights")
CASES = ("N=350", "N=300", "N=250", "N=200", "rows 8 to 19 missing")
EDGES = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 1.0)
"""Bins of the stated chance."""


def study(first: int, count: int, replays: int) -> dict[str, Any]:
    """Follow many starts of every image once, then replay searches with them in random orders."""
    folder = Path(os.environ["INPAINT_DATA_DIR"])
    generator = read_generator(folder / "data21.mat")
    sets = image_sets(folder, generator, first + count)
    masks = cases()
    rows = []
    for kind in KINDS:
        images = ImageSet(sets[kind][first : first + count])
        for case in CASES:
            measurement = measure(images, masks[case], noise=NOISE, seed=1)
            pool = restore(measurement, generator, POOL)
            here = [
                {"kind": kind, "case": case, "image": first + image, "replay": number}
                | replay(pool, generator, image, number)
                for image in range(count)
                for number in range(replays)
            ]
            print(f"{kind}, {case} | {_summary(here)}", flush=True)
            rows += here
    return {"images": count, "first": first, "replays": replays, "rows": rows}


def replay(pool: SearchResult, generator: Generator, image: int, number: int) -> dict[str, Any]:
    """One automatic search whose starts are those of the pool in a random order."""
    stream = torch.Generator().manual_seed(number)
    order = torch.randperm(pool.costs.shape[1], generator=stream)
    costs, latents = pool.costs[image, order], pool.latents[image, order]
    minima = Minima(lambda z: generator.pixels(torch.from_numpy(z)).numpy())
    most = RestoreConfig().max_restarts
    starts = 0
    while starts < most and not minima.evidence.enough:
        block = slice(starts, starts + next_block(starts, most))
        minima.add(costs[block].numpy(), latents[block].numpy())
        starts = block.stop
    evidence = minima.evidence
    missed, stalled = compare(generator, costs, latents, starts)
    return {
        "starts": starts,
        "gradients": int(pool.evaluations[image, order[:starts]].sum()),
        "hits": evidence.hits,
        "singles": evidence.singles,
        "rival": evidence.rival,
        "missed": missed,
        "stalled": stalled,
        "missed_by_384": compare(generator, costs, latents, 384)[0],
    }


def compare(generator: Generator, costs: Tensor, latents: Tensor, starts: int) -> tuple[bool, bool]:
    """Whether the first starts missed the lowest minimum, or reached it but stalled above it.

    Args:
        generator: Draws the images at the minima.
        costs: J where each start ended. [R]
        latents: Where that was. [R, D]
        starts: How many of them were followed.
    """
    lowest, best = int(costs.argmin()), int(costs[:starts].argmin())
    if costs[best] <= costs[lowest] + SAME_COST:
        return False, False
    one, two = generator.pixels(latents[[lowest, best]])
    same = bool((one - two).square().mean().sqrt() <= SAME_IMAGE)
    return not same, same


def _summary(rows: list[dict[str, Any]]) -> str:
    """The figures of some searches, as cells of a table."""
    searches = len(rows)
    missed, stalled, fixed = (
        100 * sum(row[name] for row in rows) / searches
        for name in ("missed", "stalled", "missed_by_384")
    )
    images = len({(row["kind"], row["case"], row["image"]) for row in rows if row["missed"]})
    stated = sum(map(stated_chance, rows)) / searches
    starts, gradients = (sum(row[name] for row in rows) / searches for name in COSTS)
    return (
        f"{searches:,} | {100 * stated:.2g} % | {missed:.2g} % | {images} | {fixed:.2g} % | "
        f"{stalled:.2g} % | "
        f"{starts:,.0f} | {gradients:,.0f}"
    )


def stated_chance(row: dict[str, Any]) -> float:
    """The estimated probability that a lower minimum was missed."""
    return Evidence(row["starts"], row["hits"], row["singles"], row["rival"]).missed


COSTS = ("starts", "gradients")


def table(result: dict[str, Any]) -> str:
    """The study as two Markdown tables: by the stated chance, and by case."""
    rows = result["rows"]
    columns = "searches | stated | missed | images missed | by 384 starts | stalled"
    heading = f" | {columns} | starts | gradients |"
    lines = [f"| stated{heading}", "| --- |" + " ---: |" * 8]
    for low, high in pairwise(EDGES):
        inside = [row for row in rows if low <= stated_chance(row) < high]
        if inside:
            lines.append(f"| {100 * low:g} to {100 * high:g} % | {_summary(inside)} |")
    lines += ["", f"| images{heading}", "| --- |" + " ---: |" * 8]
    for kind in KINDS:
        for case in CASES:
            inside = [row for row in rows if (row["kind"], row["case"]) == (kind, case)]
            lines.append(f"| {kind}, {case} | {_summary(inside)} |")
    return "\n".join(lines)


def main() -> None:
    """Run the study and write it if asked to, or print the tables of an earlier one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0, help="images left out at the beginning")
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--replays", type=int, default=20)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--table", type=Path, help="print the tables of this file and stop")
    options = parser.parse_args()
    if options.table:
        print(table(json.loads(options.table.read_text())))
        return
    result = study(options.first, options.images, options.replays)
    print(table(result))
    if options.output:
        options.output.write_text(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
