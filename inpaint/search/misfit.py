"""The objective for images outside a generator's range: where it errs, a pixel counts less.

J takes what is left over for white noise. A real image is not exactly one that the generator can
draw: y = G(z) + m + n, with white noise n of variance s and a misfit m that is large where images
differ from one another, beside strokes, and none on empty paper. So its variance is taken to be

    Var m_p = a V_p,     V_p = Var G_p(z) over the prior of z,

and s and a are estimated from the residuals of a first search, by maximum likelihood. Weights
1 / (s + 3 a V_p) then make the misfit of J that of a Gaussian with these variances, its scale
still unknown. An image in the generator's range gives a = 0 and the plain J back.

Neighbours err together, so the misfit goes on a little way into the lost part, and in the observed
part it is told from the noise by being smooth: `continue_misfit` adds what is to be expected of it.

Images from elsewhere, such as those of a network, can be joined to a measurement: a second witness,
of the lost pixels, that is doubted where it is grey. docs/evaluation.md tells what each gains.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.sparse.linalg import LinearOperator, cg
from torch import Tensor

from inpaint.errors import ShapeError
from inpaint.generators import AnyGenerator
from inpaint.operators import Mask
from inpaint.types import Measurement, Restoration

SAMPLES = 4000
"""Images of the generator that the variances V are taken from."""

ROUNDS = 200
"""Rounds of the maximisation; each at least keeps the likelihood."""

FACTOR = 3.0
"""How much larger the misfit is than what a search leaves over: the search has fitted some of it,
and neighbours err together, so that each counts for less."""

LENGTH = 1.0
"""Length over which neighbours err together, in pixels."""

PRECISION = 1e-6
"""Relative residual at which the linear system of the misfits counts as solved."""

SMALLEST = 1e-9
"""Variance below which only rounding is left, in units of the pixels squared."""


@dataclass(frozen=True)
class Misfit:
    """What is left of B images after a search, as noise and misfit.

    Attributes:
        noise_level: Standard deviation of the noise alone. [B]
        scale: a, the variance of the misfit in units of the prior's variance. [B]
        prior_variance: V. [C, H, W]
        doubt: Variance by which a pixel is less sure than a measured one; None if all were
            measured alike. [B, C, H, W]
    """

    noise_level: Tensor
    scale: Tensor
    prior_variance: Tensor
    doubt: Tensor | None = None

    @property
    def variance(self) -> Tensor:
        """Variance of what each pixel's residual holds. [B, C, H, W]"""
        return self.noise_variance + self.own_variance

    @property
    def noise_variance(self) -> Tensor:
        """Variance of the noise alone, and the doubt. [B, C, H, W]"""
        noise = self.noise_level[:, None, None, None].square()
        noise = noise.expand(-1, *self.prior_variance.shape)
        return noise if self.doubt is None else noise + self.doubt

    @property
    def own_variance(self) -> Tensor:
        """Variance of the misfit alone, FACTOR applied. [B, C, H, W]"""
        return FACTOR * self.scale[:, None, None, None] * self.prior_variance


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
    values = measurement.values.cpu().double()
    observed = _observed(measurement).cpu().to(values).flatten(1)
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
    observed = _observed(measurement).to(measurement.values)
    return replace(measurement, weights=_weights(misfit, observed) * observed)


def join(measurement: Measurement, misfit: Misfit, images: Tensor) -> tuple[Measurement, Misfit]:
    """Take images from elsewhere for a second measurement: a witness of the lost pixels.

    A grey q of such an image says how probably a pixel is paper, and ink otherwise. What it stands
    for then differs from it by the variance q (1 - q), and by noise as in a measured pixel.

    Args:
        measurement: What was observed, by a mask. B images
        misfit: Their noise and misfit.
        images: Values in 0 to 1, made without the generator. [B, C, H, W]

    Returns:
        A measurement of all pixels, weighing as in `weigh` (those observed have the mean 1), and
        the misfit with the doubt of the lost ones.

    Raises:
        ShapeError: If the operator is no mask.
    """
    observed = _observed(measurement)
    images = images.to(measurement.values)
    doubt = (images * (1 - images)).masked_fill(observed, 0)
    misfit = replace(misfit, doubt=doubt.to(misfit.prior_variance))
    values = torch.where(observed, measurement.values, images)
    weights = _weights(misfit, observed.to(values))
    whole = Mask(torch.ones_like(observed))
    return replace(measurement, values=values, operator=whole, weights=weights), misfit


def continue_misfit(measurement: Measurement, images: Tensor, misfit: Misfit) -> Tensor:
    """Add the misfit that is to be expected, of lost pixels and of observed ones.

    The misfit is a Gaussian field: m_p and m_q have the covariance
    d_p d_q exp(-|p - q|^2 / (2 l^2)), with d^2 its variance and l = LENGTH. With K the covariances,
    o the observed pixels and S the variances of their noise, what is to be expected of it is
    K_ao (K_oo + S)^-1 (y - G)_o.

    Args:
        measurement: What was observed, by a mask. B images
        images: What a generator draws for them. [B, C, H, W]
        misfit: Their noise and misfit.

    Returns:
        Values in 0 to 1. [B, C, H, W]

    Raises:
        ShapeError: If the operator is no mask.

    Source: Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", equation 2.23.
    """
    observed = _numbers(_observed(measurement))
    deviation = _numbers(misfit.own_variance.sqrt())
    sure = 1 / np.sqrt(_numbers(misfit.noise_variance).clip(min=SMALLEST))
    shape = observed.shape

    def covary(field: NDArray[np.float64]) -> NDArray[np.float64]:
        """K times a field of the images' shape; no matrix is formed."""
        sigma = (0, 0, LENGTH, LENGTH)
        blurred = gaussian_filter(deviation * field, sigma, mode="constant")
        return deviation * blurred * (2 * math.pi * LENGTH**2)

    def apply(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        field = vector.reshape(shape)
        # In units of the noise, so that images of different noise are solved alike.
        return (field + observed * sure * covary(observed * sure * field)).ravel()

    residual = observed * sure * (_numbers(measurement.values) - _numbers(images))
    size = residual.size
    system = LinearOperator((size, size), matvec=apply, dtype=np.float64)
    solved, _ = cg(system, residual.ravel(), rtol=PRECISION)
    field = covary(observed * sure * solved.reshape(shape))
    return (images + torch.from_numpy(field).to(images)).clamp(0, 1)


def check_masked(measurement: Measurement) -> None:
    """Refuse what no misfit can be told of.

    Raises:
        ShapeError: If the operator is no mask.
    """
    if not isinstance(measurement.operator, Mask):
        raise ShapeError(
            f"The operator is a {type(measurement.operator).__name__}; a misfit is estimated "
            "pixel by pixel. Give a mask."
        )


def _weights(misfit: Misfit, observed: Tensor) -> Tensor:
    """1 over the variance of each pixel, those observed (1, others 0) with the mean 1."""
    weights = 1 / misfit.variance.to(observed)
    mean = (weights * observed).sum((1, 2, 3), keepdim=True) / observed.sum((1, 2, 3), keepdim=True)
    return weights / mean


def _observed(measurement: Measurement) -> Tensor:
    """Which pixels of each image were observed. [B, C, H, W]"""
    check_masked(measurement)
    assert isinstance(measurement.operator, Mask)
    return measurement.operator.batch(len(measurement))


def _numbers(tensor: Tensor) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = tensor.detach().cpu().double().numpy()
    return numbers
