"""The settings of an inpainting network's training and their defaults."""

from __future__ import annotations

from dataclasses import dataclass

from inpaint.checks import MOST_STEPS, check_between, check_integer, check_number, check_training
from inpaint.errors import ArgumentError

GROUPS = 8
"""Groups of a group normalisation; a width is a multiple of it."""


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """How to train an inpainting network.

    Attributes:
        width: Channels at full resolution, a multiple of 8; there are twice as many at half the
            resolution and four times as many at a quarter.
        steps: Steps of the training.
        batch_size: Damaged images in a step.
        learning_rate: Highest learning rate; a short warm-up, then a cosine down to 1 %.
        weight_decay: Weight decay of AdamW.
        dropout: Share of the channels dropped in a block while training.
        augmentation: Strength of the random rotations, slants, stretches, shifts and bends of the
            training images; 0 leaves them unchanged.
        average: Share of the old value in the running average of the weights, which is the
            network that is returned; 0 returns the last weights.
        seed: Seed of all random numbers.
        device: Torch device: "cpu", "cuda", "cuda:1".
        checkpoint_every: Steps from one checkpoint to the next.
        name: Name of the network.
    """

    width: int = 16
    steps: int = 18_000
    batch_size: int = 48
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    dropout: float = 0.1
    augmentation: float = 1.0
    average: float = 0.999
    seed: int = 0
    device: str = "cpu"
    checkpoint_every: int = 500
    name: str = "network"

    def __post_init__(self) -> None:
        check_training(self)
        check_integer("width", self.width, GROUPS, 1024)
        check_integer("steps", self.steps, 1, MOST_STEPS)
        if self.width % GROUPS:
            raise ArgumentError(f"width is {self.width}; choose a multiple of {GROUPS}.")
        check_number("learning_rate", self.learning_rate, positive=True)
        check_between("weight_decay", self.weight_decay, 0.0, 1e3)
        check_between("dropout", self.dropout, 0.0, 0.9)
