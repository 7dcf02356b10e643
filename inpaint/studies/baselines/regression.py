"""Baselines that learn to predict the whole image from the observed pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from inpaint.errors import ShapeError
from inpaint.operators import Mask
from inpaint.studies.baselines.gaussian import Gaussian
from inpaint.studies.baselines.training_set import TrainingSet
from inpaint.types import OnProgress

RANKS = (5, 10, 15, 20, 30, 40, 60, 80, 100, 125, 150, 200, 250, 300, 400, 500, 600, 784, 1000)
"""Numbers of principal components to choose from, as far as the images allow."""

RIDGE_STRENGTHS = tuple(10 ** (exponent / 4) for exponent in range(-20, 5))
"""Penalties of ridge regression to choose from, in units of the pixels squared."""

KERNEL_WIDTHS = (0.3, 0.45, 0.7, 1.0)
"""Kernel widths to choose from, in root mean square distances between observed parts."""

KERNEL_STRENGTHS = (0.1, 0.3, 1.0)
"""Penalties of kernel regression to choose from; the kernel of two equal images is 1."""

MAX_KERNEL_IMAGES = 6000
"""Most training images used: the kernel of all pairs has to fit into memory."""


@dataclass(frozen=True)
class ProbabilisticPCA:
    """Probabilistic PCA: the expected image, with each image's noise estimated.

    Attributes:
        gaussian: Mean image, components and the variance outside them.
    """

    gaussian: Gaussian

    @classmethod
    def fit(cls, training: TrainingSet, on_progress: OnProgress | None = None) -> ProbabilisticPCA:
        """Fit to all images; the validation images choose the number of components."""
        most = min(len(training.images) - training.validation_size - 1, training.images[0].numel())
        ranks = sorted({min(rank, max(1, most)) for rank in RANKS})
        rank = training.choose(
            ranks, lambda part, rank: cls(part.gaussian.truncated(rank)), on_progress
        )
        return cls(training.gaussian.truncated(rank))

    @property
    def settings(self) -> dict[str, float]:
        """The number of components."""
        return {"components": self.gaussian.factor.shape[1]}

    def restore(self, values: Tensor, mask: Mask) -> Tensor:
        """Restore images; see `Baseline`."""
        return self.gaussian.expect(values, mask, noise=None).clamp(0, 1)


@dataclass(frozen=True)
class RidgeRegression:
    """Linear least squares with a penalty on the coefficients.

    Each pixel is predicted from all observed ones: lost pixels are filled in and observed ones
    are denoised. The map is S_ao (S_oo + strength I)^-1, with S the covariance of the training
    images, a any pixel and o the observed ones. That is the conditional mean of a Gaussian with
    noise of variance `strength`: a penalty acts like noise on the inputs.

    Attributes:
        gaussian: Mean and covariance of the training images.
        strength: The penalty, divided by the number of training images.
    """

    gaussian: Gaussian
    strength: float

    @classmethod
    def fit(cls, training: TrainingSet, on_progress: OnProgress | None = None) -> RidgeRegression:
        """Fit to all images; the validation images choose the penalty."""
        strength = training.choose(
            RIDGE_STRENGTHS, lambda part, strength: cls(part.gaussian, strength), on_progress
        )
        return cls(training.gaussian, strength)

    @property
    def settings(self) -> dict[str, float]:
        """The penalty."""
        return {"strength": self.strength}

    def restore(self, values: Tensor, mask: Mask) -> Tensor:
        """Restore images; see `Baseline`."""
        noise = math.sqrt(self.strength)
        return self.gaussian.expect(values, mask, noise=noise).clamp(0, 1)


@dataclass(frozen=True)
class KernelRidge:
    """Kernel ridge regression: a weighted sum of training images with a similar observed part.

    The weights solve (K + strength I) W = images - mean, with K the Gaussian kernel of all pairs
    of observed parts. These have noise added, like the images that will be restored.

    Attributes:
        mask: Which pixels are observed.
        inputs: Observed pixels of the training images. [K, N]
        weights: [K, P]
        mean: Mean training image. [P]
        length: Length scale of the kernel, in units of the pixels.
        width: The same in root mean square distances.
        strength: The penalty.

    Source: Murphy 2012, "Machine Learning: A Probabilistic Perspective", section 14.4.3.
    """

    mask: Mask
    inputs: Tensor
    weights: Tensor
    mean: Tensor
    length: float
    width: float
    strength: float

    @classmethod
    def fit(cls, training: TrainingSet, on_progress: OnProgress | None = None) -> KernelRidge:
        """Fit to all images; the validation images choose width and penalty."""
        settings = tuple(product(KERNEL_WIDTHS, KERNEL_STRENGTHS))
        width, strength = training.choose(
            settings, lambda part, setting: cls.solve(part, *setting), on_progress
        )
        return cls.solve(training, width, strength)

    @classmethod
    def solve(cls, training: TrainingSet, width: float, strength: float) -> KernelRidge:
        """Fit with the given settings."""
        images = slice(MAX_KERNEL_IMAGES)
        inputs = training.noisy[images].float().flatten(1)[:, training.mask.observed.flatten()]
        pixels = training.shuffled[images].float().flatten(1)
        distances = torch.cdist(inputs, inputs)
        length = width * float(distances.square().mean().sqrt().clamp(min=1e-6))
        kernel = _kernel(distances, length)
        kernel.diagonal().add_(strength)
        mean = pixels.mean(0)
        weights = torch.cholesky_solve(pixels - mean, torch.linalg.cholesky(kernel))
        return cls(training.mask, inputs, weights, mean, length, width, strength)

    @property
    def settings(self) -> dict[str, float]:
        """Width and penalty."""
        return {"width": self.width, "strength": self.strength}

    def restore(self, values: Tensor, mask: Mask) -> Tensor:
        """Restore images; see `Baseline`.

        Raises:
            ShapeError: If the mask is not the one that was trained for.
        """
        if not bool((mask.batch(len(values)) == self.mask.observed).all()):
            raise ShapeError("A kernel regression serves one mask; fit another for this mask.")
        observed = values.float().flatten(1)[:, self.mask.observed.flatten()]
        images = self.mean + _kernel(torch.cdist(observed, self.inputs), self.length) @ self.weights
        return images.clamp(0, 1).reshape(values.shape).to(values)


def _kernel(distances: Tensor, length: float) -> Tensor:
    return torch.exp(-distances.square() / (2 * length**2))
