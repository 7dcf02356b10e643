"""The adversarial objective: a critic that tells drawn images from real ones.

Source: Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", algorithm 1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inpaint.training.config import TrainConfig
from inpaint.training.networks import LEAKY_SLOPE, make_perceptron
from inpaint.training.randomness import Draws


class Adversarial(nn.Module):
    """The critic, which is trained against the decoder.

    Args:
        config: Sizes and the weight of the gradient penalty.
        pixels: Number of pixels P.
    """

    def __init__(self, config: TrainConfig, pixels: int) -> None:
        super().__init__()
        self.critic = make_perceptron([pixels, *config.critic_hidden, 1], slope=LEAKY_SLOPE)
        self._latent_size = config.latent_size
        self._penalty = config.gradient_penalty

    def critic_loss(self, decoder: nn.Module, images: Tensor, draws: Draws) -> Tensor:
        """What the critic lowers: it rates real images above drawn ones, with slope 1.

        Args:
            decoder: Maps latent vectors to pixels.
            images: Real images. [B, P]
            draws: Randomness of this step.

        Returns:
            Mean over the images. []
        """
        with torch.no_grad():
            drawn = decoder(draws.normal(len(images), self._latent_size))
        between = torch.lerp(images, drawn, draws.uniform(len(images), 1)).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        penalty = (slope.norm(dim=1) - 1).square().mean()
        loss: Tensor = (self.critic(drawn) - self.critic(images)).mean() + self._penalty * penalty
        return loss

    def loss(self, decoder: nn.Module, count: int, draws: Draws) -> Tensor:
        """What the decoder lowers: its images shall be rated high.

        Args:
            decoder: Maps latent vectors to pixels.
            count: Images to draw.
            draws: Randomness of this step.
        """
        loss: Tensor = -self.critic(decoder(draws.normal(count, self._latent_size))).mean()
        return loss
