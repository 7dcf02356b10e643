"""Inpainting networks: training, masks of any kind, and files that are checked when read."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from inpaint import ImageSet, Mask, RestoreConfig, read_generator, read_images, write_generator
from inpaint.errors import ArgumentError, FileError, ShapeError
from inpaint.files.safetensors import read_tensors, write_tensors
from inpaint.metrics import compare_images
from inpaint.network.config import NetworkConfig
from inpaint.network.files import (
    load_network,
    network_card,
    network_names,
    read_network,
    write_network,
)
from inpaint.network.model import InpaintingNetwork
from inpaint.network.training import train_network
from inpaint.operators import measure
from inpaint.posterior.estimator import FAR_SHARE, NEAR_SHARE, Estimator, network_share
from inpaint.studies.evaluate.evaluation import evaluate
from tests.helpers import pen_strokes, random_generator
from tests.tolerances import SINGLE

SMALL = NetworkConfig(width=8, steps=6, batch_size=8, average=0.5, checkpoint_every=100)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return pen_strokes(24)


def test_a_training_repeats_and_resumes_bit_equal(images: Tensor, tmp_path: Path) -> None:
    whole, again = train_network(images, SMALL), train_network(images, SMALL)
    assert again.network.digest() == whole.network.digest()
    path = tmp_path / "checkpoint.safetensors"
    part = train_network(images, SMALL, checkpoint=path, on_progress=lambda p: p.done < 4)
    assert (part.record["status"], part.record["steps"]) == ("cancelled", 4)
    resumed = train_network(images, SMALL, checkpoint=path)
    assert resumed.record["status"] == "finished"
    assert resumed.record["history"] == whole.record["history"]
    assert resumed.network.digest() == whole.network.digest()
    other = train_network(images, dataclasses.replace(SMALL, seed=1))
    assert other.network.digest() != whole.network.digest()
    json.dumps(whole.record)
    with pytest.raises(ArgumentError, match="training on other images"):
        train_network(images[1:], SMALL, checkpoint=path)


def test_a_training_leaves_torchs_random_numbers_alone(images: Tensor) -> None:
    state = torch.random.get_rng_state()
    train_network(images, dataclasses.replace(SMALL, steps=2))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_training_lowers_the_error_of_lost_pixels(images: Tensor) -> None:
    losses: list[float] = []
    config = dataclasses.replace(SMALL, steps=80, learning_rate=1e-2)
    train_network(
        images, config, on_progress=lambda p: losses.append(float(p.note.removeprefix("loss ")))
    )
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10])


def test_a_network_uses_observed_pixels_only_and_accepts_any_mask(images: Tensor) -> None:
    network = train_network(images, SMALL).network
    rng = torch.Generator().manual_seed(0)
    mask = Mask(torch.rand(24, 1, 28, 28, generator=rng) < 0.6)
    found = network.restore(images, mask)
    assert found.shape == images.shape
    assert 0 <= found.min() < found.max() <= 1
    other = torch.where(mask.observed, images, 7.0)
    assert torch.equal(network.restore(other, mask), found)
    single = network.restore(images[3:4].double(), Mask(mask.observed[3]))
    assert single.dtype == torch.float64
    torch.testing.assert_close(single[0].float(), found[3], rtol=SINGLE, atol=SINGLE)


def test_the_shipped_network_restores_drawings_better_than_filling() -> None:
    eights = read_images("eights")
    mask = Mask.leading(504, (1, 28, 28))
    assert eights.ideal is not None
    damaged = measure(eights, mask)
    for name in network_names():
        found = load_network(name).restore(damaged.values, mask)
        for output, ideal in zip(found, eights.ideal, strict=True):
            psnr = compare_images(output, ideal, mask.observed).psnr_missing
            assert psnr is not None
            assert psnr > 10  # empty paper and grey have less
        assert "inpaint train-network" in network_card(name)


def test_a_file_gives_the_network_back(images: Tensor, tmp_path: Path) -> None:
    network = InpaintingNetwork((3, 8, 12), 8, name="mine")
    path = tmp_path / "mine.safetensors"
    write_network(network, path)
    back = load_network(str(path))
    assert (back.name, back.image_shape, back.width) == ("mine", (3, 8, 12), 8)
    assert back.digest() == network.digest()
    values = torch.rand(2, 3, 8, 12)
    mask = Mask.leading(50, (3, 8, 12))
    assert torch.equal(back.restore(values, mask), network.restore(values, mask))


def test_invalid_files_are_refused_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    write_generator(random_generator(), path)
    with pytest.raises(FileError, match="holds no inpainting network"):
        read_network(path)
    write_network(InpaintingNetwork((1, 8, 8), 8), path)
    tensors, metadata = read_tensors(path)
    for changes, facts in (
        ({}, {"image_shape": [1, 8, 8], "width": 16, "name": "x"}),
        ({}, {"image_shape": [1, 8, 9], "width": 8, "name": "x"}),
        ({}, {"image_shape": 8, "width": 8, "name": "x"}),
        ({}, {"width": 8}),
        ({}, []),
        ({"last.bias": torch.tensor([float("nan")])}, None),
    ):
        text = metadata["inpainting_network"] if facts is None else json.dumps(facts)
        write_tensors(tensors | changes, {"inpainting_network": text}, path)
        with pytest.raises(FileError):
            read_network(path)
    path.write_bytes(b"no safetensors")
    with pytest.raises(FileError, match="not a sound safetensors file"):
        read_network(path)
    with pytest.raises(ArgumentError, match="no shipped network 'nines'"):
        load_network("nines")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"width": 12}, "multiple of 8"),
        ({"width": 0}, "Choose 8 to"),
        ({"steps": 0}, "Choose 1 to"),
        ({"learning_rate": 0.0}, "above 0"),
        ({"dropout": 0.95}, "from 0 to 0.9"),
        ({"average": 1.0}, "from 0 to"),
    ],
)
def test_invalid_settings_are_refused(changes: dict[str, object], word: str) -> None:
    with pytest.raises(ArgumentError, match=word):
        NetworkConfig(**changes)  # type: ignore[arg-type]


def test_images_that_do_not_fit_are_refused(images: Tensor) -> None:
    with pytest.raises(ShapeError, match="multiples of 4"):
        train_network(images[:, :, :27], SMALL)
    with pytest.raises(ShapeError, match="choose another network"):
        InpaintingNetwork((1, 8, 8), 8).restore(images, Mask.leading(50, (1, 28, 28)))


def test_a_combined_estimate_blends_generator_and_network(images: Tensor) -> None:
    generator = random_generator((4, 8, 784), image_shape=(1, 28, 28)).to(dtype=torch.float32)
    network = InpaintingNetwork((1, 28, 28), 8)
    mask = Mask.leading(500, (1, 28, 28))
    damaged = measure(ImageSet(images[:3], ideal=images[:3]), mask, noise=0.1)
    config = RestoreConfig(restarts=2, screen=0, solver="adam", steps=5, backend="torch")
    methods = ("sharp", "combined", "network")
    found = evaluate(damaged, generator, network=network, config=config, methods=methods)
    sharp, combined, filled = (result.images for result in found.results)
    assert sharp is not None
    assert combined is not None
    assert filled is not None
    share = network_share(damaged)
    # The 500th pixel is the last observed one, in row 23 of column 17.
    assert [round(float(each), 6) for each in share[0, 0, 2, 16:20]] == [
        NEAR_SHARE,
        NEAR_SHARE,
        NEAR_SHARE,
        FAR_SHARE,
    ]
    generated = filled + (combined - filled) / (1 - share)
    assert -1e-5 < generated.min() < generated.max() < 1 + 1e-5
    # In the lost part, the network's image attracts the generator's.
    lost = ~mask.batch(3)
    assert (generated - filled)[lost].abs().mean() < 0.9 * (sharp - filled)[lost].abs().mean()
    torch.testing.assert_close(filled, network.restore(damaged.values, mask), rtol=0, atol=0)
    alone = evaluate(damaged, generator, config=config, methods=("combined",))
    assert alone.results[0].images is None
    assert "needs an inpainting network" in (alone.results[0].not_run or "")
    with pytest.raises(ShapeError, match="choose a network of that shape"):
        evaluate(damaged, generator, network=InpaintingNetwork((1, 32, 32), 8))


def test_a_shipped_generators_network_is_found_by_its_name() -> None:
    damaged = measure(read_images("eights"), Mask.leading(500, (1, 28, 28)))
    for name, estimate in (("eights", "combined"), ("eights-10", "accurate")):
        Estimator(damaged, read_generator(name)).check(estimate)
    with pytest.raises(ArgumentError, match="there is none for the generator 'eights-10'"):
        Estimator(damaged, read_generator("eights-10")).check("combined")
