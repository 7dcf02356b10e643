"""Probabilistic PCA whose noise is unknown."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from inpaint.operators import Mask
from inpaint.studies.baselines.gaussian import Gaussian
from inpaint.studies.baselines.training import Training

RANKS = (5, 10, 15, 20, 30, 40, 60, 80, 100, 125, 150, 200, 250, 300, 400, 500, 600, 784, 1000)
"""Numbers of components to choose from, as far as the images have so many."""


@dataclass(frozen=True)
class ProbabilisticPCA:
    """The expected image, the noise of each one estimated from its observed pixels.

    Attributes:
        gaussian: Mean image, components and the variance besides them.
    """

    gaussian: Gaussian

    @classmethod
    def fit(cls, training: Training) -> ProbabilisticPCA:
        """Components of the training images; their number is chosen on those put aside."""
        most = min(len(training.images) - training.validation_size - 1, training.images[0].numel())
        ranks = sorted({min(rank, max(1, most)) for rank in RANKS})
        rank = training.choose(ranks, lambda part, rank: cls(part.gaussian.truncated(rank)))
        return cls(training.gaussian.truncated(rank))

    @property
    def settings(self) -> dict[str, float]:
        """What was chosen."""
        return {"components": self.gaussian.factor.shape[1]}

    def restore(self, values: Tensor, mask: Mask) -> Tensor:
        """Restore images; see `Baseline`."""
        return self.gaussian.expect(values, mask, noise=None).clamp(0, 1)
