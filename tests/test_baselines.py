"""Baselines: exact for Gaussian images, and independent of the values of lost pixels."""

from __future__ import annotations

import dataclasses
import sys

import pytest
import torch
from torch import Tensor

from inpaint import Mask
from inpaint.errors import ArgumentError, BackendError, ShapeError
from inpaint.operators import measure
from inpaint.studies.baselines.catalog import BASELINES, UNTRAINED, fit_baseline
from inpaint.studies.baselines.gaussian import Gaussian
from inpaint.studies.baselines.regression import KernelRidge, ProbabilisticPCA, RidgeRegression
from inpaint.studies.baselines.simple import NearestImage
from inpaint.studies.baselines.training_set import TrainingSet
from inpaint.types import ImageSet, Progress

SHAPE = (1, 6, 7)
PIXELS = 42
NOISE = 0.05


def gaussian_images(count: int, *, seed: int, rank: int = 5, own: float = 0.01) -> Tensor:
    """Grey images of covariance F F' + own^2 I, far from black and white. [K, 1, 6, 7]"""
    factor = 0.05 * torch.randn(PIXELS, rank, generator=torch.Generator().manual_seed(99)).double()
    stream = torch.Generator().manual_seed(seed)
    latents = torch.randn(count, rank, generator=stream).double()
    rest = own * torch.randn(count, PIXELS, generator=stream).double()
    return (0.5 + latents @ factor.T + rest).reshape(count, *SHAPE)


@pytest.fixture(scope="module")
def training() -> TrainingSet:
    mask = Mask.leading(24, SHAPE)
    return TrainingSet(images=gaussian_images(2000, seed=0), mask=mask, noise=NOISE)


@pytest.fixture(scope="module")
def damaged(training: TrainingSet) -> tuple[Tensor, Tensor]:
    """Images that were not trained on, and their noisy observed pixels."""
    ideal = gaussian_images(300, seed=1)
    return ideal, measure(ImageSet(ideal), training.mask, noise=NOISE, seed=3).values


def conditional_mean(gaussian: Gaussian, values: Tensor, mask: Mask, noise: float) -> Tensor:
    """E[x | y] by the textbook formula with the full covariance."""
    covariance = gaussian.factor @ gaussian.factor.T + gaussian.floor * torch.eye(PIXELS)
    seen = mask.observed.flatten()
    inner = covariance[seen][:, seen] + noise**2 * torch.eye(int(seen.sum()))
    gain = torch.linalg.solve(inner, covariance[seen]).T
    centred = values.flatten(1)[:, seen] - gaussian.mean[seen]
    return (gaussian.mean + centred @ gain.T).reshape(values.shape)


def rms(first: Tensor, second: Tensor) -> float:
    return float((first - second).square().mean().sqrt())


@pytest.mark.parametrize("rank", [3, 5, 42])
def test_the_expectation_is_the_gaussians_conditional_mean(
    training: TrainingSet, damaged: tuple[Tensor, Tensor], rank: int
) -> None:
    gaussian = training.gaussian.truncated(rank)
    for mask in (training.mask, Mask.checkerboard(2, SHAPE)):
        values = mask.apply(damaged[0]) + mask.apply(damaged[1])
        found = gaussian.expect(values, mask, noise=NOISE)
        torch.testing.assert_close(found, conditional_mean(gaussian, values, mask, NOISE))


def test_a_truncated_gaussian_keeps_the_variance_of_every_direction() -> None:
    gaussian = Gaussian.fit(gaussian_images(500, seed=2))
    short = gaussian.truncated(4)
    full = torch.linalg.eigvalsh(gaussian.factor @ gaussian.factor.T).flip(0)
    kept = short.factor @ short.factor.T + short.floor * torch.eye(PIXELS)
    variances = torch.linalg.eigvalsh(kept).flip(0)
    torch.testing.assert_close(variances[:4], full[:4])
    torch.testing.assert_close(variances[4:], full[4:].mean().expand(PIXELS - 4))


def test_few_images_and_many_give_the_same_covariance() -> None:
    images = gaussian_images(PIXELS, seed=4)
    by_eigenvectors = Gaussian.fit(images)
    by_svd = Gaussian.fit(images[: PIXELS - 1])
    for gaussian, count in ((by_eigenvectors, PIXELS), (by_svd, PIXELS - 1)):
        expected = torch.cov(images[:count].flatten(1).T, correction=0)
        torch.testing.assert_close(gaussian.factor @ gaussian.factor.T, expected)


def test_the_noise_of_each_image_is_estimated(training: TrainingSet) -> None:
    """With very different noise in one batch, results are as good as with the known noise."""
    gaussian, mask = training.gaussian.truncated(5), Mask.leading(36, SHAPE)
    ideal = gaussian_images(400, seed=5)
    quiet, loud = ideal[:200], ideal[200:]
    values = torch.cat(
        [
            measure(ImageSet(part), mask, noise=noise, seed=6).values
            for part, noise in ((quiet, 0.02), (loud, 0.3))
        ]
    )
    found = gaussian.expect(values, mask, noise=None)
    for part, noise in ((slice(0, 200), 0.02), (slice(200, 400), 0.3)):
        known = gaussian.expect(values[part], mask, noise=noise)
        wrong = gaussian.expect(values[part], mask, noise=0.32 - noise)
        loss = rms(found[part], ideal[part]) / rms(known, ideal[part])
        assert loss < 1.02
        assert rms(wrong, ideal[part]) > 1.1 * rms(known, ideal[part])


def test_pca_and_ridge_reach_the_exact_model(
    training: TrainingSet, damaged: tuple[Tensor, Tensor]
) -> None:
    """With 2,000 images of a Gaussian, the best possible predictor is nearly reached."""
    ideal, values = damaged
    truth = Gaussian.fit(gaussian_images(200_000, seed=7))
    best = rms(conditional_mean(truth, values, training.mask, NOISE), ideal)
    for kind in (ProbabilisticPCA, RidgeRegression):
        assert rms(kind.fit(training).restore(values, training.mask), ideal) < 1.05 * best
    assert ProbabilisticPCA.fit(training).settings == {"components": 5}
    # The penalty acts like noise on the inputs.
    assert RidgeRegression.fit(training).strength == pytest.approx(NOISE**2, rel=1.5)


def test_kernel_regression_solves_its_equation(training: TrainingSet) -> None:
    few = dataclasses.replace(training, images=training.images[:30])
    found = KernelRidge.solve(few, 0.5, 0.3)
    inputs, squares = found.inputs.double(), found.inputs.double().square().sum(1)
    distances = (squares[:, None] + squares - 2 * inputs @ inputs.T).clamp(min=0)
    kernel = torch.exp(-distances / (2 * found.length**2)) + 0.3 * torch.eye(30)
    targets = few.shuffled.double().flatten(1) - found.mean
    torch.testing.assert_close(kernel @ found.weights.double(), targets, rtol=0, atol=1e-4)
    assert found.length == pytest.approx(0.5 * float(distances.mean().sqrt()), rel=1e-3)


def test_kernel_regression_sees_what_no_linear_map_does() -> None:
    """The lost half is bright where the observed half is bright or dark, and dark in between."""
    level = torch.rand(600, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    half = level.expand(600, 1, 8, 3)
    images = torch.cat([half, (2 * half - 1).abs()], dim=3)
    mask = Mask.leading(24, (1, 8, 6))
    learned = TrainingSet(images=images[:500], mask=mask, noise=0.01)
    values = mask.apply(images[500:])
    curved = KernelRidge.fit(learned).restore(values, mask)
    straight = RidgeRegression.fit(learned).restore(values, mask)
    assert rms(curved, images[500:]) < 0.2 * rms(straight, images[500:])


def test_kernel_regression_is_of_one_mask(
    training: TrainingSet, damaged: tuple[Tensor, Tensor]
) -> None:
    values = damaged[1][:2]
    with pytest.raises(ShapeError, match="serves one mask"):
        KernelRidge.fit(training).restore(values, Mask.leading(20, SHAPE))


def test_a_choice_of_settings_reports_progress_and_can_be_stopped(training: TrainingSet) -> None:
    few = dataclasses.replace(training, images=training.images[:40])
    calls: list[Progress] = []
    fit_baseline("kernel", few, on_progress=calls.append)
    assert [(each.done, each.total) for each in calls] == [(done, 12) for done in range(12)]
    stopped = fit_baseline("kernel", few, on_progress=lambda progress: False)
    assert stopped.settings == {"width": 0.3, "strength": 0.1}


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_restores_from_observed_pixels_only(
    name: str, training: TrainingSet, damaged: tuple[Tensor, Tensor]
) -> None:
    values, mask = damaged[1][:5].float(), training.mask
    baseline = fit_baseline(name, None if name in UNTRAINED else training)
    images = baseline.restore(values, mask)
    assert images.shape == values.shape
    assert images.dtype == values.dtype
    assert images.min() >= 0
    assert images.max() <= 1
    other = torch.where(mask.observed, values, torch.tensor(0.7))
    assert torch.equal(baseline.restore(other, mask), images)
    own_masks = Mask(mask.batch(len(values)).clone())
    torch.testing.assert_close(baseline.restore(values, own_masks), images)
    assert all(isinstance(value, (int, float)) for value in baseline.settings.values())


@pytest.mark.parametrize("name", UNTRAINED)
def test_filling_keeps_what_was_observed_and_continues_a_plane(name: str) -> None:
    ramp = torch.linspace(0.2, 0.8, 20).repeat(3, 20, 1)[None]
    mask = Mask.box(4, (3, 20, 20))
    images = fit_baseline(name).restore(mask.apply(ramp), mask)
    assert torch.equal(images[mask.observed[None]], ramp[mask.observed[None]])
    assert rms(images, ramp) < 0.02


def test_the_nearest_image_is_found(
    training: TrainingSet,
) -> None:
    images = training.images[:7]
    found = NearestImage.fit(training).restore(training.mask.apply(images), training.mask)
    assert torch.equal(found, images)


def test_a_mask_that_loses_nothing_is_accepted(training: TrainingSet) -> None:
    whole = dataclasses.replace(training, mask=Mask.leading(PIXELS, SHAPE))
    ideal = gaussian_images(50, seed=8)
    values = measure(ImageSet(ideal), whole.mask, noise=NOISE, seed=0).values
    for name in BASELINES:
        images = fit_baseline(name, whole).restore(values, whole.mask)
        if name in ("pca", "ridge"):
            assert rms(images, ideal) < 0.7 * rms(values, ideal)


def test_what_does_not_fit_is_refused(
    training: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ShapeError, match="training images have shape"):
        dataclasses.replace(training, images=torch.zeros(10, 1, 5, 7))
    with pytest.raises(ArgumentError, match="There are 3 training images"):
        dataclasses.replace(training, images=training.images[:3])
    with pytest.raises(ArgumentError, match="noise is -1"):
        dataclasses.replace(training, noise=-1.0)
    with pytest.raises(ArgumentError, match="choose one of mean-image, nearest"):
        fit_baseline("median", training)
    with pytest.raises(ArgumentError, match="'ridge' learns from images"):
        fit_baseline("ridge")
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(BackendError, match="need OpenCV"):
        fit_baseline("telea")
