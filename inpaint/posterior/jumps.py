"""Jumps between modes: proposals from a mixture fitted to the run's own states.

HMC moves do not pass between modes once the passages have closed, so the weights of modes would
stay what they were then. A jump offers a particle J draws from a mixture q of t distributions,
and takes one of them, or the particle's own place, with probability in proportion to
exp(-U) / q: iterated sampling importance resampling (Andrieu, Lee and Vihola 2018), which leaves
exp(-U) invariant.

A mixture fitted to the particles that it serves would be too high at their places and drive them
off. So each half of a run jumps by the mixture of the other half's states, as the
halves of an ensemble sampler do (Foreman-Mackey et al. 2013). What a run knew before it began
(`inpaint.posterior.pilot`) has seen none of them, and joins both mixtures.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from inpaint.posterior.mixture import (
    MOST_COMPONENTS,
    STATES_PER_NUMBER,
    Mixture,
    fit_mixture,
    mix,
)
from inpaint.posterior.resampling import Array, Places, log_mean, systematic

KNOWN_SHARE = 0.5
"""Share of the proposals that come from what the run knew before, where it did."""

FITTED = 512
"""States that a mixture is fitted to."""

BRIDGE_ROUNDS = 12
"""Rounds of the bridge estimator; it settles to 1e-6 in fewer."""

Energy = Callable[[Array, Array], Array]
"""U of states of given J. [n, D], [n] -> [n]"""


@dataclass(frozen=True)
class Proposed:
    """All proposals of one stage of a run.

    Attributes:
        density: What they were drawn from.
        latents: [P J, D]
        costs: J there. [P J]
        log_ratios: log exp(-U) / q with the q of the half that they were offered to. [P J]
    """

    density: Mixture
    latents: Array
    costs: Array
    log_ratios: Array


def jumps_serve(states: int, size: int) -> bool:
    """Whether half a run has states enough for one component of so many latent numbers."""
    return states // 2 >= STATES_PER_NUMBER * size


class Jumps:
    """The jumps of one run at the beginning of a stage.

    Args:
        states: All states of the stage before. [S, D]
        weights: Their weights at the present temperature. [S]
        chosen: Which of them the particles begin at, in rising order. [P]
        count: Proposals for each particle (J).
        stream: Random numbers.
        known: The mixture that the run knew before it began, if any; of as many components as
            the states may need.

    Attributes:
        proposals: [P, J, D]
        proposed: The same as they were evaluated, once they were.
    """

    def __init__(
        self,
        states: Array,
        weights: Array,
        chosen: Places,
        count: int,
        stream: np.random.Generator,
        known: Mixture | None = None,
    ) -> None:
        size = states.shape[1]
        second = np.arange(len(states)) >= len(states) // 2
        self._stream = stream
        # Of each half: its states, its particles, and the mixture of the other half.
        self._states = second, ~second
        self._particles = second[chosen], ~second[chosen]
        self._mixtures: list[Mixture] = []
        fits: list[tuple[Mixture, float]] = []
        self.proposals = np.empty((len(chosen), count, size))
        for own, particles in zip(self._states, self._particles, strict=True):
            places = systematic(
                np.where(own, 0.0, weights), float(stream.random()), min(FITTED, int((~own).sum()))
            )
            most = MOST_COMPONENTS if known is None else len(known.weights)
            components = max(1, min(most, len(places) // (STATES_PER_NUMBER * size)))
            fitted = fit_mixture(states[places], components, stream)
            self._mixtures.append(_with(fitted, known))
            drawn = self._mixtures[-1].draw(int(particles.sum()) * count, stream)
            self.proposals[particles] = drawn.reshape(-1, count, size)
            fits.append((fitted, float(particles.sum())))
        self._density = _with(mix(fits), known)

    def choose(
        self, proposed: Array, costs: Array, latents: Array, held: Array, energy: Energy
    ) -> tuple[Array, Array]:
        """Let each particle jump, or stay.

        Args:
            proposed: The proposals, as they were evaluated. [P, J, D]
            costs: J there. [P, J]
            latents: Where the particles are. [P, D]
            held: J there. [P]
            energy: U.

        Returns:
            Where the particles are now [P, D], and which have jumped [P].
        """
        count, size = proposed.shape[1:]
        self._logs = []
        logs = np.empty((len(latents), 1 + count))
        for mixture, own in zip(self._mixtures, self._particles, strict=True):
            fresh = log_ratio(
                mixture, proposed[own].reshape(-1, size), costs[own].flatten(), energy
            )
            logs[own, 1:] = fresh.reshape(-1, count)
            logs[own, 0] = log_ratio(mixture, latents[own], held[own], energy)
            self._logs.append(fresh)
        self.proposed = Proposed(
            self._density, proposed.reshape(-1, size), costs.flatten(), logs[:, 1:].flatten()
        )
        top = np.maximum(logs.max(1, keepdims=True), -1e300)
        ends = np.cumsum(np.exp(logs - top), axis=1)
        drawn = self._stream.random(len(latents)) * ends[:, -1]
        # Where J is nowhere finite nothing compares, and the particle stays.
        choice = (ends < drawn[:, None]).sum(1)
        jumped = choice > 0
        taken = proposed[np.arange(len(latents)), np.maximum(choice - 1, 0)]
        return np.where(jumped[:, None], taken, latents), jumped

    def log_evidence(self, states: Array, costs: Array, energy: Energy) -> float:
        """Logarithm of the integral of exp(-U), from proposals and states of equal weight.

        The bridge estimator (Meng and Wong 1996), the mean of that of both halves.

        Args:
            states: Those that the jumps were made from. [S, D]
            costs: J there. [S]
            energy: U.
        """
        found = [
            bridge(fresh, log_ratio(mixture, states[own], costs[own], energy))
            for mixture, own, fresh in zip(self._mixtures, self._states, self._logs, strict=True)
        ]
        return log_mean(np.array(found))


def _with(fitted: Mixture, known: Mixture | None) -> Mixture:
    if known is None:
        return fitted
    return mix([(fitted, 1 - KNOWN_SHARE), (known, KNOWN_SHARE)])


def bridge(drawn: Array, sampled: Array) -> float:
    """Logarithm of the constant that a density q is compared with, by both their draws.

    Args:
        drawn: log p / q at draws from q, p being known up to that constant. [n]
        sampled: The same at draws from p. [m]
    """
    total = len(drawn) + len(sampled)
    own, other = math.log(len(sampled) / total), math.log(len(drawn) / total)
    found = log_mean(drawn)
    for _ in range(BRIDGE_ROUNDS):
        upper = log_mean(drawn - np.logaddexp(own + drawn, other + found))
        found = upper - log_mean(-np.logaddexp(own + sampled, other + found))
    return found


def log_ratio(mixture: Mixture, latents: Array, costs: Array, energy: Energy) -> Array:
    """Logarithm of exp(-U) / q, which is never NaN. [n]"""
    logs = -energy(latents, costs) - mixture.log_density(latents)
    return np.where(np.isfinite(logs), logs, -np.inf)
