"""What the restarts of an image found: the distinct minima, and how often each was reached.

Many restarts together show how likely a single one is to succeed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial import cKDTree
from torch import Tensor

from inpaint.generators import AnyGenerator
from inpaint.search.evidence import Evidence
from inpaint.types import OnProgress, Progress, SearchResult, ShortRepr, asks_to_stop

SAME_IMAGE = 0.02
"""Root mean square difference, in units of the pixels, up to which two images are one mode.

Restarts that stopped in one valley differ by less than .01, distinct minima by .03 and more.
"""

MOST_MODES = 1000
"""Most modes of an image that are kept: the lowest. More come from a search that was cut short."""

COORDINATES, LOOKED_UP = 32, 8
"""Coordinates of images that are compared before their pixels are, and those in the tree."""

SAMPLED = 64
"""Images that the coordinates are fitted to."""

DRAWN = 4096
"""Images that are drawn together, to limit memory."""

FEWEST_LOOKUPS, MOST_LOOKUPS = 16, 1024
"""Images that are looked up together, at first and at most, between two reports of progress."""

NEAREST = 8
"""Nearest images that are looked up at first."""

LEAF = 64
"""Images in a leaf of the tree."""

ROUNDING = 1e-3
"""Relative slack for the rounding of coordinates, whose distances must not exceed true ones."""


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
        distinct: How many distinct minima were found.
        modes: The distinct minima, lowest cost first; at most `MOST_MODES`.
    """

    starts: int
    reached: int
    rate: float
    interval: tuple[float, float]
    restarts_for_99: int | None
    missed: float
    evidence: Evidence
    distinct: int
    modes: tuple[Mode, ...]


def search_statistics(
    restoration: SearchResult, generator: AnyGenerator, *, on_progress: OnProgress | None = None
) -> Iterator[SearchStatistics]:
    """What the restarts of each image found, one image after the other.

    Args:
        restoration: B images with R restarts each.
        generator: What restored them.
        on_progress: Called while restarts are grouped; if it returns False, no more images follow.
    """
    # Moved once, because the modes of all images share it.
    generator = generator.to(restoration.latents)
    images = len(restoration.costs)
    for image in range(images):

        def may_continue(share: float, image: int = image) -> bool:
            progress = Progress("judging", image + share, images)
            return on_progress is None or not asks_to_stop(on_progress(progress))

        costs, latents = restoration.costs[image], restoration.latents[image]
        groups = _group(costs, latents, generator, may_continue)
        if groups is None:
            return
        starts = int(restoration.num_starts[image])
        yield _of_image(costs, latents, starts, generator, groups)


def _of_image(
    costs: Tensor,
    latents: Tensor,
    starts: int,
    generator: AnyGenerator,
    groups: list[tuple[int, int]],
) -> SearchStatistics:
    reached = groups[0][1] if groups else 0
    rate = reached / starts
    needed: int | None = None
    if reached:
        needed = 1 if rate == 1 else math.ceil(math.log(0.01) / math.log1p(-rate))
    # Of all minima, also of those that are not kept as modes.
    lowest = costs[[restart for restart, _ in groups]].double().numpy()
    evidence = Evidence.of(starts, lowest, np.array([count for _, count in groups]))
    return SearchStatistics(
        starts=starts,
        reached=reached,
        rate=rate,
        interval=share_interval(reached, starts),
        restarts_for_99=needed,
        missed=evidence.missed,
        evidence=evidence,
        distinct=len(groups),
        modes=_modes(costs, latents, generator, groups),
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

    Returns:
        The modes, lowest cost first; at most `MOST_MODES`.
    """
    generator = generator.to(latents)
    groups = _group(costs, latents, generator, lambda share: True)
    assert groups is not None
    return _modes(costs, latents, generator, groups)


def _modes(
    costs: Tensor, latents: Tensor, generator: AnyGenerator, groups: list[tuple[int, int]]
) -> tuple[Mode, ...]:
    """The modes of one image; the weights are shares of the sum over all of them."""
    if not groups:
        return ()
    lowest = costs[[restart for restart, _ in groups]].double()
    weights = torch.softmax(-lowest / 2, dim=0)
    return tuple(
        Mode(
            latents=latents,
            generator=generator,
            restart=restart,
            cost=cost,
            gap=cost - float(lowest[0]),
            starts=starts,
            weight=weight,
        )
        for (restart, starts), cost, weight in zip(
            groups[:MOST_MODES], lowest.tolist(), weights.tolist(), strict=False
        )
    )


def _group(
    costs: Tensor,
    latents: Tensor,
    generator: AnyGenerator,
    may_continue: Callable[[float], bool],
) -> list[tuple[int, int]] | None:
    """Group the restarts of one image; see `find_modes`.

    The restarts of a search that was cut short are all different, so they are not compared pair by
    pair. A tree looks up which ones may be equal, by a few coordinates of their images: a
    projection, which makes no distance larger.

    Args:
        costs: J of each restart. [R]
        latents: Where each ended. [R, D]
        generator: Draws their images, in the precision of the latents.
        may_continue: Called from time to time with the share that is done; False ends the grouping.

    Returns:
        Each mode's restart of lowest cost and number of restarts, lowest cost first; None if it
        was ended early.
    """
    finite = costs.isfinite().nonzero()[:, 0]
    order = finite[costs[finite].argsort(stable=True)]
    if len(order) == 0:
        return []
    latents = latents[order]
    places = _coordinates(latents, generator, may_continue)
    if places is None:
        return None
    radius = SAME_IMAGE * math.sqrt(math.prod(generator.image_shape)) * (1 + ROUNDING)
    groups: list[tuple[int, int]] = []
    grouped = np.zeros(len(order), dtype=bool)
    # Places in `order`: of the images not grouped yet, and of those in the tree.
    left = inside = np.arange(len(order))
    tree, lookups = cKDTree(places[:, :LOOKED_UP], LEAF), FEWEST_LOOKUPS
    while len(left):
        if not may_continue(1 - len(left) / len(order)):
            return None
        if 2 * len(left) <= len(inside):
            inside, tree = left, cKDTree(places[left, :LOOKED_UP], LEAF)
        heads = left[:lookups]
        # The nearest few are the quick answer. In a valley of many, all are looked up.
        nearest = tree.query(places[heads, :LOOKED_UP], NEAREST, distance_upper_bound=radius)[1]
        for head, near in zip(heads, nearest, strict=True):
            if grouped[head]:
                continue
            if near[-1] < len(inside):
                if not may_continue(len(groups) / len(order)):
                    return None
                near = np.array(tree.query_ball_point(places[head, :LOOKED_UP], radius))
            near = inside[near[near < len(inside)]]
            near = near[~grouped[near] & (near != head)]
            if len(near):
                near = near[np.square(places[near] - places[head]).sum(1) <= radius**2]
                near = near[_equal(head, near, latents, generator)]
                grouped[near] = True
            grouped[head] = True
            groups.append((int(order[head]), 1 + len(near)))
        left, lookups = left[~grouped[left]], min(2 * lookups, MOST_LOOKUPS)
    return groups


def _coordinates(
    latents: Tensor, generator: AnyGenerator, may_continue: Callable[[float], bool]
) -> NDArray[np.float64] | None:
    """Coordinates of images, no farther apart than the images themselves. [n, COORDINATES]

    They are the images' components along orthonormal directions, those in which they differ most.
    """
    step = -(-len(latents) // SAMPLED)
    sample = generator.pixels(latents[::step]).double().nan_to_num()
    middle = sample.mean(0)
    directions = torch.linalg.svd(sample - middle, full_matrices=False).Vh[:COORDINATES].T
    found = []
    for part in latents.split(DRAWN):
        if not may_continue(0.0):
            return None
        found.append((generator.pixels(part).double().nan_to_num() - middle) @ directions)
    return torch.cat(found).numpy()


def _equal(
    head: int, others: NDArray[np.int64], latents: Tensor, generator: AnyGenerator
) -> NDArray[np.bool_]:
    """Whether the images of others equal that of a head, all given by their places. [n]"""
    found = [np.zeros(0, dtype=bool)]
    for first in range(0, len(others), DRAWN):
        pixels = generator.pixels(latents[np.append(head, others[first : first + DRAWN])])
        distances = (pixels[1:] - pixels[0]).square().mean(-1).sqrt()
        found.append((distances <= SAME_IMAGE).numpy())
    return np.concatenate(found)
