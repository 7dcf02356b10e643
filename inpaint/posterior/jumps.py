"""Jumps between modes: proposals from a mixture fitted to the chain's own states.

HMC moves cannot cross from one mode to another once everything between them is improbable, so
each mode would keep the weight it had at that temperature. A jump offers a particle J draws from a
mixture q of t distributions and takes one of them, or the particle's own place, with probability
proportional to exp(-U) / q. This is iterated sampling importance resampling (Andrieu, Lee and
Vihola 2018), which leaves exp(-U) invariant.

A mixture fitted to the very particles that use it is too dense where they are, and drives them
away. So each half of a chain jumps with a mixture fitted to the states of the other half, as the
halves of an ensemble sampler do (Foreman-Mackey et al. 2013). The mixture of the chain's pilot
(`inpaint.posterior.pilot`) does not depend on these states, so it is added to both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inpaint.posterior.mixture import (
    MAX_COMPONENTS,
    STATES_PER_LATENT,
    Array,
    Mixture,
    fit_mixture,
    mix,
)
from inpaint.posterior.weights import (
    EnergyFunction,
    Indices,
    bridge_estimate,
    log_mean,
    log_ratio,
    systematic_resample,
)

PILOT_SHARE = 0.5
"""Share of the proposals that come from the pilot's mixture, where there is one."""

FITTED_STATES = 512
"""Most states that a mixture is fitted to."""


@dataclass(frozen=True)
class EvaluatedProposals:
    """All proposals of one stage of a chain.

    Attributes:
        density: The distribution of all of them together.
        latents: [P J, D]
        costs: J there. [P J]
        log_ratios: log exp(-U) / q, with the q that each was drawn from. [P J]
    """

    density: Mixture
    latents: Array
    costs: Array
    log_ratios: Array


def enough_states(states: int, latent_size: int) -> bool:
    """Whether half of a chain's states suffice to fit one component."""
    return states // 2 >= STATES_PER_LATENT * latent_size


class Jumps:
    """The jumps of one chain at the beginning of a stage.

    Args:
        states: All states of the previous stage. [S, D]
        weights: Their weights at the present temperature. [S]
        chosen: Indices of the states that the particles begin at, in rising order. [P]
        count: Proposals for each particle (J).
        stream: Random numbers.
        pilot_mixture: What the chain's pilot found, if it had one. Mixtures fitted to the states
            have no more components than it has.

    Attributes:
        proposals: [P, J, D]
        evaluated: The same with J, once `choose` has been called.
    """

    def __init__(
        self,
        states: Array,
        weights: Array,
        chosen: Indices,
        count: int,
        stream: np.random.Generator,
        pilot_mixture: Mixture | None = None,
    ) -> None:
        size = states.shape[1]
        second = np.arange(len(states)) >= len(states) // 2
        self._stream = stream
        # For each half: its states, its particles, and the mixture of the other half.
        self._states = second, ~second
        self._particles = second[chosen], ~second[chosen]
        self._mixtures: list[Mixture] = []
        fits: list[tuple[Mixture, float]] = []
        self.proposals = np.empty((len(chosen), count, size))
        for own, particles in zip(self._states, self._particles, strict=True):
            others = systematic_resample(
                np.where(own, 0.0, weights),
                float(stream.random()),
                min(FITTED_STATES, int((~own).sum())),
            )
            most = MAX_COMPONENTS if pilot_mixture is None else len(pilot_mixture.weights)
            components = max(1, min(most, len(others) // (STATES_PER_LATENT * size)))
            fitted = fit_mixture(states[others], components, stream)
            self._mixtures.append(_add_pilot(fitted, pilot_mixture))
            draws = self._mixtures[-1].draw(int(particles.sum()) * count, stream)
            self.proposals[particles] = draws.reshape(-1, count, size)
            fits.append((fitted, float(particles.sum())))
        self._density = _add_pilot(mix(fits), pilot_mixture)
        self.evaluated: EvaluatedProposals | None = None

    def choose(
        self,
        proposals: Array,
        costs: Array,
        latents: Array,
        current_costs: Array,
        energy_function: EnergyFunction,
    ) -> tuple[Array, Array]:
        """Let each particle jump or stay.

        Args:
            proposals: The proposals in the precision they were evaluated in. [P, J, D]
            costs: J there. [P, J]
            latents: Where the particles are. [P, D]
            current_costs: J there. [P]
            energy_function: U.

        Returns:
            Where the particles are now [P, D], and which of them have jumped [P].
        """
        count, size = proposals.shape[1:]
        self._proposal_ratios = []
        logs = np.empty((len(latents), 1 + count))
        for mixture, own in zip(self._mixtures, self._particles, strict=True):
            ratios = log_ratio(
                mixture, proposals[own].reshape(-1, size), costs[own].flatten(), energy_function
            )
            logs[own, 1:] = ratios.reshape(-1, count)
            logs[own, 0] = log_ratio(mixture, latents[own], current_costs[own], energy_function)
            self._proposal_ratios.append(ratios)
        self.evaluated = EvaluatedProposals(
            self._density, proposals.reshape(-1, size), costs.flatten(), logs[:, 1:].flatten()
        )
        top = np.maximum(logs.max(1, keepdims=True), -1e300)
        ends = np.cumsum(np.exp(logs - top), axis=1)
        uniform = self._stream.random(len(latents)) * ends[:, -1]
        # If J is finite nowhere, no comparison holds and the particle stays.
        choice = (ends < uniform[:, None]).sum(1)
        jumped = choice > 0
        chosen = proposals[np.arange(len(latents)), np.maximum(choice - 1, 0)]
        return np.where(jumped[:, None], chosen, latents), jumped

    def log_evidence(self, states: Array, costs: Array, energy_function: EnergyFunction) -> float:
        """Logarithm of the integral of exp(-U): the mean of both halves' bridge estimates.

        Args:
            states: Where the jumps began; they must be draws from exp(-U). [S, D]
            costs: J there. [S]
            energy_function: U.
        """
        estimates = [
            bridge_estimate(ratios, log_ratio(mixture, states[own], costs[own], energy_function))
            for mixture, own, ratios in zip(
                self._mixtures, self._states, self._proposal_ratios, strict=True
            )
        ]
        return log_mean(np.array(estimates))


def _add_pilot(fitted: Mixture, pilot_mixture: Mixture | None) -> Mixture:
    if pilot_mixture is None:
        return fitted
    return mix([(fitted, 1 - PILOT_SHARE), (pilot_mixture, PILOT_SHARE)])
