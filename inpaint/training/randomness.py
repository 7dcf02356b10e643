"""The random numbers of a training, which follow from its seed and the step alone.

A resumed training therefore needs no saved random state, and the numbers are the same on every
device.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


class RandomStream:
    """The random numbers of one step, always drawn on the CPU.

    Args:
        seed: Seed of the training.
        step: Number of the step.
        device: Where the numbers are used.
    """

    def __init__(self, seed: int, step: int, device: torch.device | str) -> None:
        mixed = np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0]
        self._generator = torch.Generator().manual_seed(int(mixed >> np.uint64(1)))
        self._device = device

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        return torch.randn(*shape, generator=self._generator).to(self._device)

    def uniform(self, *shape: int) -> Tensor:
        """Uniform numbers from 0 to 1."""
        return torch.rand(*shape, generator=self._generator).to(self._device)

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """Uniform integers from `low` to `high - 1`."""
        return torch.randint(low, high, shape, generator=self._generator).to(self._device)

    def permutation(self, count: int) -> Tensor:
        """The integers from 0 to `count - 1` in random order."""
        return torch.randperm(count, generator=self._generator).to(self._device)
