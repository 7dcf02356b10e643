"""Samples, walks and simulated images."""

from __future__ import annotations

import pytest
import torch

from inpaint import Generator
from inpaint.errors import ArgumentError, ShapeError
from inpaint.generators.samples import (
    draw_latents,
    draw_vectors,
    sample_images,
    sample_vector,
    simulate,
    walk,
)


def test_samples_follow_from_their_seed(small_generator: Generator) -> None:
    images = sample_images(small_generator, 5, seed=3)
    assert images.shape == (5, *small_generator.image_shape)
    torch.testing.assert_close(images[:2], sample_images(small_generator, 2, seed=3))
    assert not torch.allclose(images, sample_images(small_generator, 5, seed=4))
    first = draw_vectors(small_generator, [sample_vector(small_generator, seed=3)])
    torch.testing.assert_close(first[0], images[0])


def test_a_walk_goes_from_one_vector_to_the_other(small_generator: Generator) -> None:
    start, end = [0.0, 1.0, -1.0], [2.0, 0.0, 0.5]
    images = walk(small_generator, start, end, steps=5)
    ends = draw_vectors(small_generator, [start, [1.0, 0.5, -0.25], end])
    torch.testing.assert_close(images[[0, 2, 4]], ends)


def test_a_search_does_not_begin_at_the_simulated_truth(small_generator: Generator) -> None:
    truth = sample_vector(small_generator, seed=0)
    starts = draw_latents(0, range(4), 1, small_generator.latent_size)
    assert not any(torch.allclose(start, torch.tensor([truth]).double()) for start in starts)
    found = simulate(small_generator, 4, seed=0)
    assert found.ideal is found.images
    assert len(found) == 4


def test_what_cannot_be_drawn_is_said(small_generator: Generator) -> None:
    with pytest.raises(ShapeError, match="has 2 numbers; random takes 3"):
        draw_vectors(small_generator, [[0.0, 1.0]])
    with pytest.raises(ArgumentError, match="count is 0"):
        sample_images(small_generator, 0)
    with pytest.raises(ArgumentError, match="steps is 1"):
        walk(small_generator, [0.0] * 3, [1.0] * 3, steps=1)
    with pytest.raises(ArgumentError, match="seed is -1"):
        sample_vector(small_generator, seed=-1)
