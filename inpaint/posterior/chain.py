"""One chain of tempered sequential Monte Carlo: everything but the moves themselves.

Particles drawn at inverse temperature 0 are brought to the last one, `misfit_weight`, in stages
(Del Moral, Doucet and Jasra 2006). A stage weights all states of the previous one for the next
temperature, which is chosen so that a given share of them stays effective; draws P particles from
them by weight; and makes M HMC moves with each, whose covariance factor and step length it adapts
(Buchholz, Chopin and Jacob 2021).

A chain computes in numpy and float64 alone, so its bits do not depend on the other chains and
images that are sampled with it.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from inpaint.posterior.config import PosteriorConfig
from inpaint.posterior.jumps import EvaluatedProposals, Jumps, enough_states
from inpaint.posterior.mixture import Array, Mixture
from inpaint.posterior.weights import (
    Indices,
    effective_count,
    energy,
    log_mean,
    log_ratio,
    systematic_resample,
)

FIRST_STEP_LENGTH = 0.5
"""Leapfrog step length of the first stage, for particles of unit covariance."""

STEP_LENGTH_SPREAD = 0.2
"""Standard deviation of the logarithm of the particles' step lengths; without it, periodic orbits
could close on themselves."""

GAIN = 2.0
"""How fast the logarithm of the step length follows the acceptance."""

MIN_JUMP_SHARE = 0.02
"""A chain stops jumping where a smaller share of its particles jumps: the mixture does not fit."""

PILOT_DRAWS = 16
"""Draws per particle from the pilot's mixture; J without its gradient is cheap."""

MIN_PILOT_ESS = 0.6
"""Effective draws per particle that the pilot's mixture must give for a chain to begin with it.
Jumps correct the rest."""


def random_stream(seed: int, number: int, chain: int | None = None) -> np.random.Generator:
    """Random numbers for one chain of an image, independent of those of `LatentStream`.

    Args:
        seed: Seed of the sampling.
        number: The image's number.
        chain: Which chain; None for what all chains of the image share.
    """
    counter = [0, 0, chain, 1] if chain is not None else [0, 0, 0, 2]
    return np.random.Generator(np.random.Philox(key=[seed, number], counter=counter))


class Chain:
    """The states of one chain, and how far it has come.

    The S states are all those that P particles visit in their M moves. Each of them is a draw at
    the stage's temperature, so all are used (Dau and Chopin 2022). States of one particle are
    adjacent.

    Args:
        latents: Where the chain begins. [S, D]
        costs: J there. [S]
        stream: Random numbers.
        config: Settings.
        pilot_mixture: What the chain's pilot found, if it had one.
        log_weights: Weights of the states at the last temperature if they were drawn from the
            pilot's mixture; None if they were drawn from the prior. [S]
    """

    def __init__(
        self,
        latents: Array,
        costs: Array,
        stream: np.random.Generator,
        config: PosteriorConfig,
        pilot_mixture: Mixture | None = None,
        log_weights: Array | None = None,
    ) -> None:
        self.latents = latents
        self.costs = costs
        self.inverse_temperature = 0.0
        self.log_evidence = 0.0
        self.acceptance = math.nan
        self.gradients = len(latents)
        self.temperatures: list[float] = []
        self.step_lengths: list[float] = []
        self._stage_temperature = 0.0
        self._stage_evidence = 0.0
        self._final_states: list[tuple[Array, Array]] = []
        self._jumps: Jumps | None = None
        self._jumping = config.jumps > 0 and enough_states(len(latents), latents.shape[1])
        self._bridge_estimates: list[float] = []
        self._pilot_mixture = pilot_mixture
        self._log_weights = log_weights
        self._step_length = FIRST_STEP_LENGTH
        self._final_stages_left = config.final_stages
        self._stream = stream
        self._config = config

    @property
    def stage_gradients(self) -> int:
        """Most evaluations of J that a stage takes."""
        jumps = self._config.jumps if self._jumping else 0
        return self._move_gradients + self._config.particles * jumps

    @property
    def _move_gradients(self) -> int:
        """Evaluations of J that the moves of a stage take."""
        return self._config.particles * (1 + self._config.moves * self._config.leapfrog)

    @property
    def needs_stage(self) -> bool:
        """Whether another stage is due, and the chain's share of `max_gradients` allows it."""
        most = self._config.max_gradients
        if most and self.gradients + self.stage_gradients > most // self._config.chains:
            return False
        return self.inverse_temperature < self._config.misfit_weight or self._final_stages_left > 0

    def begin_stage(self) -> tuple[Array, Array]:
        """Choose the next temperature, or begin a final stage at the last one.

        Only `end_stage` moves the chain there, so an interrupted stage does not count.

        Returns:
            Where the particles begin [P, D], and a factor of the states' covariance at that
            temperature [D, D].
        """
        last, particles = self._config.misfit_weight, self._config.particles
        self._stage_temperature, self._stage_evidence = last, 0.0
        if self.inverse_temperature == last:
            self._final_stages_left -= 1
            moves = self._config.moves
            ends = np.arange(1, particles + 1) * moves - 1
            return self._begin_at(ends, np.ones(len(self.latents)))
        log_likelihood = -(self.costs - np.square(self.latents).sum(1)) / 2
        log_likelihood = np.where(np.isfinite(log_likelihood), log_likelihood, -np.inf)
        left = last - self.inverse_temperature
        if self._log_weights is None:
            increment = choose_increment(log_likelihood, left, self._config.ess_target)
            log_weights = increment * log_likelihood
        else:
            increment, log_weights, self._log_weights = left, self._log_weights, None
        self._stage_evidence = log_mean(log_weights)
        if increment < left:
            self._stage_temperature = self.inverse_temperature + increment
        weights = np.exp(log_weights - log_weights.max())
        chosen = systematic_resample(weights, float(self._stream.random()), particles)
        return self._begin_at(chosen, weights)

    def _begin_at(self, chosen: Indices, weights: Array) -> tuple[Array, Array]:
        """Let the particles begin at the chosen states, and propose jumps from there."""
        self._chosen, self._jumps = chosen, None
        if self._jumping and self._stage_temperature == self._config.misfit_weight:
            count = self._config.jumps
            self._jumps = Jumps(
                self.latents, weights, chosen, count, self._stream, self._pilot_mixture
            )
        return self.latents[chosen], covariance_factor(self.latents, weights)

    @property
    def proposals(self) -> Array | None:
        """Where the particles may jump before they move; None if they do not jump. [P, J, D]"""
        return None if self._jumps is None else self._jumps.proposals

    def jump(self, proposals: Array, costs: Array) -> Array:
        """Let the particles jump.

        Args:
            proposals: The proposals in the precision they were evaluated in. [P, J, D]
            costs: J there. [P, J]

        Returns:
            Where the particles are now. [P, D]
        """
        assert self._jumps is not None
        self.gradients += costs.size
        latents, current_costs = self.latents[self._chosen], self.costs[self._chosen]
        places, jumped = self._jumps.choose(proposals, costs, latents, current_costs, self._energy)
        self._jumping = float(jumped.mean()) >= MIN_JUMP_SHARE
        # The states are draws at the last temperature if the previous stage was there already.
        if self._jumping and self._final_states:
            estimate = self._jumps.log_evidence(self.latents, self.costs, self._energy)
            self._bridge_estimates.append(estimate)
            self.log_evidence = log_mean(np.array(self._bridge_estimates))
        return places

    def _energy(self, latents: Array, costs: Array) -> Array:
        return energy(latents, costs, self._stage_temperature)

    def draw_moves(self) -> tuple[Array, Array, Array, float]:
        """Momenta [P, M, D], thresholds [P, M], step lengths [P], inverse temperature."""
        particles, size = self._config.particles, self.latents.shape[1]
        momenta, thresholds = draw_momenta(self._stream, (particles, self._config.moves), size)
        spread = np.exp(STEP_LENGTH_SPREAD * self._stream.standard_normal(particles))
        return momenta, thresholds, self._step_length * spread, self._stage_temperature

    def end_stage(self, latents: Array, costs: Array, acceptance: float) -> None:
        """Keep the states that the moves led to, and adapt the step length.

        Args:
            latents: [P, M, D]
            costs: [P, M]
            acceptance: Share of the moves that were accepted.
        """
        self.latents, self.costs = latents.reshape(-1, latents.shape[2]), costs.reshape(-1)
        self.acceptance = acceptance
        self.inverse_temperature = self._stage_temperature
        self.log_evidence += self._stage_evidence
        if self.inverse_temperature == self._config.misfit_weight:
            self._final_states.append((latents, costs))
        self.gradients += self._move_gradients
        self.temperatures.append(self.inverse_temperature)
        self.step_lengths.append(self._step_length)
        self._step_length *= math.exp(GAIN * (acceptance - self._config.acceptance))

    @property
    def last_proposals(self) -> EvaluatedProposals | None:
        """Proposals at the last temperature; None if the chain did not jump in its last stage."""
        reached = self.inverse_temperature == self._config.misfit_weight
        return self._jumps.evaluated if self._jumps and self._jumping and reached else None

    def keep_draws(self) -> None:
        """Reduce the states to the draws: a few of each particle.

        They are taken from all stages at the last temperature, or, if the chain did not reach it,
        from the last stage.
        """
        size = self.latents.shape[1]
        shape = self._config.particles, -1
        last_stage = [(self.latents.reshape(*shape, size), self.costs.reshape(shape))]
        states = self._final_states or last_stage
        latents, costs = (np.concatenate(part, axis=1) for part in zip(*states, strict=True))
        kept = self._config.draws // self._config.particles
        places = (np.arange(1, kept + 1) * costs.shape[1]) // kept - 1
        self.latents = latents[:, places].reshape(-1, size)
        self.costs = costs[:, places].flatten()


def draw_first_states(
    config: PosteriorConfig, size: int, stream: np.random.Generator, pilot_mixture: Mixture | None
) -> Array:
    """States that a chain may begin with: those of the pilot's mixture, then the prior's. [n, D]"""
    prior = stream.standard_normal((config.particles * config.moves, size))
    if pilot_mixture is None:
        return prior
    return np.concatenate([pilot_mixture.draw(config.particles * PILOT_DRAWS, stream), prior])


def begin_chain(
    latents: Array,
    costs: Array,
    stream: np.random.Generator,
    pilot_mixture: Mixture | None,
    config: PosteriorConfig,
) -> Chain:
    """Begin a chain at the pilot's draws if enough of them are effective, else at the prior's.

    Args:
        latents: What `draw_first_states` drew. [n, D]
        costs: J there. [n]
        stream: Random numbers.
        pilot_mixture: What the pilot found, if there was one.
        config: Settings.
    """
    log_weights, evaluations = None, len(latents)
    if pilot_mixture is not None:
        count = config.particles * PILOT_DRAWS
        last = partial(energy, inverse_temperature=config.misfit_weight)
        log_ratios = log_ratio(pilot_mixture, latents[:count], costs[:count], last)
        # Where nothing is finite the count is NaN, and the comparison fails.
        enough = effective_count(log_ratios) >= MIN_PILOT_ESS * config.particles
        log_weights = log_ratios if enough else None
        chosen = slice(count) if enough else slice(count, None)
        latents, costs = latents[chosen], costs[chosen]
    chain = Chain(latents, costs, stream, config, pilot_mixture, log_weights)
    chain.gradients = evaluations
    return chain


def draw_momenta(
    stream: np.random.Generator, shape: tuple[int, int], size: int
) -> tuple[Array, Array]:
    """Momenta [P, M, D] and thresholds [P, M] of M moves of P particles."""
    return stream.standard_normal((*shape, size)), -stream.standard_exponential(shape)


def choose_increment(log_likelihood: Array, left: float, ess_target: float) -> float:
    """The increment of the inverse temperature that leaves a share of the states effective.

    Args:
        log_likelihood: Of each state. [S]
        left: Increment to the last temperature, the upper limit.
        ess_target: Effective sample size to be left, as a share of S.
    """
    wanted = ess_target * len(log_likelihood)
    if effective_count(left * log_likelihood) >= wanted:
        return left
    low, high = 0.0, left
    for _ in range(50):
        middle = (low + high) / 2
        enough = effective_count(middle * log_likelihood) >= wanted
        low, high = (middle, high) if enough else (low, middle)
    return low


def covariance_factor(latents: Array, weights: Array) -> Array:
    """F, where F F' is the covariance of weighted states, kept away from singular. [D, D]"""
    shares = weights / weights.sum()
    centred = latents - np.einsum("p,pi->i", shares, latents)
    covariance = np.einsum("pi,pj->ij", shares[:, None] * centred, centred)
    scale = np.trace(covariance) / len(covariance)
    return np.linalg.cholesky(covariance + (1e-6 * scale + 1e-12) * np.eye(len(covariance)))
