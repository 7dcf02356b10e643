"""A chunk of images that are sampled together: all their chains, stage after stage."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inpaint.posterior.chain import (
    PILOT_DRAWS,
    Chain,
    begin_chain,
    draw_first_states,
    random_stream,
)
from inpaint.posterior.config import FEWEST_PARTICLES, PARTICLES_PER_LATENT, PosteriorConfig
from inpaint.posterior.evaluator import Evaluator, Stopped
from inpaint.posterior.mixture import Array, Mixture
from inpaint.posterior.pilot import Counts, run_pilots
from inpaint.posterior.pooling import TREE_LEVELS, pool_chains
from inpaint.posterior.types import PosteriorDraws
from inpaint.types import OnProgress, Progress, asks_to_stop

LOWEST_SHOWN = 1e-5
"""Inverse temperature at which the progress begins to rise."""


@dataclass
class SamplingProgress:
    """How far all chunks together are, and whether the caller has cancelled.

    Attributes:
        on_progress: The caller's callback.
        last: The last inverse temperature.
        images: Images in all chunks.
        finished: Images in finished chunks.
        gradients: Gradients of finished chunks.
        cancelled: Whether the caller returned False.
    """

    on_progress: OnProgress | None
    last: float
    images: int
    finished: int = 0
    gradients: int = 0
    cancelled: bool = False
    last_report: Progress | None = None

    def add_finished(self, draws: PosteriorDraws) -> None:
        """Count the images of a chunk as finished."""
        self.finished += len(draws)
        self.gradients += int(draws.gradients.sum())

    def report(self, stage: str, lowest: Array, gradients: int, note: str) -> None:
        """Report to the caller how far a chunk is.

        Args:
            stage: What is being done.
            lowest: Lowest inverse temperature among each image's chains.
            gradients: Gradients that the chunk has taken so far.
            note: Text before the gradients in the progress note.
        """
        if self.on_progress is None:
            return
        # Inverse temperatures rise by about the same factor from stage to stage.
        reached = np.log10((lowest / self.last).clip(min=LOWEST_SHOWN))
        shares = 1 - reached / math.log10(LOWEST_SHOWN)
        done = (self.finished + float(shares.sum())) / self.images
        note = f"{note}{self.gradients + gradients:,} gradients"
        self.last_report = Progress(stage, done, 1.0, note)
        self.repeat()

    def repeat(self) -> bool:
        """Report the same as before, in the middle of a stage; return whether to go on."""
        report = self.last_report or Progress("looking for modes", 0.0, 1.0, "0 gradients")
        if self.on_progress is not None and asks_to_stop(self.on_progress(report)):
            self.cancelled = True
        return not self.cancelled


@dataclass
class Chunk:
    """All chains of B images, each at its own temperature.

    Attributes:
        config: Settings.
        evaluator: J of the images.
        numbers: Number of each image in its source, which picks its random numbers.
        progress: Reports how far the chains are.
    """

    config: PosteriorConfig
    evaluator: Evaluator
    numbers: tuple[int, ...]
    progress: SamplingProgress

    def begin(self, size: int, known_minima: tuple[Tensor, Tensor] | None) -> None:
        """Draw the first states of every chain, from its pilot's mixture or from the prior.

        Args:
            size: Length of a latent vector.
            known_minima: See `run_pilots`.

        Raises:
            Stopped: If the caller ends it before there are states.
        """
        config = self.config
        streams = [
            [random_stream(config.seed, number, k) for k in range(config.chains)]
            for number in self.numbers
        ]
        mixtures: list[list[Mixture | None]] = [[None] * config.chains for _ in self.numbers]
        taken = np.zeros((len(self.numbers), config.chains), dtype=int)
        if config.start == "modes":
            mixtures, taken = run_pilots(
                self.evaluator, streams, config, size, known_minima, self._report_pilots
            )
        drawn = np.array(
            [
                [self._first_states(size, *pair) for pair in zip(*rows, strict=True)]
                for rows in zip(streams, mixtures, strict=True)
            ]
        )
        latents, costs = self.evaluator.costs(drawn)
        self.chains = [
            [
                self._first_chain(latents[b, k], costs[b, k], row[k], mixtures[b][k])
                for k in range(config.chains)
            ]
            for b, row in enumerate(streams)
        ]
        for chain, gradients in zip(itertools.chain(*self.chains), taken.flat, strict=True):
            chain.gradients += int(gradients)

    def _first_states(
        self, size: int, stream: np.random.Generator, mixture: Mixture | None
    ) -> Array:
        self.evaluator.ask(self.config.particles * (1 if mixture is None else PILOT_DRAWS))
        return draw_first_states(self.config, size, stream, mixture)

    def _first_chain(
        self, latents: Array, costs: Array, stream: np.random.Generator, mixture: Mixture | None
    ) -> Chain:
        self.evaluator.ask(len(costs))
        return begin_chain(latents, costs, stream, mixture, self.config)

    def begin_few(self, size: int) -> None:
        """Draw the fewest particles from the prior, so that a sampling that ends has a result."""
        few = max(PARTICLES_PER_LATENT * size, FEWEST_PARTICLES)
        self.config = replace(self.config, start="prior", particles=few)
        self.evaluator = replace(self.evaluator, may_continue=lambda: True)
        self.begin(size, None)

    def run(self) -> None:
        """Take stages until no chain needs one."""
        stage = 0
        try:
            while not self.progress.cancelled and self._advance():
                stage += 1
                self._report_stage(stage)
        except (KeyboardInterrupt, Stopped):
            self.progress.cancelled = True

    def _advance(self) -> bool:
        """Take one stage with every chain that needs one; return whether any did."""
        active = [
            (b, k, chain)
            for b, row in enumerate(self.chains)
            for k, chain in enumerate(row)
            if chain.needs_stage
        ]
        if not active:
            return False
        config, images = self.config, len(self.chains)
        size = self.chains[0][0].latents.shape[1]
        shape, moves = (images, config.chains, config.particles), config.moves
        latents, momenta = np.zeros((*shape, size)), np.zeros((*shape, moves, size))
        thresholds, lengths = np.zeros((*shape, moves)), np.zeros(shape)
        factors, betas = np.zeros((images, config.chains, size, size)), np.zeros(shape[:2])
        for b, k, chain in active:
            self.evaluator.ask(config.particles * max(config.moves, config.jumps))
            latents[b, k], factors[b, k] = chain.begin_stage()
        self._jump([entry for entry in active if entry[2].proposals is not None], latents)
        for b, k, chain in active:
            momenta[b, k], thresholds[b, k], lengths[b, k], betas[b, k] = chain.draw_moves()
        states, costs, accepted = self.evaluator.move(
            latents, momenta, thresholds, lengths, betas, factors
        )
        for b, k, chain in active:
            chain.end_stage(states[b, k], costs[b, k], float(accepted[b, k].mean()))
        return True

    def _jump(self, jumping: list[tuple[int, int, Chain]], latents: Array) -> None:
        """Let the particles of some chains jump, which changes their latents. [B, K, P, D]"""
        if not jumping:
            return
        proposals = np.zeros((*latents.shape[:3], self.config.jumps, latents.shape[3]))
        for b, k, chain in jumping:
            proposals[b, k] = chain.proposals
        proposals, costs = self.evaluator.costs(proposals)
        for b, k, chain in jumping:
            self.evaluator.ask(costs[b, k].size)
            latents[b, k] = chain.jump(proposals[b, k], costs[b, k])

    def _report_pilots(self, gradients: Counts) -> bool:
        """Report the gradients that the pilots have taken [B, K]; return whether to go on."""
        self.progress.report(
            "looking for modes", np.zeros(len(gradients)), int(gradients.sum()), ""
        )
        return not self.progress.cancelled

    def _report_stage(self, stage: int) -> None:
        lowest = np.array([min(chain.inverse_temperature for chain in row) for row in self.chains])
        gradients = sum(chain.gradients for chain in itertools.chain(*self.chains))
        self.progress.report("sampling", lowest, gradients, f"stage {stage}, ")

    def draws(self) -> PosteriorDraws:
        """The draws of all images, from what the chains have reached."""

        def each(read: Callable[[Chain], Any]) -> Tensor:
            return torch.from_numpy(
                np.array([[read(chain) for chain in row] for row in self.chains])
            )

        stages = max(len(chain.temperatures) for row in self.chains for chain in row)

        def padded(numbers: list[float]) -> list[float]:
            return numbers + [math.nan] * (stages - len(numbers))

        objective = self.evaluator.objective
        dtype = objective.target.dtype
        for chain in itertools.chain(*self.chains):
            chain.keep_draws()
        pooled = [self._pool(row) for row in self.chains]
        noise = [
            self._draw_noise(*pair, count, number)
            for pair, count, number in zip(
                pooled, objective.num_observed.tolist(), self.numbers, strict=True
            )
        ]
        return PosteriorDraws(
            latents=each(lambda chain: chain.latents).to(dtype),
            costs=each(lambda chain: chain.costs).to(dtype),
            pooled_latents=torch.from_numpy(np.array([z for z, _ in pooled])).to(dtype),
            pooled_costs=torch.from_numpy(np.array([costs for _, costs in pooled])).to(dtype),
            noise_levels=torch.from_numpy(np.array(noise)).to(dtype),
            log_evidence=each(lambda chain: chain.log_evidence),
            inverse_temperature=each(lambda chain: chain.inverse_temperature),
            acceptance=each(lambda chain: chain.acceptance),
            gradients=each(lambda chain: chain.gradients).sum(1),
            temperatures=each(lambda chain: padded(chain.temperatures)),
            step_lengths=each(lambda chain: padded(chain.step_lengths)),
            backend=self.evaluator.backend.label,
            reasons=self.evaluator.backend.reasons,
            seconds=math.nan,
            config=self.config,
            known_noise=objective.known_noise,
        )

    def _pool(self, row: list[Chain]) -> tuple[Array, Array]:
        """The draws of all chains of an image together; see `pool_chains`."""
        last = self.config.misfit_weight
        stopped = self.progress.cancelled and any(c.inverse_temperature < last for c in row)
        # The order of draws that must not be used does not matter, and takes a while.
        count = sum(len(chain.latents) for chain in row)
        return pool_chains(row, count, 0 if stopped else TREE_LEVELS)

    def _draw_noise(self, latents: Array, costs: Array, count: float, number: int) -> Array:
        """A noise standard deviation for each draw of an image. [n]

        Given z, w S / sigma^2 is chi-squared with w N degrees of freedom.

        Args:
            latents: [n, D]
            costs: J there. [n]
            count: Number of observed values N.
            number: The image's number.
        """
        known = self.evaluator.objective.known_noise
        if known is not None:
            return np.full(len(latents), known)
        stream = random_stream(self.config.seed, number)
        weight = self.config.misfit_weight
        misfit = np.exp((costs - np.square(latents).sum(1)) / count)
        noise: Array = np.sqrt(weight * misfit / stream.chisquare(weight * count, len(latents)))
        return noise
