"""`train_network`: damaged training images in, their undamaged forms out."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from inpaint.network.config import NetworkConfig
from inpaint.network.model import InpaintingNetwork
from inpaint.training.augmentation import augment
from inpaint.training.damage import damage, in_many_ways
from inpaint.training.inversion import restoration_errors
from inpaint.training.randomness import Draws
from inpaint.training.schedule import follow, learning_rate
from inpaint.training.session import Course

RISE = 200
"""Steps over which the learning rate rises at the beginning."""

LARGEST_GRADIENT = 1.0
"""Longer gradients are shortened."""

OBSERVED_WEIGHT = 0.1
"""Weight of the observed pixels' error; that of the lost ones weighs 1."""


@dataclass(frozen=True)
class NetworkProgress:
    """How far a training is.

    Attributes:
        step: Steps done.
        steps: Steps in all.
        loss: Mean squared error of the lost pixels in this step.
    """

    step: int
    steps: int
    loss: float


@dataclass(frozen=True)
class NetworkResult:
    """A trained network and the record of its training.

    Attributes:
        network: The running average of the weights.
        record: The whole configuration, the data's digest and size, versions, seconds, and
            under `history` the loss after each hundred steps; JSON holds all of it.
    """

    network: InpaintingNetwork
    record: dict[str, Any]


OnNetworkProgress = Callable[[NetworkProgress], bool | None]


def train_network(
    images: Tensor,
    config: NetworkConfig = NetworkConfig(),  # noqa: B008 (frozen)
    *,
    on_progress: OnNetworkProgress | None = None,
    checkpoint: str | Path | None = None,
) -> NetworkResult:
    """Train an inpainting network on images, damaged in many ways (`inpaint.training.damage`).

    Args:
        images: Training images, 1 = paper, 0 = ink; sides that are multiples of 4. [K, C, H, W]
        config: How to train. The seed repeats a training exactly on the same machine.
        on_progress: Called after each step; if it returns False the training ends there, as
            it does on Ctrl-C, and the network as it stands is returned.
        checkpoint: File from which the training goes on if it exists, and that is written
            every `checkpoint_every` steps and at the end.

    Raises:
        ShapeError: If `images` is not [K, C, H, W] with at least one image, or a side is unfit.
        ArgumentError: If a pixel is outside 0 to 1, the device does not exist, or the
            checkpoint is of another training.
        FileError: If the checkpoint cannot be read or written.
    """
    training = _Training(images, config)
    training.run(checkpoint, on_progress)
    return training.result()


class _Training(Course[NetworkProgress]):
    """A training under way."""

    config: NetworkConfig

    def __init__(self, images: Tensor, config: NetworkConfig) -> None:
        super().__init__(images, config, config.steps)
        channels, height, width = self.images.shape[1:]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            network = InpaintingNetwork(
                (channels, height, width), config.width, dropout=config.dropout, name=config.name
            )
        self.network = network.to(self.images.device)
        self.average = copy.deepcopy(self.network).requires_grad_(requires_grad=False)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.modules |= {"network": self.network, "average": self.average}
        self.optimizers["optimizer"] = self.optimizer

    def advance(self) -> NetworkProgress:
        """Take one step."""
        config = self.config
        draws = Draws(config.seed, self.step, self.images.device)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, config.steps, config.learning_rate, RISE)
        numbers = draws.integers(0, len(self.images), config.batch_size)
        images = augment(self.images[numbers], draws, config.augmentation)
        damaged = damage(images, draws, in_many_ways)
        self.network.train()
        # Dropout draws from torch's own generator, so that is set for this step alone.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(draws.integers(0, 2**62, 1)))
            found = self.network(
                damaged.values.view_as(images), damaged.observed.view_as(images)
            ).flatten(1)
        errors, lost = restoration_errors(found, damaged, observed_weight=OBSERVED_WEIGHT)
        self.optimizer.zero_grad()
        torch.autograd.backward(errors.mean())
        nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        self.optimizer.step()
        follow(self.average, self.network, config.average, self.step)
        self.step += 1
        loss = float(lost.detach().mean())
        self.remember({"loss": loss})
        return NetworkProgress(self.step, self.steps, loss)

    def result(self) -> NetworkResult:
        """The averaged network, and the record."""
        return NetworkResult(copy.deepcopy(self.average).cpu().eval(), self.record())
