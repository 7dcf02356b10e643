"""One search told as many: what it would have found with fewer restarts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint.config import RestoreConfig
from inpaint.errors import ArgumentError
from inpaint.generators import AnyGenerator
from inpaint.search.modes import SAME_IMAGE
from inpaint.types import Measurement, Restoration


@dataclass(frozen=True)
class Trial:
    """What some restarts of one seed found of one image.

    Attributes:
        number: The image's number in its source.
        keep: N, the number of observed pixels.
        restarts: How many were followed, per round.
        seed: What they were drawn with.
        cost: The lowest J among them.
        error: L2 error of the image there; None where the ideal is not known.
        found: Whether that image is the one of the lowest cost in all trials of this image and N.
    """

    number: int
    keep: int
    restarts: int
    seed: int
    cost: float
    error: float | None
    found: bool


def followed(restoration: Restoration, count: int) -> Tensor:
    """Which restarts a search with `count` instead of R restarts would have followed.

    The latent vectors drawn are the same. Without screening the first `count` of each round
    are followed. With screening those are followed whose cost at the start is lowest: not the
    first ones, and better starts than `count` random ones would be.

    Args:
        restoration: A search with R restarts in each round.
        count: 1 to R.

    Returns:
        Their places. [B, rounds * count]

    Raises:
        ArgumentError: If `count` is out of range, or fewer restarts would have been others.
    """
    config = restoration.config
    images, total = restoration.costs.shape
    restarts = total // config.rounds
    if not 1 <= count <= restarts:
        raise ArgumentError(
            f"restart counts hold {count}; the search followed {restarts} restarts. Choose 1 to "
            f"{restarts}, or more restarts."
        )
    if count == restarts:
        return torch.arange(total).expand(images, -1)
    check_nested(config)
    drawn = restarts if config.screen >= restarts else max(count, config.screen)
    starts = restoration.history[0].unflatten(1, (config.rounds, restarts))[..., :drawn]
    order = torch.nan_to_num(starts, nan=torch.inf).argsort(dim=2, stable=True)
    chosen = order[..., :count].sort().values  # [B, rounds, count]
    first = restarts * torch.arange(config.rounds)
    return (chosen + first[None, :, None]).reshape(images, -1)


def check_nested(config: RestoreConfig) -> None:
    """See that a search contains those with fewer restarts.

    Raises:
        ArgumentError: If restarts are polished, or later rounds begin elsewhere in the stream of
            draws when there are fewer restarts.
    """
    if config.polish:
        raise ArgumentError(
            f"polish is {config.polish}; fewer restarts can be told of a search without polishing "
            "only. Choose polish 0, or leave out the restart counts."
        )
    several = config.rounds > 1 or config.budget is not None
    if several and config.screen < config.restarts:
        raise ArgumentError(
            f"restarts is {config.restarts} and screen {config.screen}; fewer restarts can be told "
            "of several rounds only if each screens at least as many draws. Choose 1 round without "
            "a budget, or a higher screen."
        )


def make_trials(
    measurement: Measurement,
    generator: AnyGenerator,
    restorations: Sequence[Restoration],
    counts: Sequence[int],
    *,
    keep: int,
) -> tuple[Trial, ...]:
    """The trials of searches for the same images with other seeds.

    Args:
        measurement: What was restored. B images
        generator: What restored it.
        restorations: One for each seed.
        counts: Numbers of restarts.
        keep: N.

    Returns:
        For each image, number of restarts and seed, in this order.
    """
    double = generator.to(dtype=torch.float64)
    cases = [(count, restoration) for count in counts for restoration in restorations]
    costs, latents = [], []
    for count, restoration in cases:
        chosen = followed(restoration, count)
        lowest, place = restoration.costs.gather(1, chosen).min(1)
        costs.append(lowest)
        latents.append(
            restoration.latents[torch.arange(len(chosen)), chosen.gather(1, place[:, None])[:, 0]]
        )
    images = double(torch.stack(latents).double())  # [K, B, C, H, W]
    best = torch.stack(costs).argmin(0)  # [B]
    trials = []
    for index, number in enumerate(measurement.numbers):
        reached = images[best[index], index]
        for (count, restoration), image, cost in zip(cases, images, costs, strict=True):
            gap = (image[index] - reached).square().mean().sqrt()
            error = None
            if measurement.ideal is not None:
                error = float((measurement.ideal[index].double() - image[index]).norm())
            trials.append(
                Trial(
                    number=number,
                    keep=keep,
                    restarts=count,
                    seed=restoration.config.seed,
                    cost=float(cost[index]),
                    error=error,
                    found=bool(cost[index].isfinite()) and bool(gap <= SAME_IMAGE),
                )
            )
    return tuple(trials)
