"""Ridge regression from the observed pixels to the whole image."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from inpaint.operators import Mask
from inpaint.studies.baselines.gaussian import Gaussian
from inpaint.studies.baselines.training import Training

STRENGTHS = tuple(10 ** (exponent / 4) for exponent in range(-20, 5))
"""What to choose from, in units of the pixels squared."""


@dataclass(frozen=True)
class RidgeRegression:
    """The linear map of least squares, with a penalty on its coefficients.

    Each pixel is predicted from all observed ones, so that lost pixels are filled in and
    observed ones lose their noise. The map S_ao (S_oo + strength I)^-1, with S the covariance
    of the training images, a any pixel and o the observed ones, is the expectation of a
    Gaussian with noise of that variance: a penalty is as good as noise on the inputs.

    Attributes:
        gaussian: Mean and covariance of the training images.
        strength: The penalty, divided by the number of training images.
    """

    gaussian: Gaussian
    strength: float

    @classmethod
    def fit(cls, training: Training) -> RidgeRegression:
        """Least squares on the training images; the strength is chosen on those put aside."""
        strength = training.choose(STRENGTHS, lambda part, strength: cls(part.gaussian, strength))
        return cls(training.gaussian, strength)

    @property
    def settings(self) -> dict[str, float]:
        """What was chosen."""
        return {"strength": self.strength}

    def restore(self, values: Tensor, mask: Mask) -> Tensor:
        """Restore images; see `Baseline`."""
        noise = math.sqrt(self.strength)
        return self.gaussian.expect(values, mask, noise=noise).clamp(0, 1)
