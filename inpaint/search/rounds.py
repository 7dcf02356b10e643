"""The search for the images of one part: rounds of starts, followed down in chunks of steps."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from inpaint.checks import check_device
from inpaint.config import AUTO, RestoreConfig
from inpaint.generators import AnyGenerator
from inpaint.generators.samples import LatentStream
from inpaint.search.backends import choose
from inpaint.search.backends.torch import MAX_VALUES
from inpaint.search.evidence import FEWEST
from inpaint.search.found import Block, Found, assemble
from inpaint.search.minima import Minima
from inpaint.search.objective import Objective, make_objective
from inpaint.search.solvers import SolveState, make_solver, start
from inpaint.search.starts import screen, select_best
from inpaint.types import Measurement, OnProgress, Progress, SearchResult, Status, asks_to_stop

CHUNK_SECONDS = 0.1
"""How long a chunk of steps may take, so that a cancellation takes effect soon."""

BLOCK = 16
"""Starts after which an image of an automatic search is looked at again."""

GROWTH = 4
"""Later blocks are larger: one part in this many of the starts before them."""

LARGEST_BLOCK = 1024
"""Most starts of a block, whose ends are compared with each other."""

FEW = 16
"""Restarts that are followed for a step where a search is ended before its first one."""

NOTED = 4
"""Most images whose lowest cost a progress note shows."""


class _Stopped(Exception):
    """The caller ended the search in the middle of what cannot be kept or repeated."""


def next_block(count: int, most: int) -> int:
    """How many starts an automatic search follows before it looks at an image again.

    Args:
        count: Starts followed before.
        most: Largest number of starts.
    """
    size = BLOCK * max(1, count // (BLOCK * GROWTH)) if count else FEWEST
    return min(size, LARGEST_BLOCK, most - count)


class Search:
    """The search for the images of one part.

    Args:
        config: How to search, resolved.
        measurement: What is known of the part's B images.
        generator: Where to look for them.
        on_progress: See `restore`.
        time_limit: Seconds that this part may take; None does the configured rounds.
        keeps_histories: Whether the histories of all restarts are kept, or only the best ones'.

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
        keeps_histories: bool = True,
    ) -> None:
        self.cancelled = False
        self._config = config
        self._measurement = measurement
        self._on_progress = on_progress
        self._end = math.inf if time_limit is None else time.perf_counter() + time_limit
        self._limited = time_limit is not None
        self._keeps_histories = keeps_histories
        self._dtype = torch.float32 if config.dtype == "float32" else torch.float64
        self._device = check_device(config.device)
        self._source = generator
        self._generator = generator.to(dtype=self._dtype, device=self._device)
        self._objective = self._make_objective(measurement)
        self._backend = choose(config, self._objective)
        self._solver = make_solver(config)
        self._streams = partial(
            LatentStream, config.seed, measurement.numbers, generator.latent_size
        )
        self._stream = self._streams()
        self._chunk = 1
        self._counted = 0
        self._note = ""

    def result(self, latents: Tensor | None) -> SearchResult:
        """Search from these starting points [B, R, D], or from drawn ones if None."""
        given = None if latents is None else latents.to(self._objective.target).contiguous()
        try:
            found = self._rounds() if given is None else self._fixed(given)
        except _Stopped:
            found = self._few(given)
        best = select_best(found.costs)
        chosen = found.latents[torch.arange(len(best)), best]
        with torch.no_grad():
            images = self._generator(chosen)
        noise_level = self._objective.noise_level(chosen[:, None])[:, 0]
        return SearchResult(
            images=images.cpu(),
            starts=found.starts.cpu(),
            start_costs=found.start_costs.cpu(),
            latents=found.latents.cpu(),
            costs=found.costs.cpu(),
            history=found.history.cpu(),
            followed=found.followed.cpu(),
            status=found.status.cpu(),
            num_starts=(found.status != Status.NOT_STARTED).sum(1).cpu(),
            best=best.cpu(),
            noise_level=noise_level.cpu(),
            evaluations=found.evaluations.cpu(),
            backend=self._backend.label,
            reasons=self._backend.reasons,
            seconds=0.0,
            config=found.config,
        )

    def _make_objective(self, measurement: Measurement) -> Objective:
        return make_objective(measurement, self._source, dtype=self._dtype, device=self._device)

    def _rounds(self) -> Found:
        """Do the configured rounds, or those that the time limit allows."""
        found = self._round()
        while not self._ended and (self._limited or found.config.rounds < self._config.rounds):
            try:
                another = self._round()
            except (_Stopped, KeyboardInterrupt):
                self.cancelled = True
            # A round that was cut short is dropped, because it could not be repeated.
            if not self._ended:
                found = found.joined(another)
        return found

    @property
    def _ended(self) -> bool:
        """Whether the caller or the time limit ended the search."""
        return self.cancelled or self._remaining <= 0

    @property
    def _remaining(self) -> float:
        """Seconds left of the time limit."""
        return self._end - time.perf_counter()

    def _round(self) -> Found:
        """Draw the next starting points and follow them down."""
        self._chunk = 1
        return self._automatic() if self._config.restarts == AUTO else self._fixed(self._draw())

    def _draw(self) -> Tensor:
        """Starting points of one round: drawn, and screened if asked for. [B, R, D]"""
        target, restarts, count = self._objective.target, self._config.restarts, self._config.screen
        assert not isinstance(restarts, str)
        if count <= restarts:
            return self._stream.draw(restarts).to(target)
        together = self._together(self._objective)

        def drawn() -> Iterator[Tensor]:
            for first in range(0, count, together):
                if first and not self._may_continue(Progress("screening", first, count)):
                    raise _Stopped
                yield self._stream.draw(min(together, count - first)).to(target)

        return screen(partial(self._backend.cost, self._objective), drawn(), restarts)

    def _fixed(self, starts: Tensor) -> Found:
        """Follow the same number of starting points of each image. starts: [B, R, D]"""
        found, taken = self._descend(self._objective, starts)
        if not self._ended:
            return found
        return replace(found, config=replace(found.config, stop_after=max(1, taken)))

    def _few(self, latents: Tensor | None) -> Found:
        """What a search that was ended before its first step reached: one step of a few restarts.

        Args:
            latents: Starting points, if they are given. [B, R, D]
        """
        config, count = self._config, min(FEW, self._together(self._objective))
        if isinstance(config.restarts, str):
            count = min(count, config.max_restarts if latents is None else latents.shape[1])
            self._config = replace(config, max_restarts=count, stop_after=1)
        else:
            count = min(count, config.restarts if latents is None else latents.shape[1])
            self._config = replace(config, restarts=count, screen=0, stop_after=1)
        self._stream = self._streams()
        return self._round() if latents is None else self._fixed(latents[:, :count].contiguous())

    def _automatic(self) -> Found:
        """Follow block after block of each image's starts until there is evidence enough.

        An image's blocks depend on what its own starts found, so other images change nothing.
        `stop_after` counts the steps of all blocks.
        """
        config = self._config
        objective, active = self._objective, list(range(len(self._measurement)))
        minima = [Minima(self._pictures) for _ in active]
        blocks: list[Block] = []
        count = steps = 0
        while active and count < config.max_restarts and not (count and self._ended):
            if steps >= (config.stop_after or math.inf):
                break
            size = next_block(count, config.max_restarts)
            starts = self._stream.draw(size, active).to(self._objective.target)
            done = len(minima) - len(active)
            try:
                found, taken = self._descend(objective, starts, before=steps, done=done)
            except (_Stopped, KeyboardInterrupt):
                if not blocks:
                    raise
                self.cancelled = True
                break
            blocks.append((active, found if self._keeps_histories else found.without_curves()))
            count, steps = count + size, steps + taken
            remaining = active if self._ended else self._unfinished(active, minima, found)
            if len(remaining) < len(active) and remaining:
                objective = self._make_objective(self._measurement[remaining])
            active = remaining
        config, last = blocks[0][1].config, blocks[-1][1]
        cut = count < self._config.max_restarts or bool((last.status == Status.CANCELLED).any())
        if active and cut and self._ended:
            config = replace(config, stop_after=max(1, steps))
        return assemble(blocks, config, all_curves=self._keeps_histories)

    def _unfinished(self, active: list[int], minima: Sequence[Minima], found: Found) -> list[int]:
        """Count what a block found, and return the images that need more starts."""
        costs, ends = found.costs.cpu().numpy(), found.latents.cpu().numpy()
        self._counted = len(minima) - len(active)
        try:
            for place, image in enumerate(active):
                minima[image].add(costs[place], ends[place])
        except (_Stopped, KeyboardInterrupt):
            self.cancelled = True
            return active
        return [image for image in active if not minima[image].evidence.enough]

    def _pictures(self, latents: np.ndarray) -> np.ndarray:
        """Pictures that the generator draws, some at a time. [K, D] -> [K, P]

        Raises:
            _Stopped: If the caller ended the search.
        """
        width = max(self._objective.width, math.prod(self._generator.image_shape))
        size = max(1, MAX_VALUES // width)
        drawn = []
        for part in torch.from_numpy(latents).to(self._objective.target).split(size):
            if not self._may_continue(self._progress(0, 1, self._counted)):
                raise _Stopped
            with torch.no_grad():
                drawn.append(self._generator.pixels(part).cpu().numpy())
        return np.concatenate(drawn)

    def _together(self, objective: Objective) -> int:
        """How many restarts of each image are followed at a time.

        The number depends on the problem alone, because torch rounds by the size of a batch.
        """
        return max(1, MAX_VALUES // (len(objective.target) * objective.width))

    def _descend(
        self, objective: Objective, starts: Tensor, *, before: int = 0, done: int | None = None
    ) -> tuple[Found, int]:
        """Follow starting points down, in chunks short enough to stop soon on request.

        Args:
            objective: J of the images.
            starts: Their starting points. [B, R, D]
            before: Steps that this round has taken already.
            done: Images that an automatic search has finished.

        Returns:
            What was found, and the steps that the last restart took.

        Raises:
            _Stopped: If the caller ended the search before all restarts took their first step.
        """
        solver = self._solver
        parts = [start(solver, part) for part in starts.split(self._together(objective), dim=1)]
        steps = min(solver.steps, (self._config.stop_after or solver.steps + before) - before)
        met: list[Tensor] = []
        step = 0
        try:
            while step < steps and any(part.running.any() for part in parts):
                if step and self._ended:
                    break
                clock = time.perf_counter()
                count = min(self._chunk, steps - step)
                progress = partial(self._progress, steps=steps, done=done)
                advanced = self._advance(objective, parts, count, progress)
                if advanced is None:
                    break
                parts, history = advanced
                step += count
                met.append(history)
                self._report(parts, progress(step))
                seconds = max(time.perf_counter() - clock, 1e-6)
                affordable = count * min(CHUNK_SECONDS, self._remaining / 2) / seconds
                self._chunk = max(1, min(4 * count, int(affordable)))
        except KeyboardInterrupt:
            self.cancelled = True
            if not step:
                raise
        status = Status.MAX_STEPS if step == solver.steps else Status.CANCELLED
        parts = [self._backend.finish(objective, solver, part, status) for part in parts]
        # What the solver remembers is the largest part, and not needed any more.
        state = SolveState.join([replace(part, memory=part.memory[..., :0]) for part in parts])
        # The last chunk may go on after the last restart has stopped.
        taken = int(state.evaluations.max())
        history = torch.cat([torch.cat(met)[:taken], state.costs[None]])
        found = Found(
            starts=starts,
            # A view would keep the whole history in memory.
            start_costs=history[0].clone(),
            latents=state.best_latents,
            costs=torch.where(state.status == Status.NON_FINITE, torch.inf, state.best_costs),
            status=state.status,
            evaluations=state.evaluations,
            history=history,
            followed=torch.arange(starts.shape[1], device=starts.device).expand(starts.shape[:2]),
            config=replace(self._config, time_limit=None, rounds=1),
        )
        return found, taken

    def _advance(
        self,
        objective: Objective,
        parts: Sequence[SolveState],
        count: int,
        progress: Callable[[float], Progress],
    ) -> tuple[list[SolveState], Tensor] | None:
        """Take steps, with some of the restarts at a time so that the caller is asked in between.

        Returns:
            The new states, and the costs at the beginning of each step [count, B, R]; None if the
            caller ended the search in the middle.

        Raises:
            _Stopped: If that happened in the first step.
        """
        states, histories, step = [], [], parts[0].step
        for place, part in enumerate(parts):
            if place and not self._may_continue(progress(step + place / len(parts))):
                if not step:
                    raise _Stopped
                return None
            state, history = self._backend.advance(objective, self._solver, part, count)
            states.append(state)
            histories.append(history)
        return states, torch.cat(histories, dim=2)

    def _progress(self, step: float, steps: int, done: int | None) -> Progress:
        """How far descents are, or of an automatic search, how many images it has finished."""
        if done is None:
            return Progress("descent", step, steps, self._note)
        return Progress("descent", done, len(self._measurement), self._note)

    def _may_continue(self, progress: Progress) -> bool:
        """Report to the caller, who may answer False to end the search."""
        if self._on_progress is not None and asks_to_stop(self._on_progress(progress)):
            self.cancelled = True
        return not self.cancelled

    def _report(self, parts: Sequence[SolveState], progress: Progress) -> None:
        """Report how far the descents are, with the lowest costs."""
        lowest = torch.cat([part.best_costs for part in parts], dim=1).amin(1)
        costs = [f"{cost:.2f}" for cost in lowest[:NOTED].tolist()]
        self._note = f"J {' '.join(costs)}{' ...' * (len(lowest) > NOTED)}"
        self._may_continue(replace(progress, note=self._note))
