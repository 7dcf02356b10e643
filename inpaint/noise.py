"""The noise of a picture, estimated from the picture alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MEDIAN_STEP = 0.954
"""Median distance of two values with noise of standard deviation 1: .6745 times the root of 2."""


def estimate_noise(values: NDArray[np.float64]) -> float:
    """Standard deviation of the noise, from the differences of neighbours in a row.

    Most neighbours in a drawing are equal but for the noise; in a photograph it is an upper bound.

    Args:
        values: NaN where a pixel does not count. [C, H, W]
    """
    steps = np.abs(np.diff(values, axis=-1))
    steps = steps[np.isfinite(steps)]
    return float(np.median(steps)) / MEDIAN_STEP if len(steps) else 0.0
