"""Modes, noise level and verdict: calibrated on truths that are known."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from inpaint import Generator, ImageSet, Mask, RestoreConfig, read_images
from inpaint.operators import measure
from inpaint.search.modes import SAME_IMAGE, find_modes, search_statistics
from inpaint.search.restore import restore
from inpaint.search.verdict import Verdict, judge
from tests.helpers import QUICK, random_generator, some_measurement

SHAPE = (1, 28, 28)
NOISE = 0.1


def verdicts(generator: Generator, images: torch.Tensor, keep: int) -> tuple[Verdict, ...]:
    measurement = measure(ImageSet(images), Mask.leading(keep, SHAPE), noise=NOISE, seed=1)
    return judge(measurement, generator, restore(measurement, generator))


@pytest.fixture(scope="module")
def truths(published: Generator) -> torch.Tensor:
    """Images drawn from the generator itself. [24, 1, 28, 28]"""
    stream = torch.Generator().manual_seed(5)
    return published(torch.randn(24, 10, generator=stream, dtype=torch.float64))


@pytest.fixture(scope="module")
def easy(published: Generator, truths: torch.Tensor) -> tuple[Verdict, ...]:
    return verdicts(published, truths, 450)


def test_truths_in_range_are_trusted(easy: tuple[Verdict, ...]) -> None:
    assert sum(verdict.flag == "good" for verdict in easy) >= 23
    assert all(verdict.flag != "doubtful" for verdict in easy)


def test_few_pixels_are_called_ambiguous_not_doubtful(
    published: Generator, truths: torch.Tensor
) -> None:
    flags = [verdict.flag for verdict in verdicts(published, truths, 200)]
    assert flags.count("ambiguous") >= 22
    assert "doubtful" not in flags


def test_images_out_of_range_are_doubted(published: Generator, data_dir: Path) -> None:
    digits = read_images(data_dir / "train-images-idx3-ubyte.gz").images[:10]  # none is an eight
    for images in (digits, 1 - digits):
        found = verdicts(published, images, 450)
        assert all(verdict.flag == "doubtful" for verdict in found)
        assert all("generator cannot draw" in verdict.sentence for verdict in found)


def test_the_noise_interval_covers_the_noise(easy: tuple[Verdict, ...]) -> None:
    covered = [v.noise_interval[0] <= NOISE <= v.noise_interval[1] for v in easy]
    assert sum(covered) >= 21  # 22.8 of 24 are expected; fewer than 21 has probability .02
    assert all(v.noise_interval[0] < v.noise_level < v.noise_interval[1] for v in easy)


def test_the_expected_error_is_of_the_size_of_the_true_one(
    published: Generator, truths: torch.Tensor
) -> None:
    measurement = measure(ImageSet(truths), Mask.leading(400, SHAPE), noise=NOISE, seed=1)
    restoration = restore(measurement, published)
    true = (restoration.images.double() - truths).flatten(1).norm(dim=1).square().mean().sqrt()
    found = judge(measurement, published, restoration)
    expected = torch.tensor([verdict.expected_error for verdict in found]).square().mean().sqrt()
    assert 0.6 < float(expected) / float(true) < 1.7


def test_modes_are_told_apart_by_their_images() -> None:
    generator = random_generator()
    near, far = torch.zeros(3), torch.full((3,), 2.0)
    latents = torch.stack([far, near, near + 1e-4, far, near])
    costs = torch.tensor([5.0, 3.0, 3.5, 4.0, torch.inf])
    one, two = find_modes(costs, latents, generator)
    assert (one.restart, one.starts, one.gap) == (1, 2, 0)
    assert (two.restart, two.starts, two.gap) == (3, 2, 1)
    assert one.weight + two.weight == pytest.approx(1)
    assert one.weight / two.weight == pytest.approx(torch.tensor(0.5).exp().item(), rel=1e-5)
    assert float((one.image - two.image).square().mean().sqrt()) > SAME_IMAGE


def test_the_success_rate_is_counted_with_its_interval() -> None:
    generator = random_generator()
    restoration = restore(some_measurement(shared=True), generator, QUICK)
    for statistics in search_statistics(restoration, generator):
        assert statistics.reached == statistics.modes[0].starts
        assert statistics.interval[0] <= statistics.rate <= statistics.interval[1]
        assert sum(mode.starts for mode in statistics.modes) == 4
        assert statistics.restarts_for_99 is not None
        failing = (1 - statistics.rate) ** statistics.restarts_for_99
        assert failing <= 0.01 + 1e-12


def test_all_restarts_failing_leaves_no_mode_and_no_crash() -> None:
    generator = random_generator()
    latents = torch.full((1, 2, 3), 1e200, dtype=torch.float64)
    config = RestoreConfig(dtype="float64")
    measurement = some_measurement(shared=True)[:1]
    restoration = restore(measurement, generator, config, latents=latents)
    (verdict,) = judge(measurement, generator, restoration)
    assert verdict.search.modes == ()
    assert verdict.search.reached == 0
    assert verdict.search.restarts_for_99 is None
    assert verdict.flag == "doubtful"


def test_a_search_that_may_have_failed_is_not_blamed_on_the_generator(
    published: Generator, eights: ImageSet
) -> None:
    measurement = measure(eights, Mask.leading(500, SHAPE))
    restoration = restore(measurement, published, RestoreConfig.preset("published"))
    stuck = judge(measurement, published, restoration)[0]
    assert stuck.flag == "doubtful"
    assert "search" in stuck.sentence
