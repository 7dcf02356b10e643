"""`train_network`: learn to restore damaged training images."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from inpaint.network.config import NetworkConfig
from inpaint.network.model import InpaintingNetwork
from inpaint.training.augmentation import augment, damage, mixed_masks
from inpaint.training.inversion import restoration_errors
from inpaint.training.randomness import RandomStream
from inpaint.training.session import TrainingSession, learning_rate, update_average
from inpaint.types import OnProgress

WARMUP = 200
"""Steps over which the learning rate rises at the beginning."""

MAX_GRADIENT_NORM = 1.0

OBSERVED_WEIGHT = 0.1
"""Weight of the observed pixels' error, relative to that of the lost ones."""


@dataclass(frozen=True)
class NetworkResult:
    """A trained network and the record of its training.

    Attributes:
        network: The running average of the weights.
        record: The whole configuration, the data's digest and size, versions, seconds, and
            under `history` the mean squared error of the lost pixels after each hundred steps,
            ready for JSON.
    """

    network: InpaintingNetwork
    record: dict[str, Any]


def train_network(
    images: Tensor,
    config: NetworkConfig = NetworkConfig(),  # noqa: B008 (frozen)
    *,
    on_progress: OnProgress | None = None,
    checkpoint: str | Path | None = None,
) -> NetworkResult:
    """Train an inpainting network on images that are damaged by noise and random masks.

    Args:
        images: Training images, 1 = paper, 0 = ink; sides that are multiples of 4. [K, C, H, W]
        config: How to train. The seed repeats a training exactly on the same machine.
        on_progress: Called after each step; if it returns False the training ends there, as
            it does on Ctrl-C, and the network as it stands is returned.
        checkpoint: File from which the training resumes if it exists. It is written every
            `checkpoint_every` steps and at the end.

    Raises:
        ShapeError: If `images` is not [K, C, H, W] with at least one image, or a side is not a
            multiple of 4.
        ArgumentError: If a pixel is outside 0 to 1, the device does not exist, or the
            checkpoint belongs to another training.
        FileError: If the checkpoint cannot be read or written.
    """
    session = _NetworkTraining(images, config)
    session.run(checkpoint, on_progress)
    return session.result()


class _NetworkTraining(TrainingSession):
    config: NetworkConfig

    def __init__(self, images: Tensor, config: NetworkConfig) -> None:
        super().__init__(images, config, {"training": config.steps})
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

    def advance(self, stage: str, done: int, total: int) -> dict[str, float]:
        """Take one step; see `TrainingSession.advance`."""
        config = self.config
        rng = RandomStream(config.seed, self.step, self.images.device)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(done, total, config.learning_rate, WARMUP)
        numbers = rng.integers(0, len(self.images), config.batch_size)
        images = augment(self.images[numbers], rng, config.augmentation)
        damaged = damage(images, rng, mixed_masks)
        self.network.train()
        # Dropout uses torch's global generator, so that one is seeded for this step alone.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.integers(0, 2**62, 1)))
            restored = self.network(
                damaged.values.view_as(images), damaged.observed.view_as(images)
            ).flatten(1)
        errors, lost = restoration_errors(restored, damaged, observed_weight=OBSERVED_WEIGHT)
        self.optimizer.zero_grad()
        torch.autograd.backward(errors.mean())
        nn.utils.clip_grad_norm_(self.network.parameters(), MAX_GRADIENT_NORM)
        self.optimizer.step()
        update_average(self.average, self.network, config.average, self.step)
        return {"loss": float(lost.detach().mean())}

    def result(self) -> NetworkResult:
        """The averaged network, and the record."""
        return NetworkResult(copy.deepcopy(self.average).cpu().eval(), self.record())
