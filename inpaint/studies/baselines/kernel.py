"""Kernel ridge regression from the observed pixels to the whole image, by one mask."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from inpaint.errors import ShapeError
from inpaint.operators import Mask
from inpaint.studies.baselines.training import Training

WIDTHS = (0.3, 0.45, 0.7, 1.0)
"""Widths of the kernel to choose from, in root mean square distances between observed parts."""

STRENGTHS = (0.1, 0.3, 1.0)
"""Penalties to choose from; the kernel of two equal images is 1."""

MOST = 6000
"""Training images that take part at most: the kernel of all pairs has to fit into memory."""


@dataclass(frozen=True)
class KernelRidge:
    """A weighted sum of the training images that look alike in the observed part.

    The weights solve (K + strength I) W = images - mean, with K the Gaussian kernel of all pairs of
    observed parts, to which noise was added as to the images that will be restored.

    Attributes:
        mask: What is observed.
        inputs: Observed pixels of the training images. [K, N]
        weights: [K, P]
        mean: Mean training image. [P]
        distance: Length of the kernel, in units of the pixels.
        width: The same in root mean square distances.
        strength: The penalty.

    Source: Murphy 2012, "Machine Learning: A Probabilistic Perspective", section 14.4.3.
    """

    mask: Mask
    inputs: Tensor
    weights: Tensor
    mean: Tensor
    distance: float
    width: float
    strength: float

    @classmethod
    def fit(cls, training: Training) -> KernelRidge:
        """Regression on the training images; both settings are chosen on those put aside."""
        settings = tuple(product(WIDTHS, STRENGTHS))
        width, strength = training.choose(settings, lambda part, pair: cls.solve(part, *pair))
        return cls.solve(training, width, strength)

    @classmethod
    def solve(cls, training: Training, width: float, strength: float) -> KernelRidge:
        """Regression with these settings."""
        inputs = training.noisy[:MOST].float().flatten(1)[:, training.mask.observed.flatten()]
        pixels = training.shuffled[:MOST].float().flatten(1)
        distances = torch.cdist(inputs, inputs)
        distance = width * float(distances.square().mean().sqrt().clamp(min=1e-6))
        kernel = _kernel(distances, distance)
        kernel.diagonal().add_(strength)
        mean = pixels.mean(0)
        weights = torch.cholesky_solve(pixels - mean, torch.linalg.cholesky(kernel))
        return cls(training.mask, inputs, weights, mean, distance, width, strength)

    @property
    def settings(self) -> dict[str, float]:
        """What was chosen."""
        return {"width": self.width, "strength": self.strength}

    def restore(self, values: Tensor, mask: Mask) -> Tensor:
        """Restore images; see `Baseline`.

        Raises:
            ShapeError: If another mask is asked for than was trained for.
        """
        if not bool((mask.batch(len(values)) == self.mask.observed).all()):
            raise ShapeError("A kernel regression is of one mask; fit another for this one.")
        seen = values.float().flatten(1)[:, self.mask.observed.flatten()]
        images = self.mean + _kernel(torch.cdist(seen, self.inputs), self.distance) @ self.weights
        return images.clamp(0, 1).reshape(values.shape).to(values)


def _kernel(distances: Tensor, length: float) -> Tensor:
    return torch.exp(-distances.square() / (2 * length**2))
