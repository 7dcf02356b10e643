"""`sample_posterior`: validate, choose a backend, and bring all runs of all images to the end."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inpaint.checks import check_device
from inpaint.generators import AnyGenerator
from inpaint.posterior.checks import check_fit, check_proper
from inpaint.posterior.config import PosteriorConfig
from inpaint.posterior.mixture import Mixture
from inpaint.posterior.particles import Run, begin_run, draw_noise, draw_states, random_stream
from inpaint.posterior.pilot import Counts, explore
from inpaint.posterior.pooling import pool_runs
from inpaint.posterior.resampling import Array, to_numpy
from inpaint.posterior.types import Posterior, PosteriorProgress
from inpaint.search.backends import Backend, choose
from inpaint.search.backends.hamiltonian import Moved, Moves
from inpaint.search.backends.torch import limited_threads
from inpaint.search.objective import Objective, make_objective
from inpaint.types import Measurement, Restoration

OnProgress = Callable[[PosteriorProgress], bool | None]


def sample_posterior(
    measurement: Measurement,
    generator: AnyGenerator,
    config: PosteriorConfig = PosteriorConfig(),  # noqa: B008 (frozen)
    *,
    restoration: Restoration | None = None,
    on_progress: OnProgress | None = None,
) -> Posterior:
    """Draw from the posterior exp(-J / 2) of each image's latent vector.

    Where `misfit_weight` is w, from exp(-(w (J - z'z) + z'z) / 2).

    Args:
        measurement: What is known of B images.
        generator: Where to look for them.
        config: How to sample.
        restoration: What a search found for the same measurement and generator; a start from the
            modes knows its minima besides those that every run finds itself.
        on_progress: Called after each stage, and before those of the pilots; if it returns False
            the sampling ends there, as it does on Ctrl-C after the pilots, and the runs say how
            far they came.

    Returns:
        Particles of each run. A run depends on the seed, its image's number and its own number
        only.

    Raises:
        ShapeError: If measurement, generator and restoration do not fit together.
        ArgumentError: If a value is not finite, particles or budget are too few, or the posterior
            does not exist.
        BackendError: If the requested backend cannot serve.
    """
    began = time.perf_counter()
    check_fit(measurement, generator, config)
    objective = make_objective(
        measurement,
        generator,
        dtype=torch.float32 if config.dtype == "float32" else torch.float64,
        device=check_device(config.device),
        noise_level=config.noise_level,
    )
    check_proper(objective, generator)
    with limited_threads(config.threads):
        backend = choose(config, objective)
        sampling = _Sampling(config, backend, objective, began, on_progress)
        sampling.begin(measurement.numbers, generator.latent_size, restoration)
        sampling.run()
        return sampling.result()


@dataclass
class _Sampling:
    """One sampling under way: all runs of all images, each at its own temperature."""

    config: PosteriorConfig
    backend: Backend
    objective: Objective
    began: float
    on_progress: OnProgress | None
    cancelled: bool = False

    def begin(
        self, numbers: tuple[int, ...], latent_size: int, restoration: Restoration | None
    ) -> None:
        """Draw the first states of every run, from what its pilot found or from the prior."""
        config, self.numbers = self.config, numbers
        streams = [
            [random_stream(config.seed, number, k) for k in range(config.runs)]
            for number in numbers
        ]
        known: list[list[Mixture | None]] = [[None] * config.runs for _ in numbers]
        spent = np.zeros((len(numbers), config.runs), dtype=int)
        if config.start == "modes":
            known, spent = explore(
                self.objective,
                self.backend,
                streams,
                config,
                latent_size,
                restoration,
                self.move,
                self.proceed,
            )
        drawn = np.array(
            [
                [draw_states(config, latent_size, *pair) for pair in zip(*rows, strict=True)]
                for rows in zip(streams, known, strict=True)
            ]
        )
        latents = torch.from_numpy(drawn).to(self.objective.target)
        costs = self.backend.cost(self.objective, latents.flatten(1, 2))
        places, levels = to_numpy(latents), to_numpy(costs.unflatten(1, latents.shape[1:3]))
        self.runs = [
            [
                begin_run(places[b, k], levels[b, k], row[k], known[b][k], config)
                for k in range(config.runs)
            ]
            for b, row in enumerate(streams)
        ]
        for run, gradients in zip(itertools.chain(*self.runs), spent.flat, strict=True):
            run.gradients += int(gradients)

    def run(self) -> None:
        """Take stage after stage with the runs that are not at their end."""
        stage = 0
        try:
            while not self.cancelled and self.advance():
                stage += 1
                self.report(stage)
        except KeyboardInterrupt:
            self.cancelled = True

    def advance(self) -> bool:
        """Take one stage with every run that wants one; whether any did."""
        active = [
            (b, k, run)
            for b, row in enumerate(self.runs)
            for k, run in enumerate(row)
            if run.wants_stage
        ]
        if not active:
            return False
        config, images = self.config, len(self.runs)
        size = self.runs[0][0].latents.shape[1]
        many, moves = (images, config.runs, config.particles), config.moves
        latents, momenta = np.zeros((*many, size)), np.zeros((*many, moves, size))
        thresholds, lengths = np.zeros((*many, moves)), np.zeros(many)
        factors, betas = np.zeros((images, config.runs, size, size)), np.zeros(many[:2])
        for b, k, run in active:
            latents[b, k], factors[b, k] = run.begin_stage()
        self.jump([entry for entry in active if entry[2].proposals is not None], latents)
        for b, k, run in active:
            momenta[b, k], thresholds[b, k], lengths[b, k] = run.draw()
            betas[b, k] = run.inverse_temperature
        moved = self.move(latents, momenta, thresholds, betas, lengths, factors)
        states, costs = to_numpy(moved.latents), to_numpy(moved.costs)
        accepted = moved.accepted.cpu().numpy()
        for b, k, run in active:
            run.take(states[b, k], costs[b, k], float(accepted[b, k].mean()))
        return True

    def jump(self, jumping: list[tuple[int, int, Run]], latents: Array) -> None:
        """Let the particles of some runs jump; changes their latents. [B, K, P, D]"""
        if not jumping:
            return
        proposals = np.zeros((*latents.shape[:3], self.config.jumps, latents.shape[3]))
        for b, k, run in jumping:
            proposals[b, k] = run.proposals
        drawn = torch.from_numpy(proposals).to(self.objective.target)
        costs = self.backend.cost(self.objective, drawn.flatten(1, 3))
        places, levels = to_numpy(drawn), to_numpy(costs.unflatten(1, drawn.shape[1:4]))
        for b, k, run in jumping:
            latents[b, k] = run.jump(places[b, k], levels[b, k])

    def move(self, latents: Array, *numbers: Array) -> Moved:
        """Let the backend move the particles."""
        like = self.objective.target
        momenta, thresholds, betas, lengths, factors = (
            torch.from_numpy(n).to(like) for n in numbers
        )
        moves = Moves(momenta, thresholds, betas, lengths, factors, self.config.leapfrog)
        return self.backend.move(self.objective, torch.from_numpy(latents).to(like), moves)

    def report(self, stage: int) -> None:
        """Tell the caller how far the runs are."""
        lowest = [min(run.inverse_temperature for run in row) for row in self.runs]
        self.tell(stage, torch.tensor(lowest, dtype=torch.float64), self.gradients)

    def proceed(self, spent: Counts) -> bool:
        """Tell the caller what the pilots have spent so far; whether to go on."""
        none = torch.zeros(len(spent), dtype=torch.float64)
        self.tell(0, none, torch.from_numpy(spent.sum(1)))
        return not self.cancelled

    def tell(self, stage: int, reached: Tensor, gradients: Tensor) -> None:
        """Tell the caller, who may answer False to end the sampling."""
        if self.on_progress is None:
            return
        seconds = time.perf_counter() - self.began
        if self.on_progress(PosteriorProgress(stage, reached, gradients, seconds)) is False:
            self.cancelled = True

    @property
    def gradients(self) -> Tensor:
        """Evaluations of J spent on each image. [B]"""
        return torch.tensor([sum(run.gradients for run in row) for row in self.runs])

    def result(self) -> Posterior:
        """All that the runs hold."""

        def each(read: Callable[[Run], Any]) -> Tensor:
            return torch.from_numpy(np.array([[read(run) for run in row] for row in self.runs]))

        stages = max(len(run.temperatures) for row in self.runs for run in row)

        def padded(numbers: list[float]) -> list[float]:
            return numbers + [math.nan] * (stages - len(numbers))

        dtype = self.objective.target.dtype
        for row in self.runs:
            for run in row:
                run.finish()
        pooled = [pool_runs(row, sum(len(run.latents) for run in row)) for row in self.runs]
        latents = np.array([places for places, _ in pooled])
        costs = np.array([levels for _, levels in pooled])
        counts = self.objective.count.cpu().double().numpy()
        noise = [
            draw_noise(*pair, float(count), self.config, random_stream(self.config.seed, number))
            for pair, count, number in zip(pooled, counts, self.numbers, strict=True)
        ]
        return Posterior(
            latents=each(lambda run: run.latents).to(dtype),
            costs=each(lambda run: run.costs).to(dtype),
            pooled_latents=torch.from_numpy(latents).to(dtype),
            pooled_costs=torch.from_numpy(costs).to(dtype),
            noise_levels=torch.from_numpy(np.array(noise)).to(dtype),
            log_evidence=each(lambda run: run.log_evidence),
            inverse_temperature=each(lambda run: run.inverse_temperature),
            acceptance=each(lambda run: run.acceptance),
            gradients=self.gradients,
            temperatures=each(lambda run: padded(run.temperatures)),
            step_lengths=each(lambda run: padded(run.lengths)),
            backend=self.backend.label,
            reasons=self.backend.reasons,
            seconds=time.perf_counter() - self.began,
            config=self.config,
            cancelled=self.cancelled,
        )
