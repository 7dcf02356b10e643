"""The network that is trained, and its conversion to a `Generator`."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from inpaint.generators import Dense, Generator
from inpaint.training.config import ActivationName, TrainConfig

LEAKY_SLOPE = 0.2


def make_decoder(config: TrainConfig, mean_image: Tensor) -> nn.Sequential:
    """The network that becomes the generator: latent vectors [B, D] to pixels [B, P].

    Its last bias starts at the mean image, so training learns the strokes from the beginning.

    Args:
        config: Sizes and activation.
        mean_image: Mean of the training images. [P]
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise([config.latent_size, *config.hidden]):
        layers += [nn.Linear(inputs, outputs), _activation(config.activation)]
    last = nn.Linear((config.latent_size, *config.hidden)[-1], len(mean_image))
    with torch.no_grad():
        last.bias.copy_(mean_image.clamp(0.02, 0.98).logit())
    return nn.Sequential(*layers, last, nn.Sigmoid())


def _activation(name: ActivationName) -> nn.Module:
    match name:
        case "relu":
            return nn.ReLU()
        case "leaky_relu":
            return nn.LeakyReLU(LEAKY_SLOPE)
        case "tanh":
            return nn.Tanh()


def to_generator(
    decoder: nn.Sequential,
    config: TrainConfig,
    image_shape: tuple[int, int, int],
    *,
    card: Mapping[str, str] | None = None,
) -> Generator:
    """A generator with a copy of the decoder's current weights."""
    affine = [layer for layer in decoder if isinstance(layer, nn.Linear)]
    layers = [
        Dense(
            layer.weight.detach().clone(),
            layer.bias.detach().clone(),
            config.activation if layer is not affine[-1] else "sigmoid",
            negative_slope=LEAKY_SLOPE,
        )
        for layer in affine
    ]
    return Generator(tuple(layers), image_shape, name=config.name, card=card or {})
