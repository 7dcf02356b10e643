"""Pooling the chains of an image, on a target of two modes whose weights are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from inpaint.posterior.chain import Chain, random_stream
from inpaint.posterior.config import PosteriorConfig
from inpaint.posterior.jumps import EvaluatedProposals
from inpaint.posterior.mixture import Array, Mixture, mix
from inpaint.posterior.pooling import pool_chains
from inpaint.posterior.weights import energy

SIZE = 3
FAR = 4.0
"""Half the distance between the two modes; their width is 1, as the prior's."""
SHARE = 0.9
COUNT = 2000


def cost_of(latents: Array) -> Array:
    """J of which exp(-J / 2) is SHARE N(-FAR e, I) + (1 - SHARE) N(FAR e, I). [n]"""
    left, right = latents.copy(), latents.copy()
    left[:, 0] += FAR
    right[:, 0] -= FAR
    logs = [math.log(SHARE) - (left**2).sum(1) / 2, math.log(1 - SHARE) - (right**2).sum(1) / 2]
    found: Array = -2 * np.logaddexp(*logs)
    return found


class FakeChain(Chain):
    """A finished chain with given states and proposals."""

    def __init__(
        self, latents: Array, proposals: EvaluatedProposals | None, evidence: float
    ) -> None:
        stream = random_stream(0, 0, 0)
        super().__init__(latents, cost_of(latents), stream, PosteriorConfig())
        self.inverse_temperature, self.log_evidence = 1.0, evidence
        self._given = proposals

    @property
    def last_proposals(self) -> EvaluatedProposals | None:
        return self._given


def states_of(share: float, random: np.random.Generator) -> Array:
    """States, a share of which is in the left mode."""
    states = random.standard_normal((COUNT, SIZE))
    states[:, 0] += np.where(np.arange(COUNT) < share * COUNT, -FAR, FAR)
    return states


def proposals_of(weights: list[float], random: np.random.Generator) -> EvaluatedProposals:
    """Proposals from one wide t distribution at each mode."""
    centres = np.zeros((2, SIZE))
    centres[:, 0] = -FAR, FAR
    density = Mixture(np.array(weights), centres, np.repeat(1.2 * np.eye(SIZE)[None], 2, 0))
    latents = density.draw(4 * COUNT, random)
    costs = cost_of(latents)
    return EvaluatedProposals(
        density, latents, costs, -energy(latents, costs, 1.0) - density.log_density(latents)
    )


def test_a_mode_that_only_one_chain_found_gets_its_weight() -> None:
    random = np.random.default_rng(1)
    # The first chain never met the right mode; the second gives it far too much weight.
    chains = [
        FakeChain(states_of(1.0, random), proposals_of([1 - 1e-9, 1e-9], random), 0.0),
        FakeChain(states_of(0.3, random), proposals_of([0.5, 0.5], random), 0.0),
    ]
    latents, costs = pool_chains(chains, 4000)
    left = latents[:, 0] < 0
    # 4,000 proposals at the rare mode: a standard error of .003.
    assert left.mean() == pytest.approx(SHARE, abs=0.015)
    assert latents[left].mean(0) == pytest.approx([-FAR, 0, 0], abs=0.1)
    assert latents[left].std(0) == pytest.approx(np.ones(SIZE), abs=0.05)
    np.testing.assert_array_equal(costs, cost_of(latents))
    # Neighbours are adjacent, so every fortieth draw shows the same share.
    assert (latents[::40, 0] < 0).mean() == pytest.approx(SHARE, abs=0.03)


def test_where_a_chain_made_no_jumps_all_are_weighted_by_evidence() -> None:
    random = np.random.default_rng(2)
    chains = [
        FakeChain(states_of(1.0, random), None, math.log(3.0)),
        FakeChain(states_of(0.0, random), proposals_of([0.5, 0.5], random), 0.0),
    ]
    latents, _ = pool_chains(chains, 4000)
    assert (latents[:, 0] < 0).mean() == pytest.approx(0.75, abs=0.005)


def test_the_mixture_of_mixtures_is_the_mean_of_their_densities() -> None:
    random = np.random.default_rng(3)
    one, other = (proposals_of(weights, random).density for weights in ([0.5, 0.5], [0.1, 0.9]))
    places = random.standard_normal((10, SIZE))
    both = mix([(one, 3.0), (other, 1.0)])
    parts = 0.75 * np.exp(one.log_density(places)) + 0.25 * np.exp(other.log_density(places))
    np.testing.assert_allclose(np.exp(both.log_density(places)), parts, rtol=1e-12)
