"""What a caller hands in, beyond the usual: values, matrices, masked arrays, numbers of numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import inpaint
from inpaint.errors import ArgumentError, InpaintError, ShapeError
from tests.helpers import QUICK

GENERATOR = inpaint.read_generator("eights-10")
SHAPE = GENERATOR.image_shape
PICTURES = GENERATOR(torch.randn(2, 10, generator=torch.Generator().manual_seed(1))).double()
MATRIX = np.random.default_rng(0).standard_normal((60, 784))


class Physics:
    """Values of one axis, far outside 0 to 1."""

    matrix = torch.from_numpy(100 * MATRIX)

    def A(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1) @ self.matrix.to(images).T

    def A_adjoint(self, values: torch.Tensor) -> torch.Tensor:
        return (values @ self.matrix.to(values)).reshape(-1, *SHAPE)


def test_measured_values_of_any_range_are_restored() -> None:
    values = Physics().A(PICTURES)
    assert float(values.abs().max()) > 10
    expected = inpaint.restore(inpaint.measure(PICTURES, Physics()), GENERATOR, QUICK)
    for given in (values, values.numpy(), values[:, None, None]):
        found = inpaint.restore(given, GENERATOR, QUICK, operator=Physics())
        assert torch.equal(found.images, expected.images)
    found = inpaint.restore(inpaint.Measurement(values, Physics()), GENERATOR, QUICK)
    assert torch.equal(found.images, expected.images)
    with pytest.raises(ShapeError, match="inpaint.measure"):
        inpaint.restore(PICTURES, GENERATOR, QUICK, operator=Physics())
    with pytest.raises(ArgumentError, match="finite"):
        inpaint.restore(values * np.nan, GENERATOR, QUICK, operator=Physics())


@pytest.mark.parametrize("operator", ["block-average", inpaint.BlockAverage(4, SHAPE)])
def test_averages_are_restored_by_name_and_by_operator(operator: Any) -> None:
    measured = inpaint.measure(PICTURES, "block-average", noise=0.01)
    images = inpaint.ImageSet(measured.values, ideal=PICTURES, numbers=(5, 3))
    for given in (measured.values, measured.values.numpy(), images):
        found = inpaint.restore(given, GENERATOR, QUICK, operator=operator)
        assert found.measurement.operator == measured.operator
        assert torch.equal(found.measurement.values, measured.values)
    assert found.measurement.numbers == (5, 3)
    assert torch.equal(found.measurement.ideal, PICTURES)


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_a_matrix_is_an_operator(kind: Any) -> None:
    measured = inpaint.measure(PICTURES, kind(MATRIX))
    assert measured.operator.value_shape == (1, 1, 60)
    found = inpaint.restore(measured.values, GENERATOR, QUICK, operator=kind(MATRIX))
    assert torch.equal(found.images, inpaint.restore(measured, GENERATOR, QUICK).images)
    operator = inpaint.LinearOperator(kind(MATRIX), SHAPE)
    torch.testing.assert_close(operator.apply(PICTURES), measured.values)


def test_ideals_are_kept() -> None:
    images = inpaint.ImageSet(PICTURES, ideal=PICTURES.round())
    found = inpaint.restore(images, GENERATOR, QUICK, mask="box:8")
    assert torch.equal(found.measurement.ideal, images.ideal)
    assert found.compare().rows[0].metrics is not None


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_masked_pixels_of_an_array_are_lost(dtype: type) -> None:
    values = PICTURES[0, 0].numpy() * (255 if dtype is np.uint8 else 1)
    lost = np.zeros((28, 28), dtype=bool)
    lost[10:18, 10:18] = True
    found = inpaint.restore(np.ma.masked_array(values.astype(dtype), lost), GENERATOR, QUICK)
    other = inpaint.restore(values.astype(dtype), GENERATOR, QUICK, mask=~lost)
    torch.testing.assert_close(found.measurement.values.double(), other.measurement.values.double())
    assert torch.equal(found.measurement.operator.observed[0, 0], torch.from_numpy(~lost))


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    config = inpaint.RestoreConfig(
        restarts=np.int64(4), screen=np.int32(0), tolerance=np.float32(0.5)
    )
    mask = inpaint.Mask.box(np.int64(8))
    found = inpaint.restore(PICTURES, GENERATOR, config, mask=mask, noise_level=np.float32(0.1))
    found.save(tmp_path)
    assert inpaint.load(tmp_path).search.config.resolved() == config.resolved()
    assert inpaint.Mask(mask.fit(SHAPE).observed.numpy()) == mask.fit(SHAPE)


@pytest.mark.parametrize("answer", [False, np.bool_(False), 0])
def test_anything_false_cancels(answer: Any) -> None:
    found = inpaint.restore(
        PICTURES, GENERATOR, QUICK, mask="box:8", on_progress=lambda progress: answer
    )
    assert found.search.config.stop_after == 1
    assert "stopped early" in repr(found)


def test_a_mask_with_a_batch_axis_of_one_is_shared() -> None:
    observed = np.ones((1, 1, 28, 28), dtype=bool)
    observed[..., 5:9, :] = False
    assert inpaint.restore(PICTURES, GENERATOR, QUICK, mask=observed).measurement.operator.shared


def test_arrays_that_cannot_be_written_are_read_in_silence(recwarn: Any) -> None:
    picture = Image.fromarray((255 * PICTURES[0, 0].numpy()).astype(np.uint8))
    inpaint.as_images(np.asarray(picture))
    assert len(recwarn) == 0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: inpaint.as_images(np.full((28, 28), 700, np.uint16)), "from 700 to 700"),
        (lambda: inpaint.restore(PICTURES, GENERATOR, {"restarts": 3}), "config is a dict"),
        (lambda: inpaint.restore(PICTURES, GENERATOR, inpaint.PosteriorConfig()), "RestoreConfig"),
        (lambda: inpaint.sample_posterior(PICTURES, GENERATOR, QUICK), "PosteriorConfig"),
        (lambda: inpaint.write_images(PICTURES, "a.png"), "image_set is a Tensor"),
        (lambda: inpaint.measure(PICTURES, "box:8", noise="a"), "noise is 'a'"),
        (lambda: inpaint.restore(np.ones((28, 28, 3)), GENERATOR, mask="box:8"), "make it grey"),
        (lambda: inpaint.restore(np.ones((64, 64)), GENERATOR, mask="box:8"), "Resize"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence(call: Any, said: str) -> None:
    with pytest.raises(InpaintError, match=said) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_the_version_is_an_attribute() -> None:
    assert inpaint.__version__
    assert set(dir(inpaint)) == {*inpaint.__all__, "__version__"}
