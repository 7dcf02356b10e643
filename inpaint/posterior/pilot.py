"""Pilots: a short search before each chain, which gives it a mixture around the modes it finds.

Rare modes are lost when the passages between modes close, because few particles are in them by
then. So each chain first searches as a restoration does, from starting points of its own; moves
particles that are spread evenly over the minima found, to learn how wide the modes are; and fits a
mixture of t distributions to their states. The chain begins with draws from that mixture
if enough of them are effective at the last inverse temperature, and with the prior otherwise. Its
jumps use the mixture as well. Chains remain independent of each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint.config import RestoreConfig
from inpaint.posterior.chain import GAIN, draw_momenta
from inpaint.posterior.config import SHARED, PosteriorConfig
from inpaint.posterior.evaluator import Evaluator, descend, to_numpy
from inpaint.posterior.mixture import (
    MAX_COMPONENTS,
    STATES_PER_LATENT,
    Array,
    Mixture,
    fit_mixture,
)

Streams = Sequence[Sequence[np.random.Generator]]
"""Random numbers of each image's K chains."""

Counts = NDArray[np.int64]

T = TypeVar("T")

STARTS = 64
"""Starting points of each chain's search."""

STEPS = 100
"""Most steps of its descents."""

COST_WINDOW = 12.0
"""Minima whose J is above the lowest by more than this are left out: they weigh next to nothing."""

SAME_MINIMUM = 0.15
"""Minima count as one if their latent vectors are no farther apart than this."""

FEWEST_PER_MINIMUM, MOST_PER_MINIMUM = 4, 16
"""Particles that begin at a minimum; if there are too many minima, the highest get none."""

FEWEST_MOVING = 64
"""Fewest particles that move; the others rest."""

COMPONENTS_PER_MINIMUM, FEWEST_COMPONENTS = 3, 5
"""Components of the mixture for each minimum, and the fewest in all."""

STAGES = 4
MOVES = 4
"""HMC moves of a stage; the states of the last stage are enough to fit the mixture to."""

FIRST_FACTOR = 0.1
"""Scale of the moves until the particles have shown the width of the modes."""

FIRST_STEP_LENGTH = 0.4
"""Leapfrog step length of the first stage, and the lower limit once the modes' width is known."""

COVARIANCE_SCALE = 1.5
"""Factor on the mixture's covariances, because so few moves do not reach all of a mode."""

MIN_ACCEPTANCE = 0.5
"""Share of accepted moves above which the states show how wide a mode is."""


class Pilot:
    """The particles that explore the modes for one chain.

    Args:
        minima: Where they begin. [n, D]
        stream: Random numbers of the chain.
        config: Settings.

    Attributes:
        moving: How many of them move.
    """

    def __init__(self, minima: Array, stream: np.random.Generator, config: PosteriorConfig) -> None:
        particles, size = config.particles, minima.shape[1]
        self.moving = min(particles, max(FEWEST_MOVING, MOST_PER_MINIMUM * len(minima)))
        places = np.arange(self.moving) * len(minima) // self.moving
        self.latents = np.repeat(minima[:1], particles, 0)
        self.latents[: self.moving] = minima[places]
        self._components = max(FEWEST_COMPONENTS, COMPONENTS_PER_MINIMUM * len(minima))
        self.factor = FIRST_FACTOR * np.eye(size)
        self._step_length = FIRST_STEP_LENGTH
        self._states = self.latents[:, None]
        self._stream = stream
        self._config = config

    def draw_moves(self) -> tuple[Array, Array, Array]:
        """Momenta [P, M, D], thresholds [P, M] and step lengths [P] of a stage."""
        particles, size = self.latents.shape
        momenta, thresholds = draw_momenta(self._stream, (particles, MOVES), size)
        rests = np.arange(particles) >= self.moving
        return momenta, thresholds, np.where(rests, 0.0, self._step_length)

    def end_stage(self, states: Array, accepted: NDArray[np.bool_]) -> None:
        """Keep the states that the moves led to, and adapt the moves.

        Args:
            states: [P, M, D]
            accepted: Whether each move was accepted. [P, M]
        """
        states, acceptance = states[: self.moving], float(accepted[: self.moving].mean())
        self._states = states
        self.latents[: self.moving] = states[:, -1]
        self._step_length *= math.exp(GAIN * (acceptance - self._config.acceptance))
        if acceptance > MIN_ACCEPTANCE:
            # Around each particle's mean: the width of its mode, not the distance between modes.
            around = (states - states.mean(1, keepdims=True)).reshape(-1, states.shape[2])
            covariance = around.T @ around / (len(states) * (MOVES - 1))
            self.factor = np.linalg.cholesky(covariance + 1e-6 * np.eye(len(covariance)))
            self._step_length = max(self._step_length, FIRST_STEP_LENGTH)

    def fit_mixture(self) -> Mixture:
        """A mixture fitted to the states of the last stage."""
        states = self._states.reshape(-1, self._states.shape[2])
        most = max(1, len(states) // (STATES_PER_LATENT * states.shape[1]))
        components = min(MAX_COMPONENTS, most, self._components)
        fitted = fit_mixture(states, components, self._stream)
        return replace(fitted, factors=math.sqrt(COVARIANCE_SCALE) * fitted.factors)

    @property
    def stage_gradients(self) -> int:
        """Evaluations of J that a stage takes."""
        return self.moving * (1 + MOVES * self._config.leapfrog)


def run_pilots(
    evaluator: Evaluator,
    streams: Streams,
    config: PosteriorConfig,
    size: int,
    known_minima: tuple[Tensor, Tensor] | None,
    may_continue: Callable[[Counts], bool],
) -> tuple[list[list[Mixture | None]], Counts]:
    """Run the pilots of all chains of B images.

    Args:
        evaluator: J of the images.
        streams: Random numbers of each image's K chains.
        config: Settings.
        size: Length of a latent vector.
        known_minima: Latent vectors [B, R, D] that a search found, and J there [B, R]; every pilot
            uses them in addition to its own.
        may_continue: Called before each stage with the gradients that each chain has taken [B, K];
            False ends the pilots.

    Returns:
        The mixture of each chain, None where the pilots were ended early; and the gradients that
        each took. [B, K]
    """
    minima, gradients = _find_minima(evaluator, streams, config, size, known_minima)
    pilots = [
        [Pilot(found, stream, config) for found, stream in zip(*rows, strict=True)]
        for rows in zip(minima, streams, strict=True)
    ]
    inverse_temperatures = np.full(gradients.shape, config.misfit_weight)
    for _ in range(STAGES):
        if not may_continue(gradients):
            return [[None] * config.chains for _ in streams], gradients
        latents = _stack(pilots, lambda pilot: pilot.latents)
        factors = _stack(pilots, lambda pilot: pilot.factor)
        drawn = [[pilot.draw_moves() for pilot in row] for row in pilots]
        momenta, thresholds, step_lengths = (_stack(drawn, itemgetter(i)) for i in range(3))
        states, _, accepted = evaluator.move(
            latents, momenta, thresholds, step_lengths, inverse_temperatures, factors
        )
        for b, k in np.ndindex(gradients.shape):
            pilots[b][k].end_stage(states[b, k], accepted[b, k])
        taken = [[pilot.stage_gradients for pilot in row] for row in pilots]
        gradients = gradients + np.array(taken)
    return [[_fit(pilot, evaluator) for pilot in row] for row in pilots], gradients


def _fit(pilot: Pilot, evaluator: Evaluator) -> Mixture:
    evaluator.ask(pilot.moving * MOVES)
    return pilot.fit_mixture()


def max_pilot_gradients(config: PosteriorConfig) -> int:
    """Most evaluations of J that the pilot of a chain takes."""
    return STARTS * (STEPS + 1) + STAGES * config.particles * (1 + MOVES * config.leapfrog)


def _stack(rows: list[list[T]], read: Callable[[T], Array]) -> Array:
    """The arrays of all chains as one. [B, K, ...]"""
    return np.array([[read(one) for one in row] for row in rows])


def _find_minima(
    evaluator: Evaluator,
    streams: Streams,
    config: PosteriorConfig,
    size: int,
    known_minima: tuple[Tensor, Tensor] | None,
) -> tuple[list[list[Array]], Counts]:
    """The minima of each chain of each image, lowest first; and the gradients taken. [B, K]"""
    images, chains = len(streams), len(streams[0])
    drawn = np.array([[s.standard_normal((STARTS, size)) for s in row] for row in streams])
    shared = {name: getattr(config, name) for name in SHARED}
    search = RestoreConfig(steps=STEPS, **shared).resolved()
    starts = torch.from_numpy(drawn).flatten(1, 2)
    found = descend(evaluator.objective, evaluator.backend, starts, search, evaluator.may_continue)
    latents, costs, evaluations = (part.unflatten(1, (chains, STARTS)) for part in found)
    places, levels = to_numpy(latents), to_numpy(costs)
    gradients = evaluations.sum(2).cpu().numpy()
    if known_minima is not None:
        known, heights = (to_numpy(part)[:, None].repeat(chains, 1) for part in known_minima)
        places = np.concatenate([places, known], axis=2)
        levels = np.concatenate([levels, heights], axis=2)
    most = max(1, config.particles // FEWEST_PER_MINIMUM)
    minima = [
        [_distinct(places[b, k], levels[b, k])[:most] for k in range(chains)] for b in range(images)
    ]
    return minima, gradients


def _distinct(latents: Array, costs: Array) -> Array:
    """Minima that are distinct and low enough, lowest first; at least the first one. [n, D]"""
    costs = np.where(np.isfinite(costs), costs, np.inf)
    order = np.argsort(costs, kind="stable")
    low = latents[order[costs[order] <= costs[order[0]] + COST_WINDOW]]
    kept: list[Array] = []
    for latent in low:
        if all(np.square(latent - other).sum() > SAME_MINIMUM**2 for other in kept):
            kept.append(latent)
    return np.array(kept)
