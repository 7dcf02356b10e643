"""From `torch.nn.Module` to a generator: as layers of data where possible."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from inpaint.checks import check_image_shape
from inpaint.errors import ArgumentError, ShapeError
from inpaint.generators.layers import Activation, ConvTranspose, Dense, Layer
from inpaint.generators.module import AnyGenerator, ModuleGenerator
from inpaint.generators.stack import Generator
from inpaint.types import ImageShape

_WAY_OUT = "Wrap the module in ModuleGenerator, which takes any."
_IGNORED = (nn.Flatten, nn.Identity, nn.Dropout, nn.Dropout2d)
"""Layers that leave flat numbers unchanged in evaluation."""

SAMPLES = 16
"""Images from which the range of a module's output is found."""
SLACK = 0.1
"""How far images may leave the range 0 to 1, as after a last linear layer."""


def from_module(
    module: nn.Module,
    *,
    image_shape: ImageShape,
    name: str = "module",
    signed: bool = False,
) -> Generator:
    """Take the weights out of a sequence of torch's layers, such as the generator of a DCGAN.

    Linear, ConvTranspose2d, BatchNorm1d and BatchNorm2d (folded into the layer before), ReLU,
    LeakyReLU, Tanh, Sigmoid, Flatten, Unflatten and Dropout are known. The module stays
    unchanged. Latent vectors are flat [D]; a first ConvTranspose2d takes them as [D, 1, 1].

    Args:
        module: `nn.Sequential`, nested or not.
        image_shape: Shape of one image. (C, H, W)
        name: What to call the generator in tables and records.
        signed: Whether the module ends in a Tanh and its images have values in -1 to 1. They
            are brought to 0 to 1, by (tanh(a) + 1) / 2 = sigmoid(2 a).

    Raises:
        ArgumentError: If a layer is not known, or not allowed at its place.
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
    """The layer before a normalisation or an activation."""
    if not layers or layers[-1].activation != "none":
        raise ArgumentError(
            f"The module's {type(part).__name__} does not follow a Linear or ConvTranspose2d "
            f"directly. {_WAY_OUT}"
        )
    return layers[-1]


def _folded(layer: Layer, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> Layer:
    """The layer with the scale and shift of a batch normalisation in evaluation."""
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


def as_generator(
    value: Any, *, latent_size: int | None = None, image_shape: ImageShape | None = None
) -> AnyGenerator:
    """A generator made of a torch module; a generator is returned as it is.

    An `nn.Sequential` of layers that `from_module` knows becomes a `Generator`, any other module
    a `ModuleGenerator`. Images with values in -1 to 1 are brought to 0 to 1, and the `card` says
    so. A sequence that ends in a Tanh has such values; for others, samples decide.

    Args:
        value: Generator, ModuleGenerator or `torch.nn.Module`.
        latent_size: Number of latent dimensions D. None takes the number of inputs of the
            module's first Linear or ConvTranspose2d.
        image_shape: Shape of one image, for a module that gives flat pixels [N, P]. (C, H, W)

    Raises:
        ArgumentError: If it is neither, its latent size cannot be found, or its images have
            values outside both ranges.
        ShapeError: If the module does not map latent vectors to images.
    """
    if isinstance(value, (Generator, ModuleGenerator)):
        return value
    if not isinstance(value, nn.Module):
        raise ArgumentError(
            f"generator is a {type(value).__name__}; give a Generator, a ModuleGenerator or a "
            "torch.nn.Module."
        )
    size = _latent_size(value) if latent_size is None else latent_size
    generator = _with_images(value, size, image_shape)
    stream = torch.Generator().manual_seed(0)
    latents = torch.randn(SAMPLES, size, generator=stream, dtype=torch.float64)
    with torch.no_grad():
        images = generator(latents.to(generator.device))
    signed = _ends_in_tanh(value)
    low, high = float(images.min()), float(images.max())
    unit = low >= -SLACK and high <= 1 + SLACK
    if not (signed or unit or (low >= -1 and high <= 1)):
        raise ArgumentError(
            f"The module's images have values from {low:.3g} to {high:.3g}; a generator's have 0 "
            "to 1, or -1 to 1. Scale its output, such as by a last Sigmoid."
        )
    found = "the module ends in a Tanh" if signed else "found by sampling"
    scaled = signed or not unit
    card = {"output": f"values -1 to 1, brought to 0 to 1, {found}"} if scaled else {}
    layers = _as_layers(value, generator.image_shape, signed=signed)
    if layers is not None and (signed or unit):
        drawn = layers(latents.to(layers.device))
        # A subclass of Sequential may do more than apply its parts.
        if torch.allclose(drawn, (images + 1) / 2 if signed else images, rtol=1e-3, atol=1e-4):
            return replace(layers, card=card)
    if not scaled:
        return generator
    module = nn.Sequential(generator.module, _FromSigned())
    return ModuleGenerator(module, latent_size=size, card=card)


class _FromSigned(nn.Module):
    """Brings values from -1 to 1 to 0 to 1."""

    def forward(self, images: Tensor) -> Tensor:
        return (images + 1) / 2


def _latent_size(module: nn.Module) -> int:
    for part in module.modules():
        if isinstance(part, nn.Linear):
            return part.in_features
        if isinstance(part, nn.ConvTranspose2d):
            return part.in_channels
    raise ArgumentError(
        f"The latent size of the {type(module).__name__} cannot be found, for it has no Linear or "
        "ConvTranspose2d layer; give latent_size."
    )


def _with_images(
    module: nn.Module, latent_size: int, image_shape: ImageShape | None
) -> ModuleGenerator:
    try:
        return ModuleGenerator(module, latent_size=latent_size)
    except ShapeError as error:
        if image_shape is None:
            raise
        reshaped = nn.Sequential(module, nn.Unflatten(1, check_image_shape(image_shape)))
        try:
            return ModuleGenerator(reshaped, latent_size=latent_size)
        except ShapeError:
            # The error of the unchanged module says more.
            raise error from None


def _ends_in_tanh(module: nn.Module) -> bool:
    parts = [part for part in _parts(module) if not isinstance(part, (*_IGNORED, nn.Unflatten))]
    return bool(parts) and isinstance(parts[-1], nn.Tanh)


def _as_layers(module: nn.Module, image_shape: ImageShape, *, signed: bool) -> Generator | None:
    """The generator of a sequence of known layers; None for any other module."""
    if not isinstance(module, nn.Sequential):
        return None
    try:
        return from_module(module, image_shape=image_shape, signed=signed)
    except ArgumentError:
        return None
