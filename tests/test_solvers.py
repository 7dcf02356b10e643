"""Solvers step as published, in any number of calls."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inpaint import RestoreConfig, Status
from inpaint.config import SOLVERS
from inpaint.search.backends import torch as backend
from inpaint.search.objective import Objective, make_objective
from inpaint.search.solvers import (
    LBFGS,
    Adam,
    GradientDescent,
    RMSprop,
    SolveState,
    make_solver,
    start,
)
from tests.helpers import random_generator, some_measurement
from tests.tolerances import FLOAT64


@pytest.fixture
def objective() -> Objective:
    return make_objective(some_measurement(shared=True), random_generator(), dtype=torch.float64)


def starts(restarts: int = 5, *, seed: int = 2) -> torch.Tensor:
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(3, restarts, 3, generator=stream, dtype=torch.float64)


@pytest.mark.parametrize("name", ["gradient-descent", "rmsprop", "adam"])
def test_first_order_solvers_equal_torch_optim(name: str, objective: Objective) -> None:
    config = RestoreConfig(solver=name, steps=40, tolerance=0.0, schedule="constant")
    solver = make_solver(config)
    state = start(solver, starts())
    variable = starts().requires_grad_()
    match solver:
        case GradientDescent(learning_rate=rate):
            optimiser: torch.optim.Optimizer = torch.optim.SGD([variable], lr=rate)
        case RMSprop(learning_rate=rate, decay=decay, epsilon=epsilon):
            optimiser = torch.optim.RMSprop([variable], lr=rate, alpha=decay, eps=epsilon)
        case Adam(learning_rate=rate, beta1=one, beta2=two, epsilon=epsilon):
            optimiser = torch.optim.Adam([variable], lr=rate, betas=(one, two), eps=epsilon)
    state, _ = backend.advance(objective, solver, state, 40)
    for _ in range(40):
        _, variable.grad = objective.cost_and_gradient(variable.detach())
        optimiser.step()
    torch.testing.assert_close(state.latents, variable.detach(), rtol=0, atol=1e-8)


def test_the_cosine_schedule_ends_at_one_percent() -> None:
    solver = make_solver(RestoreConfig(solver="adam", steps=100, learning_rate=0.4))
    assert isinstance(solver, Adam)
    rates = solver.learning_rates(0, 101)
    assert rates[0] == pytest.approx(0.4)
    assert rates[50] == pytest.approx(0.202)
    assert rates[100] == pytest.approx(0.004)
    assert rates == sorted(rates, reverse=True)


def test_lbfgs_reaches_a_stationary_point_of_a_smooth_cost() -> None:
    generator = random_generator(activations=("tanh", "sigmoid"))
    objective = make_objective(some_measurement(shared=True), generator, dtype=torch.float64)
    solver = LBFGS(steps=400, tolerance=1e-13, patience=3)
    state, _ = backend.advance(objective, solver, start(solver, starts()), 400)
    _, gradient = objective.cost_and_gradient(state.best_latents)
    assert (state.status == Status.CONVERGED).all()
    assert float(gradient.norm(dim=-1).max()) < 1e-4


def test_lbfgs_never_climbs(objective: Objective) -> None:
    solver = make_solver(RestoreConfig(tolerance=0.0))
    _, history = backend.advance(objective, solver, start(solver, starts()), 60)
    assert (history.diff(dim=0) <= 0).all()


@pytest.mark.parametrize("name", SOLVERS)
@settings(max_examples=8)
@given(cut=st.integers(1, 39))
def test_chunks_change_nothing(name: str, cut: int) -> None:
    objective = make_objective(
        some_measurement(shared=True), random_generator(), dtype=torch.float64
    )
    solver = make_solver(RestoreConfig(solver=name, steps=40))
    whole, history = backend.advance(objective, solver, start(solver, starts()), 40)
    half, before = backend.advance(objective, solver, start(solver, starts()), cut)
    cut_state, after = backend.advance(objective, solver, half, 40 - cut)
    assert torch.equal(history, torch.cat([before, after]))
    for field in SolveState.__dataclass_fields__:
        one, two = getattr(whole, field), getattr(cut_state, field)
        assert one == two if isinstance(one, int) else torch.equal(one, two), field


@pytest.mark.parametrize("name", SOLVERS)
def test_a_failed_restart_leaves_the_others_bit_equal(name: str, objective: Objective) -> None:
    solver = make_solver(RestoreConfig(solver=name, steps=30))
    z = starts()
    spoilt = z.clone()
    spoilt[1, 2] = 1e200  # z'z overflows
    clean, _ = backend.advance(objective, solver, start(solver, z), 30)
    state, history = backend.advance(objective, solver, start(solver, spoilt), 30)
    assert state.status[1, 2] == Status.NON_FINITE
    assert history[:, 1, 2].isinf().all()
    others = torch.ones(3, 5, dtype=torch.bool)
    others[1, 2] = False
    assert torch.equal(state.best_latents[others], clean.best_latents[others])
    assert torch.equal(state.best_costs[others], clean.best_costs[others])


@pytest.mark.parametrize("name", SOLVERS)
def test_the_best_iterate_is_kept(name: str, objective: Objective) -> None:
    # Steps far too large, so that the last iterate is not the best one.
    solver = make_solver(RestoreConfig(solver=name, steps=50, learning_rate=3.0, tolerance=0.0))
    state, history = backend.advance(objective, solver, start(solver, starts()), 50)
    state = backend.finish(objective, solver, state, Status.MAX_STEPS)
    lowest = torch.cat([history, state.costs[None]]).amin(0)
    assert torch.equal(state.best_costs, lowest)
    torch.testing.assert_close(objective.cost(state.best_latents), lowest, rtol=FLOAT64, atol=0)


def test_a_stationary_start_converges_by_tolerance_only(objective: Objective) -> None:
    config = RestoreConfig(solver="gradient-descent", learning_rate=1e-12, patience=5)
    for tolerance, expected in ((1e-3, Status.CONVERGED), (0.0, Status.RUNNING)):
        solver = make_solver(replace(config, tolerance=tolerance))
        state, _ = backend.advance(objective, solver, start(solver, starts()), 20)
        assert (state.status == expected).all()
        assert (state.evaluations == (6 if tolerance else 20)).all()
