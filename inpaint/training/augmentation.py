"""Random changes of training images: small variations of the handwriting, and damage.

Damage is noise and lost pixels. It takes many forms, so that no single mask is learned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from inpaint.training.randomness import RandomStream

ROTATION = 0.10
SLANT = 0.12
STRETCH = (0.07, 0.05)
SHIFT = 0.02
BEND = 0.03
BEND_POINTS = 5
"""Points along a side that are displaced; the bend is smooth between them."""

NOISE_RANGE = (0.07, 0.13)
"""Lowest and highest standard deviation of the noise on damaged images."""

EDGE_KEPT = (0.32, 0.85)
"""Lowest and highest share of the pixels that stay observed up to an edge."""

EDGE_LEFT = 5
"""Of 8 edges, this many keep the left side; one each keeps the right, upper and lower side."""

MASK_KINDS = 6
"""Of this many images, one loses blocks, one a box and one strokes; the others have an edge."""

BLOCK_SIDES = (1, 1, 2, 4)
"""Sides of blocks in pixels. The image's longer side is one more choice: it makes long lines."""

BLOCK_LOSS = (0.2, 0.8)
"""Lowest and highest probability that a block is lost."""

BOX_SIDES = (0.2, 0.6)
"""Shortest and longest side of a box, as a share of the image's side."""

STROKES = 3
STROKE_RADIUS = (0.02, 0.08)
"""Smallest and largest half width of strokes, as a share of the image's longer side."""

MaskSampler = Callable[[int, int, int, RandomStream], Tensor]
"""Maps a number of images, their height and width to True at observed pixels. [B, H, W]"""


@dataclass(frozen=True)
class Damaged:
    """Damaged images and their originals.

    Attributes:
        ideal: The undamaged images, 1 = paper. [B, P]
        values: With noise; lost pixels are zero. [B, P]
        observed: 1 where a pixel is observed, else 0. [B, P]
    """

    ideal: Tensor
    values: Tensor
    observed: Tensor


def augment(images: Tensor, rng: RandomStream, strength: float) -> Tensor:
    """Rotate, slant, stretch, shift and bend each image a little; margins are filled with paper.

    Args:
        images: 1 = paper. [B, C, H, W]
        rng: Random numbers of this step.
        strength: Factor on the standard deviations `ROTATION` (radians), `SLANT`, `STRETCH` (log
            scale across and down), `SHIFT` and `BEND` (half widths); 0 changes nothing.

    Returns:
        [B, C, H, W]
    """
    if strength == 0:
        return images
    amounts = strength * rng.normal(6, len(images))
    angle, slant = ROTATION * amounts[0], SLANT * amounts[1]
    across, down = (STRETCH[0] * amounts[2]).exp(), (STRETCH[1] * amounts[3]).exp()
    x_row = torch.stack([angle.cos() * across, slant - angle.sin() * down, SHIFT * amounts[4]], 1)
    y_row = torch.stack([angle.sin() * across, angle.cos() * down, SHIFT * amounts[5]], 1)
    grid = functional.affine_grid(
        torch.stack([x_row, y_row], 1), list(images.shape), align_corners=False
    )
    displacements = strength * BEND * rng.normal(len(images), 2, BEND_POINTS, BEND_POINTS)
    bend = functional.interpolate(
        displacements, size=images.shape[2:], mode="bicubic", align_corners=True
    ).permute(0, 2, 3, 1)
    # Sampling pads with zeros, so sample ink rather than paper; bilinear would blur strokes.
    ink = functional.grid_sample(1 - images, grid + bend, mode="bicubic", align_corners=False)
    return 1 - ink.clamp(0, 1)


def edge_masks(batch: int, height: int, width: int, rng: RandomStream) -> Tensor:
    """Lose the pixels beyond a straight edge on one of four sides; a `MaskSampler`."""
    pixels = height * width
    kept = _uniform(EDGE_KEPT, rng, batch, 1) * pixels
    order = torch.arange(pixels, device=kept.device)
    by_rows = (order < kept).view(batch, height, width)
    by_columns = (order < kept).view(batch, width, height).mT
    side = rng.integers(0, 8, batch).view(batch, 1, 1)
    observed = torch.where(side < EDGE_LEFT, by_columns, by_columns.flip(2))
    observed = torch.where(side == EDGE_LEFT + 1, by_rows, observed)
    return torch.where(side == EDGE_LEFT + 2, by_rows.flip(1), observed)


def mixed_masks(batch: int, height: int, width: int, rng: RandomStream) -> Tensor:
    """Half of the images have an edge, the others lose blocks, a box or strokes."""
    kind = rng.integers(0, MASK_KINDS, batch).view(batch, 1, 1)
    observed = edge_masks(batch, height, width, rng)
    for number, sample in enumerate((_block_masks, _box_masks, _stroke_masks)):
        observed = torch.where(kind == number, sample(batch, height, width, rng), observed)
    return observed


def damage(images: Tensor, rng: RandomStream, sample_masks: MaskSampler = edge_masks) -> Damaged:
    """Lose the same pixels of all channels of an image and add noise to the others.

    Args:
        images: [B, C, H, W]
        rng: Random numbers of this step.
        sample_masks: Draws which pixels are observed.
    """
    batch, channels, height, width = images.shape
    observed = sample_masks(batch, height, width, rng)
    mask = observed[:, None].expand(-1, channels, -1, -1).flatten(1).to(images)
    noise_level = _uniform(NOISE_RANGE, rng, batch, 1)
    ideal = images.flatten(1)
    return Damaged(ideal, (ideal + noise_level * rng.normal(*ideal.shape)) * mask, mask)


def _block_masks(batch: int, height: int, width: int, rng: RandomStream) -> Tensor:
    """Lose blocks of a grid, with one block size, offset and probability for each image."""
    longest = max(height, width)
    choice = rng.integers(0, len(BLOCK_SIDES) + 1, 2, batch, 1)
    sides = torch.tensor([*BLOCK_SIDES, longest], device=choice.device)[choice]
    offset = rng.integers(0, longest, 2, batch, 1)
    down, across = (
        (torch.arange(size, device=choice.device) + offset[i]) // sides[i]
        for i, size in enumerate((height, width))
    )
    max_across = width + longest
    levels = rng.uniform(batch, (height + longest) * max_across)
    block = (down[:, :, None] * max_across + across[:, None]).flatten(1)
    lost_share = _uniform(BLOCK_LOSS, rng, batch, 1)
    return (levels.gather(1, block) >= lost_share).view(batch, height, width)


def _box_masks(batch: int, height: int, width: int, rng: RandomStream) -> Tensor:
    """Lose the pixels whose centres lie inside a box."""
    inside = []
    for size in (height, width):
        side = _uniform(BOX_SIDES, rng, batch, 1) * size
        start = rng.uniform(batch, 1) * (size - side)
        centres = torch.arange(size, device=side.device) + 0.5
        inside.append((centres > start) & (centres < start + side))
    return ~(inside[0][:, :, None] & inside[1][:, None])


def _stroke_masks(batch: int, height: int, width: int, rng: RandomStream) -> Tensor:
    """Lose straight strokes between random points."""
    longest = max(height, width)
    radius = longest * _uniform(STROKE_RADIUS, rng, batch, STROKES, 1, 1)
    ends = rng.uniform(2, batch, STROKES, 1, 1)
    start = torch.stack([ends[0] * height, rng.uniform(batch, STROKES, 1, 1) * width])
    along = torch.stack([ends[1] * height, rng.uniform(batch, STROKES, 1, 1) * width]) - start
    rows = torch.arange(height, device=radius.device)[:, None] + 0.5
    columns = torch.arange(width, device=radius.device) + 0.5
    away = torch.stack([(rows - start[0]).expand(-1, -1, -1, width), columns - start[1] + 0 * rows])
    share = (away * along).sum(0) / along.square().sum(0).clamp(min=1e-6)
    distance = (away - share.clamp(0, 1) * along).square().sum(0)
    return (distance > radius.square()).all(1)


def _uniform(bounds: tuple[float, float], rng: RandomStream, *shape: int) -> Tensor:
    """Uniform numbers between two bounds."""
    return bounds[0] + (bounds[1] - bounds[0]) * rng.uniform(*shape)
