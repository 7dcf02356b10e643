"""Where the starts of some images led: rounds and blocks of starts, joined into one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from inpaint.config import RestoreConfig
from inpaint.search.starts import select_best
from inpaint.types import Status


@dataclass(frozen=True)
class Found:
    """Where R starts of each of B images led, and the settings that repeat it.

    The fields are those of `SearchResult`.
    """

    starts: Tensor
    start_costs: Tensor
    latents: Tensor
    costs: Tensor
    status: Tensor
    evaluations: Tensor
    history: Tensor
    followed: Tensor
    config: RestoreConfig

    def joined(self, other: Found) -> Found:
        """The starts of both, those of `self` first; shorter histories repeat their last costs."""
        steps = max(len(self.history), len(other.history))
        curves = [lengthened(each.history, steps) for each in (self, other)]
        moved = other.followed + self.costs.shape[1]
        config = replace(self.config, rounds=self.config.rounds + other.config.rounds)
        names = ("starts", "start_costs", "latents", "costs", "status", "evaluations")
        pairs = {name: (getattr(self, name), getattr(other, name)) for name in names}
        return Found(
            **{name: torch.cat(pair, dim=1) for name, pair in pairs.items()},
            history=torch.cat(curves, dim=2),
            followed=torch.cat([self.followed, moved], dim=1),
            config=config,
        )

    def without_curves(self) -> Found:
        """The same with the history of each image's best restart only."""
        best = select_best(self.costs)[:, None]
        history = self.history.gather(2, best.expand(len(self.history), -1, -1))
        return replace(self, history=history, followed=self.followed.gather(1, best))


Block = tuple[list[int], Found]
"""Some of B images, by their places, and what the next starts of each found."""


def lengthened(history: Tensor, steps: int) -> Tensor:
    """A history extended to `steps` entries by repeating its last costs. [S + 1, B, R]"""
    return torch.cat([history, history[-1:].expand(steps - len(history), -1, -1)])


def assemble(blocks: Sequence[Block], config: RestoreConfig, *, all_curves: bool) -> Found:
    """Blocks of starts as one; where an image stopped earlier, its restarts are not started.

    Args:
        blocks: In the order of the starts; the first one has all B images.
        config: The settings that repeat them.
        all_curves: Whether the blocks hold the histories of all restarts, or of the best ones.
    """
    first_block = blocks[0][1]
    like = first_block.costs
    images, size = len(like), first_block.starts.shape[2]
    total = sum(found.costs.shape[1] for _, found in blocks)
    infinite = like.new_full((images, total), torch.inf)
    starts, latents = like.new_zeros(images, total, size), like.new_zeros(images, total, size)
    start_costs, costs = infinite, infinite.clone()
    status = torch.full_like(infinite, int(Status.NOT_STARTED), dtype=torch.uint8)
    evaluations = torch.zeros_like(infinite, dtype=torch.int32)
    first = 0
    for active, found in blocks:
        where = (active, slice(first, first + found.costs.shape[1]))
        starts[where], start_costs[where] = found.starts, found.start_costs
        latents[where], costs[where] = found.latents, found.costs
        status[where], evaluations[where] = found.status, found.evaluations
        first += found.costs.shape[1]
    steps = max(len(found.history) for _, found in blocks)
    if all_curves:
        history = like.new_full((steps, images, total), torch.inf)
        followed = torch.arange(total, device=like.device).expand(images, -1)
    else:
        history = like.new_full((steps, images, 1), torch.inf)
        followed = select_best(costs)[:, None]
    first = 0
    for active, found in blocks:
        curves = lengthened(found.history, steps)
        if all_curves:
            history[:, active, first : first + curves.shape[2]] = curves
        else:
            # A block keeps the curve of its best restart.
            held = (followed[active] == found.followed + first).nonzero()[:, 0].tolist()
            history[:, [active[place] for place in held]] = curves[:, held]
        first += found.costs.shape[1]
    return Found(
        starts, start_costs, latents, costs, status, evaluations, history, followed, config
    )
