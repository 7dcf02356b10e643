"""Many starts for each image: draw them, screen them, pick the best result."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from inpaint.errors import ShapeError


class LatentStream:
    """Standard normal latent vectors, each image's from a stream of its own.

    A vector depends on the seed, the image's number and its own place in the stream, and on
    nothing else, such as how many are drawn at a time.

    Args:
        seed: Seed of the restoration.
        numbers: Number of each image in its source. B of them
        latent_size: D.
    """

    def __init__(self, seed: int, numbers: Sequence[int], latent_size: int) -> None:
        self._size = latent_size
        self._streams = [
            np.random.Generator(np.random.Philox(key=[seed, number])) for number in numbers
        ]

    def draw(self, count: int) -> Tensor:
        """The next `count` vectors of each image. float64 [B, count, D]"""
        draws = [stream.standard_normal((count, self._size)) for stream in self._streams]
        return torch.from_numpy(np.stack(draws))


def draw_latents(seed: int, numbers: Sequence[int], count: int, latent_size: int) -> Tensor:
    """The first `count` vectors of each image's stream. float64 [B, count, D]"""
    return LatentStream(seed, numbers, latent_size).draw(count)


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
    """Pick, for each image, the restart of lowest cost; the first one of equals.

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
