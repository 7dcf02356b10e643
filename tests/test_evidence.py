"""When a search has followed enough starts: the rule, and the minima that it counts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from inpaint import Generator, ImageSet, Mask, RestoreConfig
from inpaint.operators import measure
from inpaint.search.evidence import EARLY, EARLY_HITS, FEWEST, HITS, HOPELESS, RIVALLED, Evidence
from inpaint.search.minima import Minima
from inpaint.search.modes import search_statistics
from inpaint.search.restore import restore
from inpaint.search.rounds import LARGEST_BLOCK, next_block


def evidence(starts: int, costs: Sequence[float], counts: Sequence[int]) -> Evidence:
    """The evidence of minima with these costs, met so many times."""
    return Evidence.of(starts, np.array(costs), np.array(counts))


@pytest.mark.parametrize(
    ("seen", "enough"),
    [
        (evidence(FEWEST, [0.0], [EARLY_HITS]), True),
        (evidence(FEWEST - 1, [0.0], [EARLY_HITS]), False),
        (evidence(FEWEST, [0.0], [EARLY_HITS - 1]), False),
        (evidence(EARLY - 1, [0.0], [EARLY_HITS - 1]), False),
        (evidence(EARLY, [0.0], [HITS]), True),
        (evidence(EARLY, [0.0], [HITS - 1]), False),
        (evidence(FEWEST, [0.0, 0.09], [1, EARLY_HITS - 1]), False),  # met once: more than 2 %
        (evidence(64, [0.0, 0.09], [1, EARLY_HITS - 1]), True),
        (evidence(FEWEST, [0.0, 0.6], [EARLY_HITS, 1]), True),
        (evidence(64, [0.0, 0.2], [30, 30]), False),  # a rival
        (evidence(64, [0.0, 0.2], [39, 20]), True),  # a rival of few starts
        (evidence(RIVALLED, [0.0, 0.2], [30, 30]), True),
        (evidence(64, [0.0, 0.4], [30, 30]), True),
        (evidence(HOPELESS, [0.0, 1.0], [1, 200]), True),
        (evidence(HOPELESS - 1, [0.0, 1.0], [1, 200]), False),
        (evidence(HOPELESS, [0.0, 1.0], [2, 200]), False),
        (evidence(FEWEST, [], []), False),
    ],
)
def test_an_image_is_done_when_a_lower_minimum_is_unlikely(seen: Evidence, enough: bool) -> None:
    assert seen.enough is enough


@given(starts=st.integers(1, 10**6), hits=st.integers(0, 10**6), singles=st.integers(0, 1000))
def test_the_chance_of_a_miss_falls_with_evidence(starts: int, hits: int, singles: int) -> None:
    chance = Evidence(starts, hits, singles, rival=False).missed
    assert 0 <= chance <= 1
    assert Evidence(starts, hits + 1, singles, rival=False).missed <= chance
    assert Evidence(starts + 1, hits, singles, rival=False).missed <= chance
    assert Evidence(starts, hits, singles + 1, rival=False).missed >= chance


def test_blocks_grow_up_to_the_ceiling() -> None:
    counts = [0]
    while counts[-1] < 1000:
        counts.append(counts[-1] + next_block(counts[-1], 1000))
    assert next_block(10**5, 10**6) == LARGEST_BLOCK
    assert counts[1] == FEWEST
    assert RIVALLED in counts
    assert counts[-1] == 1000
    assert all(
        after - before <= max(FEWEST, before // 4) for before, after in itertools.pairwise(counts)
    )


Array = NDArray[np.float32]


def draw(latents: Array) -> Array:
    """A generator of four pixels: one latent number as a picture, steeper than the other."""
    pictures: Array = np.repeat(latents[:, :1], 4, axis=1)
    return pictures


def counted(costs: Sequence[float], places: Sequence[float]) -> Evidence:
    """The evidence of starts, given in blocks of two."""
    minima = Minima(draw)
    for first in range(0, len(costs), 2):
        block = slice(first, first + 2)
        latents = np.array([[place, 0.0] for place in places[block]], dtype=np.float32)
        minima.add(np.array(costs[block], dtype=np.float32), latents)
    return minima.evidence


def test_starts_of_one_picture_are_one_minimum() -> None:
    inf = float("inf")
    assert counted([0.0, 0.0, 0.05, 0.0], [0.0, 0.01, 0.02, 0.0]) == Evidence(4, 4, 0, rival=False)
    # Stalled far above, but in the valley of the lowest.
    assert counted([0.0, 3.0, 3.0, 0.0], [0.0, 0.0, 1.0, 1.0]) == Evidence(4, 4, 0, rival=False)
    assert counted([0.2, 0.0, 0.4, 9.0], [0.0, 1.0, 2.0, 1.0]) == Evidence(4, 1, 3, rival=True)
    assert counted([inf, inf, inf, inf], [0.0, 1.0, 2.0, 3.0]) == Evidence(4, 0, 0, rival=False)
    # A minimum that was low is none once a far lower one was found.
    assert counted([5.0, 5.2, 0.0, inf], [0.0, 1.0, 2.0, 3.0]) == Evidence(4, 1, 1, rival=False)


def test_a_place_first_met_high_up_is_a_minimum_once_it_is_low() -> None:
    assert counted([0.0, 2.0, 0.2, 0.2], [0.0, 1.0, 1.0, 1.0]) == Evidence(4, 1, 1, rival=True)


@pytest.mark.parametrize("keep", [400, 250])
def test_minima_are_told_apart_as_modes_are(
    keep: int, published: Generator, eights: ImageSet
) -> None:
    config = RestoreConfig(restarts=160, screen=0)
    result = restore(measure(eights, Mask.leading(keep, (1, 28, 28))), published, config)
    for image, statistics in enumerate(search_statistics(result, published)):
        minima = Minima(lambda z: published.pixels(torch.from_numpy(z)).numpy())
        for first in range(0, 160, 16):
            block = slice(first, first + 16)
            minima.add(result.costs[image, block].numpy(), result.latents[image, block].numpy())
        online, afterwards = minima.evidence, statistics.evidence
        # Modes begin with the lowest start of all, minima with the first.
        assert abs(online.hits - afterwards.hits) <= 4
        assert abs(online.singles - afterwards.singles) <= 3
