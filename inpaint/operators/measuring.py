"""From undamaged images to measurements of them."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from inpaint.errors import ArgumentError, ShapeError
from inpaint.types import ImageSet, Measurement, Operator

NOISE_STREAM = 2**32
"""Added to an image's number for the random stream of its noise."""


def measure(
    image_set: ImageSet,
    operator: Operator,
    *,
    noise: float = 0.0,
    seed: int = 0,
    weights: Tensor | None = None,
) -> Measurement:
    """Damage images: apply the operator, then add noise to what it observes.

    Args:
        image_set: B images. If they have not the shape of the operator's images but that of
            its values, they are what was measured already, and only noise is added.
        operator: What is observed of them.
        noise: Standard deviation of the Gaussian noise added, in units of the pixels; the
            noise that the images already have is not known here.
        seed: The noise of an image follows from this and from the image's number.
        weights: 1 over the variance of each value's noise, up to a common factor. The noise
            added follows it, being `noise` where the weight is 1. [B, C', H', W']

    Raises:
        ArgumentError: If `noise` or a weight is negative or not finite.
        ShapeError: If the operator is for images of another shape.
    """
    if not (math.isfinite(noise) and noise >= 0):
        raise ArgumentError(f"noise is {noise}; choose a finite standard deviation of 0 or above.")
    values = _measured(image_set, operator)
    if weights is not None:
        check_weights(weights, values)
    if noise > 0:
        # A second key, so that the noise and the restarts drawn from one seed are independent.
        streams = [
            np.random.Generator(np.random.Philox(key=[seed, NOISE_STREAM + number]))
            for number in image_set.numbers
        ]
        shape = operator.value_shape
        grain = np.stack([stream.standard_normal(shape) for stream in streams])
        scaled = noise * torch.from_numpy(grain).to(values)
        if weights is not None:
            scaled = scaled * torch.where(weights > 0, weights.to(values), torch.inf).rsqrt()
        values = values + (scaled if operator.observed is None else scaled * operator.observed)
    return Measurement(
        values=values,
        operator=operator,
        ideal=image_set.ideal,
        numbers=image_set.numbers,
        source=image_set.source,
        weights=weights,
    )


def check_weights(weights: Tensor, values: Tensor) -> None:
    """Refuse weights that do not fit the values or are no weights.

    Raises:
        ShapeError: If the two have different shapes.
        ArgumentError: If a weight is negative or not finite.
    """
    if weights.shape != values.shape:
        raise ShapeError(
            f"weights has shape {list(weights.shape)} and the values {list(values.shape)}; give "
            "one weight for each value."
        )
    if not (torch.isfinite(weights).all() and (weights >= 0).all()):
        raise ArgumentError(
            "weights holds a negative number, NaN or infinity; a weight is 1 over the variance of "
            "a value's noise, and 0 where the value shall be ignored."
        )


def _measured(image_set: ImageSet, operator: Operator) -> Tensor:
    """The values without the noise that shall be added. [B, C', H', W']"""
    images = image_set.images
    shape = tuple(images.shape[1:])
    if shape == operator.image_shape:
        return operator.apply(images)
    if shape != operator.value_shape:
        raise ShapeError(
            f"The images have shape {shape}, the operator {type(operator).__name__} is for "
            f"{operator.image_shape}; they must be equal."
        )
    return images if operator.observed is None else images * operator.observed.to(images)
