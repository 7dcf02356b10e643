"""The search: validate, choose a backend, screen, descend in chunks, pick the best restart."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from inpaint.checks import check_device
from inpaint.config import RestoreConfig
from inpaint.errors import ArgumentError, ShapeError
from inpaint.generators import AnyGenerator
from inpaint.generators.samples import LatentStream
from inpaint.search.backends import choose
from inpaint.search.backends.torch import MAX_VALUES, limited_threads
from inpaint.search.memory import check_memory, part_size
from inpaint.search.objective import check_measurement, make_objective
from inpaint.search.solvers import Solver, SolveState, make_solver, start
from inpaint.search.starts import screen, select_best
from inpaint.types import (
    PER_IMAGE,
    Measurement,
    OnProgress,
    Progress,
    SearchResult,
    Status,
    asks_to_stop,
)

CHUNK_SECONDS = 0.1
"""How long a chunk of steps may take, so that a cancellation takes effect soon."""

FEW = 16
"""Restarts that are followed for a step where a search is ended before its first one."""

NOTED = 4
"""Most images whose lowest cost a progress note shows."""

HISTORY_BYTES = 64 * 2**20
"""Largest history of all restarts that a result keeps; above it only the best restarts' remain."""


def restore(
    measurement: Measurement,
    generator: AnyGenerator,
    config: RestoreConfig = RestoreConfig(),  # noqa: B008 (frozen)
    *,
    latents: Tensor | None = None,
    on_progress: OnProgress | None = None,
) -> SearchResult:
    """Restore damaged images: find the latent vector of lowest J for each.

    A large batch is searched part by part, so that memory does not grow with it. The parts do not
    change results: a restart depends only on the seed, its image's number and its own place.

    Args:
        measurement: What is known of B images.
        generator: Where to look for them.
        config: How to search.
        latents: Starting points to use instead of drawing and screening. [B, R, D]
        on_progress: Called between chunks of steps; if it returns False the search ends
            there, as it does on Ctrl-C, and what was reached so far is returned.

    Returns:
        The best image of each, with every restart's latent vector, cost curve and status. A
        search that is cancelled after its first part returns the finished parts, and so fewer
        than B images.

    Raises:
        ShapeError: If measurement, generator and latents do not fit together.
        ArgumentError: If a value is not finite, the device does not exist, or the restarts take
            more memory than is free.
        BackendError: If the requested backend cannot be used.
    """
    began = time.perf_counter()
    config = config.resolved()
    _validate(measurement, generator, latents)
    check_memory(config, len(measurement), generator.latent_size, latents)
    size = part_size(config, generator.latent_size)
    parts = [slice(first, first + size) for first in range(0, len(measurement), size)]
    found: list[SearchResult] = []
    with limited_threads(config.threads):
        for number, part in enumerate(parts):
            search = _Search(
                config,
                measurement[part],
                generator,
                _reporter(on_progress, number, parts, len(measurement)),
                time_limit=config.time_limit and config.time_limit / len(parts),
            )
            result = search.result(None if latents is None else latents[part])
            if search.cancelled and found:
                break
            found.append(_trimmed(result, len(measurement)))
            # Later parts use the rounds and steps that the time limit allowed here.
            config = result.config
            if search.cancelled:
                break
    return replace(_join(found), seconds=time.perf_counter() - began)


def _reporter(
    on_progress: OnProgress | None, number: int, parts: Sequence[slice], images: int
) -> OnProgress | None:
    """A callback that reports the progress of one part as that of the whole search."""
    if on_progress is None or len(parts) == 1:
        return on_progress

    def report(progress: Progress) -> bool | None:
        assert progress.total is not None
        share = progress.done / progress.total
        last = min(parts[number].stop, images)
        note = f"images {parts[number].start + 1} to {last} of {images}"
        return on_progress(Progress(progress.stage, number + share, len(parts), note))

    return report


def _trimmed(result: SearchResult, images: int) -> SearchResult:
    """A part's result, with only the best histories if those of all images are too large."""
    steps = result.config.steps
    assert steps is not None
    if 4 * images * result.costs.shape[1] * (steps + 1) <= HISTORY_BYTES:
        return result
    best_only = result.best_history[..., None].clone()
    return replace(result, history=best_only, followed=result.best[:, None])


def _join(found: Sequence[SearchResult]) -> SearchResult:
    """The parts of a search as one; shorter histories repeat their last costs."""
    if len(found) == 1:
        return found[0]
    steps = max(len(part.history) for part in found)
    joined: dict[str, Any] = {
        name: torch.cat([getattr(part, name) for part in found]) for name in PER_IMAGE
    }
    history = torch.cat([_lengthened(part.history, steps) for part in found], dim=1)
    return replace(found[0], **joined, history=history)


def _lengthened(history: Tensor, steps: int) -> Tensor:
    """A history extended to `steps` entries by repeating its last costs. [S + 1, B, R]"""
    return torch.cat([history, history[-1:].expand(steps - len(history), -1, -1)])


@dataclass(frozen=True)
class _Result:
    """What one or more rounds found, and the settings that repeat it."""

    starts: Tensor  # [B, R, D]
    state: SolveState
    history: Tensor  # [S + 1, B, R]
    config: RestoreConfig

    def joined(self, other: _Result) -> _Result:
        """Both sets of restarts, `self` first; shorter histories repeat their last costs."""
        steps = max(len(self.history), len(other.history))
        curves = [_lengthened(each.history, steps) for each in (self, other)]
        config = replace(self.config, rounds=self.config.rounds + other.config.rounds)
        starts = torch.cat([self.starts, other.starts], dim=1)
        state = SolveState.join([self.state, other.state])
        return _Result(starts, state, torch.cat(curves, dim=2), config)


class _NothingReached(Exception):
    """The caller ended a search before the first step of all restarts."""


class _Search:
    """The search for the images of one part.

    Args:
        config: How to search, resolved.
        measurement: What is known of the part's B images.
        generator: Where to look for them.
        on_progress: See `restore`.
        time_limit: Seconds that this part may take; None does the configured rounds.

    Attributes:
        cancelled: Whether the caller or Ctrl-C ended the search.
    """

    def __init__(
        self,
        config: RestoreConfig,
        measurement: Measurement,
        generator: AnyGenerator,
        on_progress: OnProgress | None,
        *,
        time_limit: float | None,
    ) -> None:
        self.cancelled = False
        self._config = config
        self._generator = generator
        self._on_progress = on_progress
        self._end = math.inf if time_limit is None else time.perf_counter() + time_limit
        self._limited = time_limit is not None
        self._dtype = torch.float32 if config.dtype == "float32" else torch.float64
        self._objective = make_objective(
            measurement, generator, dtype=self._dtype, device=check_device(config.device)
        )
        self._backend = choose(config, self._objective)
        self._streams = partial(
            LatentStream, config.seed, measurement.numbers, generator.latent_size
        )
        self._stream = self._streams()
        # The number depends on the problem alone, because torch rounds by the size of a batch.
        self._together = max(1, MAX_VALUES // (len(measurement) * self._objective.width))

    def result(self, latents: Tensor | None) -> SearchResult:
        """Search from these starting points [B, R, D], or from drawn ones if None."""
        target = self._objective.target
        given = None if latents is None else latents.to(target).contiguous()
        try:
            found = self._rounds() if given is None else self._round(given)
        except _NothingReached:
            found = self._few(given)
        state = found.state
        costs = torch.where(state.status == Status.NON_FINITE, torch.inf, state.best_costs)
        best = select_best(costs)
        chosen = state.best_latents[torch.arange(len(best)), best]
        with torch.no_grad():
            images = self._generator.to(dtype=self._dtype, device=target.device)(chosen)
        return SearchResult(
            images=images.cpu(),
            starts=found.starts.cpu(),
            # A view would keep the whole history in memory.
            start_costs=found.history[0].clone().cpu(),
            latents=state.best_latents.cpu(),
            costs=costs.cpu(),
            history=found.history.cpu(),
            followed=torch.arange(costs.shape[1]).expand(costs.shape),
            status=state.status.cpu(),
            best=best.cpu(),
            noise_level=self._objective.noise_level(chosen[:, None])[:, 0].cpu(),
            evaluations=state.evaluations.cpu(),
            backend=self._backend.label,
            reasons=self._backend.reasons,
            seconds=0.0,
            config=found.config,
        )

    def _rounds(self) -> _Result:
        """Do the configured rounds, or those that the time limit allows."""
        result = self._round(self._draw())
        while not self._ended and (self._limited or result.config.rounds < self._config.rounds):
            another = self._round(self._draw())
            # A round that was cut short is dropped, because it could not be repeated.
            if not self._ended:
                result = result.joined(another)
        return result

    @property
    def _ended(self) -> bool:
        """Whether the caller or the time limit ended the search."""
        return self.cancelled or self._remaining <= 0

    @property
    def _remaining(self) -> float:
        """Seconds left of the time limit."""
        return self._end - time.perf_counter()

    def _draw(self) -> Tensor:
        """Starting points of one round: drawn, and screened if asked for. [B, R, D]"""
        target, restarts, count = self._objective.target, self._config.restarts, self._config.screen
        if count <= restarts:
            return self._stream.draw(restarts).to(target)

        def drawn() -> Iterator[Tensor]:
            for first in range(0, count, self._together):
                if first and not self._may_continue(Progress("screening", first, count)):
                    raise _NothingReached
                yield self._stream.draw(min(self._together, count - first)).to(target)

        return screen(partial(self._backend.cost, self._objective), drawn(), restarts)

    def _round(self, starts: Tensor) -> _Result:
        """Follow the starting points down. starts: [B, R, D]"""
        state, history = self._descend(make_solver(self._config), starts)
        config = replace(self._config, time_limit=None, rounds=1)
        if self._ended:
            config = replace(config, stop_after=max(1, state.step))
        return _Result(starts, state, history, config)

    def _few(self, latents: Tensor | None) -> _Result:
        """What a search that was ended before its first step reached: one step of a few restarts.

        Args:
            latents: Starting points, if they are given. [B, R, D]
        """
        given = self._config.restarts if latents is None else latents.shape[1]
        count = min(FEW, self._together, given)
        self._config = replace(self._config, restarts=count, screen=0, stop_after=1)
        if latents is None:
            latents = self._streams().draw(count).to(self._objective.target)
        return self._round(latents[:, :count].contiguous())

    def _descend(self, solver: Solver, latents: Tensor) -> tuple[SolveState, Tensor]:
        """Follow starting points down, in chunks short enough to stop soon on request.

        Returns:
            The final state, and the costs at the start and after each step. [S + 1, B, R]
        """
        parts = [start(solver, part) for part in latents.split(self._together, dim=1)]
        steps = min(solver.steps, self._config.stop_after or solver.steps)
        met: list[Tensor] = []
        step, chunk = 0, 1
        try:
            while step < steps and any(part.running.any() for part in parts):
                if step and self._ended:
                    break
                clock = time.perf_counter()
                count = min(chunk, steps - step)
                advanced = self._advance(solver, parts, count)
                if advanced is None:
                    break
                parts, history = advanced
                step += count
                met.append(history)
                self._report(step, steps, torch.cat([part.best_costs for part in parts], 1).amin(1))
                seconds = max(time.perf_counter() - clock, 1e-6)
                affordable = count * min(CHUNK_SECONDS, self._remaining / 2) / seconds
                chunk = max(1, min(4 * count, int(affordable)))
        except KeyboardInterrupt:
            self.cancelled = True
            if not step:
                raise
        status = Status.MAX_STEPS if step == solver.steps else Status.CANCELLED
        parts = [self._backend.finish(self._objective, solver, part, status) for part in parts]
        # What the solver remembers is the largest part, and not needed any more.
        state = SolveState.join([replace(part, memory=part.memory[..., :0]) for part in parts])
        # The last chunk may go on after the last restart has stopped.
        taken = int(state.evaluations.max())
        return state, torch.cat([torch.cat(met)[:taken], state.costs[None]])

    def _advance(
        self, solver: Solver, parts: Sequence[SolveState], count: int
    ) -> tuple[list[SolveState], Tensor] | None:
        """Take steps, with some of the restarts at a time so that the caller is asked in between.

        Returns:
            The new states, and the costs at the beginning of each step [count, B, R]; None if the
            caller ended the search in the middle.

        Raises:
            _NothingReached: If that happened in the first step.
        """
        states, histories, step = [], [], parts[0].step
        for place, part in enumerate(parts):
            progress = Progress("descent", step + place / len(parts), solver.steps)
            if place and not self._may_continue(progress):
                if not step:
                    raise _NothingReached
                return None
            state, history = self._backend.advance(self._objective, solver, part, count)
            states.append(state)
            histories.append(history)
        return states, torch.cat(histories, dim=2)

    def _may_continue(self, progress: Progress) -> bool:
        """Report to the caller, who may answer False to end the search."""
        if self._on_progress is not None and asks_to_stop(self._on_progress(progress)):
            self.cancelled = True
        return not self.cancelled

    def _report(self, step: int, steps: int, best_costs: Tensor) -> None:
        """Report how far the descents are."""
        costs = [f"{cost:.2f}" for cost in best_costs[:NOTED].tolist()]
        note = f"J {' '.join(costs)}{' ...' * (len(best_costs) > NOTED)}"
        self._may_continue(Progress("descent", step, steps, note))


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
