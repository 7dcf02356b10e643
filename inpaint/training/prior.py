"""The prior: G(z) of a standard normal z must be an image of the kind that is restored.

Training that only lowers the error of restored images breaks that: the vectors found for images
spread further than standard normal ones, so a random z gives no image. A Gaussian fitted to them,
z = m + L u, is a linear map and folds into the first layer: G(m + L u) has the same layers, and
the vectors u of images have mean 0 and covariance I, times a spread if that is wanted.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from inpaint.training import inversion
from inpaint.training.augmentation import Damaged
from inpaint.training.config import TrainConfig
from inpaint.training.decoder import to_generator
from inpaint.training.randomness import RandomStream

FOLD_IMAGES = 1500
"""Most training images whose latent vectors are searched for the fit."""

FOLD_RESTARTS = 2
FOLD_STEPS = 4
"""Levenberg-Marquardt steps after each search."""

FOLD_BATCH = 250

SMALLEST_VARIANCE = 1e-4
"""Directions that the images do not use keep this variance, so that L can be inverted."""


def fold_prior(
    decoder: nn.Sequential, images: Tensor, config: TrainConfig, rng: RandomStream
) -> None:
    """Change the first layer so that latent vectors of images have mean 0 and one variance.

    The images that the decoder can draw stay the same.

    Args:
        decoder: Dense layers, changed in place.
        images: Training images, 1 = paper. [K, C, H, W]
        config: Sizes, activation, and the vectors' standard deviation `sample_spread`.
        rng: Random numbers: which images, and where their searches start.
    """
    picked = images[rng.permutation(len(images))[:FOLD_IMAGES]]
    latents = torch.cat(
        [find_latents(decoder, part, config, rng) for part in picked.split(FOLD_BATCH)]
    )
    mean, covariance = latents.mean(0), torch.cov(latents.T, correction=0)
    variances, directions = torch.linalg.eigh(covariance)
    scale = variances.clamp(min=SMALLEST_VARIANCE).sqrt() / config.sample_spread
    first = cast(nn.Linear, decoder[0])
    with torch.no_grad():
        first.bias.add_(first.weight @ mean)
        # The symmetric root moves the vectors least.
        first.weight.copy_(first.weight @ (directions * scale) @ directions.T)


def find_latents(
    decoder: nn.Sequential, images: Tensor, config: TrainConfig, rng: RandomStream
) -> Tensor:
    """Latent vectors of lowest J for undamaged images [B, C, H, W]. [B, D]"""
    pixels = images.flatten(1)
    whole = Damaged(pixels, pixels, torch.ones_like(pixels))
    channels, height, width = images.shape[1:]
    generator = to_generator(decoder, config, (channels, height, width))
    starts = inversion.search(generator, whole, rng, FOLD_RESTARTS)
    return inversion.refine(decoder, starts, whole, FOLD_STEPS)
