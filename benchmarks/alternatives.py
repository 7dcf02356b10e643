"""Other samplers of the same posterior: HMC and NUTS from the modes, and parallel tempering.

    python -m benchmarks.alternatives --keep 500,300 --gradients 300000

Reads data21.mat and data22.mat from INPAINT_DATA_DIR. Each method has about as many gradients; the
first third warms up, adapts the step length, and gives the mass (the states' covariance). The
search that the starts come from is not counted. Printed are, for each image, the largest R-hat
over pixels that vary, the smallest ESS per 1,000 gradients, and the L2 norm between the mean and
that of a long tempered run (2,048 particles, 12 x 5 steps).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Generator as Coroutine
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint import (
    Generator,
    Mask,
    Measurement,
    RestoreConfig,
    measure,
    read_generator,
    read_images,
    restore,
)
from inpaint.posterior import PosteriorConfig, sample_posterior
from inpaint.posterior.diagnostics import agreement
from inpaint.posterior.estimates import pooled_pixels
from inpaint.posterior.particles import factor_of
from inpaint.posterior.summary import VARIES
from inpaint.search.backends import cpp
from inpaint.search.backends.hamiltonian import Moves
from inpaint.search.objective import Objective, make_objective

Array = NDArray[np.float64]
RUNS, CHAINS = 4, 16
TEMPERATURES = np.geomspace(0.002, 1, 12)[::-1].copy()
LEAPFROG = 8
ACCEPTANCE = 0.8
DEEPEST = 6
"""A NUTS trajectory doubles at most so often."""
WARM_UP = 1 / 3
LIKELY = 20.0
"""Chains begin at restarts of a J within this of the lowest."""


@dataclass(frozen=True)
class Drawn:
    """What a sampler gave: draws of each run [K, n, D], a chain's behind one another; its cost."""

    latents: Array
    gradients: int


def main() -> None:
    """Print a line for each N, method and image."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", default="500,300")
    parser.add_argument("--gradients", type=int, default=300_000)
    parser.add_argument("--images", default="0,1,2,3")
    options = parser.parse_args()
    folder = Path(os.environ["INPAINT_DATA_DIR"])
    generator = read_generator(folder / "data21.mat")
    assert isinstance(generator, Generator)
    images = read_images(folder / "data22.mat")
    print("N    image  method             R-hat    ESS/1,000  distance  gradients")
    for keep in map(int, options.keep.split(",")):
        whole = measure(images, Mask.leading(keep, generator.image_shape))
        for number in map(int, options.images.split(",")):
            part = whole[number : number + 1]
            for method, (mean, ratio, size, cost) in compare(part, generator, options.gradients):
                print(
                    f"{keep}  {number:5}  {method:17}  {ratio:6.3f}  {1000 * size / cost:11.2f}  "
                    f"{mean:8.3f}  {cost:9}",
                    flush=True,
                )


def compare(
    measurement: Measurement, generator: Generator, gradients: int
) -> list[tuple[str, tuple[float, float, float, int]]]:
    """Distance of the mean, R-hat, ESS and gradients of each method."""
    long = PosteriorConfig(threads=1, seed=1000, particles=2048, moves=12, ess_target=0.5)
    posterior = sample_posterior(measurement, generator, long)
    reference = pooled_pixels(generator, posterior, 0, dtype=torch.float64).mean(0)
    objective = make_objective(measurement, generator, dtype=torch.float32)
    starts = find_starts(measurement, generator)
    default = sample_posterior(measurement, generator, replace(long, **DEFAULT))
    drawn = {
        "tempered sampler": Drawn(default.latents[0].double().numpy(), int(default.gradients)),
        "HMC from modes": temper(objective, starts, gradients, np.ones(1)),
        "NUTS from modes": dynamic(objective, starts, gradients),
        "parallel tempering": temper(objective, starts, gradients, TEMPERATURES),
    }
    return [(name, judge(found, generator, reference)) for name, found in drawn.items()]


DEFAULT = {
    name: getattr(PosteriorConfig, name) for name in ("particles", "moves", "ess_target")
} | {"seed": 0}


def judge(drawn: Drawn, generator: Generator, mean: Tensor) -> tuple[float, float, float, int]:
    """Distance of the mean from a reference, largest R-hat, smallest ESS, and gradients."""
    every = max(1, drawn.latents.shape[1] // 2000)
    latents = torch.from_numpy(drawn.latents[:, ::every]).contiguous()
    pixels = generator.to(dtype=torch.float64).pixels(latents)
    varying = pixels[..., pixels.flatten(0, 1).std(0) > VARIES]
    ratios, sizes = agreement(varying)
    distance = float((pixels.flatten(0, 1).mean(0) - mean).norm())
    return distance, float(ratios.max()), float(sizes.min()), drawn.gradients


def find_starts(measurement: Measurement, generator: Generator) -> Array:
    """Restarts of low J, drawn at random: one for each chain. [K, P, D]"""
    found = restore(measurement, generator, RestoreConfig(threads=1))
    low = found.costs[0] < found.costs[0].min() + LIKELY
    latents = found.latents[0][low].double().numpy()
    random = np.random.default_rng(0)
    return latents[random.integers(len(latents), size=(RUNS, CHAINS))]


def temper(objective: Objective, starts: Array, gradients: int, betas: Array) -> Drawn:
    """HMC at each temperature, with swaps between neighbours; one temperature is plain HMC."""
    size, levels = starts.shape[2], len(betas)
    random = np.random.default_rng(1)
    chains = starts.shape[1] if levels == 1 else 4
    latents = np.repeat(starts[:, None, :chains], levels, axis=1)  # [K, T, P, D]
    shape = latents.shape[:3]
    lengths = np.full((RUNS, levels), 0.2)
    factors = np.broadcast_to(np.eye(size) / 3, (RUNS, levels, size, size)).copy()
    costs_each = RUNS * levels * chains * (1 + LEAPFROG)
    rounds = gradients // costs_each
    warm = int(WARM_UP * rounds)
    kept: list[Array] = []
    seen: list[Array] = []
    for step in range(rounds):

        def tensor(numbers: Array) -> Tensor:
            return torch.from_numpy(numbers).float().flatten(0, 1)[None]

        spread = lengths[:, :, None] * np.exp(0.2 * random.standard_normal(shape))
        moves = Moves(
            tensor(random.standard_normal((*shape, 1, size))),
            tensor(-random.standard_exponential((*shape, 1))),
            tensor(np.broadcast_to(betas, (RUNS, levels)).copy()),
            tensor(spread),
            tensor(factors),
            LEAPFROG,
        )
        moved = cpp.move(objective, tensor(latents), moves, threads=1)
        latents = moved.latents[0, :, :, 0].double().numpy().reshape(latents.shape)
        costs = moved.costs[0, :, :, 0].double().numpy().reshape(shape)
        accepted = moved.accepted[0].double().numpy().reshape(*shape).mean(2)
        likelihood = (costs - np.square(latents).sum(-1)) / 2
        for first in range(step % 2, levels - 1, 2):
            gap = (betas[first] - betas[first + 1]) * (
                likelihood[:, first] - likelihood[:, first + 1]
            )
            swap = -random.standard_exponential(gap.shape) < gap
            pair = latents[:, [first, first + 1]]
            latents[:, [first, first + 1]] = np.where(swap[:, None, :, None], pair[:, ::-1], pair)
        if step < warm:
            lengths *= np.exp(0.5 * (accepted - ACCEPTANCE))
            seen.append(latents.copy())
            if step and step % max(1, warm // 4) == 0:
                states = np.stack(seen[len(seen) // 2 :], axis=2).reshape(RUNS, levels, -1, size)
                factors = np.array(
                    [[factor_of(part, np.ones(len(part))) for part in run] for run in states]
                )
                lengths[:] = 0.3
        else:
            kept.append(latents[:, 0].copy())
    draws = np.stack(kept, axis=2).reshape(RUNS, -1, size)
    return Drawn(draws, rounds * costs_each)


Point = tuple[Array, Array, Array, float]
"""Place, momentum, gradient of U, and U plus the energy of motion; of unit mass."""
Asking = Coroutine[Array, tuple[float, Array], "Tree"]


@dataclass
class Tree:
    """A part of a trajectory: both ends, a draw from it, its log weight, and whether to go on."""

    left: Point
    right: Point
    draw: Point
    weight: float
    going: bool
    acceptance: float
    count: int


def grow(point: Point, step: float, depth: int, base: float, random: np.random.Generator) -> Asking:
    """A subtree of 2^depth leapfrog steps; asks its driver for U and its gradient."""
    if depth == 0:
        place, momentum, slope, _ = point
        momentum = momentum - step / 2 * slope
        place = place + step * momentum
        potential, slope = yield place
        momentum = momentum - step / 2 * slope
        energy = potential + float(momentum @ momentum) / 2
        rise = energy - base if np.isfinite(energy) else np.inf
        new = place, momentum, slope, energy
        return Tree(new, new, new, -rise, rise < 1000, min(1.0, float(np.exp(-max(rise, 0)))), 1)
    first = yield from grow(point, step, depth - 1, base, random)
    if not first.going:
        return first
    second = yield from grow(first.right, step, depth - 1, base, random)
    return join(first, second, float(random.random()), biased=False)


def join(first: Tree, second: Tree, uniform: float, *, biased: bool) -> Tree:
    """Two neighbours as one, the second being the later (Betancourt 2017, appendix A.3)."""
    weight = float(np.logaddexp(first.weight, second.weight))
    share = np.exp(min(0.0, second.weight - (first.weight if biased else weight)))
    draw = second.draw if second.going and uniform < share else first.draw
    across = second.right[0] - first.left[0]
    turning = bool(across @ first.left[1] <= 0 or across @ second.right[1] <= 0)
    return Tree(
        first.left,
        second.right,
        draw,
        weight,
        first.going and second.going and not turning,
        first.acceptance + second.acceptance,
        first.count + second.count,
    )


def transition(place: Array, step: float, random: np.random.Generator) -> Asking:
    """One multinomial NUTS transition (Hoffman and Gelman 2014)."""
    potential, slope = yield place
    momentum = random.standard_normal(len(place))
    base = potential + float(momentum @ momentum) / 2
    start = place, momentum, slope, base
    tree = Tree(start, start, start, 0.0, True, 0.0, 0)
    for depth in range(DEEPEST):
        # To go backwards is to go forwards with all momenta turned round.
        if random.random() < 0.5:
            tree = Tree(_turn(tree.right), _turn(tree.left), tree.draw, tree.weight, True,
                        tree.acceptance, tree.count)  # fmt: skip
        further = yield from grow(tree.right, step, depth, base, random)
        tree = join(tree, further, float(random.random()), biased=True)
        if not tree.going:
            break
    return tree


def _turn(point: Point) -> Point:
    return point[0], -point[1], point[2], point[3]


def dynamic(objective: Objective, starts: Array, gradients: int) -> Drawn:
    """NUTS with as many chains as there are starts, their gradients side by side."""
    size = starts.shape[2]
    streams = [np.random.default_rng([2, k]) for k in range(RUNS * CHAINS)]
    places = list(starts.reshape(-1, size))
    steps, factors = np.full(RUNS, 0.2), [np.eye(size) / 3] * RUNS
    spent, kept, rounds = 0, [], 0
    seen: list[Array] = []
    adapted = 0
    while spent < gradients:
        runs = [
            transition(
                np.asarray(np.linalg.solve(factors[k // CHAINS], z), np.float64),
                float(steps[k // CHAINS]),
                streams[k],
            )
            for k, z in enumerate(places)
        ]
        asked = {k: next(run) for k, run in enumerate(runs)}
        trees: dict[int, Tree] = {}
        while asked:
            where = np.array([factors[k // CHAINS] @ q for k, q in asked.items()])
            costs, slopes = cpp.cost_and_gradient(
                objective, torch.from_numpy(where)[None], threads=1
            )
            spent += len(asked)
            told = zip(asked, costs[0].double().numpy(), slopes[0].double().numpy(), strict=True)
            asked = {}
            for k, cost, slope in told:
                try:
                    asked[k] = runs[k].send((cost / 2, factors[k // CHAINS].T @ slope / 2))
                except StopIteration as end:
                    trees[k] = end.value
        places = [factors[k // CHAINS] @ trees[k].draw[0] for k in range(len(places))]
        rounds += 1
        if spent < WARM_UP * gradients:
            for run in range(RUNS):
                own = [trees[k] for k in range(run * CHAINS, (run + 1) * CHAINS)]
                rate = sum(t.acceptance for t in own) / sum(t.count for t in own)
                steps[run] *= np.exp(0.5 * (rate - ACCEPTANCE))
            seen.append(np.array(places))
            if spent > (adapted + 1) * WARM_UP * gradients / 5:
                adapted += 1
                states = np.array(seen[len(seen) // 2 :]).reshape(-1, RUNS, CHAINS, size)
                factors = [
                    factor_of(part.reshape(-1, size), np.ones(part.shape[0] * CHAINS))
                    for part in states.transpose(1, 0, 2, 3)
                ]
                steps[:] = 0.5
        else:
            kept.append(np.array(places))
    draws = np.array(kept).reshape(-1, RUNS, CHAINS, size).transpose(1, 2, 0, 3)
    return Drawn(draws.reshape(RUNS, -1, size), spent)


if __name__ == "__main__":
    main()
