"""The search for the images of one part: rounds of starts, followed down in chunks of steps."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from inpaint.checks import check_device
from inpaint.config import AUTO, RestoreConfig
from inpaint.generators import AnyGenerator
from inpaint.generators.samples import LatentStream
from inpaint.search.backends import choose
from inpaint.search.evidence import FEWEST
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

NOTED = 4
"""Most images whose lowest cost a progress note shows."""


@dataclass(frozen=True)
class Found:
    """Where R starts of each of B images led, and the settings that repeat it.

    The fields are those of `SearchResult`.
    """

    starts: Tensor
    start_costs: Tensor
    latents: Tensor
    costs: Tensor
    status: Tensor
    evaluations: Tensor
    history: Tensor
    followed: Tensor
    config: RestoreConfig

    def joined(self, other: Found) -> Found:
        """The starts of both, those of `self` first; shorter histories repeat their last costs."""
        steps = max(len(self.history), len(other.history))
        curves = [lengthened(each.history, steps) for each in (self, other)]
        moved = other.followed + self.costs.shape[1]
        config = replace(self.config, rounds=self.config.rounds + other.config.rounds)
        names = ("starts", "start_costs", "latents", "costs", "status", "evaluations")
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in names}
        return Found(
            **{name: torch.cat(pair, dim=1) for name, pair in pairs.items()},
            history=torch.cat(curves, dim=2),
            followed=torch.cat([self.followed, moved], dim=1),
            config=config,
        )

    def without_curves(self) -> Found:
        """The same with the history of each image's best restart only."""
        best = select_best(self.costs)[:, None]
        history = self.history.gather(2, best.expand(len(self.history), -1, -1))
        return replace(self, history=history, followed=self.followed.gather(1, best))


def lengthened(history: Tensor, steps: int) -> Tensor:
    """A history extended to `steps` entries by repeating its last costs. [S + 1, B, R]"""
    return torch.cat([history, history[-1:].expand(steps - len(history), -1, -1)])


def next_block(count: int, most: int) -> int:
    """How many starts an automatic search follows before it looks at an image again.

    Args:
        count: Starts followed before.
        most: Largest number of starts.
    """
    size = BLOCK * max(1, count // (BLOCK * GROWTH)) if count else FEWEST
    return min(size, most - count)


class Search:
    """The search for the images of one part.

    Args:
        config: How to search, resolved.
        measurement: What is known of the part's B images.
        generator: Where to look for them.
        on_progress: Called between chunks of steps; returning False ends the search.
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
        self._stream = LatentStream(config.seed, measurement.numbers, generator.latent_size)
        self._chunk = 1

    def result(self, latents: Tensor | None) -> SearchResult:
        """Search from these starting points [B, R, D], or from drawn ones if None."""
        if latents is None:
            found = self._rounds()
        else:
            found = self._fixed(latents.to(self._objective.target).contiguous())
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
            another = self._round()
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
        return self._automatic() if self._config.restarts == AUTO else self._fixed(self._draw())

    def _draw(self) -> Tensor:
        """Starting points of one round: drawn, and screened if asked for. [B, R, D]"""
        restarts = self._config.restarts
        assert not isinstance(restarts, str)
        count = max(restarts, self._config.screen)
        drawn = self._stream.draw(count).to(self._objective.target)
        if count == restarts:
            return drawn
        return screen(partial(self._backend.cost, self._objective), drawn, restarts)

    def _fixed(self, starts: Tensor) -> Found:
        """Follow the same number of starting points of each image. starts: [B, R, D]"""
        found, step = self._descend(self._objective, starts)
        if not self._ended:
            return found
        return replace(found, config=replace(found.config, stop_after=max(1, step)))

    def _automatic(self) -> Found:
        """Follow block after block of each image's starts until there is evidence enough.

        An image's blocks depend on what its own starts found, so other images change nothing.
        `stop_after` counts the steps of all blocks.
        """
        config = self._config
        objective, active = self._objective, list(range(len(self._measurement)))
        minima = [Minima(self._pictures) for _ in active]
        blocks: list[tuple[list[int], Found]] = []
        count = steps = 0
        while active and count < config.max_restarts and not (count and self._ended):
            if steps >= (config.stop_after or math.inf):
                break
            size = next_block(count, config.max_restarts)
            starts = self._stream.draw(size, active).to(self._objective.target)
            done = len(minima) - len(active)
            found, taken = self._descend(objective, starts, before=steps, done=done)
            if blocks and not taken:
                break
            blocks.append((active, found if self._keeps_histories else found.without_curves()))
            count, steps = count + size, steps + taken
            remaining = self._unfinished(active, minima, found)
            if remaining and len(remaining) < len(active):
                objective = self._make_objective(self._measurement[remaining])
            active = remaining
        config = blocks[0][1].config
        if active and count < config.max_restarts and self._ended:
            config = replace(config, stop_after=max(1, steps))
        return self._assemble(blocks, config)

    def _unfinished(self, active: list[int], minima: Sequence[Minima], found: Found) -> list[int]:
        """Count what a block found, and return the images that need more starts."""
        costs, ends = found.costs.cpu().numpy(), found.latents.cpu().numpy()
        try:
            for place, image in enumerate(active):
                minima[image].add(costs[place], ends[place])
        except KeyboardInterrupt:
            self.cancelled = True
            return active
        return [image for image in active if not minima[image].evidence.enough]

    def _pictures(self, latents: np.ndarray) -> np.ndarray:
        """Pictures that the generator draws. [K, D] -> [K, P]"""
        with torch.no_grad():
            drawn = self._generator.pixels(torch.from_numpy(latents).to(self._objective.target))
        return drawn.cpu().numpy()

    def _assemble(self, blocks: Sequence[tuple[list[int], Found]], config: RestoreConfig) -> Found:
        """Blocks of starts as one; where an image stopped earlier, its restarts are not started."""
        images, total = len(self._measurement), sum(f.costs.shape[1] for _, f in blocks)
        like = self._objective.target
        infinite = like.new_full((images, total), torch.inf)
        size = blocks[0][1].starts.shape[2]
        starts, latents = like.new_zeros(images, total, size), like.new_zeros(images, total, size)
        start_costs, costs = infinite, infinite.clone()
        status = torch.full_like(infinite, int(Status.NOT_STARTED), dtype=torch.uint8)
        evaluations = torch.zeros_like(infinite, dtype=torch.int32)
        first = 0
        for active, found in blocks:
            where = (active, slice(first, first + found.costs.shape[1]))
            starts[where], start_costs[where] = found.starts, found.start_costs
            latents[where], costs[where] = found.latents, found.costs
            status[where], evaluations[where] = found.status, found.evaluations
            first += found.costs.shape[1]
        steps = max(len(found.history) for _, found in blocks)
        if self._keeps_histories:
            history = like.new_full((steps, images, total), torch.inf)
            followed = torch.arange(total, device=like.device).expand(images, -1)
        else:
            history = like.new_full((steps, images, 1), torch.inf)
            followed = select_best(costs)[:, None]
        first = 0
        for active, found in blocks:
            curves = lengthened(found.history, steps)
            if self._keeps_histories:
                history[:, active, first : first + curves.shape[2]] = curves
            else:
                # A block keeps the curve of its best restart.
                held = (followed[active] == found.followed + first).nonzero()[:, 0].tolist()
                history[:, [active[place] for place in held]] = curves[:, held]
            first += found.costs.shape[1]
        return Found(
            starts, start_costs, latents, costs, status, evaluations, history, followed, config
        )

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
        """
        solver, state = self._solver, start(self._solver, starts)
        steps = min(solver.steps, (self._config.stop_after or math.inf) - before)
        met: list[Tensor] = []
        chunk = self._chunk
        try:
            while state.step < steps and state.running.any() and not (self._ended and state.step):
                clock = time.perf_counter()
                count = min(chunk, int(steps) - state.step)
                state, history = self._backend.advance(objective, solver, state, count)
                met.append(history)
                self._report(state, int(steps), done)
                seconds = max(time.perf_counter() - clock, 1e-6)
                affordable = count * min(CHUNK_SECONDS, self._remaining / 2) / seconds
                chunk = max(1, min(4 * count, int(affordable)))
        except KeyboardInterrupt:
            self.cancelled = True
        self._chunk = chunk
        status = Status.MAX_STEPS if state.step == solver.steps else Status.CANCELLED
        state = self._backend.finish(objective, solver, state, status)
        # The last chunk may go on after the last restart has stopped.
        taken = int(state.evaluations.max())
        history = torch.cat([*met, state.costs[None]])
        history = torch.cat([history[:taken], history[-1:]])
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

    def _report(self, state: SolveState, steps: int, done: int | None) -> None:
        """Report to the caller, who may answer False to end the search."""
        if self._on_progress is None:
            return
        lowest = state.best_costs.amin(1)
        costs = [f"{cost:.2f}" for cost in lowest[:NOTED].tolist()]
        note = f"J {' '.join(costs)}{' ...' * (len(lowest) > NOTED)}"
        share = (state.step, steps) if done is None else (done, len(self._measurement))
        if asks_to_stop(self._on_progress(Progress("descent", *share, note))):
            self.cancelled = True
