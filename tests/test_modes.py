"""Restarts are grouped into modes as a comparison of all pairs would, in nearly linear time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint.generators import Dense, Generator
from inpaint.search import modes
from inpaint.search.modes import SAME_IMAGE, find_modes, search_statistics
from inpaint.search.restore import restore
from inpaint.search.verdict import judge
from inpaint.types import Progress
from tests.helpers import QUICK, random_generator, some_measurement

Groups = list[tuple[int, int]]


def by_all_pairs(costs: Tensor, latents: Tensor, generator: Generator) -> Groups:
    """In order of cost, each restart joins the first mode whose image equals its own."""
    finite = costs.isfinite().nonzero()[:, 0]
    order = finite[costs[finite].argsort(stable=True)]
    pixels = generator.pixels(latents[order])
    heads: list[int] = []
    members: list[int] = []
    for place, image in enumerate(pixels):
        distances = (pixels[heads] - image).square().mean(-1).sqrt()
        near = (distances <= SAME_IMAGE).nonzero()[:, 0]
        if len(near):
            members[int(near[0])] += 1
        else:
            heads.append(place)
            members.append(1)
    return [(int(order[head]), count) for head, count in zip(heads, members, strict=True)]


def grouped(costs: Tensor, latents: Tensor, generator: Generator) -> Groups:
    found = find_modes(costs, latents, generator)
    return [(mode.restart, mode.starts) for mode in found]


def chain(count: int) -> tuple[Tensor, Generator]:
    """Images along a line, so close that each equals its neighbours and not the next but one."""
    line = Generator(
        (Dense(torch.ones(20, 1).double(), torch.zeros(20).double(), "none"),), (1, 4, 5)
    )
    return 0.6 * SAME_IMAGE * torch.arange(count)[:, None].double(), line


@pytest.mark.parametrize("spread", [0.003, 0.02, 0.1, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_the_modes_are_those_of_all_pairs(spread: float, seed: int) -> None:
    stream = torch.Generator().manual_seed(seed)
    centres = torch.randn(12, 3, generator=stream, dtype=torch.float64)
    which = torch.randint(12, (700,), generator=stream)
    away = spread * torch.randn(700, 3, generator=stream, dtype=torch.float64)
    # Rounded costs are often equal; some restarts failed, and some ended at the very same place.
    costs = torch.randint(40, (700,), generator=stream).double()
    costs[::50] = torch.inf
    latents = centres[which] + away
    latents[::7] = centres[which[::7]]
    generator = random_generator(seed=seed)
    assert grouped(costs, latents, generator) == by_all_pairs(costs, latents, generator)


@pytest.mark.parametrize("order", ["rising", "falling", "mixed", "equal"])
def test_the_order_of_costs_decides_which_mode_is_joined(order: str) -> None:
    latents, line = chain(300)
    costs = {
        "rising": torch.arange(300.0),
        "falling": -torch.arange(300.0),
        "mixed": torch.randperm(300, generator=torch.Generator().manual_seed(0)).float(),
        "equal": torch.zeros(300),
    }[order]
    assert grouped(costs, latents, line) == by_all_pairs(costs, latents, line)


def test_restarts_that_all_differ_are_compared_with_few_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = 0
    equal = modes._equal

    def counting(head: int, others: NDArray[np.int64], *rest: Any) -> Any:
        nonlocal compared
        compared += len(others)
        return equal(head, others, *rest)

    monkeypatch.setattr(modes, "_equal", counting)
    stream = torch.Generator().manual_seed(0)
    generator = random_generator((6, 30, 20), seed=1)
    latents = 2 * torch.randn(5000, 6, generator=stream, dtype=torch.float64)
    groups = modes._group(torch.arange(5000.0), latents, generator, lambda share: True)
    assert groups is not None
    assert len(groups) > 4000
    # All pairs are 12.5 million.
    assert compared < 20_000


def test_of_very_many_modes_the_lowest_are_kept_and_all_are_counted() -> None:
    generator = random_generator((6, 30, 20), seed=1)
    stream = torch.Generator().manual_seed(0)
    result = restore(some_measurement(shared=True), generator, QUICK)
    latents = 2 * torch.randn(3, 2000, 6, generator=stream, dtype=torch.float64)
    costs = torch.rand(3, 2000, generator=stream, dtype=torch.float64)
    num_starts = torch.full((3,), 2000)
    result = replace(result, latents=latents, costs=costs, num_starts=num_starts)
    for b, found in enumerate(search_statistics(result, generator)):
        whole = by_all_pairs(costs[b], latents[b], generator)
        assert found.distinct == len(whole) > modes.MOST_MODES == len(found.modes)
        assert [(m.restart, m.starts) for m in found.modes] == whole[: modes.MOST_MODES]
        heights = torch.exp(-costs[b][[restart for restart, _ in whole]] / 2)
        assert found.modes[0].weight == pytest.approx(float(heights[0] / heights.sum()))


def test_a_callback_ends_grouping_and_judging() -> None:
    generator = random_generator()
    measurement = some_measurement(shared=True)
    result = restore(measurement, generator, QUICK)
    asked: list[Progress] = []

    def until_the_second(progress: Progress) -> bool:
        asked.append(progress)
        return progress.done < 1

    assert len(list(search_statistics(result, generator, on_progress=until_the_second))) == 1
    assert {progress.total for progress in asked} == {3}
    assert [p.done for p in asked] == sorted(p.done for p in asked)
    whole = judge(measurement, generator, result)
    (first,) = judge(measurement, generator, result, on_progress=until_the_second)
    assert first.sentence == whole[0].sentence


def test_grouping_asks_often_enough_to_be_stopped() -> None:
    latents, line = chain(3000)
    asked = 0

    def may_continue(share: float) -> bool:
        nonlocal asked
        asked += 1
        return asked < 5

    assert modes._group(torch.zeros(3000), latents, line, may_continue) is None
    assert asked == 5
