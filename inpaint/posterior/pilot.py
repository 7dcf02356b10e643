"""What a run learns before it begins: a mixture around the modes that it finds by a search.

Rare modes are lost while the passages between modes close, for few particles are in them then. So
each run first searches, as a restoration does, from starting points of its own; moves particles
that are spread evenly over the minima found, until they know how wide the valleys are; and fits
a mixture of t distributions to where they have been. The run begins with draws from that mixture
where enough of them are effective at the last inverse temperature, and else with the prior;
its jumps use the mixture as well. Runs remain independent of each other.
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

from inpaint.config import RestoreConfig
from inpaint.errors import ShapeError
from inpaint.posterior.config import SHARED, PosteriorConfig
from inpaint.posterior.descent import descend
from inpaint.posterior.mixture import MOST_COMPONENTS, STATES_PER_NUMBER, Mixture, fit_mixture
from inpaint.posterior.particles import GAIN, draw_moves
from inpaint.posterior.resampling import Array, to_numpy
from inpaint.search.backends import Backend
from inpaint.search.backends.hamiltonian import Moved
from inpaint.search.objective import Objective
from inpaint.types import Restoration

Streams = Sequence[Sequence[np.random.Generator]]

Counts = NDArray[np.int64]

T = TypeVar("T")

STARTS = 64
"""Starting points of the search of each run."""

STEPS = 100
"""Steps of its descents at most."""

WINDOW = 12.0
"""A minimum whose J lies further above the lowest hardly weighs."""

APART = 0.15
"""Minima of no greater distance, in units of the latent vector, are one."""

FEWEST_EACH, MOST_EACH = 4, 16
"""Particles that begin at a minimum; where there are more minima, the highest go without."""

FEWEST = 64
"""Particles that move where there are few minima; the others rest."""

COMPONENTS_EACH, FEWEST_COMPONENTS = 3, 5
"""Components of the mixture for each minimum, and at least."""

STAGES = 4
MOVES = 4
"""HMC moves of a stage: enough for the last one's states to fit the mixture to."""

FIRST_FACTOR = 0.1
"""Factor of the moves until the particles have told one of their own."""

FIRST_LENGTH = 0.4
"""Leapfrog step length of the first stage, and the shortest one in a factor of their own."""

WIDER = 1.5
"""Factor of the mixture's covariances: what so few moves reach is narrower than the valleys."""

MOVING = 0.5
"""Share of accepted moves from which on the particles tell how wide a valley is."""


class Pilot:
    """The particles that one run sends ahead.

    Args:
        minima: Where they begin. [n, D]
        stream: Random numbers of the run.
        config: Settings.
    """

    def __init__(self, minima: Array, stream: np.random.Generator, config: PosteriorConfig) -> None:
        particles, size = config.particles, minima.shape[1]
        self._moving = min(particles, max(FEWEST, MOST_EACH * len(minima)))
        places = np.arange(self._moving) * len(minima) // self._moving
        self.latents = np.repeat(minima[:1], particles, 0)
        self.latents[: self._moving] = minima[places]
        self._components = max(FEWEST_COMPONENTS, COMPONENTS_EACH * len(minima))
        self.factor = FIRST_FACTOR * np.eye(size)
        self._length = FIRST_LENGTH
        self._states = self.latents[:, None]
        self._stream = stream
        self._config = config

    def draw(self) -> tuple[Array, Array, Array]:
        """Momenta [P, M, D], thresholds [P, M] and lengths [P] of a stage."""
        particles, size = self.latents.shape
        momenta, thresholds = draw_moves(self._stream, (particles, MOVES), size)
        rests = np.arange(particles) >= self._moving
        return momenta, thresholds, np.where(rests, 0.0, self._length)

    def take(self, states: Array, moved: Array) -> None:
        """Take the states of a stage's moves [P, M, D], and which were accepted [P, M]."""
        states, accepted = states[: self._moving], float(moved[: self._moving].mean())
        self._states = states
        self.latents[: self._moving] = states[:, -1]
        self._length *= math.exp(GAIN * (accepted - self._config.acceptance))
        if accepted > MOVING:
            # Around the particle's own mean: how wide its valley is, not how far others are.
            around = (states - states.mean(1, keepdims=True)).reshape(-1, states.shape[2])
            covariance = around.T @ around / (len(states) * (MOVES - 1))
            self.factor = np.linalg.cholesky(covariance + 1e-6 * np.eye(len(covariance)))
            self._length = max(self._length, FIRST_LENGTH)

    def mixture(self) -> Mixture:
        """What the last stage's states say."""
        states = self._states.reshape(-1, self._states.shape[2])
        most = max(1, len(states) // (STATES_PER_NUMBER * states.shape[1]))
        components = min(MOST_COMPONENTS, most, self._components)
        fitted = fit_mixture(states, components, self._stream)
        return replace(fitted, factors=math.sqrt(WIDER) * fitted.factors)

    @property
    def stage_evaluations(self) -> int:
        """Evaluations of J that a stage takes."""
        return self._moving * (1 + MOVES * self._config.leapfrog)


def explore(
    objective: Objective,
    backend: Backend,
    streams: Streams,
    config: PosteriorConfig,
    size: int,
    restoration: Restoration | None,
    move: Callable[..., Moved],
    proceed: Callable[[Counts], bool],
) -> tuple[list[list[Mixture | None]], Counts]:
    """What each run of each image finds, and the evaluations of J it takes. [B, K]

    A run finds nothing where it is told to end early.

    Args:
        objective: J of B images.
        backend: What computes it.
        streams: Random numbers of each image's K runs.
        config: Settings.
        size: Length of a latent vector.
        restoration: What a search found before; every run knows that besides.
        move: Moves particles: from latent vectors, momenta, thresholds, inverse temperatures,
            step lengths and factors, as `Moves` has them.
        proceed: Asked before each stage whether to go on; told the evaluations that each run has
            taken. [B, K]

    Raises:
        ShapeError: If the restoration is one of other images or another generator.
    """
    minima, spent = _search(objective, backend, streams, config, size, restoration)
    pilots = [
        [Pilot(found, stream, config) for found, stream in zip(*rows, strict=True)]
        for rows in zip(minima, streams, strict=True)
    ]
    betas = np.full(spent.shape, config.misfit_weight)
    for _ in range(STAGES):
        if not proceed(spent):
            return [[None] * config.runs for _ in streams], spent
        latents = _each(pilots, lambda pilot: pilot.latents)
        factors = _each(pilots, lambda pilot: pilot.factor)
        drawn = [[pilot.draw() for pilot in row] for row in pilots]
        momenta, thresholds, lengths = (_each(drawn, itemgetter(i)) for i in range(3))
        moved = move(latents, momenta, thresholds, betas, lengths, factors)
        states, accepted = to_numpy(moved.latents), to_numpy(moved.accepted)
        for b, k in np.ndindex(spent.shape):
            pilots[b][k].take(states[b, k], accepted[b, k])
        spent = spent + np.array([[pilot.stage_evaluations for pilot in row] for row in pilots])
    return [[pilot.mixture() for pilot in row] for row in pilots], spent


def most_evaluations(config: PosteriorConfig) -> int:
    """Evaluations of J that the pilot of a run takes at most."""
    return STARTS * (STEPS + 1) + STAGES * config.particles * (1 + MOVES * config.leapfrog)


def _each(rows: list[list[T]], read: Callable[[T], Array]) -> Array:
    """[B, K, ...]"""
    return np.array([[read(one) for one in row] for row in rows])


def _search(
    objective: Objective,
    backend: Backend,
    streams: Streams,
    config: PosteriorConfig,
    size: int,
    restoration: Restoration | None,
) -> tuple[list[list[Array]], Counts]:
    """The minima that each run of each image finds, lowest first; and the evaluations. [B, K]"""
    images, runs = len(streams), len(streams[0])
    drawn = np.array([[s.standard_normal((STARTS, size)) for s in row] for row in streams])
    shared = {name: getattr(config, name) for name in SHARED}
    search = RestoreConfig(steps=STEPS, **shared).resolved()
    latents = torch.from_numpy(drawn).flatten(1, 2)
    minima, costs, evaluations = descend(objective, backend, latents, search)
    levels = to_numpy(costs.unflatten(1, (runs, STARTS)))
    places = to_numpy(minima.unflatten(1, (runs, STARTS)))
    spent = evaluations.unflatten(1, (runs, STARTS)).sum(2).cpu().numpy()
    if restoration is not None:
        known, heights = _known(restoration, images, size)
        places = np.concatenate([places, np.repeat(known[:, None], runs, 1)], axis=2)
        levels = np.concatenate([levels, np.repeat(heights[:, None], runs, 1)], axis=2)
    most = max(1, config.particles // FEWEST_EACH)
    distinct = [
        [_distinct(places[b, k], levels[b, k])[:most] for k in range(runs)] for b in range(images)
    ]
    return distinct, spent


def _known(restoration: Restoration, images: int, size: int) -> tuple[Array, Array]:
    """Latent vectors of a restoration [B, R, D], and J there [B, R]."""
    if len(restoration.latents) != images or restoration.latents.shape[2] != size:
        raise ShapeError(
            f"The restoration has {len(restoration.latents)} images and latent size "
            f"{restoration.latents.shape[2]}; the measurement has {images}, the generator {size}."
        )
    return to_numpy(restoration.latents), to_numpy(restoration.costs)


def _distinct(latents: Array, costs: Array) -> Array:
    """Those that are apart and not too high, lowest first; the first in any case. [n, D]"""
    costs = np.where(np.isfinite(costs), costs, np.inf)
    order = np.argsort(costs, kind="stable")
    low = latents[order[costs[order] <= costs[order[0]] + WINDOW]]
    kept: list[Array] = []
    for latent in low:
        if all(np.square(latent - other).sum() > APART**2 for other in kept):
            kept.append(latent)
    return np.array(kept)
