"""The objective J, its gradient and the noise level: the one definition.

J(z) = N log S(z) + z'z  with the misfit  S(z) = ||y - T G(z)||^2  over N observed values.

Up to a constant J is -2 log p(z | y) for a standard normal prior on z and the scale prior
p(sigma^2) ~ 1/sigma^2, the noise variance sigma^2 being integrated out. `csrc/objective.h`
is the same function for one latent vector.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint.errors import BackendError
from inpaint.generator import AnyGenerator, Generator
from inpaint.operators import Mask
from inpaint.types import Measurement


@dataclass(frozen=True)
class Objective:
    """J of B images, ready to be evaluated at R latent vectors of each.

    Attributes:
        generator: Gives the pixels that `target` is compared with.
        target: Measured values; entries of weight 0 are ignored. [B, M]
        weight: 1 where a value was observed, else 0; None if all were. [B, M]
        count: Number of observed values N. [B]
    """

    generator: AnyGenerator
    target: Tensor
    weight: Tensor | None
    count: Tensor

    @property
    def floor(self) -> Tensor:
        """Misfit below which only rounding is left; J is constant in S from there. [B]

        Noiseless data would otherwise send log S to minus infinity. It is part of the
        definition, in the cost and in the gradient alike.
        """
        return self.count * torch.finfo(self.target.dtype).eps ** 2

    def cost(self, latents: Tensor) -> Tensor:
        """J, forward only. [B, R, D] -> [B, R]"""
        _, misfit = self._compare(self.generator.pixels(latents))
        return self._cost(latents, misfit)

    def cost_and_gradient(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """J and its gradient. [B, R, D] -> [B, R], [B, R, D]"""
        pixels, pullback = self.generator.linearize(latents)
        residual, misfit = self._compare(pixels)
        slope = torch.where(misfit > self.floor[:, None], 2 * self.count[:, None] / misfit, 0)
        gradient = pullback(slope[..., None] * residual) + 2 * latents
        return self._cost(latents, misfit), gradient

    def noise_level(self, latents: Tensor) -> Tensor:
        """Estimated noise standard deviation sqrt(S / N). [B, R, D] -> [B, R]"""
        _, misfit = self._compare(self.generator.pixels(latents))
        return (misfit / self.count[:, None]).sqrt()

    def _compare(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """The weighted residual [B, R, M] and the misfit S [B, R]."""
        residual = pixels - self.target[:, None]
        weighted = residual if self.weight is None else residual * self.weight[:, None]
        return weighted, (weighted * residual).sum(-1)

    def _cost(self, latents: Tensor, misfit: Tensor) -> Tensor:
        misfit = torch.maximum(misfit, self.floor[:, None])
        return self.count[:, None] * misfit.log() + latents.square().sum(-1)


def make_objective(
    measurement: Measurement,
    generator: AnyGenerator,
    *,
    dtype: torch.dtype,
    device: torch.device | str = "cpu",
) -> Objective:
    """J of a measurement under a generator.

    Where all images share one mask, only the observed pixels are computed.

    Args:
        measurement: B images.
        generator: Maps latent vectors to images of the measurement's shape.
        dtype: Precision of the computation.
        device: Where it takes place.

    Raises:
        BackendError: If the operator is of a kind that no backend evaluates.
    """
    operator = measurement.operator
    if not isinstance(operator, Mask):
        raise BackendError(f"The operator {type(operator).__name__} has no objective; use a Mask.")
    generator = generator.to(dtype=dtype, device=device)
    target = measurement.values.flatten(1).to(device, dtype)
    observed = operator.batch(len(measurement)).flatten(1).to(device)
    count = observed.sum(1).to(dtype)
    if operator.shared and isinstance(generator, Generator):
        pixels = observed[0].nonzero()[:, 0]
        return Objective(generator.select(pixels), target[:, pixels], None, count)
    return Objective(generator, target, observed.to(dtype), count)
