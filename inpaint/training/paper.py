"""A loss of ink where no training image has any: restored images shall have no dots on paper.

The error of a restored image hardly counts a faint dot on empty paper. But where that paper is
observed, ink raises J, and so the second stage finds that dots keep vectors away which restore
badly (docs/generators.md). This loss forbids that, at random latent vectors and at those of the
search. A pixel that hardly any image inks counts as empty too: else the dot moves there.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inpaint.files.idx import HALF_LEVEL

RARE = 1 / 200
"""Share of the images up to which ink at a pixel counts as none."""

RANDOM = 64
"""Random latent vectors of a step."""


def empty_pixels(images: Tensor) -> Tensor:
    """1 at pixels that are paper in nearly all of the images [K, C, H, W], else 0. [P]"""
    inked = (images < 1 - HALF_LEVEL).float().mean(0)
    return (inked <= RARE).flatten().to(images)


def loss(decoder: nn.Module, places: list[Tensor], empty: Tensor) -> Tensor:
    """Squared ink at the empty pixels, summed over them.

    Args:
        decoder: Maps latent vectors to pixels.
        places: Sets of latent vectors. [B, D] each
        empty: What `empty_pixels` says. [P]

    Returns:
        The means over the vectors of each set, summed. []
    """
    inks = [((1 - decoder(place)) * empty).square().sum(1).mean() for place in places]
    return torch.stack(inks).sum()
