"""Latent vectors, and the images that a generator makes of them: samples, walks, simulated data.

Latent vectors may be lists of numbers, so that a page with sliders needs no tensors. Images are
computed in float64.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from inpaint.checks import check_integer
from inpaint.errors import ShapeError
from inpaint.generators import AnyGenerator
from inpaint.types import ImageSet

SAMPLES_STREAM = 2**33
"""Number of the random stream of samples. Restarts and noise have other streams, so a search does
not start at the truth that was simulated with the same seed."""
MOST = 2**31
"""Most images in one call."""


class LatentStream:
    """Standard normal latent vectors, from a separate random stream for each image.

    A vector depends only on the seed, the image's number and its place in the stream, not on
    how many are drawn at a time.

    Args:
        seed: Seed of the restoration.
        numbers: Number of each image in its source. [B]
        latent_size: D.
    """

    def __init__(self, seed: int, numbers: Sequence[int], latent_size: int) -> None:
        self._size = latent_size
        self._streams = [
            np.random.Generator(np.random.Philox(key=[seed, number])) for number in numbers
        ]

    def draw(self, count: int, images: Sequence[int] | None = None) -> Tensor:
        """The next `count` vectors of some of the B images, or of each. float64 [B, count, D]"""
        streams = self._streams if images is None else [self._streams[i] for i in images]
        draws = [stream.standard_normal((count, self._size)) for stream in streams]
        return torch.from_numpy(np.stack(draws))


def draw_latents(seed: int, numbers: Sequence[int], count: int, latent_size: int) -> Tensor:
    """The first `count` vectors of each image's stream. float64 [B, count, D]"""
    return LatentStream(seed, numbers, latent_size).draw(count)


def sample_images(generator: AnyGenerator, count: int, *, seed: int = 0) -> Tensor:
    """Images of latent vectors drawn at random.

    Args:
        generator: What makes the images.
        count: How many; with the same seed, a larger number begins with the same images.
        seed: Determines the latent vectors.

    Returns:
        Values in 0 to 1. float64 [count, C, H, W]

    Raises:
        ArgumentError: If `count` or `seed` is out of range.
    """
    check_integer("count", count, 1, MOST)
    return _draw(generator, _stream(generator, count, seed))


def sample_vector(generator: AnyGenerator, *, seed: int = 0) -> list[float]:
    """The latent vector of the first image of `sample_images`. [D]"""
    vector: list[float] = _stream(generator, 1, seed)[0].tolist()
    return vector


def draw_vectors(generator: AnyGenerator, vectors: Sequence[Sequence[float]]) -> Tensor:
    """Images of latent vectors given as numbers. [K, D] -> float64 [K, C, H, W]

    Raises:
        ShapeError: If a vector has another size than the generator's latent size.
    """
    return _draw(generator, _to_latents(generator, vectors))


def walk(
    generator: AnyGenerator, start: Sequence[float], end: Sequence[float], *, steps: int = 11
) -> Tensor:
    """Images on the straight line from one latent vector to another, both ends included.

    Args:
        generator: What makes the images.
        start: [D]
        end: [D]
        steps: Number of images K, at equal distances.

    Returns:
        float64 [K, C, H, W]

    Raises:
        ArgumentError: If `steps` is below 2.
        ShapeError: If an end has another size than the generator's latent size.
    """
    check_integer("steps", steps, 2, MOST)
    first, last = _to_latents(generator, [start, end])
    shares = torch.linspace(0, 1, steps, dtype=torch.float64)
    return _draw(generator, torch.lerp(first, last, shares[:, None]))


def simulate(generator: AnyGenerator, count: int, *, seed: int = 0) -> ImageSet:
    """Samples as images to restore, which the generator can reproduce exactly.

    Args:
        generator: What makes the images.
        count: How many.
        seed: Determines the latent vectors.

    Raises:
        ArgumentError: If `count` or `seed` is out of range.
    """
    images = sample_images(generator, count, seed=seed)
    return ImageSet(
        images=images,
        ideal=images,
        source=f"{count} samples of {generator.name} with seed {seed}",
        notes=("made by the generator itself, without noise",),
    )


def _to_latents(generator: AnyGenerator, vectors: Sequence[Sequence[float]]) -> Tensor:
    """Latent vectors as a tensor. float64 [K, D]"""
    for vector in vectors:
        if len(vector) != generator.latent_size:
            raise ShapeError(
                f"A latent vector has {len(vector)} numbers; {generator.name} takes "
                f"{generator.latent_size}."
            )
    return torch.tensor(vectors, dtype=torch.float64)


def _stream(generator: AnyGenerator, count: int, seed: int) -> Tensor:
    """The first latent vectors of a seed. float64 [count, D]"""
    check_integer("seed", seed, 0, 2**63 - 1)
    return draw_latents(seed, [SAMPLES_STREAM], count, generator.latent_size)[0]


def _draw(generator: AnyGenerator, latents: Tensor) -> Tensor:
    with torch.no_grad():
        return generator.to("cpu", torch.float64)(latents)
