"""Baselines that answer with the training images themselves."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from inpaint.operators import Mask
from inpaint.studies.baselines.training import Training


@dataclass(frozen=True)
class MeanImage:
    """The mean of the training images, whatever was observed.

    Attributes:
        mean: [C, H, W]
    """

    mean: Tensor

    @classmethod
    def fit(cls, training: Training) -> MeanImage:
        """The mean of all training images."""
        return cls(training.images.double().mean(0))

    @property
    def settings(self) -> dict[str, float]:
        """Nothing was chosen."""
        return {}

    def restore(self, values: Tensor, mask: Mask) -> Tensor:
        """Restore images; see `Baseline`."""
        return self.mean.to(values).clamp(0, 1).repeat(len(values), 1, 1, 1)


@dataclass(frozen=True)
class NearestImage:
    """The training image that is nearest on the observed pixels (L2).

    Attributes:
        images: All training images. [K, C, H, W]
    """

    images: Tensor

    @classmethod
    def fit(cls, training: Training) -> NearestImage:
        """All training images."""
        return cls(training.images)

    @property
    def settings(self) -> dict[str, float]:
        """Nothing was chosen."""
        return {}

    def restore(self, values: Tensor, mask: Mask) -> Tensor:
        """Restore images; see `Baseline`."""
        observed = mask.batch(len(values)).flatten(1).to(values)
        known = self.images.flatten(1).to(values)
        # |y - x|^2 over the observed pixels; y'y is the same for every x.
        distance = observed @ known.square().T - 2 * (values.flatten(1) * observed) @ known.T
        return self.images[distance.argmin(1)].to(values).clamp(0, 1)
