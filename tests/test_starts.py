"""Draws, screening and selection."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inpaint.errors import ShapeError
from inpaint.generators.samples import LatentStream
from inpaint.search.starts import screen, select_best


@given(seed=st.integers(0, 2**63 - 1), few=st.integers(1, 5), many=st.integers(5, 9))
def test_a_draw_depends_on_seed_number_and_place_only(seed: int, few: int, many: int) -> None:
    together = LatentStream(seed, (0, 4, 9), 3).draw(many)
    stream = LatentStream(seed, (4,), 3)
    alone = torch.cat([stream.draw(few), stream.draw(many - few)], dim=1)
    assert torch.equal(alone[0], together[1])
    assert not torch.equal(together[0], together[1])


def test_draws_are_standard_normal() -> None:
    z = LatentStream(0, (0,), 2).draw(20_000)
    assert float(z.mean()) == pytest.approx(0, abs=0.02)
    assert float(z.std()) == pytest.approx(1, abs=0.02)


def test_screening_keeps_the_lowest_costs_in_the_order_drawn() -> None:
    latents = torch.tensor([[[5.0], [1.0], [torch.nan], [2.0], [0.5]]])
    kept = screen(lambda z: z[..., 0], [latents], 3)
    assert kept.flatten().tolist() == [1.0, 2.0, 0.5]


def test_the_lowest_cost_is_selected_and_the_first_of_equals() -> None:
    costs = torch.tensor([[3.0, 1.0, 1.0], [torch.inf, torch.inf, 2.0]])
    assert select_best(costs).tolist() == [1, 2]
    with pytest.raises(ShapeError, match=r"\[B, R\]"):
        select_best(costs[0])
