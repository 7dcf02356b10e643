"""Masks and measurements."""

from __future__ import annotations

import pytest
import torch

from inpaint import ImageSet, Mask, measure
from inpaint.errors import ArgumentError, ShapeError

SHAPE = (1, 4, 5)


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


def test_a_mask_is_its_own_adjoint() -> None:
    mask = Mask.leading(9, SHAPE)
    x, y = torch.randn(2, 3, *SHAPE, dtype=torch.float64)
    torch.testing.assert_close((mask.apply(x) * y).sum(), (x * mask.apply(y)).sum())


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
