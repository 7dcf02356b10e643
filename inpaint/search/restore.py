"""`restore`: validate, choose a backend, screen, descend in chunks, pick the best."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from inpaint.checks import check_device
from inpaint.config import RestoreConfig
from inpaint.errors import ArgumentError, ShapeError
from inpaint.generators import AnyGenerator
from inpaint.generators.samples import LatentStream
from inpaint.search.backends import Backend, choose
from inpaint.search.backends.torch import limited_threads
from inpaint.search.objective import Objective, check_measurement, make_objective
from inpaint.search.restarts import screen, select_best
from inpaint.search.solvers import Solver, SolveState, make_solver, start
from inpaint.types import Measurement, Progress, Restoration, Status

OnProgress = Callable[[Progress], bool | None]

CHUNK_SECONDS = 0.1
"""How long a chunk of steps may take, so that a cancellation is heeded soon."""


def restore(
    measurement: Measurement,
    generator: AnyGenerator,
    config: RestoreConfig = RestoreConfig(),  # noqa: B008 (frozen)
    *,
    latents: Tensor | None = None,
    on_progress: OnProgress | None = None,
) -> Restoration:
    """Restore damaged images: find for each the latent vector of lowest J.

    Args:
        measurement: What is known of B images.
        generator: Where to look for them.
        config: How to search.
        latents: Starting points to use instead of drawing and screening. [B, R, D]
        on_progress: Called between chunks of steps; if it returns False the search ends
            there, as it does on Ctrl-C, and what was reached so far is returned.

    Returns:
        The best image of each, with every restart's latent vector, cost curve and status.
        A restart depends on the seed, its image's number and its own place only.

    Raises:
        ShapeError: If measurement, generator and latents do not fit together.
        ArgumentError: If a value is not finite, or the device does not exist.
        BackendError: If the requested backend cannot serve.
    """
    began = time.perf_counter()
    config = config.resolved()
    _validate(measurement, generator, latents)
    dtype = torch.float32 if config.dtype == "float32" else torch.float64
    objective = make_objective(
        measurement,
        generator,
        dtype=dtype,
        device=check_device(config.device),
        noise_level=config.noise_level,
    )
    search = _Search(config, choose(config, objective), objective, began, on_progress)
    with limited_threads(config.threads):
        if latents is None:
            stream = LatentStream(config.seed, measurement.numbers, generator.latent_size)
            result = search.run(stream)
        else:
            result = search.round(latents.to(objective.target).contiguous())

    state = result.state
    costs = torch.where(state.status == Status.NON_FINITE, torch.inf, state.best_costs)
    best = select_best(costs)
    chosen = state.best_latents[torch.arange(len(best)), best]
    with torch.no_grad():
        images = generator.to(dtype=dtype, device=objective.target.device)(chosen)
    return Restoration(
        images=images.cpu(),
        starts=result.starts.cpu(),
        latents=state.best_latents.cpu(),
        costs=costs.cpu(),
        history=result.history.cpu(),
        status=state.status.cpu(),
        best=best.cpu(),
        noise_level=objective.noise_level(chosen[:, None])[:, 0].cpu(),
        evaluations=state.evaluations.cpu(),
        backend=search.backend.label,
        reasons=search.backend.reasons,
        seconds=time.perf_counter() - began,
        config=result.config,
    )


@dataclass(frozen=True)
class _Result:
    """What one or more rounds found, and the settings that find it again."""

    starts: Tensor  # [B, R, D]
    state: SolveState
    history: Tensor  # [S + 1, B, R]
    config: RestoreConfig

    def joined(self, other: _Result) -> _Result:
        """Both sets of restarts, these ones first; the shorter curves stay at their end."""
        steps = max(len(self.history), len(other.history))
        curves = [
            torch.cat([x.history, x.history[-1:].expand(steps - len(x.history), -1, -1)])
            for x in (self, other)
        ]
        config = replace(self.config, rounds=self.config.rounds + other.config.rounds)
        starts = torch.cat([self.starts, other.starts], dim=1)
        return _Result(starts, self.state.joined(other.state), torch.cat(curves, dim=2), config)


@dataclass
class _Search:
    """One restoration under way: what runs, for how long, and whether it shall go on."""

    config: RestoreConfig
    backend: Backend
    objective: Objective
    began: float
    on_progress: OnProgress | None
    cancelled: bool = False

    def run(self, stream: LatentStream) -> _Result:
        """Do the rounds that are asked for, or those that the budget allows."""
        result = self.round(self.draw(stream))
        while not self.ended and (self.config.budget or result.config.rounds < self.config.rounds):
            another = self.round(self.draw(stream))
            # A round that was cut short could not be repeated: it is dropped.
            if not self.ended:
                result = result.joined(another)
        return result

    @property
    def ended(self) -> bool:
        """Whether the caller or the time budget ended the search."""
        return self.cancelled or self.remaining <= 0

    @property
    def remaining(self) -> float:
        """Seconds left of the budget."""
        if self.config.budget is None:
            return math.inf
        return self.began + self.config.budget - time.perf_counter()

    def draw(self, stream: LatentStream) -> Tensor:
        """Starting points of one round: drawn, and screened if asked for. [B, R, D]"""
        count = max(self.config.restarts, self.config.screen)
        drawn = stream.draw(count).to(self.objective.target)
        if count == self.config.restarts:
            return drawn
        cost = partial(self.backend.cost, self.objective)
        return screen(cost, drawn, self.config.restarts)

    def round(self, starts: Tensor) -> _Result:
        """Follow the starting points down, then polish the best. starts: [B, R, D]"""
        state, history = self.descend(make_solver(self.config), starts, stage="descent")
        config = replace(self.config, budget=None, rounds=1)
        if self.ended:
            config = replace(config, stop_after=max(1, state.step), polish=0)
            return _Result(starts, state, history, config)
        if not self.config.polish:
            return _Result(starts, state, history, config)
        polished = _polish(self, state, history)
        if self.ended:
            return _Result(starts, state, history, replace(config, polish=0))
        return _Result(starts, *polished, config)

    def descend(self, solver: Solver, latents: Tensor, *, stage: str) -> tuple[SolveState, Tensor]:
        """Follow starting points down, in chunks short enough to heed an end soon.

        Returns:
            The final state, and the costs met: at the start, and after each step. [S + 1, B, R]
        """
        state = start(solver, latents)
        steps = min(solver.steps, self.config.stop_after or solver.steps)
        met: list[Tensor] = []
        chunk = 1
        try:
            while state.step < steps and state.running.any() and not (self.ended and state.step):
                clock = time.perf_counter()
                count = min(chunk, steps - state.step)
                state, history = self.backend.advance(self.objective, solver, state, count)
                met.append(history)
                self.report(stage, state.step, steps, state.best_costs.amin(1))
                seconds = max(time.perf_counter() - clock, 1e-6)
                affordable = count * min(CHUNK_SECONDS, self.remaining / 2) / seconds
                chunk = max(1, min(4 * count, int(affordable)))
        except KeyboardInterrupt:
            self.cancelled = True
        status = Status.MAX_STEPS if state.step == solver.steps else Status.CANCELLED
        state = self.backend.finish(self.objective, solver, state, status)
        # The last chunk may go on after the last restart has stopped.
        taken = int(state.evaluations.max())
        return state, torch.cat([torch.cat(met)[:taken], state.costs[None]])

    def report(self, stage: str, step: int, steps: int, best_costs: Tensor) -> None:
        """Tell the caller, who may answer False to end the search."""
        if self.on_progress is None:
            return
        seconds = time.perf_counter() - self.began
        if self.on_progress(Progress(stage, step, steps, best_costs.cpu(), seconds)) is False:
            self.cancelled = True


def _polish(search: _Search, state: SolveState, history: Tensor) -> tuple[SolveState, Tensor]:
    """Follow each image's best restarts further down with L-BFGS; the others stay."""
    solver = make_solver(
        replace(search.config, solver="lbfgs", steps=None, patience=None).resolved()
    )
    costs = torch.where(state.status == Status.NON_FINITE, torch.inf, state.best_costs)
    chosen = costs.argsort(dim=1, stable=True)[:, : search.config.polish]
    vectors = chosen[..., None].expand(-1, -1, state.latents.shape[2])
    polished, met = search.descend(solver, state.best_latents.gather(1, vectors), stage="polish")
    better = torch.where(polished.status == Status.NON_FINITE, torch.inf, polished.best_costs)
    rest = state.best_costs.expand(len(met), *state.best_costs.shape)
    state = replace(
        state,
        best_latents=state.best_latents.scatter(1, vectors, polished.best_latents),
        best_costs=state.best_costs.scatter(1, chosen, better),
        status=state.status.scatter(1, chosen, polished.status),
        evaluations=state.evaluations.scatter_add(1, chosen, polished.evaluations),
    )
    curves = rest.scatter(2, chosen.expand(len(met), *chosen.shape), met)
    return state, torch.cat([history, curves])


def _validate(measurement: Measurement, generator: AnyGenerator, latents: Tensor | None) -> None:
    check_measurement(measurement, generator)
    if latents is None:
        return
    if latents.ndim != 3 or len(latents) != len(measurement) or latents.shape[1] < 1:
        raise ShapeError(
            f"latents has shape {list(latents.shape)}; it must be [{len(measurement)}, R, "
            f"{generator.latent_size}]."
        )
    if latents.shape[2] != generator.latent_size:
        raise ShapeError(
            f"latents has {latents.shape[2]} dimensions; the generator takes "
            f"{generator.latent_size}."
        )
    if not torch.isfinite(latents).all():
        raise ArgumentError("latents holds NaN or infinity; every starting point must be finite.")
