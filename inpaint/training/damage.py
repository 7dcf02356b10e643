"""Damaged training images: noise, and pixels lost in so many ways that no single one is learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint.training.randomness import Draws

NOISE = (0.07, 0.13)
"""Lowest and highest standard deviation of the noise on the damaged images."""

KEPT = (0.32, 0.85)
"""Lowest and highest share of the pixels that an edge leaves."""

LEFT = 5
"""Of 8 edges this many keep the left side; the others the right, the upper or the lower one."""

KINDS = 6
"""Of so many images one loses blocks, one a box and one strokes; of the others an edge is left."""

BLOCKS = (1, 1, 2, 4)
"""Sides of blocks in pixels; the longer side of the image is another, which makes long lines."""

BLOCKS_LOST = (0.2, 0.8)
"""Lowest and highest chance of a block to be lost."""

BOX = (0.2, 0.6)
"""Shortest and longest side of a box, as a share of the image's."""

STROKES = 3
STROKE_RADIUS = (0.02, 0.08)
"""Smallest and largest half width of strokes, as a share of the longer side."""

Observe = Callable[[int, int, int, Draws], Tensor]
"""From a number of images, their height and width to which pixels are observed. [B, H, W]"""


@dataclass(frozen=True)
class Damaged:
    """Damaged images, and what they were.

    Attributes:
        ideal: 1 = paper. [B, P]
        values: With noise; lost pixels are zero. [B, P]
        observed: 1 where a pixel is observed, else 0. [B, P]
    """

    ideal: Tensor
    values: Tensor
    observed: Tensor


def up_to_an_edge(count: int, height: int, width: int, draws: Draws) -> Tensor:
    """All but the pixels beyond a straight edge, on one of four sides; an `Observe`."""
    pixels = height * width
    kept = _between(KEPT, draws, count, 1) * pixels
    order = torch.arange(pixels, device=kept.device)
    by_rows = (order < kept).view(count, height, width)
    by_columns = (order < kept).view(count, width, height).mT
    side = draws.integers(0, 8, count).view(count, 1, 1)
    observed = torch.where(side < LEFT, by_columns, by_columns.flip(2))
    observed = torch.where(side == LEFT + 1, by_rows, observed)
    return torch.where(side == LEFT + 2, by_rows.flip(1), observed)


def in_many_ways(count: int, height: int, width: int, draws: Draws) -> Tensor:
    """Half of the images up to an edge, the others outside of blocks, a box or strokes."""
    kind = draws.integers(0, KINDS, count).view(count, 1, 1)
    observed = up_to_an_edge(count, height, width, draws)
    for number, observe in enumerate((_outside_blocks, _outside_a_box, _outside_strokes)):
        observed = torch.where(kind == number, observe(count, height, width, draws), observed)
    return observed


def damage(images: Tensor, draws: Draws, observe: Observe = up_to_an_edge) -> Damaged:
    """Lose pixels of images [B, C, H, W], the same of all channels, and add noise to the others."""
    count, channels, height, width = images.shape
    observed = observe(count, height, width, draws)
    mask = observed[:, None].expand(-1, channels, -1, -1).flatten(1).to(images)
    level = _between(NOISE, draws, count, 1)
    ideal = images.flatten(1)
    return Damaged(ideal, (ideal + level * draws.normal(*ideal.shape)) * mask, mask)


def _outside_blocks(count: int, height: int, width: int, draws: Draws) -> Tensor:
    longest = max(height, width)
    number = draws.integers(0, len(BLOCKS) + 1, 2, count, 1)
    sides = torch.tensor([*BLOCKS, longest], device=number.device)[number]
    shift = draws.integers(0, longest, 2, count, 1)
    down, across = (
        (torch.arange(size, device=number.device) + shift[i]) // sides[i]
        for i, size in enumerate((height, width))
    )
    blocks = width + longest  # across, at most
    chances = draws.uniform(count, (height + longest) * blocks)
    places = (down[:, :, None] * blocks + across[:, None]).flatten(1)
    lost = _between(BLOCKS_LOST, draws, count, 1)
    return (chances.gather(1, places) >= lost).view(count, height, width)


def _outside_a_box(count: int, height: int, width: int, draws: Draws) -> Tensor:
    inside = []
    for size in (height, width):
        side = _between(BOX, draws, count, 1) * size
        first = draws.uniform(count, 1) * (size - side)
        middles = torch.arange(size, device=side.device) + 0.5
        inside.append((middles > first) & (middles < first + side))
    return ~(inside[0][:, :, None] & inside[1][:, None])


def _outside_strokes(count: int, height: int, width: int, draws: Draws) -> Tensor:
    """Strokes are straight, from anywhere to anywhere."""
    longest = max(height, width)
    radius = longest * _between(STROKE_RADIUS, draws, count, STROKES, 1, 1)
    ends = draws.uniform(2, count, STROKES, 1, 1)
    begin = torch.stack([ends[0] * height, draws.uniform(count, STROKES, 1, 1) * width])
    along = torch.stack([ends[1] * height, draws.uniform(count, STROKES, 1, 1) * width]) - begin
    rows = torch.arange(height, device=radius.device)[:, None] + 0.5
    columns = torch.arange(width, device=radius.device) + 0.5
    away = torch.stack([(rows - begin[0]).expand(-1, -1, -1, width), columns - begin[1] + 0 * rows])
    share = (away * along).sum(0) / along.square().sum(0).clamp(min=1e-6)
    gap = (away - share.clamp(0, 1) * along).square().sum(0)
    return (gap > radius.square()).all(1)


def _between(range_: tuple[float, float], draws: Draws, *shape: int) -> Tensor:
    """Evenly distributed numbers of a range."""
    return range_[0] + (range_[1] - range_[0]) * draws.uniform(*shape)
