"""R-hat and effective sample size agree with arviz."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from arviz_stats.base import array_stats

from inpaint.posterior.diagnostics import effective_size, r_hat


def draws_of(kind: str, chains: int, count: int) -> np.ndarray:
    """Draws of three quantities. [K, P, 3]"""
    random = np.random.default_rng(1)
    white = random.standard_normal((chains, count, 3))
    if kind == "apart":
        return white + np.arange(chains)[:, None, None] / 2
    if kind == "spread":
        return white * (1 + np.arange(chains))[:, None, None]
    if kind == "families":
        return np.repeat(white, 8, axis=1)[:, :count]
    if kind == "alternating":
        return np.diff(white, axis=1, prepend=0)
    return np.round(white) if kind == "ties" else white


@pytest.mark.parametrize("kind", ["white", "apart", "spread", "families", "alternating", "ties"])
@pytest.mark.parametrize(("chains", "count"), [(4, 500), (2, 101)])
def test_they_are_those_of_arviz(kind: str, chains: int, count: int) -> None:
    draws = draws_of(kind, chains, count)
    ratios, sizes = r_hat(torch.from_numpy(draws)), effective_size(torch.from_numpy(draws))
    for q in range(3):
        one = draws[..., q]
        expected = array_stats.rhat(one, chain_axis=0, draw_axis=1)
        assert float(ratios[q]) == pytest.approx(float(expected), rel=1e-9)
        expected = array_stats.ess(one, chain_axis=0, draw_axis=1, method="bulk")
        assert float(sizes[q]) == pytest.approx(float(expected), rel=1e-6)
