"""J is the published formula, and its gradient is its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import Tensor

from inpaint import (
    BlockAverage,
    Generator,
    ImageSet,
    Mask,
    Measurement,
    ModuleGenerator,
    RestoreConfig,
    read_images,
)
from inpaint.errors import ArgumentError, ShapeError
from inpaint.operators import measure
from inpaint.search.backends import cpp
from inpaint.search.objective import Observation, make_objective
from inpaint.search.restore import restore
from tests.helpers import (
    IMAGE,
    OPERATORS,
    as_module,
    matrix_of,
    missing,
    random_generator,
    some_measurement,
    some_values,
)
from tests.tolerances import FLOAT64, GRADIENT, KNOWN_COST, SAME_SELECTION

SHAPE = (1, 4, 5)


def published_formula(measurement: Measurement, generator: Generator, z: Tensor) -> Tensor:
    """N log ||y - T G(z)||^2 + z'z, pixel by pixel. [B, R, D] -> [B, R]"""
    assert isinstance(measurement.operator, Mask)
    observed = measurement.operator.batch(len(measurement))
    costs = []
    for image, mask, latents in zip(measurement.values, observed, z, strict=True):
        residual = (generator(latents) - image)[:, mask]
        costs.append(mask.sum() * residual.square().sum(-1).log() + latents.square().sum(-1))
    return torch.stack(costs)


def formula_of_matrix(
    measurement: Measurement, generator: Generator, z: Tensor, noise_level: float | None
) -> Tensor:
    """J written with the operator's matrix, image by image. [B, R, D] -> [B, R]"""
    costs = []
    for index, latents in enumerate(z):
        one = measurement[index : index + 1]
        assert one.weights is not None
        difference = (
            generator(latents).flatten(1) @ matrix_of(one.operator).T - one.values.flatten()
        )
        seen = torch.ones_like(one.values, dtype=torch.bool)
        if one.operator.observed is not None:
            seen = one.operator.observed.expand_as(one.values)
        misfit = (difference.square() * (one.weights * seen).flatten()).sum(-1)
        fit = seen.sum() * misfit.log() if noise_level is None else misfit / noise_level**2
        costs.append(fit + latents.square().sum(-1))
    return torch.stack(costs)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("wrapped", [True, False])
def test_cost_is_the_formula_and_gradient_is_its_derivative(shared: bool, wrapped: bool) -> None:
    generator = random_generator((3, 16, 16, 20), ("relu", "tanh", "sigmoid"))
    measurement = some_measurement(shared=shared)
    served = ModuleGenerator(as_module(generator), latent_size=3) if wrapped else generator
    objective = make_objective(measurement, served, dtype=torch.float64)
    z = torch.randn(3, 7, 3, dtype=torch.float64, requires_grad=True)
    expected = published_formula(measurement, generator, z)
    (slope,) = torch.autograd.grad(expected.sum(), z)
    cost, gradient = objective.cost_and_gradient(z.detach())
    torch.testing.assert_close(cost, expected.detach(), rtol=FLOAT64, atol=0)
    torch.testing.assert_close(objective.cost(z.detach()), cost, rtol=FLOAT64, atol=0)
    torch.testing.assert_close(gradient, slope, rtol=FLOAT64, atol=FLOAT64)


def test_gradient_passes_gradcheck() -> None:
    measurement = some_measurement(shared=True, images=1)
    objective = make_objective(measurement, random_generator(), dtype=torch.float64)

    class Cost(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):  # type: ignore[no-untyped-def]
            cost, gradient = objective.cost_and_gradient(z)
            ctx.save_for_backward(gradient)
            return cost

        @staticmethod
        def backward(ctx, upstream):  # type: ignore[no-untyped-def]
            return upstream[..., None] * ctx.saved_tensors[0]

    z = torch.randn(1, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Cost.apply, (z,))


def test_noiseless_data_has_a_finite_cost_and_gradient() -> None:
    generator = random_generator()
    z = torch.randn(1, 1, 3, dtype=torch.float64)
    exact = measure(ImageSet(generator(z)[0]), Mask.leading(20, SHAPE))
    for dtype in (torch.float32, torch.float64):
        objective = make_objective(exact, generator, dtype=dtype)
        cost, gradient = objective.cost_and_gradient(z.to(dtype))
        assert cost.isfinite().all()
        assert gradient.isfinite().all()
    torch.testing.assert_close(gradient, 2 * z)


def test_unobserved_pixels_never_change_the_cost() -> None:
    measurement = some_measurement(shared=False)
    assert isinstance(measurement.operator, Mask)
    lost = ~measurement.operator.batch(3)
    spoilt = Measurement(
        measurement.values + 5 * torch.rand(lost.shape) * lost, measurement.operator
    )
    z = torch.randn(3, 2, 3, dtype=torch.float64)
    costs = [
        make_objective(m, random_generator(), dtype=torch.float64).cost(z)
        for m in (measurement, spoilt)
    ]
    assert torch.equal(*costs)


def test_float32_gradient_is_near_float64(published: Generator, eights: ImageSet) -> None:
    measurement = measure(eights, Mask.leading(350, (1, 28, 28)))
    z = torch.randn(4, 20, 10, dtype=torch.float64).float().double()
    _, exact = make_objective(measurement, published, dtype=torch.float64).cost_and_gradient(z)
    single = make_objective(measurement, published, dtype=torch.float32)
    _, gradient = single.cost_and_gradient(z.float())
    error = (gradient - exact).norm(dim=-1) / exact.norm(dim=-1)
    assert float(error.median()) < GRADIENT


def test_the_ideal_images_lie_in_the_published_range(
    published: Generator, eights: ImageSet
) -> None:
    """The noise of the real files, and the noise level as the other side of J."""
    assert eights.ideal is not None
    noise = (eights.images - eights.ideal).std()
    assert float(noise) == pytest.approx(0.0973, abs=0.001)
    objective = make_objective(
        measure(eights, Mask.leading(500, (1, 28, 28))), published, dtype=torch.float64
    )
    z = torch.randn(4, 1, 10, dtype=torch.float64)
    sigma = objective.noise_level(z)
    again = 500 * (500 * sigma**2).log() + z.square().sum(-1)
    torch.testing.assert_close(objective.cost(z), again, rtol=0, atol=KNOWN_COST)


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("noise_level", [None, 0.3])
def test_every_operator_has_the_objective_of_its_matrix(
    name: str, wrapped: bool, noise_level: float | None
) -> None:
    operator = OPERATORS[name]
    generator = random_generator((3, 16, 24), image_shape=IMAGE)
    measurement = some_values(operator, weighted=True)
    served = ModuleGenerator(as_module(generator), latent_size=3) if wrapped else generator
    measurement = replace(measurement, noise_level=noise_level)
    objective = make_objective(measurement, served, dtype=torch.float64)
    z = torch.randn(3, 4, 3, dtype=torch.float64, requires_grad=True)
    expected = formula_of_matrix(measurement, generator, z, noise_level)
    (slope,) = torch.autograd.grad(expected.sum(), z)
    cost, gradient = objective.cost_and_gradient(z.detach())
    torch.testing.assert_close(cost, expected.detach(), rtol=FLOAT64, atol=FLOAT64)
    torch.testing.assert_close(objective.cost(z.detach()), cost, rtol=FLOAT64, atol=FLOAT64)
    torch.testing.assert_close(gradient, slope, rtol=FLOAT64, atol=1e-9)


@pytest.mark.parametrize("name", OPERATORS)
def test_cpp_and_torch_agree_for_every_operator(name: str) -> None:
    generator = random_generator((3, 16, 24), image_shape=IMAGE)
    measurement = some_values(OPERATORS[name], weighted=True)
    objective = make_objective(measurement, generator, dtype=torch.float64)
    if not cpp.available()[0]:
        missing("The C++ extension is not built.")
    assert cpp.obstacle(objective) is None
    z = torch.randn(3, 4, 3, dtype=torch.float64)
    for found, expected in zip(
        cpp.cost_and_gradient(objective, z), objective.cost_and_gradient(z), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_a_matrix_too_large_for_a_layer_is_applied_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator = random_generator((3, 16, 24), image_shape=IMAGE)
    measurement = some_values(OPERATORS["sparse matrix"])
    z = torch.randn(3, 4, 3, dtype=torch.float64)
    as_layer = make_objective(measurement, generator, dtype=torch.float64)
    monkeypatch.setattr("inpaint.search.objective.LARGEST_MATRIX", 10)
    applied = make_objective(measurement, generator, dtype=torch.float64)
    assert isinstance(applied.generator, Observation)
    for found, expected in zip(
        applied.cost_and_gradient(z), as_layer.cost_and_gradient(z), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=FLOAT64, atol=1e-9)
    if cpp.available()[0]:
        assert "too large" in (cpp.obstacle(applied) or "")


def test_the_known_lowest_costs_of_super_resolution(published: Generator, data_dir: Path) -> None:
    """What searches of thousands of starts found, in both backends."""
    averages = read_images(data_dir / "data23.mat")
    measurement = measure(averages, BlockAverage(4, (1, 28, 28)))
    for backend in ("torch", "cpp"):
        config = RestoreConfig(restarts=64, screen=2000, backend=backend, threads=1)
        found = restore(measurement, published, config)
        expected = torch.tensor([-228.01, -275.87, -247.32, -271.65])
        torch.testing.assert_close(found.best_costs, expected, rtol=0, atol=2 * KNOWN_COST)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_known_noise_level_is_served_by_both_backends(
    dtype: Literal["float32", "float64"], published: Generator, eights: ImageSet
) -> None:
    measurement = measure(eights[:1], Mask.leading(500, (1, 28, 28)))
    measurement = replace(measurement, noise_level=0.0973)
    config = RestoreConfig(restarts=16, screen=500, dtype=dtype)
    one, two = (
        restore(measurement, published, replace(config, backend=name, threads=1))
        for name in ("cpp", "torch")
    )
    assert one.backend.startswith("cpp")
    assert ("portable" in one.backend) or dtype == "float32"
    torch.testing.assert_close(one.best_costs, two.best_costs, atol=SAME_SELECTION, rtol=0)
    assert float(one.noise_level[0]) == pytest.approx(0.0973, rel=0.05)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (torch.ones(3, 1, 1, 1), "one weight for each value"),
        (-torch.ones(3, *SHAPE), "negative"),
        (torch.full((3, *SHAPE), torch.nan), "NaN"),
        (torch.zeros(3, *SHAPE), "All weights of an image are 0"),
    ],
)
def test_bad_weights_are_refused(
    weights: torch.Tensor, message: str, small_generator: Generator
) -> None:
    measurement = replace(some_measurement(shared=True), weights=weights)
    with pytest.raises(ArgumentError, match=message):
        make_objective(measurement, small_generator, dtype=torch.float64)


def test_values_of_another_shape_are_refused(small_generator: Generator) -> None:
    measurement = Measurement(torch.zeros(1, 1, 3, 3), BlockAverage(1, SHAPE))
    with pytest.raises(ShapeError, match=r"\[1, 1, 3, 3\].*\[1, 1, 4, 5\]"):
        make_objective(measurement, small_generator, dtype=torch.float64)
