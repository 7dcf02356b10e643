"""Evaluation: every method on the same images, nothing learnt from them, all of it recorded."""

from __future__ import annotations

import dataclasses
import statistics
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from inpaint import Generator, Mask, RestoreConfig
from inpaint.errors import ArgumentError, ShapeError
from inpaint.network.model import InpaintingNetwork
from inpaint.operators import measure
from inpaint.plots.evaluation import plot_evaluation
from inpaint.posterior import estimator as estimator_module
from inpaint.posterior.estimates import ESTIMATES
from inpaint.posterior.estimator import Estimated, Estimator
from inpaint.search.restore import restore
from inpaint.studies.baselines.catalog import BASELINES
from inpaint.studies.evaluate import evaluation as evaluations
from inpaint.studies.evaluate.evaluation import (
    METHODS,
    NETWORK,
    USUAL_METHODS,
    active_share,
    evaluate,
)
from inpaint.studies.evaluate.report import summarize
from inpaint.types import ImageSet, Measurement, Progress, SearchResult
from tests.helpers import random_generator

CONFIG = RestoreConfig(restarts=2, screen=0, solver="adam", steps=5, backend="torch")
NOISE = 0.1


@pytest.fixture(scope="module")
def generator() -> Generator:
    return random_generator((4, 8, 784), image_shape=(1, 28, 28)).to(dtype=torch.float32)


@pytest.fixture(scope="module")
def network() -> InpaintingNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return InpaintingNetwork((1, 28, 28), 8)


@pytest.fixture(scope="module")
def damaged(drawings: Tensor) -> Measurement:
    image_set = ImageSet(drawings[:6], ideal=drawings[:6])
    return measure(image_set, Mask.leading(500, (1, 28, 28)), noise=NOISE)


def test_every_method_restores_every_image(
    damaged: Measurement, generator: Generator, network: InpaintingNetwork, drawings: Tensor
) -> None:
    found = evaluate(
        damaged, generator, network=network, training=drawings[6:], noise=NOISE, config=CONFIG
    )
    assert [result.name for result in found.results] == list(USUAL_METHODS)
    figures = {}
    for result in found.results:
        assert result.not_run is None
        assert result.images.shape == damaged.values.shape
        assert result.images.min() >= 0
        assert result.images.max() <= 1
        figures[result.name], error = summarize(result)["psnr_missing"]
        values = [row.psnr_missing for row in result.metrics]
        assert figures[result.name] == pytest.approx(statistics.fmean(values))
        assert error == pytest.approx(statistics.stdev(values) / 6**0.5)
    # What has learnt from such drawings does better than what has not.
    assert figures["pca"] > figures["mean-image"] > figures["telea"]
    assert found.noise_level > NOISE
    assert 0 < found.active_share <= 1
    assert not found.cancelled


def test_an_exact_restoration_counts_as_that_of_half_a_grey_level(
    damaged: Measurement, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = Estimated(damaged.ideal, ("minimum",) * len(damaged))
    monkeypatch.setattr(Estimator, "estimate", lambda estimator, name: exact)
    found = evaluate(damaged, generator, methods=("minimum",))
    means = summarize(found.results[0])
    assert means["psnr_missing"] == pytest.approx((54.15, 0), abs=0.01)
    assert means["ssim"] == pytest.approx((1, 0))


def test_batches_change_nothing(
    damaged: Measurement, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = evaluate(damaged, generator, config=CONFIG)
    monkeypatch.setattr(evaluations, "BATCH", 4)
    parts = evaluate(damaged, generator, config=CONFIG)
    for first, second in zip(whole.results, parts.results, strict=True):
        assert (first.images is None) == (second.images is None)
        if first.images is not None:
            torch.testing.assert_close(first.images, second.images)


def test_no_method_sees_the_ideal(
    damaged: Measurement, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def spy(estimator: Estimator, name: str) -> Estimated:
        seen.append((name, estimator.measurement.ideal))
        return Estimated(estimator.search.images, (name,) * len(estimator.measurement))

    monkeypatch.setattr(Estimator, "estimate", spy)
    evaluate(damaged, generator, config=CONFIG, methods=("minimum", "accurate"))
    assert seen == [("minimum", None), ("accurate", None)]


def test_a_search_shared_by_methods_is_made_once_and_counted_for_each(
    damaged: Measurement, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches = []

    def counted(*arguments: object, **named: object) -> SearchResult:
        searches.append(arguments)
        return restore(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(estimator_module, "restore", counted)
    estimator = Estimator(damaged, generator, CONFIG)
    _, searching = estimator.timed(lambda: estimator.search)
    _, with_search = estimator.timed(lambda: estimator.estimate("minimum"))
    assert len(searches) == 1
    assert with_search >= searching


def test_what_cannot_run_says_why(
    damaged: Measurement, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    found = evaluate(damaged, generator, config=CONFIG)
    reasons = {result.name: result.not_run for result in found.results if result.not_run}
    for name in ("telea", "navier-stokes"):
        assert "need OpenCV" in reasons.pop(name)
    learning = {"mean-image", "nearest", "pca", "ridge", "kernel"}
    assert set(reasons) == {*learning, "combined", "network"}
    for result in found.results:
        assert (result.seconds is None) == (result.not_run is not None)
        assert (summarize(result)["psnr"] is None) == (result.not_run is not None)


def test_cancelling_keeps_the_images_that_all_methods_have_restored(
    damaged: Measurement, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluations, "BATCH", 2)

    def until(images: int, task: str = "") -> Callable[[Progress], bool]:
        return lambda progress: not (progress.done == images and task in progress.stage)

    for task in ("computing", "Telea"):
        found = evaluate(damaged, generator, config=CONFIG, on_progress=until(4, task))
        assert found.cancelled
        assert found.measurement.numbers == (0, 1, 2, 3)
        assert {len(result.metrics) for result in found.results if not result.not_run} == {4}
    found = evaluate(damaged, generator, config=CONFIG, on_progress=until(0))
    assert found.cancelled
    assert len(found.measurement) == 0


def test_unfair_or_unfit_inputs_are_refused(
    damaged: Measurement, generator: Generator, drawings: Tensor
) -> None:
    with pytest.raises(ArgumentError, match="2 of the 6 images are training images"):
        evaluate(damaged, generator, training=drawings[4:], config=CONFIG)
    with pytest.raises(ArgumentError, match="one of minimum, mean, median, accurate"):
        evaluate(damaged, generator, methods=("best",))
    with pytest.raises(ArgumentError, match="each of them once"):
        evaluate(damaged, generator, methods=("pca", "pca"))
    with pytest.raises(ShapeError, match="choose a generator of that shape"):
        evaluate(damaged, random_generator())
    with pytest.raises(ShapeError, match="training images of that shape"):
        evaluate(damaged, generator, training=drawings[6:, :, 1:])
    with pytest.raises(ShapeError, match="their ideals"):
        evaluate(dataclasses.replace(damaged, ideal=None), generator)


def test_the_picture_has_a_square_for_every_image_and_method(
    damaged: Measurement, generator: Generator
) -> None:
    found = evaluate(damaged, generator, config=CONFIG, methods=("minimum", "biharmonic"))
    figure = plot_evaluation(found, title="six")
    words = {text.get_text() for text in figure.texts}
    assert {"six", "ideal", "corrupted", "minimum of J", "biharmonic"} <= words
    (axes,) = figure.axes
    pixels = axes.images[0].get_array()
    assert pixels.shape == (6 * 116 + 4, 4 * 116 + 4, 3)
    # Every pixel is a square of one grey: as sharp as it is.
    ideal = np.rint(255 * damaged.ideal[0, 0].numpy())
    np.testing.assert_array_equal(pixels[4:116:4, 4:116:4, 0], ideal)
    np.testing.assert_array_equal(pixels[7:116:4, 7:116:4, 0], ideal)


def test_the_active_share_counts_units_that_are_not_zero(generator: Generator) -> None:
    latents = torch.randn(50, 4)
    first = generator.layers[0]
    hidden = latents @ first.weight.T + first.bias
    assert active_share(generator, latents) == pytest.approx(float((hidden > 0).float().mean()))
    # The search's vectors are of single precision, whatever the generator is of.
    double = generator.to(dtype=torch.float64)
    assert active_share(double, latents) == pytest.approx(active_share(generator, latents))


def test_names_are_those_of_estimates_and_baselines() -> None:
    assert (*ESTIMATES, NETWORK, *BASELINES) == METHODS
    assert len(set(METHODS)) == len(METHODS)
