"""The bundled drawings: reproducible, placed like digits of MNIST, labelled as drawings."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from inpaint.classifier.files import load_classifier
from inpaint.errors import ArgumentError
from inpaint.files.examples import NOISE, bundled_names, hand_drawn, load_bundled
from inpaint.files.strokes import render_strokes
from inpaint.studies.samples import CONFIDENT

EIGHTS = "a8ec3f6c5cceb87322e914a3101d3af77fe3fc252b43e40ebce6bff2c7b494db"
"""SHA-256 of the ink of the bundled eights."""


def test_bundled_sets_have_the_same_images_on_every_call() -> None:
    assert bundled_names() == ("eights", "digits")
    first, second = load_bundled("eights"), load_bundled()
    assert first.images.shape == (4, 1, 28, 28)
    assert first.ideal is not None
    assert second.ideal is not None
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.ideal, second.ideal)
    assert "not handwriting" in first.source


def test_the_bundled_eights_stay_what_they_were() -> None:
    """Published figures and every older record are of these four."""
    ideal = load_bundled("eights").ideal
    assert ideal is not None
    # A pixel's ink is a count of 64ths, so this is exact on every machine.
    covered = ((1 - ideal) * 64).round().to(torch.uint8).numpy()
    assert hashlib.sha256(covered.tobytes()).hexdigest() == EIGHTS


def test_the_bundled_digits_are_one_of_each() -> None:
    digits = load_bundled("digits")
    assert digits.images.shape == (10, 1, 28, 28)
    assert digits.ideal is not None
    assert torch.equal(digits.images, load_bundled("digits").images)
    probabilities = load_classifier("digits").probabilities(digits.ideal)
    assert float(probabilities.diagonal().min()) > CONFIDENT


def test_the_noise_has_the_level_it_is_said_to_have() -> None:
    images = load_bundled()
    noise = images.images - images.ideal
    assert noise.std().item() == pytest.approx(NOISE, rel=0.05)
    assert abs(noise.mean().item()) < 0.01


def test_drawings_are_dark_on_white_and_placed_as_in_mnist() -> None:
    ideal = load_bundled().ideal
    assert ideal.min() == 0
    assert ideal.max() == 1
    for ink in 1 - ideal[:, 0]:
        rows, columns = (ink.sum(1) > 0).nonzero()[:, 0], (ink.sum(0) > 0).nonzero()[:, 0]
        height, width = (int(axis[-1] - axis[0]) + 1 for axis in (rows, columns))
        assert 19 <= max(height, width) <= 20
        centre = torch.arange(28.0).double()
        for mass in (ink.sum(1), ink.sum(0)):
            assert abs((mass * centre).sum() / mass.sum() - 13.5) <= 0.5 + 1e-9


def test_drawings_differ_visibly() -> None:
    ideal = load_bundled().ideal.flatten(1)
    distances = torch.cdist(ideal, ideal) + 100 * torch.eye(4)
    assert distances.min() > 5


def test_an_unknown_set_is_refused_in_words() -> None:
    with pytest.raises(ArgumentError, match=r"no bundled set 'nines'.*eights"):
        load_bundled("nines")


def test_a_drawing_by_hand_is_placed_as_in_mnist_wherever_it_was_drawn() -> None:
    turn = np.linspace(0, 2 * np.pi, 100)
    eight = np.stack([np.sin(2 * turn), -2 * np.cos(turn)], axis=1)
    small, large = render_strokes([eight]), render_strokes([300 + 70 * eight])
    assert np.abs(small - large).max() < 0.1
    ink = 1 - hand_drawn([eight]).images[0, 0]
    rows = (ink.sum(1) > 0).nonzero()[:, 0]
    assert 19 <= int(rows[-1] - rows[0]) + 1 <= 20
    halves = [eight[:50], eight[49:]]
    assert np.abs(render_strokes(halves) - small).max() < 0.1
    assert 0 < (1 - render_strokes([np.array([[3.0, 4.0]])])).sum() < 10, "one dot"


@pytest.mark.parametrize("points", [np.zeros((0, 2)), np.zeros((5001, 2)), [[0.0, np.nan]]])
def test_what_is_no_drawing_is_refused(points) -> None:
    with pytest.raises(ArgumentError, match="draw with 1 to 5000"):
        render_strokes([points])
