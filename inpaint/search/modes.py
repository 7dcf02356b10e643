"""What the restarts of an image found: the distinct minima, and how often each was reached.

Many restarts together show how likely a single one is to succeed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from inpaint.generators import AnyGenerator
from inpaint.search.evidence import Evidence
from inpaint.types import SearchResult, ShortRepr

SAME_IMAGE = 0.02
"""Root mean square difference, in units of the pixels, up to which two images are one mode.

Restarts that stopped in one valley differ by less than .01, distinct minima by .03 and more.
"""


@dataclass(frozen=True, eq=False, repr=False, slots=True)
class Mode(ShortRepr):
    """One of the images that fit, a local minimum of J.

    Attributes:
        latents: Where all restarts of the image ended. [R, D]
        generator: Draws their images.
        restart: The restart of lowest cost that ended there.
        cost: Its J.
        gap: Its cost above the lowest cost of the image, in nats x 2.
        starts: How many restarts ended there.
        weight: Posterior density exp(-J / 2) there as a share of the sum over all modes,
            regardless of the width of the valley.
    """

    # A search of many images has many modes, so a mode draws its image only on request.
    latents: Tensor
    generator: AnyGenerator
    restart: int
    cost: float
    gap: float
    starts: int
    weight: float

    @property
    def image(self) -> Tensor:
        """The generator's output there. [C, H, W]"""
        return self.generator(self.latents[self.restart])


@dataclass(frozen=True, repr=False)
class SearchStatistics(ShortRepr):
    """How reliable the search of one image was.

    Attributes:
        starts: Restarts followed.
        reached: How many of them ended at the best mode. In a steep valley some stall at a kink
            of J, slightly above the minimum, with the same image.
        rate: Their share: an estimate of how often one start succeeds.
        interval: 95 % confidence interval of the rate (Clopper and Pearson 1934).
        restarts_for_99: Restarts needed for a 99 % probability that at least one succeeds; None
            if all failed.
        missed: Estimated probability that a minimum lower by more than .1 was missed.
        evidence: How often the low minima were met, from which it follows.
        modes: All distinct minima, lowest cost first.
    """

    starts: int
    reached: int
    rate: float
    interval: tuple[float, float]
    restarts_for_99: int | None
    missed: float
    evidence: Evidence
    modes: tuple[Mode, ...]


def search_statistics(
    restoration: SearchResult, generator: AnyGenerator
) -> tuple[SearchStatistics, ...]:
    """What the restarts of each image found.

    Args:
        restoration: B images with R restarts each.
        generator: What restored them.

    Returns:
        One record per image.
    """
    # Moved once, because the modes of all images share it.
    generator = generator.to(restoration.latents)
    return tuple(
        _of_image(
            restoration.costs[b], restoration.latents[b], int(restoration.num_starts[b]), generator
        )
        for b in range(len(restoration.images))
    )


def _of_image(
    costs: Tensor, latents: Tensor, starts: int, generator: AnyGenerator
) -> SearchStatistics:
    modes = find_modes(costs, latents, generator)
    reached = modes[0].starts if modes else 0
    rate = reached / starts
    needed: int | None = None
    if reached:
        needed = 1 if rate == 1 else math.ceil(math.log(0.01) / math.log1p(-rate))
    evidence = Evidence.of(
        starts,
        np.array([mode.cost for mode in modes]),
        np.array([mode.starts for mode in modes]),
    )
    return SearchStatistics(
        starts=starts,
        reached=reached,
        rate=rate,
        interval=share_interval(reached, starts),
        restarts_for_99=needed,
        missed=evidence.missed,
        evidence=evidence,
        modes=modes,
    )


def share_interval(successes: int, count: int) -> tuple[float, float]:
    """95 % confidence interval of a share (Clopper and Pearson 1934).

    The result equals that of scipy.stats.binomtest, which also computes a p-value and takes 30
    times as long.
    """
    low = stats.beta.ppf(0.025, successes, count - successes + 1) if successes else 0.0
    high = stats.beta.ppf(0.975, successes + 1, count - successes) if successes < count else 1.0
    return float(low), float(high)


def find_modes(costs: Tensor, latents: Tensor, generator: AnyGenerator) -> tuple[Mode, ...]:
    """Group the restarts of one image by the images they ended at.

    In order of cost, each restart joins the first mode whose image equals its own, or
    begins a new one.

    Args:
        costs: J of each restart; +inf where it failed. [R]
        latents: Where each ended. [R, D]
        generator: Draws their images.
    """
    finite = costs.isfinite().nonzero()[:, 0]
    order = finite[costs[finite].argsort(stable=True)]
    if len(order) == 0:
        return ()
    generator = generator.to(latents)
    pixels = generator.pixels(latents[order])
    heads: list[int] = []  # places in `order` of each mode's lowest restart
    members: list[int] = []
    for place, image in enumerate(pixels):
        distances = (pixels[heads] - image).square().mean(-1).sqrt()
        near = (distances <= SAME_IMAGE).nonzero()[:, 0]
        if len(near):
            members[int(near[0])] += 1
        else:
            heads.append(place)
            members.append(1)
    lowest = costs[order[heads]].double()
    weights = torch.softmax(-lowest / 2, dim=0)
    return tuple(
        Mode(
            latents=latents,
            generator=generator,
            restart=int(order[head]),
            cost=float(cost),
            gap=float(cost - lowest[0]),
            starts=count,
            weight=float(weight),
        )
        for head, cost, count, weight in zip(heads, lowest, members, weights, strict=True)
    )
