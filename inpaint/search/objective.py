"""The one definition of the objective J, its gradient and the noise level.

J(z) = N log S(z) + z'z  with the misfit  S(z) = sum_m w_m (y_m - (T G(z))_m)^2

over N observed values y with weights w, which are 1 unless the noise is known to be unequal.
Up to a constant J is -2 log p(z | y) for a standard normal prior on z and the scale prior
p(sigma^2) ~ 1/sigma^2, with the noise variance sigma^2 integrated out. Where sigma is known,
J(z) = S(z) / sigma^2 + z'z instead. `csrc/objective.h` is the same function for one latent vector.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from inpaint.errors import ArgumentError, ShapeError
from inpaint.generators import AnyGenerator, Dense, Generator, Pullback, check_generator
from inpaint.operators import Composition, Mask, to_matrix
from inpaint.operators.measuring import check_weights
from inpaint.types import ImageShape, Measurement, Operator

LARGEST_MATRIX = 2**22
"""Entries of the largest matrix T that becomes a layer of the generator."""


@dataclass(frozen=True)
class Observation:
    """A generator seen through an operator: latent vectors to values, by T and its transpose.

    Attributes:
        generator: Maps latent vectors to images.
        operator: Maps images to values.
    """

    generator: AnyGenerator
    operator: Operator

    @property
    def image_shape(self) -> ImageShape:
        """Shape of the images between generator and operator. (C, H, W)"""
        return self.operator.image_shape

    def pixels(self, latents: Tensor) -> Tensor:
        """Values of latent vectors. [B, R, D] -> [B, R, M]"""
        pixels = self.generator.pixels(latents)
        return self.operator.apply(pixels.unflatten(-1, self.operator.image_shape)).flatten(-3)

    def linearize(self, latents: Tensor) -> tuple[Tensor, Pullback]:
        """Values, and the map from a gradient in values to one in latents. [B, R, D]"""
        operator = self.operator
        pixels, inner = self.generator.linearize(latents)
        values = operator.apply(pixels.unflatten(-1, operator.image_shape)).flatten(-3)

        def pullback(gradient: Tensor) -> Tensor:
            images = operator.adjoint(gradient.unflatten(-1, operator.value_shape))
            return inner(images.flatten(-3))

        return values, pullback


@dataclass(frozen=True)
class Objective:
    """J of B images, ready to be evaluated at R latent vectors of each.

    Attributes:
        generator: Gives the values that `target` is compared with: pixels, or what the
            operator makes of them.
        target: Measured values; entries of weight 0 are ignored. [B, M]
        weight: How much each value counts, 0 where it was not observed; None if all are 1.
            [B, M]
        num_observed: Number of observed values N. [B]
        known_noise: Noise standard deviation where it is known; J then has S / sigma^2.
    """

    generator: AnyGenerator | Observation
    target: Tensor
    weight: Tensor | None
    num_observed: Tensor
    known_noise: float | None = None

    @property
    def width(self) -> int:
        """Most numbers that are held at once for one latent vector."""
        if isinstance(self.generator, Generator):
            return self.generator.width
        return max(self.target.shape[1], math.prod(self.generator.image_shape))

    @property
    def floor(self) -> Tensor:
        """Misfit below which only rounding is left; J does not depend on S below it. [B]

        Noiseless data would otherwise send log S to minus infinity. The floor is part of the
        definition, in both the cost and the gradient.
        """
        return self.num_observed * torch.finfo(self.target.dtype).eps ** 2

    def cost(self, latents: Tensor) -> Tensor:
        """J, forward only. [B, R, D] -> [B, R]"""
        _, misfit = self._compare(self.generator.pixels(latents))
        return self._cost(latents, misfit)

    def cost_and_gradient(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """J and its gradient. [B, R, D] -> [B, R], [B, R, D]"""
        pixels, pullback = self.generator.linearize(latents)
        residual, misfit = self._compare(pixels)
        gradient = pullback(self._gradient_scale(misfit)[..., None] * residual) + 2 * latents
        return self._cost(latents, misfit), gradient

    def noise_level(self, latents: Tensor) -> Tensor:
        """Estimated noise standard deviation sqrt(S / N), even if known. [B, R, D] -> [B, R]"""
        _, misfit = self._compare(self.generator.pixels(latents))
        return (misfit / self.num_observed[:, None]).sqrt()

    def _compare(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """The weighted residual [B, R, M] and the misfit S [B, R]."""
        residual = pixels - self.target[:, None]
        weighted = residual if self.weight is None else residual * self.weight[:, None]
        return weighted, (weighted * residual).sum(-1)

    def _cost(self, latents: Tensor, misfit: Tensor) -> Tensor:
        prior = latents.square().sum(-1)
        if self.known_noise is not None:
            return misfit / self.known_noise**2 + prior
        misfit = torch.maximum(misfit, self.floor[:, None])
        return self.num_observed[:, None] * misfit.log() + prior

    def _gradient_scale(self, misfit: Tensor) -> Tensor:
        """Twice the slope of J in S. [B, R] -> [B, R]"""
        if self.known_noise is not None:
            return torch.full_like(misfit, 2 / self.known_noise**2)
        return torch.where(misfit > self.floor[:, None], 2 * self.num_observed[:, None] / misfit, 0)


def check_measurement(measurement: Measurement, generator: AnyGenerator) -> None:
    """Require that a measurement and a generator fit together.

    Raises:
        ShapeError: If there is no image, or the generator makes images of a different shape.
        ArgumentError: If a value is not finite.
    """
    values, shape = measurement.values, measurement.operator.image_shape
    if len(values) == 0:
        raise ShapeError("The measurement holds no image; give at least one.")
    check_generator(generator, shape)
    if not torch.isfinite(values).all():
        raise ArgumentError(
            "The measurement holds NaN or infinity; every value must be finite. Mask such pixels."
        )


def make_objective(
    measurement: Measurement,
    generator: AnyGenerator,
    *,
    dtype: torch.dtype,
    device: torch.device | str = "cpu",
) -> Objective:
    """J of a measurement under a generator.

    Where all images share one mask, only the observed values are computed. T becomes one more
    layer of a generator of dense layers, which every backend can evaluate.

    Args:
        measurement: B images.
        generator: Maps latent vectors to images of the measurement's shape.
        dtype: Precision of the computation.
        device: Where it takes place.

    Raises:
        ShapeError: If values, weights and operator do not fit together.
        ArgumentError: If no value of an image counts.
    """
    operator, values = measurement.operator, measurement.values
    if tuple(values.shape[1:]) != tuple(operator.value_shape):
        raise ShapeError(
            f"The values have shape {list(values.shape)}; {type(operator).__name__} gives "
            f"[{len(values)}, {', '.join(map(str, operator.value_shape))}]."
        )
    target = values.flatten(1).to(device, dtype)
    weight = _weights(measurement).flatten(1).to(device, dtype)
    num_observed = (weight > 0).sum(1).to(dtype)
    if int(num_observed.min()) == 0:
        raise ArgumentError("All weights of an image are 0, so nothing can be restored from it.")
    inner = _unmasked(operator.to(dtype=dtype, device=device))
    seen = _observe(generator.to(dtype=dtype, device=device), inner)
    observed = operator.observed
    shared = observed if observed is not None and observed.ndim == 3 else None
    if shared is not None and isinstance(seen, Generator) and isinstance(seen.layers[-1], Dense):
        kept = shared.flatten().nonzero()[:, 0].to(device)
        seen, target, weight = seen.select(kept), target[:, kept], weight[:, kept]
    alike = bool((weight == 1).all())
    return Objective(seen, target, None if alike else weight, num_observed, measurement.noise_level)


def _weights(measurement: Measurement) -> Tensor:
    """The weight of every value, 0 where it was not observed. [B, C', H', W']"""
    values, observed = measurement.values, measurement.operator.observed
    weights = torch.ones_like(values)
    if measurement.weights is not None:
        check_weights(measurement.weights, values)
        weights = measurement.weights.to(values)
    return weights if observed is None else weights * observed.to(weights)


def _unmasked(operator: Operator) -> Operator | None:
    """An operator without the masks at its end; None if nothing is left."""
    if isinstance(operator, Mask):
        return None
    if isinstance(operator, Composition) and isinstance(operator.parts[-1], Mask):
        before = operator.parts[:-1]
        return _unmasked(Composition(before)) if before else None
    return operator


def _observe(generator: AnyGenerator, operator: Operator | None) -> AnyGenerator | Observation:
    """A generator of the values, with T as one more dense layer where T is small enough."""
    if operator is None:
        return generator
    entries = math.prod(operator.image_shape) * math.prod(operator.value_shape)
    if not isinstance(generator, Generator) or entries > LARGEST_MATRIX:
        return Observation(generator, operator)
    bias = generator.layers[-1].bias
    matrix = to_matrix(operator).to(bias)
    layer = Dense(matrix, bias.new_zeros(len(matrix)), "none")
    return replace(generator, layers=(*generator.layers, layer), image_shape=(1, 1, len(matrix)))
