"""From a sequence of torch's own layers to a generator as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import nn

from inpaint.errors import ArgumentError, ShapeError
from inpaint.generators.layers import Activation, ConvTranspose, Dense, Layer
from inpaint.generators.stack import Generator
from inpaint.types import ImageShape

_WAY_OUT = "Wrap the module in ModuleGenerator, which takes any."
_IGNORED = (nn.Flatten, nn.Identity, nn.Dropout, nn.Dropout2d)
"""Layers that do nothing to flat numbers in evaluation."""


def from_module(
    module: nn.Module,
    *,
    image_shape: ImageShape,
    name: str = "module",
    signed: bool = False,
) -> Generator:
    """Take the weights out of a sequence of torch's layers, as in a DCGAN's decoder.

    Linear, ConvTranspose2d, BatchNorm1d and BatchNorm2d (folded into the layer before), ReLU,
    LeakyReLU, Tanh, Sigmoid, Flatten, Unflatten and Dropout are known. The module is left as
    it is. Latent vectors are flat [D]; a first ConvTranspose2d takes them as [D, 1, 1].

    Args:
        module: `nn.Sequential`, nested or not.
        image_shape: Shape of one image. (C, H, W)
        name: What to call the generator in tables and records.
        signed: Whether the module's images, after a last Tanh, run from -1 to 1. They are
            brought to 0 to 1, for (tanh(a) + 1) / 2 = sigmoid(2 a).

    Raises:
        ArgumentError: If a layer is not among those known, or stands where it cannot.
        ShapeError: If the layers do not fit together or do not give images of that shape.
    """
    layers: list[Layer] = []
    shape: ImageShape | None = None
    for part in _parts(module):
        match part:
            case nn.Linear():
                layers.append(_dense(part))
                shape = None
            case nn.ConvTranspose2d():
                layers.append(_transposed(part, shape or (part.in_channels, 1, 1)))
                shape = layers[-1].output_shape  # type: ignore[union-attr]
            case nn.Unflatten():
                if len(part.unflattened_size) == 3:
                    channels, height, width = (int(size) for size in part.unflattened_size)
                    shape = channels, height, width
            case nn.BatchNorm1d() | nn.BatchNorm2d():
                layers[-1:] = [_folded(_bare(layers, part), part)]
            case nn.ReLU() | nn.LeakyReLU() | nn.Tanh() | nn.Sigmoid():
                layers[-1:] = [_activated(_bare(layers, part), part)]
            case _ if isinstance(part, _IGNORED):
                continue
            case _:
                raise ArgumentError(
                    f"The module holds a {type(part).__name__}, which is not a known layer. "
                    f"{_WAY_OUT}"
                )
    if signed:
        layers[-1:] = [_unsigned(layers)]
    return Generator(tuple(layers), image_shape, name=name)


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    if not isinstance(module, nn.Sequential):
        yield module
        return
    for part in module:
        yield from _parts(part)


def _dense(part: nn.Linear) -> Dense:
    weight = part.weight.detach().clone()
    return Dense(weight, _bias(part.bias, weight, part.out_features), "none")


def _transposed(part: nn.ConvTranspose2d, shape: ImageShape) -> ConvTranspose:
    pairs = {
        "stride": part.stride,
        "padding": part.padding,
        "output_padding": part.output_padding,
    }
    square = all(isinstance(pair, tuple) and len(set(pair)) == 1 for pair in pairs.values())
    if part.groups != 1 or set(part.dilation) != {1} or not square:
        raise ArgumentError(
            f"The module holds {part}; only equal strides and paddings, one group and no dilation "
            f"are known. {_WAY_OUT}"
        )
    weight = part.weight.detach().clone()
    return ConvTranspose(
        weight,
        _bias(part.bias, weight, part.out_channels),
        "none",
        shape,
        **{name: int(pair[0]) for name, pair in pairs.items()},
    )


def _bias(bias: torch.Tensor | None, weight: torch.Tensor, size: int) -> torch.Tensor:
    return weight.new_zeros(size) if bias is None else bias.detach().clone()


def _bare(layers: list[Layer], part: nn.Module) -> Layer:
    """The layer that a normalisation or an activation follows."""
    if not layers or layers[-1].activation != "none":
        raise ArgumentError(
            f"The module's {type(part).__name__} does not follow a Linear or ConvTranspose2d "
            f"directly. {_WAY_OUT}"
        )
    return layers[-1]


def _folded(layer: Layer, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> Layer:
    """Scale and shift of a batch normalisation in evaluation, as part of the layer before it."""
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None or mean.shape != layer.bias.shape:
        raise ArgumentError(
            f"The module's {norm} has no running statistics of the layer before it. {_WAY_OUT}"
        )
    scale = (variance + norm.eps).rsqrt()
    shift = torch.zeros_like(scale)
    if norm.affine:
        scale, shift = scale * norm.weight.detach(), norm.bias.detach()
    bias = (layer.bias - mean) * scale + shift
    axes = (-1, 1) if isinstance(layer, Dense) else (1, -1, 1, 1)
    return replace(layer, weight=layer.weight * scale.reshape(axes), bias=bias)


def _activated(layer: Layer, part: nn.Module) -> Layer:
    names: dict[type[nn.Module], Activation] = {
        nn.ReLU: "relu",
        nn.LeakyReLU: "leaky_relu",
        nn.Tanh: "tanh",
        nn.Sigmoid: "sigmoid",
    }
    slope = part.negative_slope if isinstance(part, nn.LeakyReLU) else layer.negative_slope
    return replace(layer, activation=names[type(part)], negative_slope=slope)


def _unsigned(layers: list[Layer]) -> Layer:
    if not layers or layers[-1].activation != "tanh":
        raise ShapeError("signed is True, but the module does not end in a Tanh; leave it out.")
    last = layers[-1]
    return replace(last, weight=2 * last.weight, bias=2 * last.bias, activation="sigmoid")
