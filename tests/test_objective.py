"""J is the published formula, and its gradient is its own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from inpaint import Generator, ImageSet, Mask, Measurement, ModuleGenerator, measure
from inpaint.errors import BackendError
from inpaint.objective import make_objective
from tests.conftest import random_generator
from tests.test_generator import as_module
from tests.tolerances import FLOAT64, GRADIENT, KNOWN_COST

SHAPE = (1, 4, 5)


def some_measurement(*, shared: bool, images: int = 3) -> Measurement:
    """Noisy random images under one mask, or each under its own."""
    stream = torch.Generator().manual_seed(1)
    pictures = torch.rand(images, *SHAPE, generator=stream, dtype=torch.float64)
    observed = torch.rand(images, *SHAPE, generator=stream) < 0.6
    observed[:, 0, 0, 0] = True
    mask = Mask(observed[0] if shared else observed)
    return measure(ImageSet(pictures), mask)


def published_formula(measurement: Measurement, generator: Generator, z: Tensor) -> Tensor:
    """N log ||y - T G(z)||^2 + z'z, pixel by pixel. [B, R, D] -> [B, R]"""
    assert isinstance(measurement.operator, Mask)
    observed = measurement.operator.batch(len(measurement))
    costs = []
    for image, mask, latents in zip(measurement.values, observed, z, strict=True):
        residual = (generator(latents) - image)[:, mask]
        costs.append(mask.sum() * residual.square().sum(-1).log() + latents.square().sum(-1))
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


def test_an_operator_without_an_objective_is_refused(small_generator: Generator) -> None:
    class Blur:
        image_shape = SHAPE

    measurement = Measurement(torch.zeros(1, *SHAPE), Blur())  # type: ignore[arg-type]
    with pytest.raises(BackendError, match="Blur"):
        make_objective(measurement, small_generator, dtype=torch.float64)
