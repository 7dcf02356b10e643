"""`train`: two stages of steps, with progress, checkpoints that resume, and a record."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from inpaint.generators import Generator
from inpaint.training import activity, inversion, paper
from inpaint.training.adversarial import Adversarial
from inpaint.training.augmentation import augment
from inpaint.training.config import TrainConfig
from inpaint.training.damage import damage
from inpaint.training.networks import make_decoder, to_generator
from inpaint.training.randomness import Draws
from inpaint.training.schedule import follow, learning_rate
from inpaint.training.session import Course
from inpaint.training.variational import Variational

RISE = 100
"""Steps over which the learning rate rises at the beginning of a stage."""

LARGEST_GRADIENT = 7.0
"""The second stage shortens longer gradients: at a kink of J one image can give any length."""


@dataclass(frozen=True)
class TrainProgress:
    """How far a training is.

    Attributes:
        stage: "objective" or "inversion".
        step: Steps done in all.
        steps: Steps of both stages.
        losses: Losses of this step by name: "variational" and "critic" in nats or the
            critic's units, "inversion" as the mean squared error of the lost pixels,
            "paper" as squared ink, "active_share" as the highest share itself.
        seconds: Time since the training began or went on.
    """

    stage: str
    step: int
    steps: int
    losses: dict[str, float]
    seconds: float


@dataclass(frozen=True)
class TrainResult:
    """A trained generator and the record of its training.

    Attributes:
        generator: Its card holds what the record says in short.
        record: The whole configuration, the data's digest and size, versions, seconds, and
            under `history` the losses after each hundred steps; JSON holds all of it.
    """

    generator: Generator
    record: dict[str, Any]


OnProgress = Callable[[TrainProgress], bool | None]


def train(
    images: Tensor,
    config: TrainConfig = TrainConfig(),  # noqa: B008 (frozen)
    *,
    on_progress: OnProgress | None = None,
    checkpoint: str | Path | None = None,
) -> TrainResult:
    """Train a generator on images.

    Args:
        images: Training images, 1 = paper, 0 = ink. [K, C, H, W]
        config: How to train. The seed repeats a training exactly on the same machine.
        on_progress: Called after each step; if it returns False the training ends there, as
            it does on Ctrl-C, and the generator as it stands is returned.
        checkpoint: File from which the training goes on if it exists, and that is written
            every `checkpoint_every` steps and at the end.

    Raises:
        ShapeError: If `images` is not [K, C, H, W] with at least one image.
        ArgumentError: If a pixel is outside 0 to 1, the device does not exist, or the
            checkpoint is of another training.
        FileError: If the checkpoint cannot be read or written.
    """
    training = _Training(images, config)
    training.run(checkpoint, on_progress)
    return training.result()


class _Training(Course[TrainProgress]):
    """A training under way."""

    config: TrainConfig

    def __init__(self, images: Tensor, config: TrainConfig) -> None:
        super().__init__(images, config, config.total_steps)
        channels, height, width = self.images.shape[1:]
        self.image_shape = (channels, height, width)
        self.empty = paper.empty_pixels(self.images)
        pixels = math.prod(self.image_shape)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            decoder = make_decoder(config, self.images.mean(0).flatten().cpu())
            self.decoder = decoder.to(self.images.device)
            self.variational = self.adversarial = None
            if config.is_variational:
                self.variational = Variational(config, pixels).to(self.images.device)
            if config.is_adversarial:
                self.adversarial = Adversarial(config, pixels).to(self.images.device)
        self.average = copy.deepcopy(self.decoder).requires_grad_(requires_grad=False)
        learned = [self.decoder] if self.variational is None else [self.decoder, self.variational]
        self.parameters = [x for module in learned for x in module.parameters()]
        self.optimizers["optimizer"] = self._optimizer(self.parameters)
        self.modules |= {"decoder": self.decoder, "average": self.average}
        if self.variational is not None:
            self.modules["variational"] = self.variational
        if self.adversarial is not None:
            self.modules["adversarial"] = self.adversarial
            critic = list(self.adversarial.parameters())
            self.optimizers["critic_optimizer"] = self._optimizer(critic)

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        # A critic's verdict changes as it learns, so its past gradients mislead.
        first = 0.5 if self.config.is_adversarial else 0.9
        return torch.optim.Adam(parameters, lr=self.config.learning_rate, betas=(first, 0.999))

    def advance(self) -> TrainProgress:
        """Take one step."""
        config = self.config
        inverting = self.step >= config.steps
        draws = Draws(config.seed, self.step, self.images.device)
        rate = self._learning_rate()
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = rate
        losses = self._critic_steps(draws)
        total, terms = self._objective(draws)
        met = None
        if inverting:
            error, terms["inversion"], met = self._inversion(draws)
            total = error + config.objective_weight * total
        if met is not None and config.paper_weight > 0:
            random = draws.normal(paper.RANDOM, config.latent_size)
            terms["paper"] = paper.loss(self.decoder, [random, met], self.empty)
            total = total + config.paper_weight * terms["paper"]
        if config.active_share < 1:
            shares = self._active_shares(met, draws)
            total = total + activity.loss(shares, config.active_share)
            terms["active_share"] = shares.max()
        optimizer = self.optimizers["optimizer"]
        optimizer.zero_grad()
        torch.autograd.backward(total)
        if inverting:
            nn.utils.clip_grad_norm_(self.parameters, LARGEST_GRADIENT)
        optimizer.step()
        follow(self.average, self.decoder, config.average, self.step)
        self.step += 1
        losses |= {name: float(term.detach()) for name, term in terms.items()}
        self.remember(losses)
        stage = "inversion" if inverting else "objective"
        return TrainProgress(stage, self.step, self.steps, losses, self.elapsed)

    def _batch(self, draws: Draws, size: int) -> Tensor:
        """Augmented training images [size, C, H, W]."""
        numbers = draws.integers(0, len(self.images), size)
        return augment(self.images[numbers], draws, self.config.augmentation)

    def _critic_steps(self, draws: Draws) -> dict[str, float]:
        """Let the critic learn from several batches."""
        if self.adversarial is None:
            return {}
        optimizer = self.optimizers["critic_optimizer"]
        for _ in range(self.config.critic_steps):
            images = self._batch(draws, self.config.batch_size).flatten(1)
            loss = self.adversarial.critic_loss(self.decoder, images, draws)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        return {"critic": float(loss.detach())}

    def _objective(self, draws: Draws) -> tuple[Tensor, dict[str, Tensor]]:
        """The objective's loss, in the second stage in units of squared error."""
        config = self.config
        inverting = self.step >= config.steps
        size = config.inversion_batch if inverting else config.batch_size
        total = torch.zeros((), device=self.images.device)
        terms: dict[str, Tensor] = {}
        if self.variational is not None:
            images = self._batch(draws, size).flatten(1)
            terms["variational"] = self.variational.loss(self.decoder, images, draws)
            total = total + terms["variational"]
        if self.adversarial is not None:
            terms["adversarial"] = self.adversarial.loss(self.decoder, size, draws)
            weight = config.adversarial_weight if self.variational is not None else 1.0
            total = total + weight * terms["adversarial"]
        if inverting and self.variational is not None:
            total = total * 2 * self.variational.variance.detach()
        return total, terms

    def _inversion(self, draws: Draws) -> tuple[Tensor, Tensor, Tensor]:
        """The restoration error of a batch of damaged images, its figure, and where it is."""
        images = self._batch(draws, self.config.inversion_batch)
        damaged = damage(images, draws)
        generator = to_generator(self.decoder, self.config, self.image_shape)
        found = inversion.search(generator, damaged, draws, self.config.inversion_restarts)
        latents = inversion.polish(self.decoder, found, damaged)
        return *inversion.loss(self.decoder, latents, damaged), latents

    def _active_shares(self, met: Tensor | None, draws: Draws) -> Tensor:
        """Shares of active hidden units at random latent vectors and at those of the search."""
        random = draws.normal(self.config.batch_size, self.config.latent_size)
        # Apart, since the search ends where more units are on than at random.
        places = [random] if met is None else [random, met]
        return torch.stack([activity.active_share(self.decoder, place) for place in places])

    def _learning_rate(self) -> float:
        """A short rise, then a cosine: of each stage anew."""
        config = self.config
        if self.step < config.steps:
            step, steps, highest = self.step, config.steps, config.learning_rate
        else:
            step, steps = self.step - config.steps, config.inversion_steps
            highest = config.inversion_learning_rate
        return learning_rate(step, steps, highest, RISE)

    def result(self) -> TrainResult:
        """The averaged generator, and the record."""
        config = self.config
        card = {
            "objective": config.objective,
            "steps": f"{min(self.step, config.steps)} + {max(0, self.step - config.steps)}",
            "seed": str(config.seed),
            "data": f"{len(self.images)} images, sha256 {self.digest}",
        }
        generator = to_generator(self.average, config, self.image_shape, card=card)
        generator = generator.to(dtype=torch.float32, device="cpu")
        shape = {"sha256": generator.digest(), "shape": list(self.image_shape)}
        return TrainResult(generator, self.record() | {"generator": shape})
