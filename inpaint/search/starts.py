"""Where restarts begin, and which of them is best: screening and selection."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from inpaint.errors import ShapeError


def screen(cost: Callable[[Tensor], Tensor], drawn: Iterable[Tensor], restarts: int) -> Tensor:
    """Keep the candidates of lowest cost, in the order in which they were drawn.

    Memory does not grow with the number of candidates.

    Args:
        cost: J, forward only. [B, C, D] -> [B, C]
        drawn: Candidates, some of each image at a time. [B, C, D]
        restarts: How many to keep, at most as many as are drawn.

    Returns:
        [B, restarts, D]
    """
    best: tuple[Tensor, Tensor] | None = None
    for latents in drawn:
        costs = torch.nan_to_num(cost(latents), nan=torch.inf)
        if best is not None:
            latents, costs = torch.cat([best[0], latents], 1), torch.cat([best[1], costs], 1)
        # Those kept come first, so a tie is decided by the order of drawing as if all were sorted.
        kept = costs.argsort(dim=1, stable=True)[:, :restarts].sort(dim=1).values
        best = _pick(latents, kept), costs.gather(1, kept)
    assert best is not None
    return best[0]


def _pick(latents: Tensor, places: Tensor) -> Tensor:
    """[B, C, D], [B, R] -> [B, R, D]"""
    return latents.gather(1, places[..., None].expand(-1, -1, latents.shape[2]))


def select_best(costs: Tensor) -> Tensor:
    """Pick the restart of lowest cost for each image; the first one in a tie.

    Args:
        costs: J of each restart; +inf where a restart failed. [B, R]

    Returns:
        Its index. [B]

    Raises:
        ShapeError: If `costs` is not [B, R] with at least one restart.
    """
    if costs.ndim != 2 or costs.shape[1] == 0:
        raise ShapeError(f"costs has shape {list(costs.shape)}; it must be [B, R] with R >= 1.")
    return costs.argmin(dim=1)
