"""A loss of ink where no training image has any: restored images shall have no dots on paper.

The error of a restored image hardly counts a faint dot on empty paper. But where that paper is
observed, ink raises J, and so the second stage finds that dots keep vectors away which restore
badly (docs/generators.md). This loss forbids that, at random latent vectors and at those of the
search; but only where no image has ink, and a pixel that one image inks can take the dot.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inpaint.readers.idx import HALF_LEVEL

RANDOM = 64
"""Random latent vectors of a step."""


def empty_pixels(images: Tensor) -> Tensor:
    """1 at pixels that are paper in all of the images [K, C, H, W], else 0. [P]"""
    return (images.amin(0) > 1 - HALF_LEVEL).flatten().to(images)


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
