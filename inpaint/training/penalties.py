"""Two penalties that shape a generator: on active hidden units, and on ink on empty paper.

Active units: the C++ kernels skip hidden units whose ReLU gives zero, so the cost of a search
grows with the share of active ones. That share is a step function of the weights; its gradient
is replaced by that of a sigmoid whose width follows each unit's spread.

Ink on empty paper: a faint dot hardly changes the error of a restored image. But where the paper
is observed, ink raises J, so the second stage learns to draw dots that keep the search away from
latent vectors that restore badly (docs/generators.md). Pixels that few images ink count as empty
too; otherwise the dots would move there.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import torch
from torch import Tensor, nn

from inpaint.files.idx import HALF_LEVEL

ACTIVE_WEIGHT = 200.0
"""Penalty for exceeding the limit by 1: enough to keep the limit at random vectors."""

SIGMOID_WIDTH = 0.3
"""Width of the sigmoid, in standard deviations of a unit's pre-activation."""

RARELY_INKED = 1 / 200
"""A pixel that at most this share of the images inks counts as empty."""

INK_LATENTS = 64
"""Random latent vectors per step at which ink is penalised."""


def active_share(decoder: nn.Sequential, latents: Tensor) -> Tensor:
    """Differentiable mean share of the hidden ReLU units that are active.

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
    # Scaling the weights before the ReLU up and those after it down leaves the network the same,
    # so a fixed width would only make the weights grow.
    width = SIGMOID_WIDTH * inputs.detach().std(dim=0).clamp(min=1e-6)
    smooth = (inputs / width).sigmoid().mean()
    exact = (inputs.detach() > 0).to(inputs).mean()
    return smooth + (exact - smooth.detach())


def active_penalty(shares: Tensor, limit: float) -> Tensor:
    """Sum of the penalties of the shares above the limit; those below cost nothing. []"""
    return ACTIVE_WEIGHT * (shares - limit).clamp(min=0).sum()


def empty_pixels(images: Tensor) -> Tensor:
    """1 at pixels that are paper in nearly all of the images [K, C, H, W], else 0. [P]"""
    inked = (images < 1 - HALF_LEVEL).float().mean(0)
    return (inked <= RARELY_INKED).flatten().to(images)


def ink_penalty(decoder: nn.Module, latent_sets: Iterable[Tensor], empty: Tensor) -> Tensor:
    """Squared ink at the empty pixels, summed over them.

    Args:
        decoder: Maps latent vectors to pixels.
        latent_sets: Sets of latent vectors. [B, D] each
        empty: The result of `empty_pixels`. [P]

    Returns:
        The mean over each set, summed over the sets. []
    """
    inks = [((1 - decoder(each)) * empty).square().sum(1).mean() for each in latent_sets]
    return torch.stack(inks).sum()
