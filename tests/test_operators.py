"""Operators, each held to the same rules, and measurements."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from inpaint import BlockAverage, Blur, Composition, ImageSet, LinearOperator, Mask, Measurement
from inpaint.errors import ArgumentError, ShapeError
from inpaint.operators import UnshapedOperator, fit_operator, measure, to_matrix
from tests.helpers import BLUR, IMAGE, MASKS, OPERATORS, STREAM, Channel, matrix_of
from tests.tolerances import FLOAT64

SHAPE = (1, 4, 5)


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


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_move_as_in_torch_and_choose_images_as_in_numpy(name: str) -> None:
    operator = OPERATORS[name]
    x = torch.rand(3, *IMAGE, dtype=torch.float64)
    values = operator.apply(x)
    places = (("cpu", torch.float64), (torch.float64,), ("cpu",), (torch.device("cpu"),), (x,), ())
    for place in places:
        assert torch.equal(operator.to(*place).apply(x), values)
    assert torch.equal(operator.to(dtype=torch.float64, device="cpu").apply(x), values)
    for wrong in ((torch.int64,), ("nowhere",), ("cpu", "cpu"), (torch.float32, x), (None, 3.5)):
        with pytest.raises(ArgumentError, match="dtype is|device is"):
            operator.to(*wrong)
    for index in (1, -1, [2, 0], [True, False, True], np.array([1]), torch.tensor([False] * 3)):
        chosen = torch.arange(3)[index].reshape(-1)
        torch.testing.assert_close(operator[index].apply(x[chosen]), values[chosen])


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_can_be_compared_printed_and_copied(name: str) -> None:
    operator = OPERATORS[name]
    assert operator == operator
    assert operator != OPERATORS["a mask for each image"] or "each" in name
    assert len({operator, operator}) == 1
    for text in (repr(operator), repr(measure(ImageSet(torch.rand(3, *IMAGE)), operator))):
        assert "tensor" not in text
        assert len(text) < 150
    x = torch.rand(3, *IMAGE, dtype=torch.float64)
    for other in (copy.deepcopy(operator), pickle.loads(pickle.dumps(operator))):
        assert torch.equal(other.apply(x), operator.apply(x))


@pytest.mark.parametrize(
    ("unshaped", "shaped", "text"),
    [
        (BlockAverage(2), BlockAverage(2, IMAGE), "BlockAverage(2)"),
        (Blur.gaussian(0.8), BLUR, "Blur.gaussian(0.8)"),
        (
            Composition((Blur.gaussian(0.8), BlockAverage(2), Mask.leading(2))),
            Composition((BLUR, BlockAverage(2, IMAGE), Mask.leading(2, (2, 1, 3)))),
            "Composition((Blur.gaussian(0.8), BlockAverage(2), Mask.leading(2)))",
        ),
        (
            Composition([Channel(), Mask.half("left")]),
            Composition([fit_operator(Channel(), IMAGE), Mask.half("left", (1, 2, 6))]),
            "Composition(",
        ),
    ],
    ids=str,
)
def test_an_operator_without_a_shape_takes_that_of_the_images(unshaped, shaped, text) -> None:
    assert isinstance(unshaped, UnshapedOperator)
    assert repr(unshaped).startswith(text)
    images = ImageSet(torch.rand(3, *IMAGE, dtype=torch.float64))
    measurement = measure(images, unshaped)
    assert type(measurement.operator) is type(shaped)
    assert torch.equal(measurement.values, shaped.apply(images.images))
    # Values that were measured already have another shape than the images.
    if measurement.values.shape != images.images.shape:
        measured = ImageSet(measurement.values, ideal=images.images)
        assert torch.equal(measure(measured, unshaped).values, measurement.values)


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


def test_records_are_indexed_as_in_numpy() -> None:
    images = ImageSet(torch.rand(4, *SHAPE), torch.rand(4, *SHAPE), numbers=(3, 5, 7, 9))
    masks = Mask(torch.rand(4, *SHAPE, generator=STREAM) < 0.7)
    measurement = measure(images, masks, weights=torch.rand(4, *SHAPE))
    numbers = np.array(images.numbers)
    many = (slice(1, 3), slice(None, None, 2), [0, 3], [-1], [], np.array([2, 0]))
    for index in (
        *many,
        [True, False, True, False],
        torch.tensor([1, 1]),
        torch.tensor([True] * 4),
    ):
        expected = numbers[np.asarray(index)] if not isinstance(index, (slice, list)) else None
        expected = numbers[index or slice(0)] if expected is None else expected
        for record, tensors in (
            (images, ("images", "ideal")),
            (measurement, ("values", "weights")),
        ):
            chosen = record[index]
            assert chosen.numbers == tuple(expected)
            for name in tensors:
                place = index if isinstance(index, slice) else torch.as_tensor(index)
                place = place if isinstance(place, slice) or len(place) else slice(0)
                assert torch.equal(getattr(chosen, name), getattr(record, name)[place])
        assert len(measurement[index].operator.observed) == len(expected)
    assert measurement[2].numbers == measurement[-2].numbers == measurement[np.int64(2)].numbers
    assert measurement[2].values.shape == SHAPE
    assert measurement[2].batched().values.shape == (1, *SHAPE)
    assert [record.numbers for record in measurement] == [(3,), (5,), (7,), (9,)]
    for record in (images, measurement):
        for index in (4, -5, [0, 4], [True], "0", 1.5, [0.0], None, (0, 1, 2, 3, 4), [[0]]):
            with pytest.raises(IndexError, match="out of range|is no index of 4 images"):
                record[index]


def test_records_say_what_they_are_and_are_equal_to_themselves_only() -> None:
    images = ImageSet(torch.rand(4, 1, 28, 28), source="data22.mat")
    assert repr(images) == "ImageSet(4 images 1x28x28, ideal unknown, from data22.mat)"
    measurement = measure(images, Mask.leading(350))
    text = "Measurement(4 images, 350 of 784 pixels observed, noise level unknown)"
    assert repr(measurement) == text
    known = replace(measurement[:1], noise_level=0.05, weights=measurement.values[:1] * 0 + 1)
    assert (
        repr(known)
        == "Measurement(1 image, 350 of 784 pixels observed, noise level 0.05, weighted)"
    )
    averages = measure(images, BlockAverage(4))
    assert repr(averages) == (
        "Measurement(4 images, 49 averages of 4x4 pixels observed, noise level unknown)"
    )
    assert "Mask.box(8)" in repr(Measurement(images.images, Mask.box(8)))  # type: ignore[arg-type]
    for record in (images, measurement):
        assert record == record
        assert record != replace(record)
        assert len({record, record}) == 1


def test_a_measurement_moves_as_a_whole() -> None:
    images = torch.rand(2, *IMAGE)
    weights = torch.ones(2, *IMAGE)
    measurement = measure(ImageSet(images, images), BLUR, noise=0.1, weights=weights)
    for place in ((torch.float64,), ("cpu", torch.float64), (torch.zeros(1).double(),)):
        moved = measurement.to(*place)
        assert {x.dtype for x in (moved.values, moved.ideal, moved.weights)} == {torch.float64}
        assert moved.operator.rows.dtype == torch.float64
        assert moved.numbers == measurement.numbers
    assert measurement.to("cpu").values.dtype == torch.float32
    assert measurement[:1].to(dtype=torch.float64).values.dtype == torch.float64
    assert measure(ImageSet(images), BLUR).to(torch.float64).ideal is None
