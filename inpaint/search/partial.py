"""What a search would have found with fewer restarts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint.config import Restarts, RestoreConfig
from inpaint.errors import ArgumentError
from inpaint.generators import AnyGenerator
from inpaint.search.modes import SAME_IMAGE
from inpaint.types import Measurement, SearchResult


@dataclass(frozen=True)
class PartialSearch:
    """What some restarts of one seed found for one image.

    Attributes:
        number: The image's number in its source.
        keep: N, the number of observed pixels.
        restarts: How many were followed, per round, or "auto".
        seed: What they were drawn with.
        cost: The lowest J among them.
        error: L2 error of the image there; None where the ideal is not known.
        found: Whether that image equals the one of lowest cost that any seed found.
    """

    number: int
    keep: int
    restarts: Restarts
    seed: int
    cost: float
    error: float | None
    found: bool


def followed(restoration: SearchResult, count: Restarts) -> Tensor:
    """Which restarts a search with `count` instead of R restarts would have followed.

    Both searches draw the same latent vectors. Without screening, the first `count` of each round
    are followed; with screening, the `count` whose cost at the start is lowest, which are better
    starts than `count` random ones would be.

    Args:
        restoration: A search with R restarts in each round.
        count: 1 to R, or that of the search itself.

    Returns:
        Their places. [B, rounds * count]

    Raises:
        ArgumentError: If `count` is out of range, or the search with fewer restarts would have
            followed others.
    """
    config = restoration.config
    images, total = restoration.costs.shape
    if count == config.restarts:
        return torch.arange(total).expand(images, -1)
    if isinstance(count, str) or isinstance(config.restarts, str):
        raise ArgumentError(
            f"restart counts hold {count}; the search took {config.restarts!r} restarts, which "
            "cannot be compared with a number."
        )
    restarts = total // config.rounds
    if not 1 <= count <= restarts:
        raise ArgumentError(
            f"restart counts hold {count}; the search followed {restarts} restarts. Choose 1 to "
            f"{restarts}, or more restarts."
        )
    check_nested(config)
    drawn = restarts if config.screen >= restarts else max(count, config.screen)
    starts = restoration.start_costs.unflatten(1, (config.rounds, restarts))[..., :drawn]
    order = torch.nan_to_num(starts, nan=torch.inf).argsort(dim=2, stable=True)
    chosen = order[..., :count].sort().values  # [B, rounds, count]
    first = restarts * torch.arange(config.rounds)
    return (chosen + first[None, :, None]).reshape(images, -1)


def check_nested(config: RestoreConfig) -> None:
    """Require that a search contains the searches with fewer restarts.

    Raises:
        ArgumentError: If, with fewer restarts, later rounds would begin elsewhere in the stream of
            draws.
    """
    several = config.rounds > 1 or config.time_limit is not None
    if several and not isinstance(config.restarts, str) and config.screen < config.restarts:
        raise ArgumentError(
            f"restarts is {config.restarts} and screen {config.screen}; fewer restarts can be "
            "compared in several rounds only if each screens at least as many draws. Choose 1 "
            "round without a time limit, or a higher screen."
        )


def make_partial_searches(
    measurement: Measurement,
    generator: AnyGenerator,
    restorations: Sequence[SearchResult],
    counts: Sequence[Restarts],
    *,
    keep: int,
) -> tuple[PartialSearch, ...]:
    """What searches with several seeds found with each number of restarts.

    Args:
        measurement: What was restored. B images
        generator: What restored it.
        restorations: One for each seed.
        counts: Numbers of restarts.
        keep: N.

    Returns:
        For each image, number of restarts and seed, in this order.
    """
    double = generator.to("cpu", torch.float64)
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
    found = []
    for index, number in enumerate(measurement.numbers):
        reached = images[best[index], index]
        for (count, restoration), image, cost in zip(cases, images, costs, strict=True):
            gap = (image[index] - reached).square().mean().sqrt()
            error = None
            if measurement.ideal is not None:
                error = float((measurement.ideal[index].double() - image[index]).norm())
            found.append(
                PartialSearch(
                    number=number,
                    keep=keep,
                    restarts=count,
                    seed=restoration.config.seed,
                    cost=float(cost[index]),
                    error=error,
                    found=bool(cost[index].isfinite()) and bool(gap <= SAME_IMAGE),
                )
            )
    return tuple(found)
