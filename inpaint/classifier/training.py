"""`train_classifier`: learn the class of augmented images."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from inpaint.classifier.config import ClassifierConfig
from inpaint.classifier.model import Classifier
from inpaint.errors import ShapeError
from inpaint.training.augmentation import augment
from inpaint.training.randomness import RandomStream
from inpaint.training.session import TrainingSession, learning_rate, update_average
from inpaint.types import OnProgress

WARMUP = 100
"""Steps over which the learning rate rises at the beginning."""


@dataclass(frozen=True)
class ClassifierResult:
    """A trained classifier and the record of its training.

    Attributes:
        classifier: The running average of the weights.
        record: The whole configuration, the data's digest and size, versions, seconds, and
            under `history` the cross entropy in nats after each hundred steps, ready for JSON.
    """

    classifier: Classifier
    record: dict[str, Any]


def train_classifier(
    images: Tensor,
    labels: Tensor,
    config: ClassifierConfig = ClassifierConfig(),  # noqa: B008 (frozen)
    *,
    on_progress: OnProgress | None = None,
    checkpoint: str | Path | None = None,
) -> ClassifierResult:
    """Train a classifier on images of known classes.

    Args:
        images: Training images, 1 = paper, 0 = ink. [K, C, H, W]
        labels: The class of each, from 0 up. int64 [K]
        config: How to train. The seed repeats a training exactly on the same machine.
        on_progress: Called after each step; if it returns False the training ends there, as
            it does on Ctrl-C, and the classifier as it stands is returned.
        checkpoint: File from which the training resumes if it exists. It is written every
            `checkpoint_every` steps and at the end.

    Raises:
        ShapeError: If `images` is not [K, C, H, W] with at least one image, a side has fewer than
            8 pixels, or there is not one label for each image.
        ArgumentError: If a pixel is outside 0 to 1, the device does not exist, or the
            checkpoint belongs to another training.
        FileError: If the checkpoint cannot be read or written.
    """
    session = _ClassifierTraining(images, labels, config)
    session.run(checkpoint, on_progress)
    return session.result()


def accuracy(classifier: Classifier, images: Tensor, labels: Tensor) -> float:
    """Share of the images [K, C, H, W] that the classifier takes for their label [K]."""
    guesses = classifier.probabilities(images).argmax(1)
    return float((guesses == labels).double().mean())


class _ClassifierTraining(TrainingSession):
    config: ClassifierConfig

    def __init__(self, images: Tensor, labels: Tensor, config: ClassifierConfig) -> None:
        super().__init__(images, config, {"training": config.steps})
        if labels.shape != images.shape[:1]:
            raise ShapeError(
                f"labels has shape {list(labels.shape)}; it must be one label for each of the "
                f"{len(images)} images."
            )
        # A training on other labels is another training.
        content = self.digest.encode() + labels.long().cpu().numpy().tobytes()
        self.digest = hashlib.sha256(content).hexdigest()
        self.labels = labels.long().to(self.images.device)
        channels, height, width = self.images.shape[1:]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            classifier = Classifier(
                (channels, height, width), int(labels.max()) + 1, name=config.name
            )
        self.classifier = classifier.to(self.images.device)
        self.average = copy.deepcopy(self.classifier).requires_grad_(requires_grad=False)
        self.optimizer = torch.optim.Adam(self.classifier.parameters(), lr=config.learning_rate)
        self.modules |= {"classifier": self.classifier, "average": self.average}
        self.optimizers["optimizer"] = self.optimizer

    def advance(self, stage: str, done: int, total: int) -> dict[str, float]:
        """Take one step; see `TrainingSession.advance`."""
        config = self.config
        rng = RandomStream(config.seed, self.step, self.images.device)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(done, total, config.learning_rate, WARMUP)
        numbers = rng.integers(0, len(self.images), config.batch_size)
        images = augment(self.images[numbers], rng, config.augmentation)
        loss = functional.cross_entropy(self.classifier(images), self.labels[numbers])
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer.step()
        update_average(self.average, self.classifier, config.average, self.step)
        return {"loss": float(loss.detach())}

    def result(self) -> ClassifierResult:
        """The averaged classifier, and the record."""
        return ClassifierResult(copy.deepcopy(self.average).cpu().eval(), self.record())
