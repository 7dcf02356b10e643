"""The network that is trained, and its conversion to a `Generator`."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from inpaint.errors import ArgumentError
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


def load_weights(decoder: nn.Sequential, start: Generator, config: TrainConfig) -> None:
    """Copy a generator's weights into a decoder of the same layers.

    Args:
        decoder: Changed in place.
        start: The generator.
        config: Sizes and activation, from which the decoder was made.

    Raises:
        ArgumentError: If the layers or the images differ.
    """
    own = to_generator(decoder, config, start.image_shape).layers
    wanted, given = (", ".join(map(repr, layers)) for layers in (own, start.layers))
    if wanted != given or any(
        isinstance(layer, Dense)
        and layer.activation == "leaky_relu"
        and layer.negative_slope != LEAKY_SLOPE
        for layer in start.layers
    ):
        raise ArgumentError(
            f"start is {start.name!r} with the layers {given}; the settings ask for {wanted}. Set "
            "latent_size, hidden and activation to those of start, or choose another start."
        )
    affine = (layer for layer in decoder if isinstance(layer, nn.Linear))
    with torch.no_grad():
        for layer, source in zip(affine, start.layers, strict=True):
            layer.weight.copy_(source.weight)
            layer.bias.copy_(source.bias)


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
