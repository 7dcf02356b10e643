"""Operators, each held to the same rules, and measurements."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from inpaint import BlockAverage, Blur, Composition, ImageSet, LinearOperator, Mask, measure
from inpaint.errors import ArgumentError, ShapeError
from inpaint.operators import to_matrix
from inpaint.types import Operator
from tests.tolerances import FLOAT64

SHAPE = (1, 4, 5)
IMAGE = (2, 2, 6)
STREAM = torch.Generator().manual_seed(0)
MATRIX = torch.randn(7, 24, generator=STREAM, dtype=torch.float64)
MASKS = torch.rand(3, *IMAGE, generator=STREAM) < 0.6
BLUR = Blur.gaussian(0.8, IMAGE)

OPERATORS: dict[str, Operator] = {
    "leading pixels": Mask.leading(7, IMAGE),
    "a mask for each image": Mask(MASKS),
    "block average": BlockAverage(2, IMAGE),
    "block average of a blur": Composition((BLUR, BlockAverage(2, IMAGE))),
    "blur": BLUR,
    "matrix": LinearOperator(MATRIX, IMAGE),
    "sparse matrix": LinearOperator((MATRIX * (MATRIX > 0.5)).to_sparse(), IMAGE),
    "mask after blur": Composition((BLUR, Mask.leading(5, IMAGE))),
    "masks after blur": Composition((BLUR, Mask(MASKS))),
    "blur after mask": Composition((Mask.leading(9, IMAGE), BLUR)),
    "mask after matrix": Composition(
        (LinearOperator(MATRIX, IMAGE), Mask(torch.arange(7).reshape(1, 1, 7) % 2 == 0))
    ),
}
"""Every kind of operator, on three images."""


def matrix_of(operator: Operator) -> Tensor:
    """The matrix of an operator by what it makes of each unit image. [M, P]"""
    units = torch.eye(24, dtype=torch.float64).reshape(24, 1, *IMAGE)
    return torch.stack([operator.apply(unit).flatten() for unit in units], dim=1)


@pytest.mark.parametrize("name", OPERATORS)
def test_the_adjoint_is_the_transpose(name: str) -> None:
    operator = OPERATORS[name]
    for between in ((), (5,)):
        x = torch.randn(3, *between, *operator.image_shape, dtype=torch.float64)
        y = torch.randn(3, *between, *operator.value_shape, dtype=torch.float64)
        forth, back = operator.apply(x), operator.adjoint(y)
        assert forth.shape == y.shape
        assert back.shape == x.shape
        torch.testing.assert_close((forth * y).sum(), (x * back).sum())


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_are_linear_travel_and_can_be_looked_at(name: str) -> None:
    operator = OPERATORS[name]
    x = torch.rand(3, *IMAGE, dtype=torch.float64)
    values = operator.apply(x)
    torch.testing.assert_close(operator.apply(2 * x), 2 * values)
    assert operator.picture(values).shape == x.shape
    assert operator.title
    single = operator.to(dtype=torch.float32).apply(x.float())
    torch.testing.assert_close(single, values.float())
    torch.testing.assert_close(operator[1:].apply(x[1:]), values[1:])
    if operator.observed is not None:
        lost = ~operator.observed.expand_as(values)
        assert values[lost].abs().max() == 0
    noisy = measure(ImageSet(x), operator, noise=0.1).values
    assert bool(((noisy != values) == (values != 0)).all())


@pytest.mark.parametrize("name", OPERATORS)
def test_shared_operators_have_a_matrix(name: str) -> None:
    operator = OPERATORS[name]
    if operator.observed is None or operator.observed.ndim == 3:
        torch.testing.assert_close(to_matrix(operator), matrix_of(operator), rtol=0, atol=FLOAT64)


def test_block_averages_are_enlarged_and_values_may_come_measured() -> None:
    average = BlockAverage(2, (1, 4, 6))
    image = torch.arange(24.0).reshape(1, 1, 4, 6)
    values = average.apply(image)
    assert values[0, 0].tolist() == [[3.5, 5.5, 7.5], [15.5, 17.5, 19.5]]
    assert torch.equal(average.picture(values)[0, 0, 2:, :2], torch.full((2, 2), 15.5))
    assert torch.equal(measure(ImageSet(values), average).values, values)
    assert average.title == "M = 6 averages of 2x2 pixels observed"


def test_a_blur_keeps_paper_white() -> None:
    blur = Blur.gaussian(1.5, (1, 9, 12))
    white = torch.ones(1, 1, 9, 12, dtype=torch.float64)
    torch.testing.assert_close(blur.apply(white), white)


def test_the_picture_of_a_matrix_shows_its_values() -> None:
    averages = BlockAverage(2, (1, 4, 6))
    values = averages.apply(torch.rand(2, 1, 4, 6, dtype=torch.float64))
    general = LinearOperator(to_matrix(averages), (1, 4, 6))
    picture = general.picture(values.reshape(2, 1, 1, 6))
    torch.testing.assert_close(picture, averages.picture(values), rtol=0.01, atol=0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BlockAverage(3, (1, 28, 28)), "divisor of 28"),
        (lambda: BlockAverage(0, (1, 28, 28)), "divisor of 28"),
        (lambda: Blur.gaussian(0.0, SHAPE), "above 0, at most 4"),
        (lambda: Blur(torch.ones(2, 3), torch.eye(3)), "square"),
        (lambda: Blur(torch.eye(3) * torch.nan, torch.eye(3)), "NaN"),
        (lambda: LinearOperator(torch.ones(3, 19), SHAPE), r"\[3, 19\].*\[M, 20\]"),
        (lambda: LinearOperator(torch.ones(20, 3), SHAPE), "transposed"),
        (lambda: LinearOperator(torch.full((3, 20), torch.nan), SHAPE), "NaN or infinity"),
        (lambda: LinearOperator(torch.zeros(3, 20), SHAPE), "only zeros"),
        (lambda: Composition(()), "at least one"),
        (lambda: Composition((BLUR, Mask.leading(3, SHAPE))), "must be equal"),
        (lambda: Composition((Mask(MASKS), BLUR)), "put it last"),
    ],
)
def test_operators_that_cannot_be_are_refused(make, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        make()


def test_noise_follows_the_weights() -> None:
    images = ImageSet(torch.zeros(1, 1, 100, 100, dtype=torch.float64))
    weights = torch.ones(1, 1, 100, 100)
    weights[..., 50:] = 4
    noisy = measure(images, Blur.gaussian(1, (1, 100, 100)), noise=0.1, weights=weights)
    assert float(noisy.values[..., :50].std()) == pytest.approx(0.1, rel=0.04)
    assert float(noisy.values[..., 50:].std()) == pytest.approx(0.05, rel=0.04)


def test_the_leading_pixels_are_the_leftmost_columns() -> None:
    mask = Mask.leading(6, SHAPE)
    expected = torch.zeros(1, 4, 5, dtype=torch.bool)
    expected[0, :, 0] = True
    expected[0, :2, 1] = True
    assert torch.equal(mask.observed, expected)


@pytest.mark.parametrize("keep", [0, 21, -3, 2.5, True])
def test_a_keep_out_of_range_is_refused(keep: int) -> None:
    with pytest.raises(ArgumentError, match="the image has 20 pixels. Choose 1 to 20"):
        Mask.leading(keep, SHAPE)


def test_masks_must_be_boolean_pictures_that_observe_something() -> None:
    with pytest.raises(ShapeError, match="bool tensor"):
        Mask(torch.ones(1, 4, 5))
    with pytest.raises(ShapeError, match="bool tensor"):
        Mask(torch.ones(4, 5, dtype=torch.bool))
    empty = torch.ones(2, *SHAPE, dtype=torch.bool)
    empty[1] = False
    with pytest.raises(ArgumentError, match="observes no pixel"):
        Mask(empty)


def test_lost_pixels_are_zero_and_noise_has_its_level() -> None:
    images = ImageSet(torch.full((2, 1, 100, 100), 0.5, dtype=torch.float64))
    mask = Mask.leading(5000, (1, 100, 100))
    measurement = measure(images, mask, noise=0.1, seed=3)
    kept = measurement.values[:, mask.observed]
    assert measurement.values[:, ~mask.observed].abs().max() == 0
    # The standard error of a standard deviation from 10,000 draws is 0.7 %.
    assert float((kept - 0.5).std()) == pytest.approx(0.1, rel=0.03)


def test_the_noise_of_an_image_follows_it_through_any_batch() -> None:
    images = ImageSet(torch.rand(3, *SHAPE, dtype=torch.float64))
    mask = Mask.leading(20, SHAPE)
    together = measure(images, mask, noise=0.2, seed=1)
    alone = measure(images[2:3], mask, noise=0.2, seed=1)
    torch.testing.assert_close(alone.values[0], together.values[2], rtol=0, atol=0)
    assert not torch.equal(together.values, measure(images, mask, noise=0.2, seed=2).values)


@pytest.mark.parametrize("noise", [-0.1, float("nan"), float("inf")])
def test_a_noise_that_is_no_standard_deviation_is_refused(noise: float) -> None:
    images = ImageSet(torch.rand(1, *SHAPE))
    with pytest.raises(ArgumentError, match="noise is"):
        measure(images, Mask.leading(3, SHAPE), noise=noise)


def test_a_mask_for_other_images_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(1, 4, 5\).*\(1, 28, 28\)"):
        measure(ImageSet(torch.rand(1, *SHAPE)), Mask.leading(3, (1, 28, 28)))


def test_slices_keep_images_masks_and_numbers_together() -> None:
    masks = torch.rand(3, *SHAPE) < 0.5
    masks[:, 0, 0, 0] = True
    images = ImageSet(torch.rand(3, *SHAPE), numbers=(7, 8, 9))
    measurement = measure(images, Mask(masks))[1:]
    assert measurement.numbers == (8, 9)
    assert isinstance(measurement.operator, Mask)
    assert torch.equal(measurement.operator.observed, masks[1:])
