"""A limit on the share of hidden units that are on: a generator with few is faster to search.

The C++ kernels skip hidden units whose ReLU gives zero, so a search costs what the units that
are on cost. The share itself is a step function of the weights; its gradient is taken from a
sigmoid as steep as a unit's own spread allows.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

WEIGHT = 200.0
"""Loss for a share that is too high by 1: enough to keep the limit at random vectors."""

WIDTH = 0.3
"""Width of the sigmoid, in standard deviations of a unit's pre-activation."""


def active_share(decoder: nn.Sequential, latents: Tensor) -> Tensor:
    """Mean share of the hidden ReLU units that are on; it can be differentiated.

    Args:
        decoder: Dense layers with ReLU between them.
        latents: At least two latent vectors. [B, D]

    Returns:
        The exact share, with the gradient of the smooth one. []
    """
    hidden, values = [], latents
    for layer, following in pairwise(decoder):
        values = layer(values)
        if isinstance(following, nn.ReLU):
            hidden.append(values)
    inputs = torch.cat(hidden, dim=1)
    # Larger weights before the ReLU and smaller ones after it make the same network, so a
    # fixed width would only make the weights grow.
    width = WIDTH * inputs.detach().std(dim=0).clamp(min=1e-6)
    smooth = (inputs / width).sigmoid().mean()
    exact = (inputs.detach() > 0).to(inputs).mean()
    return smooth + (exact - smooth.detach())


def loss(shares: Tensor, limit: float) -> Tensor:
    """What shares above the limit cost together; one below it costs nothing."""
    return WEIGHT * (shares - limit).clamp(min=0).sum()
