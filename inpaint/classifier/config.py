"""The settings of a classifier's training and their defaults."""

from __future__ import annotations

from dataclasses import dataclass

from inpaint.checks import MOST_STEPS, check_integer, check_number, check_training


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig:
    """How to train a classifier.

    Attributes:
        steps: Steps of the training.
        batch_size: Images in a step.
        learning_rate: Highest learning rate; a short warm-up, then a cosine down to 1 %.
        augmentation: Strength of the random rotations, slants, stretches, shifts and bends of the
            training images. 0 leaves them unchanged: a classifier that reads distorted images
            would accept distorted samples too.
        average: Share of the old value in the running average of the weights, which is the
            classifier that is returned; 0 returns the last weights.
        seed: Seed of all random numbers.
        device: Torch device: "cpu", "cuda", "cuda:1".
        checkpoint_every: Steps from one checkpoint to the next.
        name: Name of the classifier.
    """

    steps: int = 2000
    batch_size: int = 128
    learning_rate: float = 2e-3
    augmentation: float = 0.0
    average: float = 0.99
    seed: int = 0
    device: str = "cpu"
    checkpoint_every: int = 500
    name: str = "classifier"

    def __post_init__(self) -> None:
        check_training(self)
        check_integer("steps", self.steps, 1, MOST_STEPS)
        check_number("learning_rate", self.learning_rate, positive=True)
