"""The two objectives of a generator's training, each with the network that it needs.

Sources: variational, Kingma and Welling 2014, "Auto-Encoding Variational Bayes", equation 10,
with one learned output variance as in Rybkin, Daniilidis and Levine 2021, "Simple and effective
VAE training with calibrated decoders"; adversarial, Gulrajani et al. 2017, "Improved Training of
Wasserstein GANs", algorithm 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from inpaint.training.config import TrainConfig
from inpaint.training.decoder import LEAKY_SLOPE
from inpaint.training.randomness import RandomStream

INPUT_NOISE = 0.1
"""Standard deviation of the noise added to the images that the encoder sees."""


class VariationalObjective(nn.Module):
    """An encoder and the output variance, which are trained with the decoder.

    Args:
        config: Sizes.
        pixels: Number of pixels P.
    """

    def __init__(self, config: TrainConfig, pixels: int) -> None:
        super().__init__()
        self.encoder = _make_perceptron([pixels, *config.encoder_hidden, 2 * config.latent_size])
        self.log_sigma = nn.Parameter(torch.tensor(-2.0))

    @property
    def variance(self) -> Tensor:
        """Variance of a pixel about the decoder's output."""
        return (2 * self.log_sigma).exp()

    def loss(self, decoder: nn.Module, images: Tensor, rng: RandomStream) -> Tensor:
        """Negative evidence lower bound, without the constant P/2 log 2 pi.

        Args:
            decoder: Maps latent vectors to pixels.
            images: 1 = paper. [B, P]
            rng: Random numbers of this step.

        Returns:
            Mean over the images, in nats. []
        """
        noisy = images + INPUT_NOISE * rng.normal(*images.shape)
        mean, log_variance = self.encoder(1 - noisy).chunk(2, dim=1)
        # Beyond these bounds exp overflows, and nothing is gained.
        log_variance = log_variance.clamp(-12, 4)
        latents = mean + rng.normal(*mean.shape) * (log_variance / 2).exp()
        misfit = (decoder(latents) - images).square().sum(1)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        reconstruction = 0.5 * misfit / self.variance + images.shape[1] * self.log_sigma
        loss: Tensor = (reconstruction + divergence).mean()
        return loss


class AdversarialObjective(nn.Module):
    """A critic that learns to tell generated images from real ones.

    Args:
        config: Sizes and the weight of the gradient penalty.
        pixels: Number of pixels P.
    """

    def __init__(self, config: TrainConfig, pixels: int) -> None:
        super().__init__()
        self.critic = _make_perceptron([pixels, *config.critic_hidden, 1], slope=LEAKY_SLOPE)
        self._latent_size = config.latent_size
        self._penalty = config.gradient_penalty

    def critic_loss(self, decoder: nn.Module, images: Tensor, rng: RandomStream) -> Tensor:
        """Loss of the critic: low if real images score high, with a gradient of length 1.

        Args:
            decoder: Maps latent vectors to pixels.
            images: Real images. [B, P]
            rng: Random numbers of this step.

        Returns:
            Mean over the images. []
        """
        with torch.no_grad():
            generated = decoder(rng.normal(len(images), self._latent_size))
        between = torch.lerp(images, generated, rng.uniform(len(images), 1)).requires_grad_()
        (gradient,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        penalty = (gradient.norm(dim=1) - 1).square().mean()
        gap = (self.critic(generated) - self.critic(images)).mean()
        loss: Tensor = gap + self._penalty * penalty
        return loss

    def loss(self, decoder: nn.Module, batch: int, rng: RandomStream) -> Tensor:
        """Loss of the decoder: low if the critic scores its images high.

        Args:
            decoder: Maps latent vectors to pixels.
            batch: Number of images to generate.
            rng: Random numbers of this step.

        Returns:
            Mean over the images. []
        """
        loss: Tensor = -self.critic(decoder(rng.normal(batch, self._latent_size))).mean()
        return loss


def _make_perceptron(sizes: Sequence[int], *, slope: float = 0.0) -> nn.Sequential:
    """Dense layers with ReLU, or leaky ReLU, between them and nothing after the last."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(slope)]
    return nn.Sequential(*layers[:-1])
