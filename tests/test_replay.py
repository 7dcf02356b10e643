"""A replay follows the path that the search took."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from inpaint.config import SOLVERS
from inpaint.search.replay import replay
from inpaint.search.restore import restore
from tests.helpers import EXACT, random_generator, some_measurement


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_replay_meets_the_costs_of_the_first_descent(solver: str) -> None:
    measurement, generator = some_measurement(shared=False), random_generator()
    restoration = restore(measurement, generator, replace(EXACT, solver=solver))
    seen = replay(measurement, generator, restoration, image=1)
    best = int(restoration.best[1])
    assert torch.equal(seen.costs, restoration.history[: len(seen.costs), 1, best])
    assert torch.equal(seen.latents[0], restoration.starts[1, best])
    torch.testing.assert_close(seen.images, generator.to(dtype=torch.float32)(seen.latents))


def test_the_last_picture_is_the_restored_one() -> None:
    measurement, generator = some_measurement(shared=True), random_generator()
    restoration = restore(measurement, generator, EXACT)
    seen = replay(measurement, generator, restoration, image=2)
    torch.testing.assert_close(seen.images[-1], restoration.images[2], rtol=0, atol=1e-6)
