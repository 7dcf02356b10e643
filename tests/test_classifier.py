"""Classifiers: training, files that are checked when read, and the shipped one."""

from __future__ import annotations

import dataclasses
import json
from importlib import resources
from pathlib import Path

import pytest
import torch
from torch import Tensor

from inpaint.classifier.config import ClassifierConfig
from inpaint.classifier.files import (
    classifier_card,
    classifier_names,
    load_classifier,
    pack_classifier,
    read_classifier,
)
from inpaint.classifier.model import FEATURES, Classifier
from inpaint.classifier.training import accuracy, train_classifier
from inpaint.errors import ArgumentError, FileError, ShapeError
from inpaint.files.safetensors import read_tensors, write_tensors
from inpaint.training.data import read_labelled

SMALL = ClassifierConfig(steps=6, batch_size=8, augmentation=0.5)


@pytest.fixture
def images() -> Tensor:
    """Rows of ink at the top, in the middle and below. [30, 1, 12, 10]"""
    pictures = torch.ones(30, 1, 12, 10)
    for number in range(30):
        pictures[number, :, 4 * (number % 3) : 4 * (number % 3) + 3, number % 7 :] = 0
    return pictures


@pytest.fixture
def labels() -> Tensor:
    return torch.arange(30) % 3


def test_a_training_learns_repeats_and_resumes_bit_equal(
    images: Tensor, labels: Tensor, tmp_path: Path
) -> None:
    whole, again = (train_classifier(images, labels, SMALL) for _ in range(2))
    assert again.classifier.digest() == whole.classifier.digest()
    path = tmp_path / "checkpoint.safetensors"
    part = train_classifier(
        images, labels, SMALL, checkpoint=path, on_progress=lambda p: p.done < 4
    )
    assert part.record["steps"] == 4
    resumed = train_classifier(images, labels, SMALL, checkpoint=path)
    assert resumed.classifier.digest() == whole.classifier.digest()
    # Other labels make another training.
    with pytest.raises(ArgumentError, match="belongs to a training on other images"):
        train_classifier(images, labels.flip(0), SMALL, checkpoint=path)
    other = train_classifier(images, labels, dataclasses.replace(SMALL, seed=1))
    assert other.classifier.digest() != whole.classifier.digest()

    longer = dataclasses.replace(SMALL, steps=80, learning_rate=1e-2)
    learned = train_classifier(images, labels, longer).classifier
    assert accuracy(learned, images, labels) > 0.9
    assert accuracy(learned, images, (labels + 1) % 3) < 0.1
    probabilities = learned.probabilities(images)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(30).double())
    assert learned.features(images).shape == (30, FEATURES)


def test_a_file_gives_the_classifier_back(images: Tensor, tmp_path: Path) -> None:
    classifier = Classifier((1, 12, 10), 3, name="mine")
    path = tmp_path / "classifier.safetensors"
    path.write_bytes(pack_classifier(classifier))
    back = load_classifier(str(path))
    assert (back.name, back.classes, back.image_shape) == ("mine", 3, (1, 12, 10))
    assert back.digest() == classifier.digest()
    assert torch.equal(back.features(images), classifier.features(images))


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "classifier.safetensors"
    write_tensors({"a": torch.zeros(2)}, {}, path)
    with pytest.raises(FileError, match="holds no classifier"):
        read_classifier(path)
    path.write_bytes(pack_classifier(Classifier((1, 12, 10), 3)))
    tensors, metadata = read_tensors(path)
    facts = json.loads(metadata["classifier"])
    for changes, said in (
        ({}, facts | {"classes": 4}),
        ({}, facts | {"classes": "many"}),
        ({}, facts | {"image_shape": [1, 4, 4]}),
        ({}, {"name": "x"}),
        ({"head.bias": torch.zeros(2)}, facts),
        ({"more": torch.zeros(2)}, facts),
    ):
        write_tensors(tensors | changes, {"classifier": json.dumps(said)}, path)
        with pytest.raises(FileError, match="does not hold a valid classifier"):
            read_classifier(path)
    write_tensors(tensors | {"head.bias": torch.full((3,), torch.nan)}, metadata, path)
    with pytest.raises(FileError, match="NaN or infinite"):
        read_classifier(path)
    with pytest.raises(ArgumentError, match="no shipped classifier 'letters'"):
        load_classifier("letters")


def test_what_does_not_fit_is_refused(images: Tensor, labels: Tensor) -> None:
    with pytest.raises(ShapeError, match="one label for each"):
        train_classifier(images, labels[1:], SMALL)
    with pytest.raises(ShapeError, match="sides of at least 8"):
        train_classifier(images[..., :7], labels, SMALL)
    with pytest.raises(ShapeError, match="inpaint train-classifier"):
        Classifier((1, 28, 28), 3).features(images)


def test_the_shipped_classifier_is_small_and_has_a_card() -> None:
    assert classifier_names() == ("digits",)
    folder = resources.files("inpaint.generators.pretrained") / "classifiers"
    assert len((folder / "digits.safetensors").read_bytes()) < 200_000
    assert "inpaint train-classifier" in classifier_card("digits")


@pytest.mark.slow
def test_the_shipped_classifier_reads_held_out_handwriting(data_dir: Path) -> None:
    held_out = read_labelled(
        data_dir / "train-images-idx3-ubyte.gz",
        data_dir / "train-labels-idx1-ubyte.gz",
        part=slice(-10_000, None),
    )
    assert accuracy(load_classifier("digits"), *held_out) == pytest.approx(0.9884, abs=2e-4)
