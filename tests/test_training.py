"""Training lowers its loss, repeats with the same seed, and resumes as if never stopped."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from inpaint.classifier.config import ClassifierConfig
from inpaint.errors import ArgumentError, FileError, InpaintError, ShapeError
from inpaint.network.config import NetworkConfig
from inpaint.training import inversion, penalties
from inpaint.training.augmentation import Damaged, augment, damage
from inpaint.training.config import TrainConfig
from inpaint.training.data import read_digits
from inpaint.training.decoder import make_decoder, to_generator
from inpaint.training.loop import train
from inpaint.training.randomness import RandomStream
from inpaint.types import Progress
from tests.helpers import pen_strokes, write_idx

SMALL = TrainConfig(
    latent_size=3,
    hidden=(16,),
    encoder_hidden=(32,),
    critic_hidden=(32,),
    steps=4,
    inversion_steps=2,
    batch_size=16,
    inversion_batch=4,
    checkpoint_every=100,
)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return pen_strokes(24)


def loss_in(progress: Progress, name: str) -> float:
    """A loss from a note such as "variational -412.3, inversion 0.02"."""
    return float(dict(part.rsplit(" ", 1) for part in progress.note.split(", "))[name])


@pytest.mark.parametrize("objective", ["variational", "adversarial", "hybrid"])
def test_a_training_repeats_and_resumes_bit_equal(
    images: Tensor, tmp_path: Path, objective: str
) -> None:
    config = dataclasses.replace(SMALL, objective=objective, active_share=0.4)
    whole = train(images, config)
    again = train(images, config)
    assert again.generator.digest() == whole.generator.digest()
    assert again.record["history"] == whole.record["history"]

    path = tmp_path / "checkpoint.safetensors"
    for stage, done, steps in (("objective", 3, 3), ("inversion", 1, 5)):
        stop = (stage, done)
        part = train(
            images,
            config,
            checkpoint=path,
            on_progress=lambda p, stop=stop: (p.stage, p.done) != stop,
        )
        assert part.record["status"] == "cancelled"
        assert part.record["steps"] == steps
    resumed = train(images, config, checkpoint=path)
    assert resumed.record["status"] == "finished"
    assert resumed.record["history"] == whole.record["history"]
    assert resumed.generator.digest() == whole.generator.digest()


def test_progress_counts_the_steps_of_each_stage(images: Tensor) -> None:
    calls: list[Progress] = []
    train(images, SMALL, on_progress=calls.append)
    expected = [("objective", done, 4) for done in (1, 2, 3, 4)]
    expected += [("inversion", done, 2) for done in (1, 2)]
    assert [(each.stage, each.done, each.total) for each in calls] == expected
    assert calls[-1].note.startswith("variational ")
    assert loss_in(calls[-1], "inversion") > 0


def test_another_seed_gives_another_generator(images: Tensor) -> None:
    other = train(images, dataclasses.replace(SMALL, seed=1)).generator
    assert other.digest() != train(images, SMALL).generator.digest()


def test_the_variational_loss_falls(images: Tensor) -> None:
    losses: list[float] = []
    config = dataclasses.replace(
        SMALL, steps=60, inversion_steps=0, learning_rate=1e-2, augmentation=0.0
    )
    train(images, config, on_progress=lambda p: losses.append(loss_in(p, "variational")))
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 100


def test_the_second_stage_lowers_the_restoration_error(images: Tensor) -> None:
    """With a single batch and no other loss, the lost pixels must be restored well."""
    config = dataclasses.replace(SMALL, name="learner")
    torch.manual_seed(0)
    decoder = make_decoder(config, images.mean(0).flatten())
    optimizer = torch.optim.Adam(decoder.parameters(), lr=1e-2)
    damaged = damage(images[:8], RandomStream(0, 0, "cpu"))
    errors = []
    for step in range(40):
        generator = to_generator(decoder, config, (1, 28, 28))
        latents = inversion.search(generator, damaged, RandomStream(0, step, "cpu"), 4)
        loss, error = inversion.loss(decoder, latents, damaged)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        errors.append(float(error))
    assert np.mean(errors[-5:]) < 0.5 * errors[0]


def test_a_limit_on_the_active_share_is_kept(images: Tensor) -> None:
    config = dataclasses.replace(
        SMALL, hidden=(32, 16), steps=120, inversion_steps=10, learning_rate=1e-2, average=0.0
    )
    shares = {}
    for limit in (1.0, 0.25):
        generator = train(images, dataclasses.replace(config, active_share=limit)).generator
        values = torch.randn(2000, 3, generator=torch.Generator().manual_seed(0))
        active = []
        for layer in generator.layers[:-1]:
            values = (values @ layer.weight.T + layer.bias).relu()
            active.append(values > 0)
        shares[limit] = float(torch.cat(active, 1).float().mean())
    assert shares[1.0] > 0.35
    assert shares[0.25] < 0.28


def test_the_active_share_is_exact_and_falls_along_its_gradient() -> None:
    torch.manual_seed(0)
    decoder = make_decoder(dataclasses.replace(SMALL, hidden=(16, 8)), torch.full((36,), 0.5))
    latents = torch.randn(500, 3)
    first = decoder[0](latents)
    second = decoder[2](first.relu())
    share = penalties.active_share(decoder, latents)
    exact = torch.cat([first > 0, second > 0], 1).float().mean()
    torch.testing.assert_close(share.detach(), exact)
    gradients = torch.autograd.grad(share, list(decoder[:3].parameters()))
    with torch.no_grad():
        for parameter, gradient in zip(decoder[:3].parameters(), gradients, strict=True):
            parameter -= 5 * gradient
    assert penalties.active_share(decoder, latents) < share - 0.02


def test_adversarial_training_brings_generated_images_closer(images: Tensor) -> None:
    config = dataclasses.replace(
        SMALL, objective="adversarial", steps=60, inversion_steps=0, batch_size=32, average=0.0
    )
    gaps: list[float] = []
    train(images, config, on_progress=lambda p: gaps.append(loss_in(p, "critic")))
    assert np.isfinite(gaps).all()
    # First the critic finds the gap between real and generated images; then the decoder closes it.
    assert gaps[-1] > min(gaps)


def test_gradient_through_the_search_is_that_of_finite_differences() -> None:
    """Change one weight, search again, and compare the change of the error."""
    torch.manual_seed(0)
    config = dataclasses.replace(SMALL, activation="tanh")
    decoder = make_decoder(config, torch.full((36,), 0.5)).double()
    for parameter in decoder.parameters():
        parameter.data *= 3
    truth = decoder(torch.randn(5, 3).double()).detach()
    observed = (torch.arange(36) < 24).double().expand(5, 36)
    damaged = Damaged(truth, (truth + 0.005 * torch.randn(5, 36)) * observed, observed)

    def minimise() -> Tensor:
        latents = torch.zeros(5, 3, dtype=torch.float64, requires_grad=True)
        solver = torch.optim.LBFGS(
            [latents],
            max_iter=2000,
            tolerance_grad=1e-12,
            tolerance_change=0,
            line_search_fn="strong_wolfe",
        )

        def cost() -> Tensor:
            solver.zero_grad()
            square = observed * (decoder(latents) - damaged.values).square()
            value = (24 * square.sum(1).log() + latents.square().sum(1)).sum()
            value.backward()
            return value

        solver.step(cost)
        return latents.detach()

    error, _ = inversion.loss(decoder, minimise(), damaged)
    weight = decoder[0].weight
    (gradient,) = torch.autograd.grad(error, weight)
    step = 1e-5
    ends = []
    for sign in (1, -1):
        weight.data[2, 1] += sign * step
        ends.append(float(inversion.loss(decoder, minimise(), damaged)[0].detach()))
        weight.data[2, 1] -= sign * step
    numeric = (ends[0] - ends[1]) / (2 * step)
    # Gauss-Newton ignores the curvature of the decoder, so the two differ a little.
    assert float(gradient[2, 1]) == pytest.approx(numeric, rel=0.05)


def test_the_ink_penalty_counts_ink_where_hardly_any_image_has_some(images: Tensor) -> None:
    empty = penalties.empty_pixels(images)
    assert 0 < empty.sum() < len(empty)
    assert (images.flatten(1)[:, empty > 0] == 1).all()
    assert (images.flatten(1)[:, empty == 0].amin(0) < 1).all()
    outputs = torch.ones(2, len(empty))
    outputs[0, empty.nonzero()[0]] = 0.5  # costs .25
    outputs[1, (empty == 0).nonzero()[0]] = 0.0  # ink is allowed here
    decoder = nn.Embedding.from_pretrained(outputs)
    latent_sets = [torch.tensor([0, 1]), torch.tensor([0])]
    penalty = penalties.ink_penalty(decoder, latent_sets, empty)
    torch.testing.assert_close(penalty, torch.tensor(0.125 + 0.25))


def test_a_pixel_is_empty_while_few_images_ink_it() -> None:
    images = torch.ones(400, 1, 1, 3)
    images[:2, 0, 0, 0] = 0.5
    images[:3, 0, 0, 1] = 0.5
    assert penalties.empty_pixels(images).tolist() == [1, 0, 1]


def test_a_training_holds_empty_pixels_clean(images: Tensor) -> None:
    inks = {}
    for weight in (0.0, 100.0):
        config = dataclasses.replace(
            SMALL,
            steps=1,
            inversion_steps=60,
            inversion_learning_rate=0.02,
            average=0.0,
            paper_weight=weight,
        )
        result = train(images, config)
        latents = torch.randn(200, 3, generator=torch.Generator().manual_seed(1))
        ink = 1 - result.generator.pixels(latents)
        inks[weight] = float(ink[:, penalties.empty_pixels(images) > 0].square().sum(1).mean())
    assert inks[100.0] < 0.5 * inks[0.0]


def test_augmentation_keeps_paper_white_and_strength_zero_changes_nothing(images: Tensor) -> None:
    rng = RandomStream(0, 0, "cpu")
    assert torch.equal(augment(images, rng, 0.0), images)
    changed = augment(images, rng, 1.0)
    assert torch.allclose(changed[:, :, 0, 0], torch.ones(1))
    assert not torch.allclose(changed, images, atol=0.1)


def test_result_is_a_generator_of_the_shape_asked_for(images: Tensor) -> None:
    result = train(images, dataclasses.replace(SMALL, hidden=(16, 8), name="mine"))
    layers = result.generator.layers
    assert [tuple(layer.weight.shape) for layer in layers] == [(16, 3), (8, 16), (784, 8)]
    assert [layer.activation for layer in layers] == ["relu", "relu", "sigmoid"]
    assert result.generator.name == "mine"
    json.dumps(result.record)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"objective": "wishful"}, "objective is 'wishful'; choose one of"),
        ({"latent_size": 0}, "Choose 1 to"),
        ({"hidden": [128]}, "must be a tuple"),
        ({"hidden": (128, -1)}, "a size in hidden is -1"),
        ({"learning_rate": float("nan")}, "choose a number"),
        ({"average": 1.0}, "choose a number"),
        ({"steps": 2.5}, "whole number"),
        ({"steps": 0, "inversion_steps": 0}, "nothing would be trained"),
        ({"sample_weight": -1.0}, "choose a number"),
        ({"sample_spread": 0.0}, "choose a number"),
        ({"paper_weight": -1.0}, "choose a number"),
        ({"active_share": 0.0}, "choose a number"),
        ({"active_share": 0.5, "activation": "tanh"}, "choose relu"),
    ],
)
def test_invalid_settings_are_refused(changes: dict[str, object], word: str) -> None:
    with pytest.raises(ArgumentError, match=word):
        TrainConfig(**changes)


def test_invalid_images_are_refused_with_a_reason(images: Tensor) -> None:
    with pytest.raises(ShapeError, match="at least one image"):
        train(images[:0], SMALL)
    with pytest.raises(ShapeError, match=r"\[K, C, H, W\]"):
        train(images[:, 0], SMALL)
    with pytest.raises(ArgumentError, match="outside 0 to 1"):
        train(images * 255, SMALL)
    with pytest.raises(ArgumentError, match="device is 'abacus'"):
        train(images, dataclasses.replace(SMALL, device="abacus"))


def test_a_checkpoint_of_another_training_is_refused_with_a_reason(
    images: Tensor, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    train(images, SMALL, checkpoint=path, on_progress=lambda p: p.done < 2)
    with pytest.raises(ArgumentError, match=r"seed is 5; .* 0"):
        train(images, dataclasses.replace(SMALL, seed=5), checkpoint=path)
    with pytest.raises(ArgumentError, match="other images"):
        train(images[1:], SMALL, checkpoint=path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FileError, match="not a sound safetensors file"):
        train(images, SMALL, checkpoint=path)


@pytest.mark.parametrize(
    "name", ["", " a", "a/b", "a\\b", "../a", ".a", "a\nb", "a:b", "a" * 300, None]
)
@pytest.mark.parametrize("config", [TrainConfig, NetworkConfig, ClassifierConfig])
def test_a_name_that_no_file_can_have_is_refused(config: type, name: object) -> None:
    with pytest.raises(ArgumentError, match="files are named after it"):
        config(name=name)


@pytest.mark.parametrize("place", ["folder", "absent/c.safetensors", "file/c.safetensors"])
def test_a_checkpoint_that_cannot_be_written_is_refused_before_the_first_step(
    images: Tensor, tmp_path: Path, place: str
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    steps: list[Progress] = []
    with pytest.raises(FileError, match="cannot be written"):
        train(images, SMALL, checkpoint=tmp_path / place, on_progress=steps.append)
    assert not steps


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot ask for a process without ending it.")
def test_what_a_killed_training_left_of_a_checkpoint_is_removed(
    images: Tensor, tmp_path: Path
) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    path = tmp_path / "c.safetensors"
    other = tmp_path / f".other.{ended.pid}.part"
    running = tmp_path / f".c.safetensors.{os.getppid()}.part"
    for left in (tmp_path / f".c.safetensors.{ended.pid}.part", running, other):
        left.write_bytes(b"half")
    train(images, SMALL, checkpoint=path)
    assert set(tmp_path.iterdir()) == {path, running, other}


def test_digits_are_picked_from_a_part_of_the_file(tmp_path: Path) -> None:
    pixels = np.arange(6)[:, None, None] * np.ones((6, 4, 4)) * 51
    images = write_idx(tmp_path / "images", pixels)
    labels = write_idx(tmp_path / "labels", np.array([8, 1, 8, 3, 8, 8]))
    picked = read_digits(images, labels, digits=(8,), part=slice(None, -1))
    assert picked.shape == (3, 1, 4, 4)
    torch.testing.assert_close(picked[:, 0, 0, 0], torch.tensor([1.0, 0.6, 0.2]))
    assert len(read_digits(images, labels)) == 6
    for broken, word in (
        (lambda: read_digits(labels, labels), "Is it the file of the labels"),
        (lambda: read_digits(images, images), "one label for each"),
        (lambda: read_digits(images, labels, digits=(7,)), "Choose others"),
    ):
        with pytest.raises(InpaintError, match=word):
            broken()
