"""Random small changes of the training images, as one hand varies its writing."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from inpaint.training.randomness import Draws

TURN = 0.10
SLANT = 0.12
STRETCH = (0.07, 0.05)
SHIFT = 0.02
BEND = 0.03
KNOTS = 5
"""Points along a side at which the image is pulled; it bends smoothly between them."""


def augment(images: Tensor, draws: Draws, strength: float) -> Tensor:
    """Turn, slant, stretch, shift and bend each image a little; what comes in is paper.

    Args:
        images: 1 = paper. [B, C, H, W]
        draws: Where the amounts come from.
        strength: Factor of the standard deviations `TURN` (radians), `SLANT`, `STRETCH` (log
            scale across and down), `SHIFT` and `BEND` (half widths); 0 changes nothing.

    Returns:
        [B, C, H, W]
    """
    if strength == 0:
        return images
    amounts = strength * draws.normal(6, len(images))
    turn, slant = TURN * amounts[0], SLANT * amounts[1]
    across, down = (STRETCH[0] * amounts[2]).exp(), (STRETCH[1] * amounts[3]).exp()
    first = torch.stack([turn.cos() * across, slant - turn.sin() * down, SHIFT * amounts[4]], 1)
    second = torch.stack([turn.sin() * across, turn.cos() * down, SHIFT * amounts[5]], 1)
    grid = functional.affine_grid(
        torch.stack([first, second], 1), list(images.shape), align_corners=False
    )
    pulls = strength * BEND * draws.normal(len(images), 2, KNOTS, KNOTS)
    bend = functional.interpolate(
        pulls, size=images.shape[2:], mode="bicubic", align_corners=True
    ).permute(0, 2, 3, 1)
    # Sampling fills with zeros from outside, so it is done on ink; bilinear would blur strokes.
    ink = functional.grid_sample(1 - images, grid + bend, mode="bicubic", align_corners=False)
    return 1 - ink.clamp(0, 1)
