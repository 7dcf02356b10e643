"""`train`: two stages of steps, with progress, checkpoints that resume, and a record."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from inpaint.errors import ShapeError
from inpaint.generators import Generator
from inpaint.generators.kind import CARD_ENTRY, CONTENTS
from inpaint.training import distribution, inversion, penalties
from inpaint.training.augmentation import augment, damage
from inpaint.training.config import TrainConfig
from inpaint.training.data import check_images
from inpaint.training.decoder import load_weights, make_decoder, to_generator
from inpaint.training.objectives import AdversarialObjective, VariationalObjective
from inpaint.training.prior import fold_prior
from inpaint.training.randomness import RandomStream
from inpaint.training.session import TrainingSession, learning_rate, update_average
from inpaint.types import OnProgress

WARMUP = 100
"""Steps over which the learning rate rises at the beginning of a stage."""

MAX_GRADIENT_NORM = 7.0
"""Limit in the second stage: at a kink of J one image's gradient can be arbitrarily long."""


@dataclass(frozen=True)
class TrainResult:
    """A trained generator and the record of its training.

    Attributes:
        generator: The running average of the weights; its card summarises the record.
        record: The whole configuration, the data's digest and size, versions, seconds, and
            under `history` the losses after each hundred steps, ready for JSON. "variational" is
            in nats, "adversarial" and "critic" in the critic's units, "inversion" the mean
            squared error of the lost pixels, "samples" the energy distance, "paper" squared ink,
            "active_share" the highest share of active hidden units.
    """

    generator: Generator
    record: dict[str, Any]


def train(
    images: Tensor,
    config: TrainConfig = TrainConfig(),  # noqa: B008 (frozen)
    *,
    start: Generator | None = None,
    labelled: tuple[Tensor, Tensor] | None = None,
    on_progress: OnProgress | None = None,
    checkpoint: str | Path | None = None,
) -> TrainResult:
    """Train a generator on images.

    Args:
        images: Training images, 1 = paper, 0 = ink. [K, C, H, W]
        config: How to train. The seed repeats a training exactly on the same machine.
        start: Generator to train on from, with the layers that `config` asks for. First its
            latent space is scaled and shifted so that the vectors of training images are
            distributed like random ones (`fold_prior`). None starts from random weights.
        labelled: Images [L, C, H, W] and their classes 0, 1, ... [L], of other kinds of images too:
            with `sample_weight` a classifier of them helps to compare samples with images.
        on_progress: Called after each step, in the stages "objective" and "inversion"; if it
            returns False the training ends there, as it does on Ctrl-C, and the generator as it
            stands is returned.
        checkpoint: File from which the training resumes if it exists. It is written every
            `checkpoint_every` steps and at the end.

    Raises:
        ShapeError: If `images` is not [K, C, H, W] with at least one image, or `labelled` does not
            go with it.
        ArgumentError: If a pixel is outside 0 to 1, the device does not exist, `start` has other
            layers, or the checkpoint belongs to another training.
        FileError: If the checkpoint cannot be read or written.
    """
    session = _GeneratorTraining(images, config, start, labelled)
    session.run(checkpoint, on_progress)
    return session.result()


class _GeneratorTraining(TrainingSession):
    config: TrainConfig

    def __init__(
        self,
        images: Tensor,
        config: TrainConfig,
        start: Generator | None,
        labelled: tuple[Tensor, Tensor] | None,
    ) -> None:
        stages = {"objective": config.steps, "inversion": config.inversion_steps}
        super().__init__(images, config, stages, start="" if start is None else start.digest())
        channels, height, width = self.images.shape[1:]
        self.image_shape = (channels, height, width)
        self.labelled = None if labelled is None else _check_labelled(labelled, self.image_shape)
        self.empty = penalties.empty_pixels(self.images)
        pixels = math.prod(self.image_shape)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            decoder = make_decoder(config, self.images.mean(0).flatten().cpu())
            self.decoder = decoder.to(self.images.device)
            if start is not None:
                load_weights(self.decoder, start, config)
            self.variational = self.adversarial = None
            if config.is_variational:
                self.variational = VariationalObjective(config, pixels).to(self.images.device)
            if config.is_adversarial:
                self.adversarial = AdversarialObjective(config, pixels).to(self.images.device)
            self.distance = None
            if config.sample_weight > 0:
                classes = 0 if labelled is None else int(labelled[1].max()) + 1
                distance = distribution.SampleDistance(self.image_shape, len(self.images), classes)
                self.distance = distance.to(self.images.device)
        self.average = copy.deepcopy(self.decoder).requires_grad_(requires_grad=False)
        learned = [self.decoder] if self.variational is None else [self.decoder, self.variational]
        self.parameters = [x for module in learned for x in module.parameters()]
        self.optimizers["optimizer"] = self._optimizer(self.parameters)
        self.modules |= {"decoder": self.decoder, "average": self.average}
        if self.variational is not None:
            self.modules["variational"] = self.variational
        if self.distance is not None:
            self.modules["distance"] = self.distance
        if self.adversarial is not None:
            self.modules["adversarial"] = self.adversarial
            critic = list(self.adversarial.parameters())
            self.optimizers["critic_optimizer"] = self._optimizer(critic)

    def _optimizer(self, parameters: list[nn.Parameter]) -> Optimizer:
        # The critic's gradients change as it learns, so past ones mislead: use less momentum.
        momentum = 0.5 if self.config.is_adversarial else 0.9
        return torch.optim.Adam(parameters, lr=self.config.learning_rate, betas=(momentum, 0.999))

    def advance(self, stage: str, done: int, total: int) -> dict[str, float]:
        """Take one step; see `TrainingSession.advance`."""
        config = self.config
        inverting = stage == "inversion"
        rng = RandomStream(config.seed, self.step, self.images.device)
        if self.start and self.step == 0:
            fold_prior(self.decoder, self.images, config, rng)
            self.average.load_state_dict(self.decoder.state_dict())
        if self.distance is not None and inverting and done == 0:
            self.distance.fit(self.images, self.labelled, rng)
        highest = config.inversion_learning_rate if inverting else config.learning_rate
        rate = learning_rate(done, total, highest, WARMUP)
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = rate
        losses = self._train_critic(rng)
        loss = torch.zeros((), device=self.images.device)
        terms: dict[str, Tensor] = {}
        if not inverting or config.objective_weight > 0:
            loss, terms = self._objective_loss(rng, inverting=inverting)
        found = None
        if inverting:
            error, terms["inversion"], found = self._inversion_loss(rng)
            loss = error + config.objective_weight * loss
        if inverting and self.distance is not None:
            latents = config.sample_spread * rng.normal(distribution.BATCH, config.latent_size)
            images = self._batch(rng, distribution.BATCH, distribution.AUGMENTATION).flatten(1)
            terms["samples"] = self.distance(self.decoder(latents), images)
            loss = loss + config.sample_weight * terms["samples"]
        if found is not None and config.paper_weight > 0:
            random = rng.normal(penalties.INK_LATENTS, config.latent_size)
            terms["paper"] = penalties.ink_penalty(self.decoder, [random, found], self.empty)
            loss = loss + config.paper_weight * terms["paper"]
        if config.active_share < 1:
            shares = self._active_shares(found, rng)
            loss = loss + penalties.active_penalty(shares, config.active_share)
            terms["active_share"] = shares.max()
        optimizer = self.optimizers["optimizer"]
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        if inverting:
            nn.utils.clip_grad_norm_(self.parameters, MAX_GRADIENT_NORM)
        optimizer.step()
        update_average(self.average, self.decoder, config.average, self.step)
        return losses | {name: float(term.detach()) for name, term in terms.items()}

    def _batch(self, rng: RandomStream, size: int, strength: float = 1.0) -> Tensor:
        """Training images, augmented with this share of the full strength. [size, C, H, W]"""
        numbers = rng.integers(0, len(self.images), size)
        return augment(self.images[numbers], rng, strength * self.config.augmentation)

    def _train_critic(self, rng: RandomStream) -> dict[str, float]:
        """Take the critic's steps, if there is one, and return its last loss."""
        if self.adversarial is None:
            return {}
        optimizer = self.optimizers["critic_optimizer"]
        for _ in range(self.config.critic_steps):
            images = self._batch(rng, self.config.batch_size).flatten(1)
            loss = self.adversarial.critic_loss(self.decoder, images, rng)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        return {"critic": float(loss.detach())}

    def _objective_loss(
        self, rng: RandomStream, *, inverting: bool
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The objective's loss and its terms; in units of squared error while inverting."""
        config = self.config
        size = config.inversion_batch if inverting else config.batch_size
        total = torch.zeros((), device=self.images.device)
        terms: dict[str, Tensor] = {}
        if self.variational is not None:
            images = self._batch(rng, size).flatten(1)
            terms["variational"] = self.variational.loss(self.decoder, images, rng)
            total = total + terms["variational"]
        if self.adversarial is not None:
            terms["adversarial"] = self.adversarial.loss(self.decoder, size, rng)
            weight = config.adversarial_weight if self.variational is not None else 1.0
            total = total + weight * terms["adversarial"]
        if inverting and self.variational is not None:
            total = total * 2 * self.variational.variance.detach()
        return total, terms

    def _inversion_loss(self, rng: RandomStream) -> tuple[Tensor, Tensor, Tensor]:
        """Loss and squared error of restored images, and the latent vectors found for them."""
        images = self._batch(rng, self.config.inversion_batch)
        damaged = damage(images, rng)
        generator = to_generator(self.decoder, self.config, self.image_shape)
        starts = inversion.search(generator, damaged, rng, self.config.inversion_restarts)
        latents = inversion.refine(self.decoder, starts, damaged)
        return *inversion.loss(self.decoder, latents, damaged), latents

    def _active_shares(self, found: Tensor | None, rng: RandomStream) -> Tensor:
        """Shares of active hidden units, at random latent vectors and at those of the search."""
        random = rng.normal(self.config.batch_size, self.config.latent_size)
        # Limited separately, since more units are active where a search ends.
        latent_sets = [random] if found is None else [random, found]
        return torch.stack([penalties.active_share(self.decoder, each) for each in latent_sets])

    def result(self) -> TrainResult:
        """The averaged generator, and the record."""
        config = self.config
        card = {"start": self.start} if self.start else {}
        card |= {
            "objective": config.objective,
            "steps": f"{min(self.step, config.steps)} + {max(0, self.step - config.steps)}",
            "seed": str(config.seed),
            "data": f"{len(self.images)} images, sha256 {self.digest}",
            # Training images are read with 1 for paper.
            CARD_ENTRY: CONTENTS["dark-ink"],
        }
        generator = to_generator(self.average, config, self.image_shape, card=card)
        generator = generator.to(dtype=torch.float32, device="cpu")
        shape = {"sha256": generator.digest(), "shape": list(self.image_shape)}
        return TrainResult(generator, self.record() | {"generator": shape})


def _check_labelled(
    labelled: tuple[Tensor, Tensor], image_shape: tuple[int, int, int]
) -> tuple[Tensor, Tensor]:
    images, classes = labelled
    check_images(images)
    if images.shape[1:] != image_shape or classes.shape != images.shape[:1]:
        raise ShapeError(
            f"labelled has images {list(images.shape)} and classes {list(classes.shape)}; give "
            f"images [L, {', '.join(map(str, image_shape))}] and as many classes [L]."
        )
    return labelled
