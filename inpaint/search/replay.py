"""The descent of one restart, step by step, for watching it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint.generators import AnyGenerator
from inpaint.search.backends import choose
from inpaint.search.objective import make_objective
from inpaint.search.solvers import make_solver, start
from inpaint.types import Measurement, SearchResult, ShortRepr


@dataclass(frozen=True, eq=False, repr=False)
class Replay(ShortRepr):
    """What a restart saw on its way down.

    Attributes:
        latents: The iterate after each step, the start first. [S, D]
        images: What the generator makes of it. [S, C, H, W]
        costs: Its J. [S]
    """

    latents: Tensor
    images: Tensor
    costs: Tensor


def replay(
    measurement: Measurement,
    generator: AnyGenerator,
    restoration: SearchResult,
    *,
    image: int = 0,
    restart: int | None = None,
) -> Replay:
    """Follow one restart down again, and keep every iterate.

    A restart depends only on its start, so it takes the same path as before (in torch up to
    rounding).

    Args:
        measurement: What was restored. B images
        generator: What restored it.
        restoration: The result.
        image: Which of the B images.
        restart: Which of its restarts; None takes the best one.
    """
    config = restoration.config
    dtype = torch.float32 if config.dtype == "float32" else torch.float64
    chosen = int(restoration.best[image]) if restart is None else restart
    one = measurement[image : image + 1]
    objective = make_objective(one, generator, dtype=dtype, device=config.device)
    backend = choose(config, objective)
    solver = make_solver(config)
    first = restoration.starts[image, chosen].to(objective.target)
    state = start(solver, first[None, None])
    latents, costs = [], []
    steps = min(int(restoration.evaluations[image, chosen]), solver.steps)
    for _ in range(steps):
        before = state.latents[0, 0]
        state, met = backend.advance(objective, solver, state, 1)
        # A first-order solver evaluates the point before its step; L-BFGS keeps the iterate that
        # it accepted.
        accepted = state.best_latents[0, 0] if solver.keeps_iterate else before
        latents.append(accepted)
        costs.append(met[0, 0, 0])
    path = torch.stack(latents)
    with torch.no_grad():
        images = generator.to(dtype=dtype, device=config.device)(path)
    return Replay(path.cpu(), images.cpu(), torch.stack(costs).cpu())
