"""Which pixels to reveal next, for a linear generator where all is known in closed form."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from inpaint import Generator, Mask, Measurement
from inpaint.errors import ArgumentError, ShapeError
from inpaint.posterior.config import PosteriorConfig
from inpaint.posterior.estimates import PLAIN
from inpaint.posterior.plain import posterior_images, recommend
from inpaint.posterior.reveal import reveal_next
from inpaint.posterior.sampler import sample_posterior
from inpaint.posterior.summary import summarise
from inpaint.posterior.types import PosteriorDraws
from tests.helpers import SIGMA, SMALL, linear_problem
from tests.helpers import exact_posterior as exact

SHAPE = (1, 3, 4)


@pytest.fixture(scope="module")
def sampled() -> tuple[Measurement, Generator, PosteriorDraws, Tensor]:
    """A posterior, and the exact covariance of all pixels. [12, 12]"""
    measurement, generator = linear_problem(noise_level=SIGMA)
    posterior = sample_posterior(measurement, generator, SMALL)
    _, covariance, _ = exact(measurement, generator)
    weight = generator.layers[0].weight
    return measurement, generator, posterior, weight @ covariance @ weight.T


def conditioned(covariance: Tensor, pixels: list[int]) -> Tensor:
    """The covariance after these pixels are observed as well."""
    noisy = covariance[pixels][:, pixels] + SIGMA**2 * torch.eye(len(pixels)).double()
    return covariance - covariance[:, pixels] @ torch.linalg.solve(noisy, covariance[pixels])


@pytest.mark.parametrize("tile", [1, 2])
def test_the_plan_is_the_exact_greedy_one(
    sampled: tuple[Measurement, Generator, PosteriorDraws, Tensor], tile: int
) -> None:
    measurement, generator, posterior, covariance = sampled
    reveal = reveal_next(measurement, generator, posterior, count=3, tile=tile)
    lost = ~measurement.operator.observed[0]
    assert float(reveal.variances[0]) == pytest.approx(float(covariance.trace()), rel=0.15)
    for place, (row, column) in enumerate(reveal.corners.tolist()):
        gains = {}
        for r in range(0, 3, tile):
            for c in range(0, 4, tile):
                square = [
                    4 * i + j
                    for i in range(r, min(r + tile, 3))
                    for j in range(c, min(c + tile, 4))
                    if lost[i, j]
                ]
                if square:
                    after = conditioned(covariance, square)
                    gains[r, c] = (float(covariance.trace() - after.trace()), square)
        best, _ = max(gains.values())
        gain, square = gains[row, column]
        # 512 draws give a variance to 6 %, so near ties may fall either way.
        assert gain > 0.85 * best
        if place == 0:
            assert float(reveal.gain[row, column]) == pytest.approx(gain, rel=0.25)
        covariance = conditioned(covariance, square)
        for pixel in square:
            lost[pixel // 4, pixel % 4] = False
        expected = float(covariance.trace())
        assert float(reveal.variances[place + 1]) == pytest.approx(expected, rel=0.25)
    assert torch.equal(~reveal.mask_after(len(reveal.corners)).observed[0], lost)
    assert torch.equal(reveal.mask_after(0).observed, measurement.operator.observed)


def test_the_plan_ends_where_nothing_is_lost(
    sampled: tuple[Measurement, Generator, PosteriorDraws, Tensor],
) -> None:
    measurement, generator, posterior, _ = sampled
    reveal = reveal_next(measurement.operator, generator, posterior, count=9)
    assert len(reveal.corners) == 4
    assert (reveal.variances.diff() <= 0).all()
    assert reveal.mask_after(9).observed.all()
    assert (reveal.gain[measurement.operator.observed[0]] == 0).all()
    with pytest.raises(ArgumentError, match="nothing to reveal"):
        reveal_next(reveal.mask_after(9), generator, posterior)


def test_bad_arguments_are_refused(
    sampled: tuple[Measurement, Generator, PosteriorDraws, Tensor],
) -> None:
    measurement, generator, posterior, _ = sampled
    for name, value in (("image", 1), ("count", 0), ("tile", 5)):
        with pytest.raises(ArgumentError, match=f"{name} is {value}"):
            reveal_next(measurement, generator, posterior, **{name: value})
    with pytest.raises(ShapeError, match="belong together"):
        reveal_next(Mask.leading(3, (1, 4, 3)), generator, posterior)
    unfinished = replace(posterior, inverse_temperature=posterior.inverse_temperature / 2)
    with pytest.raises(ArgumentError, match="larger max_gradients"):
        reveal_next(measurement, generator, unfinished)


def test_estimates_of_a_normal_posterior_agree(
    sampled: tuple[Measurement, Generator, PosteriorDraws, Tensor],
) -> None:
    measurement, generator, posterior, covariance = sampled
    summaries = summarise(measurement, generator, posterior)
    mean, _, _ = exact(measurement, generator)
    truth = generator(mean)
    for name in PLAIN:
        found = posterior_images(name, generator, posterior, summaries)
        # Standard errors of some hundred effective draws.
        assert float((found.double() - truth).abs().max()) < 0.3 * math.sqrt(covariance.max())
    assert recommend(summaries[0]) == "mean"
    assert recommend(replace(summaries[0], converged=False)) == "minimum"
    with pytest.raises(ArgumentError, match="estimate is 'best'"):
        posterior_images("best", generator, posterior, summaries)
    assert PosteriorConfig().misfit_weight == 1
