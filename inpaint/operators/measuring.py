"""From undamaged images to measurements of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from inpaint.checks import check_number
from inpaint.errors import ArgumentError, ShapeError
from inpaint.operators.foreign import fit_operator, is_operator
from inpaint.types import ImageSet, Measurement, Operator

NOISE_STREAM = 2**32
"""Added to an image's number for the random stream of its noise."""


def measure(
    image_set: ImageSet,
    operator: Any,
    *,
    noise: float = 0.0,
    seed: int = 0,
    weights: Tensor | None = None,
) -> Measurement:
    """Damage images: apply the operator, then add noise to what it observes.

    Args:
        image_set: B images. If they have the shape of the operator's values and not that of
            its images, they have been measured already, and only noise is added.
        operator: What is observed of them: an operator; one without an image shape, such as
            `Mask.box(8)`; or one of another package, as `fit_operator` describes.
        noise: Standard deviation of the Gaussian noise added, in units of the pixels; any
            noise that the images already have is not included.
        seed: Determines the noise of an image, together with the image's number.
        weights: 1 over the variance of each value's noise, up to a common factor. `noise` is
            the standard deviation added where the weight is 1. [B, C', H', W']

    Raises:
        ArgumentError: If `noise` or a weight is negative or not finite, or the operator is not one.
        ShapeError: If the operator is for images of another shape.
    """
    check_number("noise", noise, positive=False)
    if not is_operator(operator):
        whole = image_set.images if image_set.ideal is None else image_set.ideal
        operator = fit_operator(operator, whole.shape[1:])
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
        observed = operator.observed
        values = values + (scaled if observed is None else scaled * observed.to(scaled))
    return measurement_of(image_set, values, operator, weights=weights)


def measurement_of(
    image_set: ImageSet, values: Tensor, operator: Operator, **known: Any
) -> Measurement:
    """What was measured of some images, with what is known of each of them.

    Args:
        image_set: The images. B images
        values: What was measured. [B, C', H', W']
        operator: How it came from them.
        known: Weights and noise level, see `Measurement`.
    """
    return Measurement(
        values=values,
        operator=operator,
        ideal=image_set.ideal,
        numbers=image_set.numbers,
        names=image_set.names,
        source=image_set.source,
        **known,
    )


def check_weights(weights: Tensor, values: Tensor) -> None:
    """Require a weight of 0 or above for each value.

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
            "a value's noise, and 0 where the value is to be ignored."
        )


def _measured(image_set: ImageSet, operator: Operator) -> Tensor:
    """The values before noise is added. [B, C', H', W']"""
    images = image_set.images
    shape = tuple(images.shape[1:])
    if shape == tuple(operator.image_shape):
        return operator.apply(images)
    if shape != tuple(operator.value_shape):
        raise ShapeError(
            f"The images have shape {shape}, the operator {type(operator).__name__} is for "
            f"{operator.image_shape}; they must be equal."
        )
    return images if operator.observed is None else images * operator.observed.to(images)
