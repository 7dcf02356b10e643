"""`restore`: validate, choose a backend, screen, descend in chunks, pick the best."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from inpaint import restarts
from inpaint.backends import Backend, choose
from inpaint.config import RestoreConfig
from inpaint.errors import ArgumentError, ShapeError
from inpaint.generator import AnyGenerator
from inpaint.objective import Objective, make_objective
from inpaint.solvers import Solver, SolveState, make_solver, start
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
    objective = make_objective(measurement, generator, dtype=dtype, device=_device(config.device))
    backend = choose(config, objective)
    run = _Run(backend, objective, began, on_progress)

    if latents is None:
        starts = _draw(config, measurement, run, generator.latent_size)
    else:
        starts = latents.to(objective.target).contiguous()
    state, history = run.descend(make_solver(config), starts, stage="descent")
    if config.polish and not run.cancelled:
        state, history = _polish(config, run, state, history)

    costs = torch.where(state.status == Status.NON_FINITE, torch.inf, state.best_costs)
    best = restarts.select_best(costs)
    chosen = state.best_latents[torch.arange(len(best)), best]
    with torch.no_grad():
        images = generator.to(dtype=dtype, device=objective.target.device)(chosen)
    return Restoration(
        images=images.cpu(),
        latents=state.best_latents.cpu(),
        costs=costs.cpu(),
        history=history.cpu(),
        status=state.status.cpu(),
        best=best.cpu(),
        noise_level=objective.noise_level(chosen[:, None])[:, 0].cpu(),
        evaluations=state.evaluations.cpu(),
        backend=backend.label,
        reasons=backend.reasons,
        seconds=time.perf_counter() - began,
    )


@dataclass
class _Run:
    """One restoration under way: what runs, for how long, and whether it shall go on."""

    backend: Backend
    objective: Objective
    began: float
    on_progress: OnProgress | None
    cancelled: bool = False

    def descend(self, solver: Solver, latents: Tensor, *, stage: str) -> tuple[SolveState, Tensor]:
        """Follow all starting points down, in chunks of about `CHUNK_SECONDS`.

        Returns:
            The final state, and the costs met: at the start, and after each step. [S + 1, B, R]
        """
        state = start(solver, latents)
        met: list[Tensor] = []
        chunk = 1
        try:
            while state.step < solver.steps and state.running.any() and not self.cancelled:
                clock = time.perf_counter()
                steps = min(chunk, solver.steps - state.step)
                state, history = self.backend.advance(self.objective, solver, state, steps)
                met.append(history)
                self.report(stage, state.step, solver.steps, state.best_costs.amin(1))
                chunk = _next_chunk(steps, time.perf_counter() - clock)
        except KeyboardInterrupt:
            self.cancelled = True
        status = Status.CANCELLED if self.cancelled else Status.MAX_STEPS
        state = self.backend.finish(self.objective, solver, state, status)
        return state, torch.cat([*met, state.costs[None]])

    def report(self, stage: str, step: int, steps: int, best_costs: Tensor) -> None:
        """Tell the caller, who may answer False to end the search."""
        if self.on_progress is None:
            return
        seconds = time.perf_counter() - self.began
        if self.on_progress(Progress(stage, step, steps, best_costs.cpu(), seconds)) is False:
            self.cancelled = True


def _polish(
    config: RestoreConfig, run: _Run, state: SolveState, history: Tensor
) -> tuple[SolveState, Tensor]:
    """Follow each image's best restarts further down with L-BFGS; the others stay."""
    solver = make_solver(replace(config, solver="lbfgs", steps=None, patience=None).resolved())
    costs = torch.where(state.status == Status.NON_FINITE, torch.inf, state.best_costs)
    chosen = costs.argsort(dim=1, stable=True)[:, : config.polish]
    vectors = chosen[..., None].expand(-1, -1, state.latents.shape[2])
    polished, met = run.descend(solver, state.best_latents.gather(1, vectors), stage="polish")
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


def _next_chunk(steps: int, seconds: float) -> int:
    """Steps that the next chunk takes, at most four times as many as the last one."""
    return max(1, min(4 * steps, int(steps * CHUNK_SECONDS / max(seconds, 1e-6))))


def _draw(config: RestoreConfig, measurement: Measurement, run: _Run, latent_size: int) -> Tensor:
    """Starting points of all images: drawn, and screened if the settings say so. [B, R, D]"""
    count = max(config.restarts, config.screen)
    drawn = restarts.draw_latents(config.seed, measurement.numbers, count, latent_size)
    drawn = drawn.to(run.objective.target)
    if count == config.restarts:
        return drawn
    return restarts.screen(partial(run.backend.cost, run.objective), drawn, config.restarts)


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ArgumentError(
            f"device is {name!r}, which torch cannot use here; choose 'cpu', or 'cuda' on a "
            "machine with a CUDA build of torch."
        ) from error
    return device


def _validate(measurement: Measurement, generator: AnyGenerator, latents: Tensor | None) -> None:
    values, shape = measurement.values, measurement.operator.image_shape
    if len(values) == 0:
        raise ShapeError("The measurement holds no image; give at least one.")
    if tuple(generator.image_shape) != tuple(shape):
        raise ShapeError(
            f"The generator {generator.name!r} makes images of shape {generator.image_shape}, the "
            f"measurement is of images of shape {shape}; choose a generator of that shape."
        )
    if not torch.isfinite(values).all():
        raise ArgumentError(
            "The measurement holds NaN or infinity; every value must be finite. Mask such pixels."
        )
    if latents is None:
        return
    if latents.ndim != 3 or len(latents) != len(values) or latents.shape[1] < 1:
        raise ShapeError(
            f"latents has shape {list(latents.shape)}; it must be [{len(values)}, R, "
            f"{generator.latent_size}]."
        )
    if latents.shape[2] != generator.latent_size:
        raise ShapeError(
            f"latents has {latents.shape[2]} dimensions; the generator takes "
            f"{generator.latent_size}."
        )
    if not torch.isfinite(latents).all():
        raise ArgumentError("latents holds NaN or infinity; every starting point must be finite.")
