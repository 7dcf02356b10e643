"""The settings of a generator's training and their defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from inpaint.checks import (
    MOST_STEPS,
    check_between,
    check_choice,
    check_integer,
    check_training,
)
from inpaint.errors import ArgumentError

ObjectiveName = Literal["adversarial", "variational", "hybrid"]
ActivationName = Literal["relu", "leaky_relu", "tanh"]

OBJECTIVES: tuple[str, ...] = get_args(ObjectiveName)
ACTIVATIONS: tuple[str, ...] = get_args(ActivationName)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How to train a generator of dense layers.

    Attributes:
        objective: "variational" (an autoencoder with a learned output variance),
            "adversarial" (a critic with a gradient penalty) or "hybrid", the sum of both.
        latent_size: Number of latent dimensions D.
        hidden: Sizes of the hidden layers, from the latent vector to the image.
        activation: Activation of the hidden layers; the last layer ends in a sigmoid.
        steps: Steps of the first stage, which trains on the objective alone; 0 skips it, for a
            training that starts from a generator.
        inversion_steps: Steps of the second stage, which also lowers the error of damaged images
            that are restored by searching the latent space; 0 skips it.
        batch_size: Images in a step of the first stage.
        inversion_batch: Damaged images restored in a step of the second stage.
        inversion_restarts: Starting points of the latent search for each of them.
        learning_rate: Highest learning rate of the first stage; a short warm-up, then a cosine
            down to 1 %.
        inversion_learning_rate: Highest learning rate of the second stage, which has a warm-up
            and a cosine of its own.
        encoder_hidden: Sizes of the encoder's hidden layers (variational, hybrid).
        critic_hidden: Sizes of the critic's hidden layers (adversarial, hybrid).
        critic_steps: Steps of the critic for each step of the generator.
        gradient_penalty: Weight of the critic's gradient penalty.
        adversarial_weight: Weight of the critic's score in the hybrid objective, in nats.
        objective_weight: Weight of the objective relative to the restoration error in the second
            stage; it keeps G(z) an image for every z. 0 leaves the objective out.
        sample_weight: Weight, in the second stage, of the energy distance between samples and
            training images; it makes samples look like these.
        sample_spread: Standard deviation of the latent vectors of these samples. Those far out
            give the most broken images, so with 1.25 samples at random vectors (of standard
            deviation 1) are cleaner, and a little less varied than the training images.
        paper_weight: Weight, in the second stage, of squared ink at pixels that hardly any training
            image inks; without it faint dots can appear on empty paper.
        active_share: Limit on the mean share of active hidden units, at random latent vectors and
            at restored ones; larger shares are penalised (ReLU only). Fewer active units are
            faster to search, since the C++ kernels skip the others; 1 sets no limit.
        augmentation: Strength of the random rotations, slants, stretches, shifts and bends of the
            training images; 0 leaves them unchanged.
        average: Share of the old value in the running average of the weights, which is the
            generator that is returned; 0 returns the last weights.
        seed: Seed of all random numbers.
        device: Torch device: "cpu", "cuda", "cuda:1".
        checkpoint_every: Steps from one checkpoint to the next.
        name: Name of the generator.
    """

    objective: ObjectiveName = "variational"
    latent_size: int = 10
    hidden: tuple[int, ...] = (128,)
    activation: ActivationName = "relu"
    steps: int = 6000
    inversion_steps: int = 1000
    batch_size: int = 128
    inversion_batch: int = 64
    inversion_restarts: int = 4
    learning_rate: float = 1e-3
    inversion_learning_rate: float = 1e-3
    encoder_hidden: tuple[int, ...] = (512, 256)
    critic_hidden: tuple[int, ...] = (512, 256)
    critic_steps: int = 3
    gradient_penalty: float = 10.0
    adversarial_weight: float = 20.0
    objective_weight: float = 0.03
    sample_weight: float = 0.0
    sample_spread: float = 1.0
    paper_weight: float = 10.0
    active_share: float = 1.0
    augmentation: float = 1.0
    average: float = 0.999
    seed: int = 0
    device: str = "cpu"
    checkpoint_every: int = 500
    name: str = "generator"

    def __post_init__(self) -> None:
        check_choice("objective", self.objective, OBJECTIVES)
        check_choice("activation", self.activation, ACTIVATIONS)
        check_training(self)
        for name, low, high in (
            ("latent_size", 1, 4096),
            ("steps", 0, MOST_STEPS),
            ("inversion_steps", 0, MOST_STEPS),
            ("inversion_batch", 1, 1_000_000),
            ("inversion_restarts", 1, 1000),
            ("critic_steps", 1, 1000),
        ):
            check_integer(name, getattr(self, name), low, high)
        if self.steps == self.inversion_steps == 0:
            raise ArgumentError(
                "steps and inversion_steps are both 0, so nothing would be trained; set one of "
                "them."
            )
        for name in ("hidden", "encoder_hidden", "critic_hidden"):
            sizes = getattr(self, name)
            if not isinstance(sizes, tuple):
                raise ArgumentError(f"{name} is {sizes!r}; it must be a tuple, such as (128,).")
            for size in sizes:
                check_integer(f"a size in {name}", size, 1, 65536)
        for name, lowest, highest in (
            ("learning_rate", 1e-12, 10.0),
            ("inversion_learning_rate", 1e-12, 10.0),
            ("gradient_penalty", 0.0, 1e6),
            ("adversarial_weight", 0.0, 1e6),
            ("objective_weight", 0.0, 1e6),
            ("sample_weight", 0.0, 1e6),
            ("sample_spread", 0.1, 10.0),
            ("paper_weight", 0.0, 1e6),
            ("active_share", 0.01, 1.0),
        ):
            check_between(name, getattr(self, name), lowest, highest)
        if self.active_share < 1 and self.activation != "relu":
            raise ArgumentError(
                f"active_share is {self.active_share} with activation {self.activation!r}, whose "
                "units are always active; choose relu, or active_share 1."
            )

    @property
    def is_variational(self) -> bool:
        """Whether an encoder is trained too."""
        return self.objective in ("variational", "hybrid")

    @property
    def is_adversarial(self) -> bool:
        """Whether a critic is trained too."""
        return self.objective in ("adversarial", "hybrid")
