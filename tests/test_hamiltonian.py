"""HMC moves: C++ matches torch up to rounding, and itself to the bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from inpaint.search.backends import cpp
from inpaint.search.backends import torch as reference
from inpaint.search.backends.hamiltonian import Moved, Moves
from inpaint.search.objective import Objective, make_objective
from tests.helpers import IMAGE, OPERATORS, make_problem, random_generator, some_values
from tests.tolerances import MANY_STEPS, SINGLE

CHAINS, PARTICLES = 2, 9


def draw_moves(
    objective: Objective, *, moves: int = 3, length: float = 0.15
) -> tuple[Tensor, Moves]:
    """Particles, and moves that differ between chains."""
    random = np.random.default_rng(4)
    images, size = len(objective.target), objective.generator.latent_size
    shape = images, CHAINS, PARTICLES

    def normal(*axes: int) -> Tensor:
        return torch.from_numpy(random.standard_normal(axes)).float().to(objective.target)

    factors = normal(images, CHAINS, size, size).tril() / 4 + torch.eye(size).to(objective.target)
    drawn = Moves(
        momenta=normal(*shape, moves, size),
        thresholds=-normal(*shape, moves).abs(),
        inverse_temperatures=torch.tensor([0.2, 1.0]).expand(images, -1).to(objective.target),
        lengths=length * (1 + normal(*shape).abs() / 4),
        factors=factors,
        leapfrog=4,
    )
    return normal(*shape, size), drawn


def assert_equal(one: Moved, two: Moved) -> None:
    """Assert that two results are bit-equal."""
    for name in ("latents", "costs", "accepted", "gradients"):
        assert torch.equal(getattr(one, name), getattr(two, name)), name


@pytest.mark.parametrize("known_noise", [None, 0.4])
@pytest.mark.parametrize("shared", [True, False])
def test_moves_match_torch(shared: bool, known_noise: float | None) -> None:
    objective = replace(make_problem(shared=shared), known_noise=known_noise)
    latents, moves = draw_moves(objective)
    one, two = cpp.move(objective, latents, moves), reference.move(objective, latents, moves)
    assert 0.2 < float(one.accepted.double().mean()) < 1
    assert torch.equal(one.accepted, two.accepted)
    for name in ("latents", "costs", "gradients"):
        torch.testing.assert_close(
            getattr(one, name), getattr(two, name), rtol=MANY_STEPS, atol=MANY_STEPS, msg=name
        )


@pytest.mark.parametrize("name", OPERATORS)
def test_moves_with_weights_and_operators_match_torch(name: str) -> None:
    generator = random_generator((3, 16, 24), image_shape=IMAGE)
    measurement = some_values(OPERATORS[name], weighted=True)
    objective = make_objective(measurement, generator, dtype=torch.float64)
    latents, moves = draw_moves(objective, length=0.05)
    one, two = cpp.move(objective, latents, moves), reference.move(objective, latents, moves)
    assert torch.equal(one.accepted, two.accepted)
    for field in ("latents", "costs", "gradients"):
        torch.testing.assert_close(
            getattr(one, field), getattr(two, field), rtol=MANY_STEPS, atol=MANY_STEPS, msg=field
        )


def test_float32_move_matches_torch(capability: str) -> None:
    objective = make_problem(dtype=torch.float32)
    latents, moves = draw_moves(objective, moves=1, length=0.05)
    one = cpp.move(objective, latents, moves, capability=capability)
    two = reference.move(objective, latents, moves)
    torch.testing.assert_close(one.latents, two.latents, rtol=10 * SINGLE, atol=10 * SINGLE)


@pytest.mark.parametrize("shared", [True, False])
def test_threads_and_batch_change_no_bit(capability: str, shared: bool) -> None:
    generator = random_generator((3, 40, 20))
    objective = make_problem(generator, shared=shared, dtype=torch.float32)
    latents, moves = draw_moves(objective)

    def move(problem: Objective, start: Tensor, drawn: Moves, threads: int = 1) -> Moved:
        return cpp.move(problem, start, drawn, threads=threads, capability=capability)

    whole = move(objective, latents, moves)
    assert_equal(move(objective, latents, moves, threads=3), whole)
    last = slice(2, 3)
    weight = None if objective.weight is None else objective.weight[last]
    alone = replace(
        objective,
        target=objective.target[last],
        weight=weight,
        num_observed=objective.num_observed[last],
    )
    drawn = Moves(
        moves.momenta[last],
        moves.thresholds[last],
        moves.inverse_temperatures[last],
        moves.lengths[last],
        moves.factors[last],
        moves.leapfrog,
    )
    one = move(alone, latents[last], drawn)
    assert torch.equal(one.latents, whole.latents[last])
    assert torch.equal(one.gradients, whole.gradients[last])


def test_resting_particles_leave_the_others_bit_equal(capability: str) -> None:
    objective = make_problem(dtype=torch.float32)
    latents, moves = draw_moves(objective)
    whole = cpp.move(objective, latents, moves, capability=capability)
    lengths = moves.lengths.clone()
    lengths[1, 0, ::2] = 0
    some = cpp.move(objective, latents, replace(moves, lengths=lengths), capability=capability)
    moving = lengths > 0
    assert torch.equal(some.latents[moving], whole.latents[moving])
    assert torch.equal(some.costs[moving], whole.costs[moving])


@pytest.mark.parametrize("backend", [cpp, reference])
def test_non_finite_particles_stay(backend: object) -> None:
    objective = make_problem()
    latents, moves = draw_moves(objective)
    latents[1, 1, 3] = torch.inf
    moved = backend.move(objective, latents, moves)  # type: ignore[attr-defined]
    assert not moved.accepted[1, 1, 3].any()
    assert moved.latents[1, 1, 2].isfinite().all()
