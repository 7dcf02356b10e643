"""From undamaged images to measurements of them."""

from __future__ import annotations

import math

import numpy as np
import torch

from inpaint.errors import ArgumentError, ShapeError
from inpaint.operators.mask import Mask
from inpaint.types import ImageSet, Measurement

NOISE_STREAM = 2**32
"""Added to an image's number for the random stream of its noise."""


def measure(
    image_set: ImageSet, operator: Mask, *, noise: float = 0.0, seed: int = 0
) -> Measurement:
    """Damage images: add noise, then keep what the operator observes.

    Args:
        image_set: B images.
        operator: What is observed of them.
        noise: Standard deviation of the Gaussian noise added, in units of the pixels; the
            noise that the images already have is not known here.
        seed: The noise of an image follows from this and from the image's number.

    Raises:
        ArgumentError: If `noise` is negative or not finite.
        ShapeError: If the operator is for images of another shape.
    """
    if not (math.isfinite(noise) and noise >= 0):
        raise ArgumentError(f"noise is {noise}; choose a finite standard deviation of 0 or above.")
    shape = tuple(image_set.images.shape[1:])
    if shape != operator.image_shape:
        raise ShapeError(
            f"The images have shape {shape}, the mask {operator.image_shape}; they must be equal."
        )
    images = image_set.images
    if noise > 0:
        # A second key, so that the noise and the restarts drawn from one seed are independent.
        streams = [
            np.random.Generator(np.random.Philox(key=[seed, NOISE_STREAM + number]))
            for number in image_set.numbers
        ]
        grain = np.stack([stream.standard_normal(shape) for stream in streams])
        images = images + noise * torch.from_numpy(grain).to(images)
    return Measurement(
        values=operator.apply(images),
        operator=operator,
        ideal=image_set.ideal,
        numbers=image_set.numbers,
        source=image_set.source,
    )
