"""The stroke model: digits that a classifier of handwriting reads, in many forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from inpaint.classifier.files import load_classifier
from inpaint.errors import ArgumentError
from inpaint.files.digits import draw_digit
from inpaint.studies.samples import CONFIDENT
from inpaint.training.data import with_strokes


def drawn(digit: int, count: int, seed: int = 0) -> Tensor:
    """Drawings of a digit. [count, 1, 28, 28]"""
    rng = np.random.default_rng([seed, digit])
    return torch.from_numpy(np.stack([draw_digit(digit, rng) for _ in range(count)]))[:, None]


def read(digit: int, count: int) -> float:
    """Share of drawings that the shipped classifier takes for their digit and is sure of."""
    probability = load_classifier("digits").probabilities(drawn(digit, count))[:, digit]
    return float((probability > CONFIDENT).double().mean())


def test_a_drawing_follows_from_its_seed() -> None:
    assert torch.equal(drawn(3, 2), drawn(3, 2))
    assert not torch.equal(drawn(3, 2), drawn(3, 2, seed=1))


@pytest.mark.parametrize("digit", range(10))
def test_drawings_are_placed_as_in_mnist_and_differ(digit: int) -> None:
    ink = 1 - drawn(digit, 8)[:, 0]
    assert float(ink.min()) == 0
    assert float(ink.max()) == 1
    place = torch.arange(28.0).double()
    for each in ink:
        rows, columns = (each.sum(1) > 0).nonzero()[:, 0], (each.sum(0) > 0).nonzero()[:, 0]
        sides = (int(axis[-1] - axis[0]) + 1 for axis in (rows, columns))
        # Pressure makes the pen narrower than the room that the box leaves for it.
        assert 18 <= max(sides) <= 21
        for mass in (each.sum(1), each.sum(0)):
            assert abs((mass * place).sum() / mass.sum() - 13.5) <= 0.5 + 1e-9
    distances = torch.cdist(ink.flatten(1), ink.flatten(1)) + 100 * torch.eye(8)
    assert float(distances.min()) > 1.5


def test_drawings_are_read_as_their_digits() -> None:
    assert np.mean([read(digit, 20) for digit in range(10)]) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("digit", range(10))
def test_each_digit_is_read_almost_always(digit: int) -> None:
    assert read(digit, 300) >= 0.95


@pytest.mark.parametrize("digit", [-1, 10, 2.5])
def test_another_digit_is_refused(digit: float) -> None:
    with pytest.raises(ArgumentError, match="choose 0 to 9"):
        draw_digit(digit, np.random.default_rng(0))


def test_strokes_are_added_to_handwriting_in_its_proportions() -> None:
    images = torch.rand(90, 1, 28, 28)
    labels = torch.tensor([4, 4, 7]).repeat(30)
    mixed, classes = with_strokes(images, labels, 0.25, seed=3)
    assert mixed.shape == (120, 1, 28, 28)
    assert mixed.dtype == images.dtype
    assert torch.equal(mixed[:90], images)
    assert torch.equal(classes[:90], labels)
    assert set(classes[90:].tolist()) == {4, 7}
    assert int((classes[90:] == 4).sum()) > 15
    # The drawings have the labels that they are given.
    sevens = mixed[90:][classes[90:] == 7]
    assert int((load_classifier("digits")(sevens).argmax(1) == 7).sum()) >= len(sevens) - 1
    again, _ = with_strokes(images, labels, 0.25, seed=3)
    assert torch.equal(mixed, again)
    assert not torch.equal(mixed, with_strokes(images, labels, 0.25, seed=4)[0])
    assert with_strokes(images, labels, 0.0)[0] is images


@pytest.mark.parametrize(
    ("shape", "label", "share", "message"),
    [
        ((1, 20, 28), 4, 0.5, "strokes is 0.5; only the digits 0 to 9"),
        ((3, 28, 28), 4, 0.5, "strokes is 0.5; only the digits 0 to 9"),
        ((1, 28, 28), 12, 0.5, "labels up to 12"),
        ((1, 28, 28), 4, 1.0, "strokes is 1.0"),
        ((1, 28, 28), 4, -0.1, "strokes is -0.1"),
        ((1, 28, 28), 4, float("nan"), "strokes is nan"),
    ],
)
def test_what_cannot_be_drawn_is_refused(shape, label: int, share: float, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        with_strokes(torch.zeros(5, *shape), torch.full((5,), label), share)
