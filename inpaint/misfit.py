"""The objective for images outside a generator's range: where it errs, a pixel counts less.

J takes what is left over for white noise. A real image is not exactly one that the generator can
draw: y = G(z) + m + n, with white noise n of variance s and a misfit m that is large where images
differ from one another, beside strokes, and none on empty paper. So its variance is taken to be

    Var m_p = a V_p,     V_p = Var G_p(z) over the prior of z,

and s and a are estimated from the residuals of a first search, by maximum likelihood. Weights
1 / (s + 3 a V_p) then make the misfit of J that of a Gaussian with these variances, its scale
still unknown. An image in the generator's range gives a = 0 and the plain J back.
docs/evaluation.md tells what it gains.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from inpaint.errors import ShapeError
from inpaint.generator import AnyGenerator
from inpaint.operators import Mask
from inpaint.types import Measurement, Restoration

SAMPLES = 4000
"""Images of the generator that the variances V are taken from."""

ROUNDS = 200
"""Rounds of the maximisation; each at least keeps the likelihood."""

FACTOR = 3.0
"""How much larger the misfit is than what a search leaves over: the search has fitted some of it,
and neighbours err together, so that each counts for less."""

SMALLEST = 1e-9
"""Variance below which only rounding is left, in units of the pixels squared."""


@dataclass(frozen=True)
class Misfit:
    """What is left of B images after a search, as noise and misfit.

    Attributes:
        noise_level: Standard deviation of the noise alone. [B]
        scale: a, the variance of the misfit in units of the prior's variance. [B]
        prior_variance: V. [C, H, W]
    """

    noise_level: Tensor
    scale: Tensor
    prior_variance: Tensor

    @property
    def variance(self) -> Tensor:
        """Variance of what each pixel's residual holds, FACTOR applied. [B, C, H, W]"""
        each = (slice(None), None, None, None)
        misfit = FACTOR * self.scale[each] * self.prior_variance
        return self.noise_level[each].square() + misfit


def fit_misfit(
    measurement: Measurement, generator: AnyGenerator, restoration: Restoration
) -> Misfit:
    """Tell noise from misfit in the residuals of a search.

    Args:
        measurement: What was restored, by a mask. B images
        generator: What restored it.
        restoration: The result.

    Raises:
        ShapeError: If the operator is no mask.

    Source: the updates are those of Zhou, Hu, Zhou and Lange 2019, "MM algorithms for variance
    components models", for diagonal components.
    """
    if not isinstance(measurement.operator, Mask):
        raise ShapeError(
            f"The operator is a {type(measurement.operator).__name__}; a misfit is estimated "
            "pixel by pixel. Give a mask."
        )
    values = measurement.values.cpu().double()
    observed = measurement.operator.batch(len(measurement)).cpu().to(values).flatten(1)
    squares = (values - restoration.images.cpu().double()).flatten(1).square() * observed
    rng = torch.Generator().manual_seed(0)
    latents = torch.randn(SAMPLES, generator.latent_size, generator=rng)
    prior = generator.to(dtype=torch.float32).pixels(latents).var(0).double()  # [P]
    mean = (squares.sum(1) / observed.sum(1)).clamp(min=SMALLEST)
    noise, scale = mean / 2, mean / (2 * prior.mean().clamp(min=SMALLEST))
    for _ in range(ROUNDS):
        total = noise[:, None] + scale[:, None] * prior
        pull, push = squares / total.square(), observed / total
        noise = noise * (pull.sum(1) / push.sum(1)).sqrt()
        scale = scale * ((pull @ prior) / (push @ prior).clamp(min=SMALLEST)).sqrt()
        noise = noise.clamp(min=SMALLEST)
    kind = restoration.images
    return Misfit(noise.sqrt().to(kind), scale.to(kind), prior.view(kind.shape[1:]).to(kind))


def weigh(measurement: Measurement, misfit: Misfit) -> Measurement:
    """The same measurement, each observed pixel weighing 1 over its variance.

    The weights of an image have the mean 1, so that its estimated noise level keeps its meaning.
    """
    assert isinstance(measurement.operator, Mask)
    observed = measurement.operator.batch(len(measurement)).to(measurement.values)
    weights = observed / misfit.variance.to(measurement.values)
    mean = weights.sum((1, 2, 3), keepdim=True) / observed.sum((1, 2, 3), keepdim=True)
    return replace(measurement, weights=weights / mean)
