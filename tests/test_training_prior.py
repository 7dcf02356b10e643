"""A training can go on from a generator, and makes its samples look like the training images."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inpaint.errors import ArgumentError, ShapeError
from inpaint.files.reading import read_generator
from inpaint.training import distribution
from inpaint.training.config import TrainConfig
from inpaint.training.decoder import make_decoder
from inpaint.training.distribution import SampleDistance
from inpaint.training.loop import train
from inpaint.training.prior import find_latents, fold_prior
from inpaint.training.randomness import RandomStream
from tests.helpers import inpaint, pen_strokes, write_idx

SMALL = TrainConfig(
    latent_size=3,
    hidden=(16,),
    encoder_hidden=(32,),
    steps=4,
    inversion_steps=2,
    batch_size=16,
    inversion_batch=4,
)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return pen_strokes(24)


def test_the_energy_distance_is_that_of_the_definition(images: Tensor) -> None:
    distance = SampleDistance((1, 28, 28), len(images), num_classes=0)
    distance.fit(images, None, RandomStream(0, 0, "cpu"))
    one, other = images[:12].flatten(1), 1 - 0.5 * images[12:].flatten(1)
    expected = 0.0
    for project, scale in zip((torch.eye(784), distance.components), distance.scales, strict=True):
        a, b = (((x - distance.mean) @ project / scale).double() for x in (one, other))
        expected += float(2 * torch.cdist(a, b).mean() - torch.pdist(a).mean())
        expected -= float(torch.pdist(b).mean())
    assert float(distance(one, other)) == pytest.approx(expected, rel=1e-3)


def test_the_energy_distance_of_equal_distributions_is_zero_and_of_others_positive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(distribution, "CLASSIFIER_STEPS", 50)
    images = 0.5 + 0.5 * torch.rand(800, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    classes = torch.arange(800) % 2
    images[classes == 1, :, :4] -= 0.5
    distance = SampleDistance((1, 8, 8), len(images), num_classes=2)
    distance.fit(images, (images, classes), RandomStream(0, 0, "cpu"))
    pixels = images.flatten(1)
    assert abs(float(distance(pixels[:400], pixels[400:]))) < 0.02
    assert float(distance(pixels[classes == 0], pixels[classes == 1])) > 0.5
    assert float(distance(pixels[:400], 0.5 * pixels[400:])) > 0.5


def test_a_training_brings_samples_closer_to_the_images(images: Tensor) -> None:
    start = train(images, dataclasses.replace(SMALL, steps=60)).generator
    measure = SampleDistance((1, 28, 28), len(images), num_classes=0)
    measure.fit(images, None, RandomStream(5, 0, "cpu"))
    distances = {}
    for weight in (0.0, 10.0):
        config = dataclasses.replace(
            SMALL,
            steps=0,
            inversion_steps=40,
            inversion_learning_rate=0.01,
            objective_weight=0.0,
            sample_weight=weight,
            average=0.0,
        )
        generator = train(images, config, start=start).generator
        latents = torch.randn(400, 3, generator=torch.Generator().manual_seed(1))
        distances[weight] = float(measure(generator.pixels(latents), images.flatten(1)))
    assert distances[10.0] < 0.8 * distances[0.0]


def make_searched_decoder(config: TrainConfig) -> nn.Sequential:
    """A decoder of strong contrasts, so that its images say what their latent vectors are."""
    torch.manual_seed(0)
    decoder = make_decoder(config, torch.full((784,), 0.7))
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter *= 2
    return decoder


@pytest.mark.parametrize("spread", [1.0, 1.25])
def test_folding_the_prior_gives_the_latents_of_images_one_variance(spread: float) -> None:
    config = dataclasses.replace(SMALL, activation="tanh", sample_spread=spread)
    decoder = make_searched_decoder(config)
    mixing = torch.tensor([[1.6, 0.5, 0.0], [0.0, 0.6, 0.4], [0.0, 0.0, 1.2]])
    used = torch.randn(300, 3) @ mixing + torch.tensor([0.8, -0.5, 0.3])
    images = decoder(used).detach().view(-1, 1, 28, 28)
    before = find_latents(decoder, images, config, RandomStream(1, 0, "cpu"))
    assert (before.mean(0).abs() > 0.2).all()

    fold_prior(decoder, images, config, RandomStream(0, 0, "cpu"))
    found = find_latents(decoder, images, config, RandomStream(1, 0, "cpu"))
    torch.testing.assert_close(found.mean(0), torch.zeros(3), atol=0.15, rtol=0)
    torch.testing.assert_close(
        torch.cov(found.T), spread**2 * torch.eye(3), atol=0.2 * spread**2, rtol=0
    )
    # What can be drawn has not changed: the same images are still found.
    assert (decoder(found) - images.flatten(1)).square().mean() < 1e-3


def test_folding_the_prior_works_with_a_single_image() -> None:
    decoder = make_searched_decoder(SMALL)
    image = decoder(torch.randn(1, 3)).detach().view(-1, 1, 28, 28)
    fold_prior(decoder, image, SMALL, RandomStream(0, 0, "cpu"))
    assert all(bool(x.isfinite().all()) for x in decoder.parameters())


def test_a_training_goes_on_from_a_generator_and_resumes_bit_equal(
    images: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distribution, "CLASSIFIER_STEPS", 5)
    start = train(images, SMALL).generator
    config = dataclasses.replace(
        SMALL, steps=0, inversion_steps=4, objective_weight=0.0, sample_weight=10.0, seed=1
    )
    labelled = images, torch.arange(len(images)) % 3
    whole = train(images, config, start=start, labelled=labelled)
    assert whole.record["start"] == start.digest()
    assert whole.generator.digest() != train(images, config, labelled=labelled).generator.digest()

    path = tmp_path / "checkpoint.safetensors"
    train(
        images,
        config,
        start=start,
        labelled=labelled,
        checkpoint=path,
        on_progress=lambda p: p.done < 2,
    )
    with pytest.raises(ArgumentError, match="another start"):
        train(images, config, labelled=labelled, checkpoint=path)
    resumed = train(images, config, start=start, labelled=labelled, checkpoint=path)
    assert resumed.generator.digest() == whole.generator.digest()


@pytest.mark.parametrize(
    "changes", [{"latent_size": 4}, {"hidden": (16, 16)}, {"activation": "tanh"}]
)
def test_a_start_of_other_layers_is_refused(images: Tensor, changes: dict[str, object]) -> None:
    start = train(images, dataclasses.replace(SMALL, steps=1, inversion_steps=0)).generator
    with pytest.raises(ArgumentError, match="Set latent_size, hidden and activation"):
        train(images, dataclasses.replace(SMALL, **changes), start=start)


def test_labelled_images_of_another_shape_are_refused(images: Tensor) -> None:
    classes = torch.zeros(len(images), dtype=torch.int64)
    for labelled in ((images[..., 1:], classes), (images, classes[1:])):
        with pytest.raises(ShapeError, match="as many classes"):
            train(images, SMALL, labelled=labelled)


def test_the_command_trains_on_and_repeats_from_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distribution, "CLASSIFIER_STEPS", 5)
    rng = np.random.default_rng(0)
    pictures = write_idx(tmp_path / "images-ubyte", rng.integers(0, 256, (40, 28, 28)))
    labels = write_idx(tmp_path / "labels-ubyte", np.arange(40) % 10)
    words = ("--labels", labels, "--digits", "3,8", "--hold-out", 10, "--hidden", "16")
    words += ("--encoder-hidden", "8", "--inversion-batch", 4)
    first, second = tmp_path / "first", tmp_path / "second"
    made = inpaint(
        "train", pictures, *words, "--steps", 2, "--inversion-steps", 0, "--output", first
    )
    assert made.exit_code == 0, made.output
    start = first / "generator.safetensors"
    words += ("--steps", 0, "--inversion-steps", 2, "--objective-weight", 0)
    result = inpaint(
        "train", pictures, *words, "--sample-weight", 5, "--start", start, "--output", second
    )
    assert result.exit_code == 0, result.output
    record = json.loads((second / "generator.json").read_text())
    assert record["sha256"]["start"] == record["results"]["start"] == read_generator(start).digest()
    assert record["results"]["history"][-1]["samples"] > 0
    again = inpaint(
        "train", "--from-run", second / "generator.json", "--output", tmp_path / "third"
    )
    assert again.exit_code == 0, again.output
    one, other = (
        read_generator(folder / "generator.safetensors") for folder in (second, tmp_path / "third")
    )
    assert one.digest() == other.digest() != read_generator(start).digest()

    write_idx(tmp_path / "labels-ubyte", np.roll(np.arange(40) % 10, 1))
    changed = inpaint("train", "--from-run", second / "generator.json", "--output", second)
    assert changed.exit_code != 0
    assert "whose content has changed" in changed.output.replace("\n", " ")
