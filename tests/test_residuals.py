"""What a restoration leaves over: rounding, noise, or an image that the generator cannot draw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from inpaint import (
    BlockAverage,
    Blur,
    Composition,
    Dense,
    Generator,
    ImageSet,
    LinearOperator,
    Mask,
    Measurement,
    RestoreConfig,
    read_images,
)
from inpaint.generators import ModuleGenerator
from inpaint.operators import measure
from inpaint.plots.comparison import compare
from inpaint.search.restore import restore
from inpaint.search.verdict import Verdict, judge
from tests.helpers import (
    IMAGE,
    OPERATORS,
    QUICK,
    inpaint,
    random_generator,
    some_measurement,
    some_values,
)

SHAPE = (1, 28, 28)
FAST = RestoreConfig.preset("fast")
MATRIX = torch.randn(
    300, 784, generator=torch.Generator().manual_seed(0), dtype=torch.float64
) / 28  # fmt: skip
VALUES: dict[str, Any] = {
    "half": Mask.half("right"),
    "checkerboard": Mask.checkerboard(1),
    "averages": BlockAverage(2),
    "blur": Blur.gaussian(1),
    "half blurred": Composition((Blur.gaussian(1, SHAPE), Mask.leading(500, SHAPE))),
    "matrix": LinearOperator(MATRIX, SHAPE),
    "large matrix": LinearOperator(50 * MATRIX, SHAPE),
    "differences": LinearOperator(MATRIX - MATRIX.mean(1, keepdim=True), SHAPE),
}
"""Operators with and without a grid of values, and of several scales."""


def drawn(generator: Generator, count: int = 6) -> Tensor:
    """Images drawn from the generator. [count, C, H, W]"""
    stream = torch.Generator().manual_seed(5)
    z = torch.randn(count, generator.latent_size, generator=stream, dtype=torch.float64)
    return generator.to(dtype=torch.float64)(z)


def verdicts(
    generator: Generator, images: Tensor, operator: Any, **settings: Any
) -> tuple[Verdict, ...]:
    measurement = measure(ImageSet(images), operator, **settings)
    return judge(measurement, generator, restore(measurement, generator, FAST))


def negative(generator: Generator) -> Generator:
    """The generator of the negatives: light ink on dark paper."""
    last = generator.layers[-1]
    assert isinstance(last, Dense)
    layers = (*generator.layers[:-1], Dense(-last.weight, -last.bias, last.activation))
    return Generator(layers, generator.image_shape, name="negative")


def colour_generator() -> Generator:
    """4 latent numbers to colour images of 8x8 pixels."""
    return random_generator((4, 16, 192), image_shape=(3, 8, 8))


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("levels", [None, 255])
def test_images_of_the_generator_are_never_doubted_for_their_rounding(
    published: Generator, name: str, levels: int | None
) -> None:
    images = drawn(published)
    if levels is not None:
        images = (levels * images).round() / levels
    for verdict in verdicts(published, images, VALUES[name]):
        assert verdict.flag == "good", verdict.sentence
        assert "half a grey level" in verdict.sentence


def test_images_of_colour_are_not_doubted_for_their_rounding() -> None:
    generator = colour_generator()
    images = (255 * drawn(generator)).round() / 255
    found = verdicts(generator, images, Mask.half("right"))
    assert all(verdict.flag == "good" for verdict in found)


def test_a_lone_wrong_pixel_is_larger_than_rounding(published: Generator) -> None:
    images = drawn(published)
    images[:, 0, 2, 2] -= 0.05
    for verdict in verdicts(published, images, Mask.leading(784)):
        assert "half a grey level" not in verdict.sentence


@pytest.mark.parametrize("name", VALUES)
def test_noise_is_trusted_and_what_the_generator_cannot_draw_is_not(
    published: Generator, data_dir: Path, name: str
) -> None:
    operator = VALUES[name]
    noise = 2.0 if name == "large matrix" else 0.05
    trusted = verdicts(published, drawn(published), operator, noise=noise, seed=1)
    assert all(verdict.flag != "doubtful" for verdict in trusted)
    digits = read_images(data_dir / "train-images-idx3-ubyte.gz").images[:6]  # none is an eight
    doubted = verdicts(published, digits, operator, noise=noise, seed=1)
    assert sum(verdict.flag == "doubtful" for verdict in doubted) >= 5
    assert all(verdict.doubts for verdict in doubted if verdict.flag == "doubtful")


@pytest.mark.parametrize("name", OPERATORS)
def test_values_of_every_operator_have_a_verdict(name: str) -> None:
    generator = random_generator((3, 16, 24), image_shape=IMAGE)
    measurement = some_values(OPERATORS[name], weighted=True)
    restoration = restore(measurement, generator, QUICK)
    found = judge(measurement, generator, restoration)
    for verdict, level in zip(found, restoration.noise_level, strict=True):
        assert verdict.noise_level == pytest.approx(float(level), rel=1e-4)
        assert 0 < verdict.expected_error < 24**0.5
    rows = compare(measurement, generator, restoration).rows
    assert [row.verdict.sentence for row in rows] == [verdict.sentence for verdict in found]


def test_ink_may_be_light_or_dark(published: Generator, data_dir: Path) -> None:
    digits = read_images(data_dir / "train-images-idx3-ubyte.gz").images[:4].double()
    images = torch.cat([drawn(published, 4), digits])
    measurement = measure(ImageSet(images), Mask.leading(500), noise=0.1, seed=1)
    restoration = restore(measurement, published, FAST)
    seen = measurement.operator.observed
    light = replace(measurement, values=(1 - measurement.values) * seen)
    found = judge(measurement, published, restoration)
    turned = judge(light, negative(published), restoration)
    for one, other in zip(found, turned, strict=True):
        assert one.flag == other.flag
        for check, again in zip(one.checks, other.checks, strict=True):
            assert again.value == pytest.approx(check.value, rel=1e-6)


def test_the_scale_of_the_weights_changes_nothing(published: Generator) -> None:
    measurement = measure(ImageSet(drawn(published)), Mask.leading(500), noise=0.1, seed=1)
    restoration = restore(measurement, published, FAST)
    some = torch.rand(measurement.values.shape, generator=torch.Generator().manual_seed(2)) + 0.5
    one, other = (
        judge(replace(measurement, weights=scale * some), published, restoration)
        for scale in (1.0, 1e4)
    )
    for verdict, again in zip(one, other, strict=True):
        assert again.sentence == verdict.sentence
        assert again.expected_error == pytest.approx(verdict.expected_error)


@pytest.mark.parametrize("name", VALUES)
def test_noise_as_strong_as_the_contrast_is_never_good(published: Generator, name: str) -> None:
    images, operator = drawn(published, 4), VALUES[name]
    values = measure(ImageSet(images), operator)
    contrast = float((values.values if name not in ("half",) else images).std())
    found = verdicts(published, images, operator, noise=1.5 * contrast, seed=1)
    assert all(verdict.flag != "good" for verdict in found)


def test_noise_as_strong_as_the_contrast_of_a_colour_image_is_never_good() -> None:
    generator = colour_generator()
    images = drawn(generator)
    noise = 1.5 * float((images - images.mean((-1, -2), keepdim=True)).std())
    found = verdicts(generator, images, Mask.half("right"), noise=noise)
    assert all(verdict.flag != "good" for verdict in found)


def test_noise_stronger_than_stated_is_doubted(published: Generator) -> None:
    measurement = measure(ImageSet(drawn(published)), Mask.leading(500), noise=0.1, seed=1)
    stated = {
        level: judge(known, published, restore(known, published, FAST))
        for level in (0.05, 0.1)
        for known in [replace(measurement, noise_level=level)]
    }
    assert all("the stated noise level is too low" in v.sentence for v in stated[0.05])
    assert all(verdict.flag == "good" for verdict in stated[0.1])


def test_as_few_pixels_as_latent_numbers_are_never_good(published: Generator) -> None:
    found = verdicts(published, drawn(published), Mask.random(1 - 10 / 784))
    assert all(verdict.flag != "good" for verdict in found)
    assert all("for 10 latent numbers" in v.sentence for v in found if v.flag == "ambiguous")


class Kink(nn.Module):
    """Draws a finite image at one latent vector, and NaN beside it."""

    def __init__(self, z: Tensor) -> None:
        super().__init__()
        self.z = nn.Parameter(z)

    def forward(self, z: Tensor) -> Tensor:
        there = (z == self.z).all(-1)[:, None, None, None]
        return torch.where(there, 0.5, torch.nan).expand(-1, 1, 4, 5)


def test_a_slope_that_is_not_finite_is_never_good() -> None:
    measurement = some_measurement(shared=True, images=1)
    restoration = restore(measurement, random_generator(), QUICK)
    kink = ModuleGenerator(Kink(restoration.best_latents[0]), latent_size=3)
    (verdict,) = judge(measurement, kink, restoration)
    assert verdict.flag == "doubtful"
    assert "no finite slope" in verdict.sentence


def failing(count: int, bad: int) -> tuple[Measurement, Generator]:
    """Noisy images, one of which has a value whose square is infinite in float32."""
    generator = random_generator()
    measurement = some_measurement(shared=True, images=count)
    measurement.values[bad, 0, 0, 0] = 1e30
    return measurement, generator


def test_an_image_without_a_finite_cost_is_doubtful_and_the_others_are_judged() -> None:
    measurement, generator = failing(3, bad=1)
    found = judge(measurement, generator, restore(measurement, generator, QUICK))
    assert found[1].sentence == (
        "Doubtful: No start reached a finite cost, so nothing was restored."
    )
    without = measurement[[0, 2]]
    others = judge(without, generator, restore(without, generator, QUICK))
    assert [found[0].sentence, found[2].sentence] == [verdict.sentence for verdict in others]


def test_the_command_says_that_nothing_was_restored(tmp_path: Path) -> None:
    words = ("restore", "eights", "--images", "0", "--restarts", 2, "--output", tmp_path)
    failed = inpaint(*words, "--noise", "1e30")
    assert failed.exit_code == 1
    assert "Image 0. Doubtful: No start reached a finite cost" in failed.stdout
    assert (tmp_path / "run.json").is_file()
    assert inpaint(*words).exit_code == 0
