"""One run of tempered sequential Monte Carlo: everything but the moves themselves.

Particles drawn at inverse temperature 0 are brought to the last one, `misfit_weight`, in stages
(Del Moral, Doucet and Jasra 2006). A stage weighs all states of the one before for the next
temperature, chosen so that a given share of them stays effective; draws P particles from them by
their weights; and makes M HMC moves with each, whose factor and step length it adapts (Buchholz,
Chopin and Jacob 2021).

A run computes in float64 and in numpy alone, so that it repeats itself to the bit whatever other
runs and images go on beside it.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from inpaint.posterior.config import PosteriorConfig
from inpaint.posterior.jumps import Jumps, Proposed, jumps_serve, log_ratio
from inpaint.posterior.mixture import Mixture
from inpaint.posterior.resampling import Array, Places, effective, log_mean, systematic

FIRST_LENGTH = 0.5
"""Leapfrog step length of the first stage, for particles of unit covariance."""

LENGTH_SPREAD = 0.2
"""Step lengths of the particles spread by this factor, so that no orbit closes on itself."""

GAIN = 2.0
"""How fast the logarithm of the step length follows the acceptance."""

FEWEST_JUMPS = 0.02
"""A run of which a smaller share jumps gives it up: the mixture does not fit."""

KNOWN_DRAWS = 16
"""Draws for each particle from what a pilot found: J alone is cheap."""

ENOUGH = 0.6
"""Effective ones among them for each particle that suffice to begin with; jumps do the rest."""


def random_stream(seed: int, number: int, run: int | None = None) -> np.random.Generator:
    """The random numbers of one run of an image, or of what its runs share; never `LatentStream`'s.

    Args:
        seed: Of the sampling.
        number: The image's number.
        run: Which run; None for what they share.
    """
    place = [0, 0, run, 1] if run is not None else [0, 0, 0, 2]
    return np.random.Generator(np.random.Philox(key=[seed, number], counter=place))


class Run:
    """The states of one run, and how far they have come.

    The S states are those that P particles passed in their M moves, all of which are
    draws at the stage's temperature: none is wasted (Dau and Chopin 2022). States of one particle
    stand next to each other.

    Args:
        latents: Where the run begins. [S, D]
        costs: J there. [S]
        stream: Random numbers.
        config: Settings.
        known: What its pilot found, if it had one.
        log_weights: Of the states at the last temperature, where they were drawn from what is
            known; None where they are of the prior. [S]
    """

    def __init__(
        self,
        latents: Array,
        costs: Array,
        stream: np.random.Generator,
        config: PosteriorConfig,
        known: Mixture | None = None,
        log_weights: Array | None = None,
    ) -> None:
        self.latents = latents
        self.costs = costs
        self.inverse_temperature = 0.0
        self.log_evidence = 0.0
        self.acceptance = math.nan
        self.gradients = len(latents)
        self.temperatures: list[float] = []
        self.lengths: list[float] = []
        self._draws: list[tuple[Array, Array]] = []
        self._jumps: Jumps | None = None
        self._jumping = config.jumps > 0 and jumps_serve(len(latents), latents.shape[1])
        self._bridged: list[float] = []
        self._known = known
        self._log_weights = log_weights
        self._length = FIRST_LENGTH
        self._final_stages = config.final_stages
        self._stream = stream
        self._config = config

    @property
    def stage_gradients(self) -> int:
        """Evaluations of J that a stage takes at most."""
        jumps = self._config.jumps if self._jumping else 0
        return self._move_gradients + self._config.particles * jumps

    @property
    def _move_gradients(self) -> int:
        """Evaluations of J that the moves of a stage take."""
        return self._config.particles * (1 + self._config.moves * self._config.leapfrog)

    @property
    def wants_stage(self) -> bool:
        """Whether the run is not at its end, and its share of the budget has room for a stage."""
        budget = self._config.budget
        if budget and self.gradients + self.stage_gradients > budget // self._config.runs:
            return False
        return self.inverse_temperature < self._config.misfit_weight or self._final_stages > 0

    def begin_stage(self) -> tuple[Array, Array]:
        """Go to the next temperature; at the last one, stay there for one more stage.

        Returns:
            Where the particles are moved from [P, D], and a factor of the states' covariance
            at that temperature [D, D].
        """
        last, particles = self._config.misfit_weight, self._config.particles
        if self.inverse_temperature == last:
            self._final_stages -= 1
            moves = self._config.moves
            ends = np.arange(1, particles + 1) * moves - 1
            return self._start(ends, np.ones(len(self.latents)))
        likelihood = -(self.costs - np.square(self.latents).sum(1)) / 2
        likelihood = np.where(np.isfinite(likelihood), likelihood, -np.inf)
        left = last - self.inverse_temperature
        if self._log_weights is None:
            rise = next_rise(likelihood, left, self._config.ess_target)
            log_weights = rise * likelihood
        else:
            rise, log_weights, self._log_weights = left, self._log_weights, None
        self.log_evidence += log_mean(log_weights)
        self.inverse_temperature = last if rise == left else self.inverse_temperature + rise
        weights = np.exp(log_weights - log_weights.max())
        chosen = systematic(weights, float(self._stream.random()), particles)
        return self._start(chosen, weights)

    def _start(self, chosen: Places, weights: Array) -> tuple[Array, Array]:
        """Let the stage begin at some of the states, and propose jumps from there."""
        self._chosen, self._jumps = chosen, None
        if self._jumping and self.inverse_temperature == self._config.misfit_weight:
            self._jumps = Jumps(
                self.latents, weights, chosen, self._config.jumps, self._stream, self._known
            )
        return self.latents[chosen], factor_of(self.latents, weights)

    @property
    def proposals(self) -> Array | None:
        """Where the particles may jump to before they move, if they do. [P, J, D]"""
        return None if self._jumps is None else self._jumps.proposals

    def jump(self, proposed: Array, costs: Array) -> Array:
        """Let the particles jump.

        Args:
            proposed: The proposals, as they were evaluated. [P, J, D]
            costs: J there. [P, J]

        Returns:
            Where the particles are now. [P, D]
        """
        assert self._jumps is not None
        self.gradients += costs.size
        latents, held = self.latents[self._chosen], self.costs[self._chosen]
        places, jumped = self._jumps.choose(proposed, costs, latents, held, self._energy)
        self._jumping = float(jumped.mean()) >= FEWEST_JUMPS
        # The states are draws at the last temperature if the stage before was there already.
        if self._jumping and self._draws:
            found = self._jumps.log_evidence(self.latents, self.costs, self._energy)
            self._bridged.append(found)
            self.log_evidence = log_mean(np.array(self._bridged))
        return places

    def _energy(self, latents: Array, costs: Array) -> Array:
        return energy(latents, costs, self.inverse_temperature)

    def draw(self) -> tuple[Array, Array, Array]:
        """Momenta [P, M, D], thresholds [P, M] and lengths [P] of a stage."""
        particles, size = self._config.particles, self.latents.shape[1]
        momenta, thresholds = draw_moves(self._stream, (particles, self._config.moves), size)
        spread = np.exp(LENGTH_SPREAD * self._stream.standard_normal(particles))
        return momenta, thresholds, self._length * spread

    def take(self, latents: Array, costs: Array, acceptance: float) -> None:
        """Take all states of the moves, and adapt the step length to the share accepted.

        Args:
            latents: [P, M, D]
            costs: [P, M]
            acceptance: Share of the moves that were accepted.
        """
        self.latents, self.costs = latents.reshape(-1, latents.shape[2]), costs.reshape(-1)
        self.acceptance = acceptance
        if self.inverse_temperature == self._config.misfit_weight:
            self._draws.append((latents, costs))
        self.gradients += self._move_gradients
        self.temperatures.append(self.inverse_temperature)
        self.lengths.append(self._length)
        self._length *= math.exp(GAIN * (acceptance - self._config.acceptance))

    @property
    def proposed(self) -> Proposed | None:
        """What the last stage's jumps were offered, where the run reached its end by jumps."""
        return self._jumps.proposed if self._jumps is not None and self._jumping else None

    def finish(self) -> None:
        """Keep a few states of each particle: those at the last temperature, if it got there."""
        size = self.latents.shape[1]
        shape = self._config.particles, -1
        held = self._draws or [(self.latents.reshape(*shape, size), self.costs.reshape(shape))]
        latents, costs = (np.concatenate(part, axis=1) for part in zip(*held, strict=True))
        kept = self._config.draws // self._config.particles
        places = (np.arange(1, kept + 1) * costs.shape[1]) // kept - 1
        self.latents = latents[:, places].reshape(-1, size)
        self.costs = costs[:, places].flatten()


def draw_moves(
    stream: np.random.Generator, many: tuple[int, int], size: int
) -> tuple[Array, Array]:
    """Momenta [P, M, D] and thresholds [P, M] of M moves of P particles."""
    return stream.standard_normal((*many, size)), -stream.standard_exponential(many)


def draw_noise(
    latents: Array,
    costs: Array,
    count: float,
    config: PosteriorConfig,
    stream: np.random.Generator,
) -> Array:
    """A noise standard deviation for each draw. [n]

    Given z, w S / sigma^2 is chi-squared with w N degrees of freedom.

    Args:
        latents: [n, D]
        costs: J there. [n]
        count: N.
        config: Settings.
        stream: Random numbers.
    """
    if config.noise_level is not None:
        return np.full(len(latents), config.noise_level)
    weight = config.misfit_weight
    misfit = np.exp((costs - np.square(latents).sum(1)) / count)
    found: Array = np.sqrt(weight * misfit / stream.chisquare(weight * count, len(latents)))
    return found


def draw_states(
    config: PosteriorConfig, size: int, stream: np.random.Generator, known: Mixture | None
) -> Array:
    """States that a run may begin with: of the prior, after those of what is known. [n, D]"""
    prior = stream.standard_normal((config.particles * config.moves, size))
    if known is None:
        return prior
    return np.concatenate([known.draw(config.particles * KNOWN_DRAWS, stream), prior])


def begin_run(
    latents: Array,
    costs: Array,
    stream: np.random.Generator,
    known: Mixture | None,
    config: PosteriorConfig,
) -> Run:
    """A run that begins with what is known if enough of that is effective, else with the prior.

    Args:
        latents: What `draw_states` drew. [n, D]
        costs: J there. [n]
        stream: Random numbers.
        known: What the pilot found, if there was one.
        config: Settings.
    """
    log_weights, evaluations = None, len(latents)
    if known is not None:
        count = config.particles * KNOWN_DRAWS
        last = partial(energy, inverse_temperature=config.misfit_weight)
        logs = log_ratio(known, latents[:count], costs[:count], last)
        # NaN, where nothing is finite, is not enough.
        begins = effective(logs) >= ENOUGH * config.particles
        log_weights = logs if begins else None
        chosen = slice(count) if begins else slice(count, None)
        latents, costs = latents[chosen], costs[chosen]
    run = Run(latents, costs, stream, config, known, log_weights)
    run.gradients = evaluations
    return run


def next_rise(likelihood: Array, left: float, share: float) -> float:
    """The rise in inverse temperature that leaves a share of the particles effective.

    Args:
        likelihood: Logarithm of the likelihood of each particle. [P]
        left: The rise that would reach the last temperature.
        share: Effective sample size to be left, as a share of P.
    """
    wanted = share * len(likelihood)
    if effective(left * likelihood) >= wanted:
        return left
    low, high = 0.0, left
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if effective(middle * likelihood) >= wanted else (low, middle)
    return low


def energy(latents: Array, costs: Array, inverse_temperature: float) -> Array:
    """-log of the prior's density times the likelihood to the inverse temperature. [n]"""
    square = np.square(latents).sum(1)
    constant = latents.shape[1] / 2 * math.log(2 * math.pi)
    found: Array = (inverse_temperature * (costs - square) + square) / 2 + constant
    return found


def factor_of(latents: Array, weights: Array) -> Array:
    """F with F F' the covariance of weighted states, which is held away from singular. [D, D]"""
    shares = weights / weights.sum()
    centred = latents - np.einsum("p,pi->i", shares, latents)
    covariance = np.einsum("pi,pj->ij", shares[:, None] * centred, centred)
    scale = np.trace(covariance) / len(covariance)
    return np.linalg.cholesky(covariance + (1e-6 * scale + 1e-12) * np.eye(len(covariance)))
