"""Weights of states: how many count, how to draw by them, what they add up to."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]

Places = NDArray[np.int64]


def to_numpy(tensor: Tensor) -> Array:
    """The same numbers in float64."""
    numbers: Array = tensor.detach().cpu().double().numpy()
    return numbers


def effective(log_weights: Array) -> float:
    """Effective sample size of weights given by their logarithms."""
    weights = np.exp(log_weights - log_weights.max())
    return float(weights.sum() ** 2 / np.square(weights).sum())


def systematic(weights: Array, uniform: float, count: int) -> Places:
    """Draw by weight with one uniform number; relatives stay next to each other. [count]"""
    ends = np.cumsum(weights)
    places = (uniform + np.arange(count)) / count * ends[-1]
    return np.searchsorted(ends, places, side="right").clip(max=len(weights) - 1)


def log_sum(logs: Array) -> float:
    """Logarithm of the sum of numbers given by their logarithms."""
    top = float(logs.max())
    return top + math.log(float(np.exp(logs - top).sum()))


def log_mean(logs: Array) -> float:
    """Logarithm of the mean of numbers given by their logarithms."""
    return log_sum(logs) - math.log(len(logs))
