"""Where restarts begin, and which of them is best: screening and selection."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from inpaint.errors import ShapeError


def screen(cost: Callable[[Tensor], Tensor], latents: Tensor, restarts: int) -> Tensor:
    """Keep the candidates of lowest cost, in the order in which they were drawn.

    Args:
        cost: J, forward only. [B, C, D] -> [B, C]
        latents: Candidates. [B, C, D]
        restarts: How many to keep, at most C.

    Returns:
        [B, restarts, D]
    """
    costs = torch.nan_to_num(cost(latents), nan=torch.inf)
    kept = costs.argsort(dim=1, stable=True)[:, :restarts].sort(dim=1).values
    return latents.gather(1, kept[..., None].expand(-1, -1, latents.shape[2]))


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
