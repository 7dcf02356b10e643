"""How often each method of searching finds the lowest cost: solver x damage x image.

    python -m benchmarks.search --seeds 100 --output docs/search.json
    python -m benchmarks.search --table docs/search.json

Reads data21.mat and data22.mat from INPAINT_DATA_DIR. The reference of a case is the lowest cost
that any method here or a search with 4,096 restarts reached.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from scipy import stats
from torch import Tensor

from inpaint import Generator, Mask, Measurement, RestoreConfig, read_generator, read_images
from inpaint.generators.samples import draw_latents
from inpaint.operators import measure
from inpaint.search.backends import choose
from inpaint.search.objective import make_objective
from inpaint.search.restore import restore
from inpaint.search.solvers import make_solver, start
from inpaint.types import Status

SHAPE = (1, 28, 28)
SAME_COST = 0.1
"""Largest difference from the lowest cost that counts as a success, in nats x 2."""

ONE_START = RestoreConfig(restarts=1, screen=0, threads=1)
FIXED = RestoreConfig(restarts=384, threads=1)
REFERENCE = replace(FIXED, restarts=4096, screen=16384, seed=10**6)


@dataclass(frozen=True)
class Found:
    """What one run of a method found for B images.

    Attributes:
        costs: Lowest cost of each image. [B]
        gradients: Number of gradients evaluated for each image. [B]
        seconds: Processor time of one thread for all images.
    """

    costs: Tensor
    gradients: Tensor
    seconds: float


Method = Callable[[Measurement, Generator, int], Found]


def configured(config: RestoreConfig) -> Method:
    """Make the method that calls `restore` with a configuration."""

    def run(measurement: Measurement, generator: Generator, seed: int) -> Found:
        began = time.process_time()
        result = restore(measurement, generator, replace(config, seed=seed))
        return Found(result.best_costs, result.evaluations.sum(1), time.process_time() - began)

    return run


def basin_hopping(measurement: Measurement, generator: Generator, seed: int) -> Found:
    """16 screened starts, then 48 more: the best four plus half a draw from the prior."""
    began = time.process_time()
    config = replace(FIXED, restarts=16, screen=2000, seed=seed)
    first = restore(measurement, generator, config)
    order = first.costs.argsort(dim=1)[:, :4]
    kept = first.latents.gather(1, order[..., None].expand(-1, -1, generator.latent_size))
    moves = draw_latents(seed + 10**7, measurement.numbers, 48, generator.latent_size)
    starts = kept.repeat(1, 12, 1).double() + 0.5 * moves
    second = restore(measurement, generator, replace(FIXED, seed=seed), latents=starts)
    return Found(
        torch.minimum(first.best_costs, second.best_costs),
        first.evaluations.sum(1) + second.evaluations.sum(1),
        time.process_time() - began,
    )


def tempered(measurement: Measurement, generator: Generator, seed: int) -> Found:
    """64 screened starts; half of them first descend J with a tenth of the data's weight."""
    began = time.process_time()
    config = replace(FIXED, seed=seed)
    objective = make_objective(measurement, generator, dtype=torch.float32)
    backend = choose(config, objective)
    warm = replace(objective, num_observed=objective.num_observed / 10)
    drawn = draw_latents(seed, measurement.numbers, 2000, generator.latent_size).float()
    order = backend.cost(objective, drawn).argsort(dim=1)[:, :64]
    starts = drawn.gather(1, order[..., None].expand(-1, -1, generator.latent_size))
    solver = make_solver(replace(config, steps=60))
    state, _ = backend.advance(warm, solver, start(solver, starts[:, :32].contiguous()), 60)
    state = backend.finish(warm, solver, state, Status.MAX_STEPS)
    both = torch.cat([state.best_latents, starts[:, 32:]], dim=1)
    result = restore(measurement, generator, config, latents=both)
    gradients = result.evaluations.sum(1) + state.evaluations.sum(1)
    return Found(result.best_costs, gradients, time.process_time() - began)


METHODS: dict[str, Method] = {
    "published: gradient descent 5e-4, 500 steps, 1 start": configured(
        RestoreConfig.preset("published", threads=1)
    ),
    "RMSprop .008, 1000 steps, 1 start": configured(
        replace(ONE_START, solver="rmsprop", tolerance=0.0)
    ),
    "Adam .2 cosine, 500 steps, 1 start": configured(
        replace(ONE_START, solver="adam", learning_rate=0.2, tolerance=0.0)
    ),
    "Adam .4 cosine, 500 steps, 1 start": configured(
        replace(ONE_START, solver="adam", tolerance=0.0)
    ),
    "L-BFGS, 1 start": configured(ONE_START),
    "basin hopping, L-BFGS, 16 + 48": basin_hopping,
    "tempered half, L-BFGS, 64 screened": tempered,
    "L-BFGS, 64 not screened": configured(replace(FIXED, restarts=64, screen=0)),
    "L-BFGS, 16 screened": configured(replace(FIXED, restarts=16, screen=2000)),
    "L-BFGS, 32 screened": configured(replace(FIXED, restarts=32, screen=2000)),
    "fast: L-BFGS, 64 screened": configured(RestoreConfig.preset("fast", threads=1)),
    "L-BFGS, 384 screened": configured(FIXED),
    "best (default): L-BFGS, automatic": configured(RestoreConfig(threads=1)),
}


def cases() -> dict[str, Mask]:
    """The published masks and harder ones."""
    stream = torch.Generator().manual_seed(0)
    scattered = {
        f"random {share:.0%}": torch.rand(SHAPE, generator=stream) < share for share in (0.3, 0.1)
    }
    rows = torch.arange(28)[None, :, None].expand(SHAPE)
    return {
        **{f"N={keep}": Mask.leading(keep, SHAPE) for keep in (500, 400, 350, 300, 250, 200)},
        **{name: Mask(observed) for name, observed in scattered.items()},
        "every 4th row": Mask(rows % 4 == 0),
        "rows 8 to 19 missing": Mask((rows < 8) | (rows > 19)),
        "top 10 rows": Mask(rows < 10),
    }


def study(seeds: int, chosen: list[str] | None = None) -> dict[str, Any]:
    """Run every method on every case with each seed, and count the successes."""
    folder = Path(os.environ["INPAINT_DATA_DIR"])
    generator = read_generator(folder / "data21.mat")
    eights = read_images(folder / "data22.mat")
    rows = []
    for case, mask in cases().items():
        measurement = measure(eights, mask)
        found: dict[str, list[Found]] = {}
        for name, method in METHODS.items():
            if chosen and not any(word in name for word in chosen):
                continue
            found[name] = [method(measurement, generator, seed) for seed in range(seeds)]
        every = torch.stack([f.costs for runs in found.values() for f in runs])
        reference = configured(REFERENCE)(measurement, generator, REFERENCE.seed).costs
        lowest = torch.minimum(reference, every.amin(0))
        for name, runs in found.items():
            costs = torch.stack([run.costs for run in runs])  # [seeds, B]
            successes = (costs <= lowest + SAME_COST).sum(0).tolist()
            interval = stats.binomtest(sum(successes), seeds * len(lowest)).proportion_ci()
            seconds = torch.tensor([run.seconds for run in runs]) / len(lowest)
            row = {
                "case": case,
                "method": name,
                "runs": seeds * len(lowest),
                "successes": sum(successes),
                "interval": [float(interval.low), float(interval.high)],
                "worst_image": min(successes) / seeds,
                "gradients": float(torch.stack([r.gradients for r in runs]).double().mean()),
                "seconds_per_image": float(seconds.median()),
                "lowest_costs": lowest.tolist(),
            }
            rows.append(row)
            print(
                f"{case:22} {name:52} {row['successes']:5}/{row['runs']} "
                f"worst image {row['worst_image']:.2f} {row['gradients']:9.0f} gradients "
                f"{1e3 * row['seconds_per_image']:7.1f} ms per image",
                flush=True,
            )
    return {"seeds": seeds, "same_cost": SAME_COST, "rows": rows}


def table(result: dict[str, Any]) -> str:
    """The study as a Markdown table: success of all runs and of the hardest image by case."""
    rows = result["rows"]
    names = list(dict.fromkeys(row["case"] for row in rows))
    lines = [
        "| method | " + " | ".join(names) + " | gradients | ms |",
        "| --- |" + " ---: |" * (len(names) + 2),
    ]
    for method in dict.fromkeys(row["method"] for row in rows):
        own = {row["case"]: row for row in rows if row["method"] == method}
        cells = [_success(own[name]) for name in names]
        gradients = sum(row["gradients"] for row in own.values()) / len(own)
        slowest = 1e3 * max(row["seconds_per_image"] for row in own.values())
        lines.append(
            f"| {method} | " + " | ".join(cells) + f" | {gradients:,.0f} | {slowest:.1f} |"
        )
    return "\n".join(lines)


def _success(row: dict[str, Any]) -> str:
    share = row["successes"] / row["runs"]
    return f"{100 * share:.4g} ({100 * row['worst_image']:.3g})"


def main() -> None:
    """Run the study and write it if asked to, or print the table of an earlier one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--methods", nargs="*", help="words that a method's name must contain")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--table", type=Path, help="print the table of this file and stop")
    options = parser.parse_args()
    if options.table:
        print(table(json.loads(options.table.read_text())))
        return
    result = study(options.seeds, options.methods)
    if options.output:
        options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
