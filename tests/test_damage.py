"""How training images are damaged: every kind is met, the same of all channels, and it repeats."""

from __future__ import annotations

import torch
from torch import Tensor

from inpaint.training.augmentation import EDGE_KEPT, NOISE_RANGE, damage, mixed_masks
from inpaint.training.randomness import RandomStream


def test_edges_are_on_all_sides_and_leave_enough() -> None:
    damaged = damage(torch.ones(200, 1, 28, 28), RandomStream(0, 0, "cpu"))
    observed = damaged.observed.view(200, 28, 28)
    assert all(is_edge(mask) for mask in observed)
    share = damaged.observed.mean(1)
    assert share.min() > EDGE_KEPT[0] - 0.01
    assert share.max() < EDGE_KEPT[1] + 0.01
    for corners in ((0, 0, -1, 0), (0, -1, -1, -1), (0, 0, 0, -1), (-1, 0, -1, -1)):
        first, second = observed[:, corners[0], corners[1]], observed[:, corners[2], corners[3]]
        assert ((first > 0) & (second > 0)).any()


def is_edge(observed: Tensor) -> bool:
    """Whether pixels are lost from one on, in the order of rows or columns, or up to one."""
    return any(
        bool((lines.flatten().diff() <= 0).all())
        for way in (observed, observed.T)
        for lines in (way, way.flip(0))
    )


def is_box(observed: Tensor) -> bool:
    """Whether the lost pixels are those of some neighbouring rows in some neighbouring columns."""
    lost = observed == 0
    rows, columns = lost.any(1), lost.any(0)
    whole = bool((lost == rows[:, None] & columns).all())
    return whole and all(int(line.diff().sum(dtype=torch.int)) <= 2 for line in (rows, columns))


def test_damage_in_many_ways_is_half_edges_and_has_boxes_blocks_and_strokes() -> None:
    images = torch.rand(600, 2, 12, 20, generator=torch.Generator().manual_seed(0))
    damaged = damage(images, RandomStream(0, 0, "cpu"), mixed_masks)
    masks = damaged.observed.view(600, 2, 12, 20)
    assert torch.equal(masks[:, 0], masks[:, 1])
    edges = [is_edge(mask) for mask in masks[:, 0]]
    assert 280 < sum(edges) < 340
    others = [mask for mask, edge in zip(masks[:, 0], edges, strict=True) if not edge]
    boxes = [is_box(mask) for mask in others]
    assert 60 < sum(boxes) < 140
    assert len(others) - sum(boxes) > 150
    lost = damaged.observed == 0
    assert lost.any()
    assert (damaged.values[lost] == 0).all()
    noise = (damaged.values - damaged.ideal)[~lost]
    assert NOISE_RANGE[0] < noise.std() < NOISE_RANGE[1]


def test_damage_repeats_and_differs_from_step_to_step() -> None:
    images = torch.ones(8, 1, 8, 12)
    one, again, other = (
        damage(images, RandomStream(3, step, "cpu"), mixed_masks) for step in (1, 1, 2)
    )
    assert torch.equal(one.values, again.values)
    assert not torch.equal(one.observed, other.observed)
