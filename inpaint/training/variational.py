"""The variational objective: an autoencoder that learns the variance of its output.

Source: Kingma and Welling 2014, "Auto-Encoding Variational Bayes", equation 10; the output
variance is one learned number, as in Rybkin, Daniilidis and Levine 2021, "Simple and
effective VAE training with calibrated decoders".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from inpaint.training.config import TrainConfig
from inpaint.training.networks import make_perceptron
from inpaint.training.randomness import Draws

INPUT_NOISE = 0.1
"""Standard deviation of the noise that the encoder, and it alone, sees on the images."""


class Variational(nn.Module):
    """Encoder and output variance, which are trained along with the decoder.

    Args:
        config: Sizes.
        pixels: Number of pixels P.
    """

    def __init__(self, config: TrainConfig, pixels: int) -> None:
        super().__init__()
        self.encoder = make_perceptron([pixels, *config.encoder_hidden, 2 * config.latent_size])
        self.log_sigma = nn.Parameter(torch.tensor(-2.0))

    @property
    def variance(self) -> Tensor:
        """Variance of a pixel about the decoder's output."""
        return (2 * self.log_sigma).exp()

    def loss(self, decoder: nn.Module, images: Tensor, draws: Draws) -> Tensor:
        """Negative evidence lower bound, without the constant P/2 log 2 pi.

        Args:
            decoder: Maps latent vectors to pixels.
            images: 1 = paper. [B, P]
            draws: Randomness of this step.

        Returns:
            Mean over the images, in nats. []
        """
        noisy = images + INPUT_NOISE * draws.normal(*images.shape)
        mean, log_variance = self.encoder(1 - noisy).chunk(2, dim=1)
        # Beyond these bounds exp overflows, and nothing is gained.
        log_variance = log_variance.clamp(-12, 4)
        latents = mean + draws.normal(*mean.shape) * (log_variance / 2).exp()
        misfit = (decoder(latents) - images).square().sum(1)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        reconstruction = 0.5 * misfit / self.variance + images.shape[1] * self.log_sigma
        loss: Tensor = (reconstruction + divergence).mean()
        return loss
