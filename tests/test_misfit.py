"""Noise is told from misfit, and weights follow."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from inpaint import BlockAverage, Generator, Mask, Measurement, RestoreConfig
from inpaint.errors import ArgumentError
from inpaint.generators import Dense
from inpaint.operators import measure
from inpaint.search.misfit import FACTOR, LENGTH, Misfit, continue_misfit, fit_misfit, join, weigh
from inpaint.search.restore import restore
from inpaint.types import ImageSet

NOISE = 0.05
SHAPE = (1, 30, 40)
CONFIG = RestoreConfig(screen=50, restarts=4, steps=60, threads=1)


@pytest.fixture
def generator() -> Generator:
    """A line through image space: the right half of the pixels varies, the left half does not."""
    varies = (torch.arange(1200) % 40 >= 20).float()
    stream = torch.Generator().manual_seed(3)
    weight = 0.15 * varies[:, None] * torch.randn(1200, 2, generator=stream).sign()
    return Generator((Dense(weight, torch.full((1200,), 0.5), "none"),), SHAPE, name="line")


def damaged(generator: Generator, misfit: float) -> Measurement:
    """Images of the generator with noise, and a misfit where it varies."""
    stream = torch.Generator().manual_seed(4)
    images = generator(torch.randn(3, 2, generator=stream))
    where = (torch.arange(1200) % 40 >= 20).float().view(SHAPE)
    images = images + misfit * where * torch.randn(3, *SHAPE, generator=stream)
    images = images + NOISE * torch.randn(3, *SHAPE, generator=stream)
    return measure(ImageSet(images), Mask.leading(900, SHAPE))


def test_noise_and_misfit_are_told_apart(generator: Generator) -> None:
    measurement = damaged(generator, misfit=0.1)
    found = restore(measurement, generator, CONFIG)
    plain = fit_misfit(measurement, generator, found)
    torch.testing.assert_close(plain.noise_level, torch.full((3,), NOISE), rtol=0.1, atol=0)
    assert (found.noise_level > 1.2 * NOISE).all()
    mean = (plain.scale * plain.prior_variance[..., 20:].mean()).sqrt()
    torch.testing.assert_close(mean, torch.full((3,), 0.1), rtol=0.25, atol=0)


def test_an_image_in_the_range_keeps_the_plain_objective(generator: Generator) -> None:
    measurement = damaged(generator, misfit=0.0)
    misfit = fit_misfit(measurement, generator, restore(measurement, generator, CONFIG))
    share = FACTOR * misfit.scale * misfit.prior_variance.mean() / misfit.noise_level.square()
    assert (share < 0.2).all()


def test_weights_are_inverse_variances_of_mean_one(generator: Generator) -> None:
    measurement = damaged(generator, misfit=0.1)
    misfit = fit_misfit(measurement, generator, restore(measurement, generator, CONFIG))
    weights = weigh(measurement, misfit).weights
    assert weights is not None
    observed = measurement.operator.observed
    assert observed is not None
    assert (weights[:, ~observed] == 0).all()
    means = weights[:, observed].mean(1)
    torch.testing.assert_close(means, torch.ones(3), rtol=1e-5, atol=0)
    product = (weights * misfit.variance)[:, observed]
    torch.testing.assert_close(product, product[:, :1].expand_as(product), rtol=1e-4, atol=0)


def test_a_second_measurement_is_doubted_where_it_is_grey(generator: Generator) -> None:
    measurement = damaged(generator, misfit=0.1)
    misfit = fit_misfit(measurement, generator, restore(measurement, generator, CONFIG))
    weighed = weigh(measurement, misfit)
    filled = torch.linspace(0, 1, 1200).view(SHAPE).expand(3, *SHAPE)
    joined, doubted = join(measurement, misfit, filled)
    observed = measurement.operator.observed
    assert observed is not None
    assert weighed.weights is not None
    assert joined.weights is not None
    assert joined.operator.observed.all()
    assert torch.equal(joined.values[:, observed], measurement.values[:, observed])
    assert torch.equal(joined.values[:, ~observed], filled[:, ~observed])
    assert torch.equal(doubted.variance[:, observed], misfit.variance[:, observed])
    more = (filled * (1 - filled))[:, ~observed]
    torch.testing.assert_close(doubted.variance[:, ~observed], misfit.variance[:, ~observed] + more)
    # What was measured weighs as it did alone, and the rest on the same scale.
    torch.testing.assert_close(joined.weights[:, observed], weighed.weights[:, observed])
    product = joined.weights * doubted.variance
    torch.testing.assert_close(product, product[:, :, :1, :1].expand_as(product))


def smooth_misfit(count: int) -> tuple[Measurement, Misfit, torch.Tensor]:
    """Grey images with a misfit that is a Gaussian field, its variance falling to the right.

    Returns:
        What is measured of them by masks of their own, what is known of the misfit, and its
        covariance over the pixels. [P, P]
    """
    shape, stream = (1, 9, 11), torch.Generator().manual_seed(5)
    variance = torch.linspace(0.04, 0.0, 11).expand(shape)
    places = torch.cartesian_prod(torch.arange(9.0), torch.arange(11.0)).double()
    near = torch.exp(-torch.cdist(places, places).square() / (2 * LENGTH**2))
    deviation = variance.double().flatten().sqrt()
    covariance = deviation[:, None] * near * deviation
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors * values.clamp(min=0).sqrt()
    fields = torch.randn(count, 99, generator=stream).double() @ root.T
    ideal = (0.5 + fields).view(count, *shape).float()
    levels = torch.tensor([0.03, 0.1]).repeat(count // 2)
    noise = levels[:, None, None, None] * torch.randn(count, *shape, generator=stream)
    mask = Mask(torch.rand(count, *shape, generator=stream) < 0.7)
    measurement = Measurement(mask.apply(ideal + noise), mask, ideal=ideal)
    known = Misfit(levels, torch.full((count,), 1 / FACTOR), variance)
    return measurement, known, covariance


@pytest.mark.parametrize("doubted", [False, True])
def test_the_misfit_is_continued_as_a_gaussian_field(doubted: bool) -> None:
    measurement, misfit, covariance = smooth_misfit(6)
    if doubted:
        stream = torch.Generator().manual_seed(6)
        doubt = 0.05 * torch.rand(measurement.values.shape, generator=stream)
        misfit = replace(misfit, doubt=doubt)
    grey = torch.full_like(measurement.values, 0.5)
    found = continue_misfit(measurement, grey, misfit)
    for b in range(6):
        seen = measurement.operator.batch(6)[b].flatten()
        noise = misfit.noise_variance[b].double().flatten()[seen].diag()
        residual = measurement.values[b].double().flatten()[seen] - 0.5
        gain = torch.linalg.solve(covariance[seen][:, seen] + noise, residual)
        expected = (0.5 + covariance[:, seen] @ gain).clamp(0, 1).view(1, 9, 11)
        # The blur that stands for the kernel leaves out what is farther than four lengths.
        torch.testing.assert_close(found[b].double(), expected, rtol=0, atol=1e-3)


def test_continuing_the_misfit_brings_all_pixels_nearer() -> None:
    measurement, misfit, _ = smooth_misfit(200)
    assert measurement.ideal is not None
    grey = torch.full_like(measurement.values, 0.5)
    found = continue_misfit(measurement, grey, misfit)
    seen = measurement.operator.batch(200)

    def error(images: torch.Tensor, where: torch.Tensor) -> float:
        return float((images - measurement.ideal)[where].square().mean())

    assert error(found, ~seen) < 0.5 * error(grey, ~seen)
    assert error(found, seen) < 0.5 * min(error(grey, seen), error(measurement.values, seen))


def test_an_image_without_misfit_stays_as_it_is() -> None:
    measurement, misfit, _ = smooth_misfit(2)
    none = Misfit(torch.zeros(2), torch.zeros(2), misfit.prior_variance)
    grey = torch.full_like(measurement.values, 0.5)
    assert torch.equal(continue_misfit(measurement, grey, none), grey)


def test_an_operator_that_is_no_mask_is_refused(generator: Generator) -> None:
    operator = BlockAverage(10, SHAPE)
    measurement = measure(ImageSet(generator(torch.zeros(1, 2))), operator, noise=0.01)
    found = restore(measurement, generator, CONFIG)
    with pytest.raises(ArgumentError, match="needs a mask"):
        fit_misfit(measurement, generator, found)
