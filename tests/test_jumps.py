"""Jumps between modes, on targets whose weights and integrals are known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from inpaint.posterior.jumps import Jumps, enough_states
from inpaint.posterior.mixture import (
    FREEDOM,
    Array,
    Mixture,
    fit_mixture,
    monomials,
    product,
)
from inpaint.posterior.sampler import sample_posterior
from inpaint.posterior.weights import bridge_estimate
from tests.helpers import SIGMA, SMALL, linear_problem
from tests.helpers import exact_posterior as exact
from tests.tolerances import FLOAT64

SIZE = 4
FAR = 6.0
"""Half the distance between two modes of unit width; no HMC move crosses it."""
SHARE = 0.8
CONSTANT = 3.0
"""Logarithm of the target's integral."""


def energy(latents: Array, costs: Array) -> Array:
    """-log of exp(CONSTANT) times SHARE N(-FAR e, I) + (1 - SHARE) N(FAR e, I). [n]"""
    left, right = latents.copy(), latents.copy()
    left[:, 0] += FAR
    right[:, 0] -= FAR
    logs = [math.log(SHARE) - (left**2).sum(1) / 2, math.log(1 - SHARE) - (right**2).sum(1) / 2]
    scale = CONSTANT - SIZE / 2 * math.log(2 * math.pi)
    found: Array = -np.logaddexp(*logs) - scale
    return found


def draw_states(share: float, count: int, random: np.random.Generator) -> Array:
    """States of which a share is in the left mode, in random order. [count, D]"""
    states = random.standard_normal((count, SIZE))
    states[:, 0] += np.where(random.random(count) < share, -FAR, FAR)
    return states


def jump(states: Array, random: np.random.Generator, count: int = 16) -> tuple[Jumps, Array, Array]:
    """One round of jumps of all states."""
    places, even = np.arange(len(states)), np.ones(len(states))
    jumps = Jumps(states, even, places, count, random)
    costs = np.zeros(jumps.proposals.shape[:2])
    moved, jumped = jumps.choose(jumps.proposals, costs, states, np.zeros(len(states)), energy)
    return jumps, moved, jumped


def test_jumps_give_the_modes_their_weights() -> None:
    random = np.random.default_rng(1)
    states = draw_states(0.4, 1024, random)
    for _ in range(6):
        _, states, jumped = jump(states, random)
    assert jumped.mean() > 0.5
    # The standard error of a share of 1,024 independent states is .0125.
    assert (states[:, 0] < 0).mean() == pytest.approx(SHARE, abs=0.05)
    left = states[states[:, 0] < 0]
    assert left.mean(0) == pytest.approx([-FAR, 0, 0, 0], abs=0.15)
    assert left.std(0) == pytest.approx(np.ones(SIZE), abs=0.1)


def test_jumps_of_few_states_do_not_drive_them_away() -> None:
    """A mixture fitted to the very states that use it would; on average they stay."""
    random = np.random.default_rng(2)
    before: list[list[float]] = []
    after: list[list[float]] = []
    for _ in range(100):
        states = draw_states(SHARE, 64, random)
        _, moved, _ = jump(states, random)
        for found, place in ((before, states), (after, moved)):
            found.append([(place[:, 0] < 0).mean(), energy(place, place[:, 0]).mean()])
    shift = np.array(after) - np.array(before)
    error = shift.std(0) / math.sqrt(len(shift))
    assert (np.abs(shift.mean(0)) < 4 * error).all()


def test_the_bridge_finds_the_integral() -> None:
    random = np.random.default_rng(3)
    states = draw_states(SHARE, 1024, random)
    jumps, _, _ = jump(states, random)
    found = jumps.log_evidence(states, np.zeros(len(states)), energy)
    assert found == pytest.approx(CONSTANT, abs=0.05)
    # For two equal densities it is exact, whatever the draws.
    assert bridge_estimate(np.full(5, 2.0), np.full(3, 2.0)) == pytest.approx(2.0, abs=FLOAT64)


def test_density_is_that_of_scipy_and_the_draws_have_it() -> None:
    random = np.random.default_rng(4)
    weights, centres = np.array([0.7, 0.3]), random.standard_normal((2, SIZE))
    factors = np.tril(random.standard_normal((2, SIZE, SIZE))) / 4 + np.eye(SIZE)
    mixture = Mixture(weights, centres, factors)
    places = mixture.draw(20_000, random)
    parts = [
        weight * stats.multivariate_t(centre, factor @ factor.T, df=FREEDOM).pdf(places)
        for weight, centre, factor in zip(weights, centres, factors, strict=True)
    ]
    np.testing.assert_allclose(mixture.log_density(places), np.log(sum(parts)), rtol=FLOAT64)
    # Standard errors of .7 % of a deviation.
    assert places.mean(0) == pytest.approx(weights @ centres, abs=0.05)


def test_a_fit_finds_two_clusters() -> None:
    random = np.random.default_rng(5)
    mixture = fit_mixture(draw_states(SHARE, 2000, random), 6, random)
    left = mixture.centres[:, 0] < 0
    assert mixture.weights[left].sum() == pytest.approx(SHARE, abs=0.05)
    heavy = mixture.weights > 0.01
    assert np.abs(np.abs(mixture.centres[heavy, 0]) - FAR).max() < 2


@pytest.mark.parametrize("place", [0.0, 1.0, 7.3])
@pytest.mark.parametrize("directions", [0, 1, SIZE - 1])
def test_a_fit_survives_states_of_fewer_directions(directions: int, place: float) -> None:
    random = np.random.default_rng(6)
    states = np.full((40, SIZE), place)
    states[:, :directions] += random.standard_normal((40, directions))
    mixture = fit_mixture(states, 3, random)
    assert np.isfinite(mixture.log_density(states[:2])).all()


def test_products_in_blocks_are_those_of_numpy() -> None:
    random = np.random.default_rng(7)
    left, right = random.standard_normal((900, 70)), random.standard_normal((70, 1100))
    np.testing.assert_allclose(product(left, right), left @ right, rtol=0, atol=1e-11)
    assert product(left[:0], right).shape == (0, 1100)
    assert monomials(left[:3]).shape == (1 + 70 + 70 * 71 // 2, 3)


def test_no_particle_jumps_where_no_proposal_is_finite() -> None:
    random = np.random.default_rng(8)
    states = draw_states(SHARE, 64, random)
    jumps = Jumps(states, np.ones(64), np.arange(64), 4, random)
    lost = np.full((64, 4), np.inf)
    moved, jumped = jumps.choose(
        jumps.proposals, lost, states, np.zeros(64), lambda z, costs: costs + (z**2).sum(1)
    )
    assert not jumped.any()
    assert (moved == states).all()


def test_long_latent_vectors_with_few_states_make_no_jumps() -> None:
    assert enough_states(256 * 6, 10)
    assert not enough_states(160 * 2, 40)


@pytest.mark.parametrize("backend", ["cpp", "torch"])
def test_a_sampling_jumps_and_counts_its_evaluations(backend: str) -> None:
    measurement, generator = linear_problem(2, noise_level=SIGMA)
    config = replace(SMALL, backend=backend, chains=2)  # type: ignore[arg-type]
    posterior = sample_posterior(measurement, generator, config)
    without = sample_posterior(measurement, generator, replace(config, jumps=0))
    # Both stages at the last temperature begin with proposals for each particle.
    assert (posterior.gradients - without.gradients == 2 * 2 * 256 * config.jumps).all()
    _, _, evidence = exact(measurement, generator)
    # 4,096 proposals that nearly have the target's density.
    assert float((posterior.log_evidence - evidence[:, None]).abs().max()) < 0.05
    assert torch.equal(posterior.latents, sample_posterior(measurement, generator, config).latents)
