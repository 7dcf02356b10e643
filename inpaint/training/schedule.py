"""What every training does over its steps: the learning rate, and the average of the weights."""

from __future__ import annotations

import math

import torch
from torch import nn

FALL = 0.01
"""Share of the learning rate that is left at the end."""


def learning_rate(step: int, steps: int, highest: float, rise: int) -> float:
    """A short rise, then a cosine.

    Args:
        step: Steps done.
        steps: Steps in all.
        highest: The highest rate.
        rise: Steps of the rise.
    """
    cosine = FALL + (1 - FALL) * 0.5 * (1 + math.cos(math.pi * step / steps))
    return highest * min(1, (step + 1) / rise) * cosine


def follow(average: nn.Module, module: nn.Module, keep: float, step: int) -> None:
    """Let a running average of the weights go on by a step.

    Args:
        average: Is changed.
        module: The weights as they are now.
        keep: Share of the old average; 0 takes the weights as they are.
        step: Steps done. An early average is short, so that the first weights are soon forgotten.
    """
    share = min(keep, (1 + step) / (10 + step)) if keep else 0.0
    with torch.no_grad():
        for mean, value in zip(average.parameters(), module.parameters(), strict=True):
            mean.lerp_(value, 1 - share)
