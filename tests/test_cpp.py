"""The C++ backend matches the torch backend up to rounding, and itself to the bit."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor, nn

from inpaint import Generator, ImageSet, Mask, ModuleGenerator, RestoreConfig
from inpaint.errors import BackendError
from inpaint.operators import measure
from inpaint.search.backends import cpp
from inpaint.search.backends import torch as reference
from inpaint.search.objective import Objective, make_objective
from inpaint.search.solvers import SolveState, make_solver, start
from inpaint.types import Status
from tests.helpers import make_problem, random_generator
from tests.tolerances import FLOAT64, GRADIENT, MANY_STEPS, SINGLE

FIRST_ORDER = ("gradient-descent", "rmsprop", "adam")
SOLVERS = (*FIRST_ORDER, "lbfgs")


def draw(objective: Objective, restarts: int, *, seed: int = 2) -> Tensor:
    """Latent vectors that float32 represents exactly. [B, R, D]"""
    shape = len(objective.target), restarts, objective.generator.latent_size
    stream = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=stream).to(objective.target)


def solver_named(name: str, **changes: object) -> object:
    config = RestoreConfig(solver=name, steps=60, **{"tolerance": 0.0, **changes})  # type: ignore
    return make_solver(config)


def tensors_of(state: SolveState) -> Iterator[tuple[str, Tensor]]:
    return ((f.name, getattr(state, f.name)) for f in fields(state) if f.name != "step")


def assert_same(one: SolveState, two: SolveState) -> None:
    """Assert that two states are bit-equal."""
    for (name, a), (_, b) in zip(tensors_of(one), tensors_of(two), strict=True):
        assert torch.equal(a, b), name


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(("images", "restarts"), [(1, 1), (1, 7), (3, 1), (3, 7)])
def test_float64_value_and_gradient(images: int, restarts: int, shared: bool) -> None:
    objective = make_problem(images=images, shared=shared)
    z = draw(objective, restarts)
    cost, gradient = cpp.cost_and_gradient(objective, z)
    expected_cost, expected_gradient = objective.cost_and_gradient(z)
    torch.testing.assert_close(cost, expected_cost, rtol=FLOAT64, atol=FLOAT64)
    torch.testing.assert_close(gradient, expected_gradient, rtol=FLOAT64, atol=FLOAT64)
    assert torch.equal(cpp.cost(objective, z), cost)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("hidden", ["relu", "leaky_relu", "tanh", "sigmoid", "none"])
@pytest.mark.parametrize("last", ["sigmoid", "tanh", "none"])
@pytest.mark.parametrize(
    ("sizes", "shape"),
    [
        ((1, 1), (1, 1, 1)),
        ((512, 20), (1, 4, 5)),
        ((10, 129, 63), (3, 3, 7)),
        ((4, 17, 8, 31, 30), (1, 6, 5)),
    ],
)
def test_float32_gradient_is_near_float64(
    capability: str,
    sizes: tuple[int, ...],
    shape: tuple[int, int, int],
    hidden: str,
    last: str,
    shared: bool,
) -> None:
    generator = scaled(random_generator(sizes, (hidden,) * (len(sizes) - 2) + (last,), shape))
    exact = make_problem(generator, shared=shared)
    single = make_problem(generator, shared=shared, dtype=torch.float32)
    # Both use the float32 values of the generator and the target.
    exact = replace(
        exact,
        generator=single.generator.to(dtype=torch.float64),
        target=single.target.double(),
    )
    z = draw(single, 9)
    cost, gradient = cpp.cost_and_gradient(single, z, capability=capability)
    exact_cost, exact_gradient = exact.cost_and_gradient(z.double())
    # The smaller the residuals are, the more log S depends on rounding errors of the pixels.
    scale = 1 + 1 / exact.noise_level(z.double())
    num_observed = exact.num_observed[:, None]
    cost_error = (cost - exact_cost).abs() / (exact_cost.abs() + num_observed * scale)
    assert float(cost_error.max()) < GRADIENT
    error = (gradient - exact_gradient).norm(dim=-1) / scale
    error = error / (exact_gradient.norm(dim=-1) + num_observed)
    assert float(error.max()) < SINGLE
    assert float(error.median()) < GRADIENT
    assert torch.equal(cpp.cost(single, z, capability=capability), cost)


def scaled(generator: Generator) -> Generator:
    """Weights scaled down so that the units of wide layers do not all saturate."""
    layers = (
        replace(layer, weight=layer.weight / layer.weight.shape[1] ** 0.5)
        for layer in generator.layers
    )
    return replace(generator, layers=tuple(layers))


def test_gradient_of_the_published_problem(
    capability: str, published: Generator, eights: ImageSet
) -> None:
    measurement = measure(eights, Mask.leading(350, (1, 28, 28)))
    single = make_objective(measurement, published, dtype=torch.float32)
    exact = make_objective(measurement, published, dtype=torch.float64)
    z = draw(single, 100)
    _, exact_gradient = exact.cost_and_gradient(z.double())
    _, gradient = cpp.cost_and_gradient(single, z, capability=capability)
    error = (gradient - exact_gradient).norm(dim=-1) / exact_gradient.norm(dim=-1)
    assert float(error.median()) < GRADIENT


def test_weights_other_than_0_and_1(capability: str) -> None:
    masked = make_problem(shared=False)
    assert masked.weight is not None
    weight = masked.weight * torch.rand(masked.weight.shape, dtype=torch.float64)
    objective = replace(masked, weight=weight)
    z = draw(objective, 4)
    cost, gradient = cpp.cost_and_gradient(objective, z)
    expected_cost, expected_gradient = objective.cost_and_gradient(z)
    torch.testing.assert_close(cost, expected_cost, rtol=FLOAT64, atol=0)
    torch.testing.assert_close(gradient, expected_gradient, rtol=FLOAT64, atol=FLOAT64)


def test_known_noise(capability: str) -> None:
    for dtype, tolerance in ((torch.float64, FLOAT64), (torch.float32, SINGLE)):
        objective = replace(make_problem(dtype=dtype), known_noise=0.2)
        z = draw(objective, 4)
        problem = cpp._make_problem(objective, capability)
        cost, gradient = cpp._extension().cost_and_gradient(problem, z, threads=1)
        expected_cost, expected_gradient = objective.cost_and_gradient(z)
        torch.testing.assert_close(cost, expected_cost, rtol=tolerance, atol=0)
        torch.testing.assert_close(
            gradient, expected_gradient, rtol=tolerance, atol=100 * tolerance
        )


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(("images", "restarts"), [(1, 1), (1, 7), (3, 1), (3, 7)])
def test_steps_match_torch(name: str, images: int, restarts: int, shared: bool) -> None:
    objective = make_problem(images=images, shared=shared)
    solver = solver_named(name)
    initial = start(solver, draw(objective, restarts))
    # L-BFGS soon converges; after that, rounding errors determine its steps.
    many = 8 if name == "lbfgs" else 25
    for steps, tolerance in ((1, FLOAT64), (many, MANY_STEPS)):
        one, history = cpp.advance(objective, solver, initial, steps)
        two, expected = reference.advance(objective, solver, initial, steps)
        assert one.step == two.step == steps
        torch.testing.assert_close(history, expected, rtol=tolerance, atol=tolerance)
        for (field, a), (_, b) in zip(tensors_of(one), tensors_of(two), strict=True):
            # In torch, unused pairs of L-BFGS hold other values.
            if field != "memory" or name != "lbfgs":
                torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance, msg=field)
        one = cpp.finish(objective, solver, one, Status.MAX_STEPS)
        two = reference.finish(objective, solver, two, Status.MAX_STEPS)
        torch.testing.assert_close(one.best_costs, two.best_costs, rtol=tolerance, atol=tolerance)
        assert torch.equal(one.status, two.status)


@pytest.mark.parametrize("name", SOLVERS)
def test_float32_step_matches_torch(capability: str, name: str) -> None:
    objective = make_problem(dtype=torch.float32)
    solver = solver_named(name)
    initial = start(solver, draw(objective, 7))
    one, _ = cpp.advance(objective, solver, initial, 1, capability=capability)
    two, _ = reference.advance(objective, solver, initial, 1)
    torch.testing.assert_close(one.latents, two.latents, rtol=SINGLE, atol=SINGLE)


@pytest.mark.parametrize("name", SOLVERS)
def test_stopping_matches_torch(name: str) -> None:
    objective = make_problem()
    solver = solver_named(name, tolerance=0.5, patience=3)
    initial = start(solver, draw(objective, 7))
    one, history = cpp.advance(objective, solver, initial, 40)
    two, expected = reference.advance(objective, solver, initial, 40)
    assert (one.status == Status.CONVERGED).any()
    assert torch.equal(one.status, two.status)
    assert torch.equal(one.evaluations, two.evaluations)
    torch.testing.assert_close(history, expected, rtol=MANY_STEPS, atol=MANY_STEPS)
    done = cpp.finish(objective, solver, one, Status.CANCELLED)
    stopped = one.status != Status.RUNNING
    assert torch.equal(done.status[stopped], one.status[stopped])
    assert (done.status[~stopped] == Status.CANCELLED).all()


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("name", SOLVERS)
def test_threads_chunks_and_batch_change_no_bit(capability: str, name: str, shared: bool) -> None:
    generator = random_generator((3, 40, 20))
    objective = make_problem(generator, shared=shared, dtype=torch.float32)
    solver = solver_named(name)
    z = draw(objective, 11)

    def run(problem: Objective, latents: Tensor, *chunks: int, threads: int = 1) -> SolveState:
        state = start(solver, latents)
        for steps in chunks:
            state, _ = cpp.advance(
                problem, solver, state, steps, threads=threads, capability=capability
            )
        return cpp.finish(problem, solver, state, Status.MAX_STEPS, capability=capability)

    whole = run(objective, z, 20)
    assert_same(run(objective, z, 20, threads=3), whole)
    assert_same(run(objective, z, 1, 12, 7), whole)
    alone = run(objective, z[:, 4:5].contiguous(), 20)
    for (name_, a), (_, b) in zip(tensors_of(alone), tensors_of(whole), strict=True):
        assert torch.equal(a, b[:, 4:5]), name_
    last = slice(2, 3)
    weight = None if objective.weight is None else objective.weight[last]
    one_image = replace(
        objective,
        target=objective.target[last],
        weight=weight,
        num_observed=objective.num_observed[last],
    )
    image = run(one_image, z[last], 20)
    for (name_, a), (_, b) in zip(tensors_of(image), tensors_of(whole), strict=True):
        assert torch.equal(a, b[last]), name_


@pytest.mark.parametrize("name", SOLVERS)
def test_a_failed_restart_leaves_the_others_bit_equal(capability: str, name: str) -> None:
    objective = make_problem(dtype=torch.float32)
    solver = solver_named(name)
    z = draw(objective, 6)
    spoilt = z.clone()
    spoilt[1, 2] = torch.inf
    spoilt[2, 5, 1] = torch.nan
    sound, _ = cpp.advance(objective, solver, start(solver, z), 15, capability=capability)
    failed, _ = cpp.advance(objective, solver, start(solver, spoilt), 15, capability=capability)
    broken = failed.status == Status.NON_FINITE
    assert broken.nonzero().tolist() == [[1, 2], [2, 5]]
    assert failed.costs[broken].isinf().all()
    for (field, a), (_, b) in zip(tensors_of(failed), tensors_of(sound), strict=True):
        assert torch.equal(a[~broken], b[~broken]), field


def test_advance_does_not_change_its_argument() -> None:
    objective = make_problem()
    solver = solver_named("adam")
    initial = start(solver, draw(objective, 3))
    before = {name: tensor.clone() for name, tensor in tensors_of(initial)}
    first, history = cpp.advance(objective, solver, initial, 5)
    second, _ = cpp.advance(objective, solver, initial, 5)
    assert_same(first, second)
    for name, tensor in tensors_of(initial):
        assert torch.equal(tensor, before[name])
    assert torch.equal(history[0], cpp.cost(objective, initial.latents))


def test_the_environment_chooses_the_instruction_set(capability: str) -> None:
    name = {"portable": "default"}.get(capability, capability)
    run = subprocess.run(
        [sys.executable, "-c", "from inpaint.search.backends import cpp; print(cpp.capability())"],
        env={**os.environ, "ATEN_CPU_CAPABILITY": name},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == capability


def test_an_unknown_instruction_set_is_refused() -> None:
    objective = make_problem(dtype=torch.float32)
    with pytest.raises(BackendError, match="capability is 'sse9'"):
        cpp.cost(objective, draw(objective, 1), capability="sse9")


def test_obstacles() -> None:
    assert cpp.available()[0]
    assert cpp.obstacle(make_problem()) is None
    module = nn.Sequential(nn.Linear(3, 20), nn.Unflatten(1, (1, 4, 5)))
    other = replace(make_problem(), generator=ModuleGenerator(module, latent_size=3))
    assert "module" in str(cpp.obstacle(other))
    with pytest.raises(BackendError, match="module"):
        cpp.cost(other, torch.zeros(3, 1, 3))


def test_an_extension_that_fails_to_load_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise ImportError("undefined symbol: _Z3foov")

    cpp._extension.cache_clear()
    monkeypatch.setattr(cpp, "import_module", fail)
    with pytest.raises(BackendError, match="undefined symbol"):
        cpp.obstacle(make_problem())
    monkeypatch.undo()
    assert cpp.available()[0]


MEMORY = """
import resource, sys
import torch
from inpaint import Dense, Generator
from inpaint.search.backends import cpp
from inpaint.search.objective import Objective
from inpaint.search.solvers import LBFGS, start

def used():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

torch.set_num_threads(1)
layers = (
    Dense(torch.randn(128, 10), torch.randn(128), "relu"),
    Dense(torch.randn(784, 128), torch.randn(784), "sigmoid"),
)
before = used()
weight = (torch.rand(100, 784) < 0.7).float()
objective = Objective(
    Generator(layers, (1, 28, 28)),
    torch.rand(100, 784),
    weight if sys.argv[1] == "masks" else None,
    weight.sum(1) if sys.argv[1] == "masks" else torch.full((100,), 784.0),
)
solver = LBFGS(steps=20, tolerance=0.0, patience=10)
state = start(solver, torch.randn(100, 256, 10))
for _ in range(3):
    state, history = cpp.advance(objective, solver, state, 5)
cpp.cost(objective, torch.randn(100, 2000, 10))
print(used() - before)
"""


@pytest.mark.parametrize("masks", ["masks", "shared"])
def test_a_hundred_images_take_little_memory(masks: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, masks], capture_output=True, text=True, check=True
    )
    assert float(run.stdout) < 300
