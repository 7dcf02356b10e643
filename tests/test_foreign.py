"""Linear operators of other packages: what they are held to, and the search with them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from inpaint import BlockAverage, ImageSet, Mask, ModuleGenerator, RestoreConfig
from inpaint.errors import ArgumentError, ShapeError
from inpaint.operators import ForeignOperator, fit_operator, measure
from inpaint.search.restore import restore
from tests.helpers import (
    BLUR,
    IMAGE,
    MATRIX,
    STREAM,
    Channel,
    Physics,
    Projection,
    as_module,
    random_generator,
)

SHAPE = (1, 4, 5)


def test_only_operators_of_the_shape_fit() -> None:
    assert fit_operator(BLUR, torch.zeros(IMAGE).shape) is BLUR
    with pytest.raises(ShapeError, match=r"Blur is for images of shape \(2, 2, 6\), these have"):
        fit_operator(BLUR, SHAPE)
    with pytest.raises(ArgumentError, match="side is 3; blocks must fill"):
        fit_operator(BlockAverage(3), IMAGE)
    for other in ("box:8", None, nn.Linear(3, 3), np.ones(3)):
        with pytest.raises(ArgumentError, match="operator is a .*; give a Mask.*A and A_adjoint"):
            fit_operator(other, SHAPE)


class Changed(Physics):
    """An operator of deepinv with one method changed."""

    def __init__(self, name: str, function) -> None:
        super().__init__()
        setattr(self, name, function)


@pytest.mark.parametrize(
    ("name", "function", "message"),
    [
        ("A", lambda x: x + 1, "does not map 0 to 0"),
        ("A", lambda x: x**2, "not linear, or it adds noise"),
        ("A", lambda x: x.clamp(0, 1), "not linear"),
        ("A", lambda x: x * torch.rand_like(x), "not linear, or it adds noise"),
        ("A", lambda x: x * torch.nan, "does not map 0 to 0"),
        ("A", lambda x: 0 * x, "maps every image to 0"),
        ("A", lambda x: x.flatten(), "first axis must stay that of the batch"),
        ("A", lambda x: x.expand(3, *IMAGE), "first axis must stay that of the batch"),
        ("A", lambda x: (x, x), "values are of type tuple"),
        ("A", lambda x: x.to(torch.complex64), "values are of type torch.complex64"),
        ("A", lambda x: x @ torch.ones(5, 5), "it raised RuntimeError: mat1"),
        ("A_adjoint", lambda y: 2 * y, "adjoint is not its transpose, for <A x, y> is"),
        ("A_adjoint", lambda y: y.flatten(1), "not its transpose"),
        ("A_adjoint", lambda y: y[:, :1], "it raised RuntimeError: shape"),
    ],
)
def test_what_is_no_linear_operator_is_refused(name: str, function, message: str) -> None:
    with pytest.raises(ArgumentError, match=message) as error:
        measure(ImageSet(torch.rand(2, *IMAGE)), Changed(name, function))
    assert str(error.value).startswith("Changed is no linear operator of images of shape (2, 2, 6)")
    assert "\n" not in str(error.value)


def test_a_foreign_operator_has_the_values_of_its_own() -> None:
    x = torch.rand(3, *IMAGE)
    physics = Physics()
    operator = ForeignOperator(physics, IMAGE)
    assert torch.equal(operator.apply(x), physics.A(x))
    assert not operator.apply(x).requires_grad
    torch.testing.assert_close(operator.apply(x.double()), physics.A(x).double())
    assert operator.observed is None
    assert operator.title == "M = 24 values observed by Physics"
    with torch.no_grad():
        assert fit_operator(Projection(MATRIX), IMAGE).value_shape == (1, 1, 7)
    rows = fit_operator(Channel(), IMAGE)
    assert rows.value_shape == (1, 2, 6)
    assert rows.title == "M = 6 values observed by Channel"
    assert torch.equal(rows.observed, (torch.arange(6) % 2 == 0).expand(1, 2, 6))
    inputs = x.clone().requires_grad_()
    operator.apply(inputs).sum().backward()
    torch.testing.assert_close(inputs.grad, operator.adjoint(torch.ones_like(x)))
    # The picture is of the images' size, not of the values'.
    doubled = Changed("A", lambda x: 10 * x)
    doubled.A_adjoint = lambda y: 10 * y
    picture = ForeignOperator(doubled, IMAGE).picture(10 * x)
    torch.testing.assert_close(picture, x)


def test_a_foreign_mask_becomes_a_mask() -> None:
    lost = Mask.box(1, IMAGE)
    foreign = Changed("A", lambda x: x * lost.observed)
    foreign.A_adjoint = foreign.A
    assert fit_operator(foreign, IMAGE) == lost
    assert measure(ImageSet(torch.rand(2, *IMAGE)), foreign).operator == lost


@pytest.mark.parametrize("make", [Physics, lambda: Projection(MATRIX), Channel])
@pytest.mark.parametrize("kind", ["layers", "module"])
def test_what_can_be_measured_with_can_be_restored_from(make, kind: str) -> None:
    generator = random_generator((3, 16, 24), image_shape=IMAGE)
    if kind == "module":
        generator = ModuleGenerator(as_module(generator), latent_size=3)
    ideal = generator(torch.randn(2, 3, generator=STREAM, dtype=torch.float64))
    measurement = measure(ImageSet(ideal, ideal=ideal), make(), noise=0.001)
    for dtype in ("float32", "float64"):
        found = restore(measurement, generator, RestoreConfig(restarts=16, screen=50, dtype=dtype))
        values = measurement.operator.apply(found.images.double())
        assert float((values - measurement.values).square().mean().sqrt()) < 0.02
