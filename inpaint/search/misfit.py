"""The objective for images outside a generator's range: pixels count less where it errs.

J treats the residual as white noise. But a generator cannot draw a real image exactly:
y = G(z) + m + n, with white noise n of variance s and a misfit m that is large near strokes, where
images differ from one another, and zero on empty paper. Its variance is modelled as

    Var m_p = a V_p,     V_p = Var G_p(z) over the prior of z,

and s and a are estimated from the residuals of a first search, by maximum likelihood. Weights
1 / (s + 3 a V_p) then turn J into the objective for Gaussian errors with these variances, up to an
unknown scale. An image in the generator's range gives a = 0 and the plain J.

Neighbouring pixels have similar misfits. So the misfit continues a little way into the lost part,
and in the observed part it is smoother than noise. `continue_misfit` adds the expected misfit.

Images from another source, such as a network, can be joined to a measurement as a second
measurement of the lost pixels, with more variance where they are grey. docs/evaluation.md shows
what each step gains.
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

from inpaint.generators import AnyGenerator
from inpaint.operators.mask import Mask, require_mask
from inpaint.types import Measurement, SearchResult, ShortRepr

SAMPLES = 4000
"""Generated images that the variances V are computed from."""

ROUNDS = 200
"""Rounds of the maximisation; none lowers the likelihood."""

FACTOR = 3.0
"""Factor on the misfit's estimated variance: the search has fitted some of the misfit, and
neighbours are correlated, so each counts for less."""

LENGTH = 1.0
"""Length over which misfits are correlated, in pixels."""

PRECISION = 1e-6
"""Relative residual at which the linear system of the misfits counts as solved."""

SMALLEST = 1e-9
"""Variance below which only rounding is left, in units of the pixels squared."""


@dataclass(frozen=True, eq=False, repr=False)
class Misfit(ShortRepr):
    """Noise and misfit in the residuals of B images after a search.

    Attributes:
        noise_level: Standard deviation of the noise alone. [B]
        scale: a, the variance of the misfit in units of the prior's variance. [B]
        prior_variance: V. [C, H, W]
        doubt: Variance of a pixel in addition to that of a measured one; None if all were
            measured equally. [B, C, H, W]
    """

    noise_level: Tensor
    scale: Tensor
    prior_variance: Tensor
    doubt: Tensor | None = None

    def __getitem__(self, images: list[int]) -> Misfit:
        return replace(
            self,
            noise_level=self.noise_level[images],
            scale=self.scale[images],
            doubt=None if self.doubt is None else self.doubt[images],
        )

    @property
    def variance(self) -> Tensor:
        """Variance of each pixel's residual: noise, doubt and misfit. [B, C, H, W]"""
        return self.noise_variance + self.own_variance

    @property
    def noise_variance(self) -> Tensor:
        """Variance of the noise, plus the doubt. [B, C, H, W]"""
        noise = self.noise_level[:, None, None, None].square()
        noise = noise.expand(-1, *self.prior_variance.shape)
        return noise if self.doubt is None else noise + self.doubt

    @property
    def own_variance(self) -> Tensor:
        """Variance of the misfit alone, including FACTOR. [B, C, H, W]"""
        return FACTOR * self.scale[:, None, None, None] * self.prior_variance


def fit_misfit(
    measurement: Measurement, generator: AnyGenerator, restoration: SearchResult
) -> Misfit:
    """Separate noise from misfit in the residuals of a search.

    Args:
        measurement: What was restored; its operator is a mask. B images
        generator: What restored it.
        restoration: The result.

    Raises:
        ArgumentError: If the operator is not a mask.

    Source: the updates are those of Zhou, Hu, Zhou and Lange 2019, "MM algorithms for variance
    components models", for diagonal components.
    """
    values = measurement.values.cpu().double()
    observed = _observed(measurement).cpu().to(values).flatten(1)
    squares = (values - restoration.images.cpu().double()).flatten(1).square() * observed
    rng = torch.Generator().manual_seed(0)
    latents = torch.randn(SAMPLES, generator.latent_size, generator=rng)
    prior = generator.to("cpu", torch.float32).pixels(latents).var(0).double()  # [P]
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
    """Give each observed pixel of a measurement the weight 1 over its variance.

    An image's weights are scaled to mean 1, so that its estimated noise level keeps its meaning.
    """
    observed = _observed(measurement).to(measurement.values)
    return replace(measurement, weights=_weights(misfit, observed) * observed)


def join(measurement: Measurement, misfit: Misfit, images: Tensor) -> tuple[Measurement, Misfit]:
    """Add images from another source as a second measurement of the lost pixels.

    A grey value q in such an image is the probability that the pixel is paper, not ink. The pixel
    then has the variance q (1 - q) around q, plus the noise of a measured pixel.

    Args:
        measurement: What was observed; its operator is a mask. B images
        misfit: Their noise and misfit.
        images: Values in 0 to 1, made without the generator. [B, C, H, W]

    Returns:
        A measurement of all pixels, weighted as in `weigh` (observed pixels have mean weight 1),
        and the misfit with the doubt of the lost pixels.

    Raises:
        ArgumentError: If the operator is not a mask.
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
    """Add the expected misfit to lost and observed pixels.

    The misfit is a Gaussian field: m_p and m_q have the covariance
    d_p d_q exp(-|p - q|^2 / (2 l^2)), with d^2 its variance and l = LENGTH. With K the covariances,
    o the observed pixels and S the variances of their noise, its expectation is
    K_ao (K_oo + S)^-1 (y - G)_o.

    Args:
        measurement: What was observed; its operator is a mask. B images
        images: What a generator draws for them. [B, C, H, W]
        misfit: Their noise and misfit.

    Returns:
        Values in 0 to 1. [B, C, H, W]

    Raises:
        ArgumentError: If the operator is not a mask.

    Source: Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", equation 2.23.
    """
    observed = _numbers(_observed(measurement))
    deviation = _numbers(misfit.own_variance.sqrt())
    precision = 1 / np.sqrt(_numbers(misfit.noise_variance).clip(min=SMALLEST))
    residual = _numbers(measurement.values) - _numbers(images)
    # Image by image, so that no result depends on the other images.
    fields = [
        _expected_field(*arrays)
        for arrays in zip(observed, deviation, precision, residual, strict=True)
    ]
    return (images + torch.from_numpy(np.stack(fields)).to(images)).clamp(0, 1)


def _expected_field(
    observed: NDArray[np.float64],
    deviation: NDArray[np.float64],
    precision: NDArray[np.float64],
    residual: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The expected misfit of one image. [C, H, W] each"""
    shape = observed.shape

    def covary(field: NDArray[np.float64]) -> NDArray[np.float64]:
        """K times a field of the image's shape; no matrix is formed."""
        blurred = gaussian_filter(deviation * field, (0, LENGTH, LENGTH), mode="constant")
        return deviation * blurred * (2 * math.pi * LENGTH**2)

    # In units of the noise, so that images of different noise are solved equally well.
    scale = observed * precision

    def apply(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        field = vector.reshape(shape)
        return (field + scale * covary(scale * field)).ravel()

    system = LinearOperator((residual.size, residual.size), matvec=apply, dtype=np.float64)
    solved, _ = cg(system, (scale * residual).ravel(), rtol=PRECISION)
    return covary(scale * solved.reshape(shape))


def _weights(misfit: Misfit, observed: Tensor) -> Tensor:
    """1 over the variance of each pixel, scaled to mean 1 over the observed pixels."""
    weights = 1 / misfit.variance.to(observed)
    mean = (weights * observed).sum((1, 2, 3), keepdim=True) / observed.sum((1, 2, 3), keepdim=True)
    return weights / mean


def _observed(measurement: Measurement) -> Tensor:
    """Which pixels of each image were observed. [B, C, H, W]"""
    mask = require_mask(measurement.operator, "an estimate of the misfit")
    return mask.batch(len(measurement))


def _numbers(tensor: Tensor) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = tensor.detach().cpu().double().numpy()
    return numbers
