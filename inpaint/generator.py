"""Generators: layers with weights as data, or any `torch.nn.Module`.

Both kinds map latent vectors to images and can pull a gradient back from the pixels to the
latent vector, which is all that the objective asks of them.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from inpaint.errors import ArgumentError, ShapeError
from inpaint.types import Metadata

Activation = Literal["none", "relu", "leaky_relu", "tanh", "sigmoid"]
ACTIVATIONS: tuple[str, ...] = get_args(Activation)
Pullback = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Dense:
    """One layer: activation(weight @ input + bias).

    Attributes:
        weight: [out, in]
        bias: [out]
        activation: What follows the affine map.
        negative_slope: Slope of "leaky_relu" below zero.
    """

    weight: Tensor
    bias: Tensor
    activation: Activation
    negative_slope: float = 0.01

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or self.bias.shape != self.weight.shape[:1]:
            raise ShapeError(
                f"A dense layer has a weight {list(self.weight.shape)} and a bias "
                f"{list(self.bias.shape)}; they must be [out, in] and [out]."
            )
        if self.activation not in ACTIVATIONS:
            raise ArgumentError(
                f"activation is {self.activation!r}; choose one of {', '.join(ACTIVATIONS)}."
            )
        if not (torch.isfinite(self.weight).all() and torch.isfinite(self.bias).all()):
            raise ArgumentError(
                "A dense layer's weights hold NaN or infinity; every weight must be finite. "
                "Check the file that they came from."
            )

    def forward(self, inputs: Tensor) -> Tensor:
        """[..., in] -> [..., out]"""
        affine = inputs @ self.weight.T + self.bias
        match self.activation:
            case "relu":
                return affine.clamp_(min=0)
            case "leaky_relu":
                return torch.where(affine > 0, affine, self.negative_slope * affine)
            case "tanh":
                return affine.tanh_()
            case "sigmoid":
                return affine.sigmoid_()
        return affine

    def backward(self, gradient: Tensor, outputs: Tensor) -> Tensor:
        """Gradient with respect to the inputs, given that for the outputs.

        The slope of every activation is written with its output, so the affine part need
        not be kept. [..., out], [..., out] -> [..., in]
        """
        match self.activation:
            case "relu":
                gradient = gradient * (outputs > 0)
            case "leaky_relu":
                gradient = torch.where(outputs > 0, gradient, self.negative_slope * gradient)
            case "tanh":
                gradient = gradient * (1 - outputs * outputs)
            case "sigmoid":
                gradient = gradient * (outputs * (1 - outputs))
        return gradient @ self.weight

    def to(self, *, dtype: torch.dtype, device: torch.device | str) -> Dense:
        """The same layer in another precision or place."""
        return replace(self, weight=self.weight.to(device, dtype), bias=self.bias.to(device, dtype))


@dataclass(frozen=True)
class Generator:
    """A pre-trained generator as a tuple of dense layers, from latent vectors to images.

    Attributes:
        layers: Applied one after the other; the last one gives the pixels, row-major.
        image_shape: Shape of one image. (C, H, W)
        name: What to call it in tables and records.
        card: Facts about it: data, objective, seed, command.
    """

    layers: tuple[Dense, ...]
    image_shape: tuple[int, int, int]
    name: str = "generator"
    card: Metadata = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.layers:
            raise ArgumentError("A generator needs at least one layer.")
        for before, after in zip(self.layers, self.layers[1:], strict=False):
            if after.weight.shape[1] != before.weight.shape[0]:
                raise ShapeError(
                    f"A layer with {before.weight.shape[0]} outputs is followed by one with "
                    f"{after.weight.shape[1]} inputs; the two numbers must be equal."
                )
        pixels = self.layers[-1].weight.shape[0]
        channels, height, width = self.image_shape
        if pixels != channels * height * width:
            raise ShapeError(
                f"The last layer has {pixels} outputs; an image of shape "
                f"{channels}x{height}x{width} needs {channels * height * width}."
            )

    @property
    def latent_size(self) -> int:
        """Number of latent dimensions D."""
        return self.layers[0].weight.shape[1]

    def __call__(self, latents: Tensor) -> Tensor:
        """Images of latent vectors. [..., D] -> [..., C, H, W]"""
        return self.pixels(latents).unflatten(-1, self.image_shape)

    def pixels(self, latents: Tensor) -> Tensor:
        """Pixels of latent vectors, row-major. [..., D] -> [..., P]"""
        for layer in self.layers:
            latents = layer.forward(latents)
        return latents

    def linearize(self, latents: Tensor) -> tuple[Tensor, Pullback]:
        """Pixels, and the map from a gradient in pixels to one in latents.

        Args:
            latents: [..., D]

        Returns:
            The pixels [..., P] and a function [..., P] -> [..., D].
        """
        outputs = [latents]
        for layer in self.layers:
            outputs.append(layer.forward(outputs[-1]))

        def pullback(gradient: Tensor) -> Tensor:
            for layer, output in zip(reversed(self.layers), reversed(outputs), strict=False):
                gradient = layer.backward(gradient, output)
            return gradient

        return outputs[-1], pullback

    def select(self, pixels: Tensor) -> Generator:
        """The generator of some pixels only, for a cost that needs no others.

        Args:
            pixels: Row-major pixel numbers. [M]
        """
        last = self.layers[-1]
        last = replace(last, weight=last.weight[pixels], bias=last.bias[pixels])
        return replace(self, layers=(*self.layers[:-1], last), image_shape=(1, 1, len(pixels)))

    def to(self, *, dtype: torch.dtype, device: torch.device | str = "cpu") -> Generator:
        """The same generator in another precision or place."""
        return replace(self, layers=tuple(x.to(dtype=dtype, device=device) for x in self.layers))

    def digest(self) -> str:
        """A hash of the function it computes, for records: equal weights, equal digest."""
        sha = hashlib.sha256(repr(self.image_shape).encode())
        for layer in self.layers:
            sha.update(f"{layer.activation} {layer.negative_slope}".encode())
            for tensor in (layer.weight, layer.bias):
                sha.update(tensor.detach().cpu().double().contiguous().numpy().tobytes())
        return sha.hexdigest()


class ModuleGenerator:
    """Any `torch.nn.Module` as a generator; its gradients come from autograd.

    The module is copied and put in evaluation mode, so the caller's stays untouched.

    Args:
        module: Maps latent vectors [N, D] to images [N, C, H, W] with values in 0 to 1.
        latent_size: Number of latent dimensions D.
        name: What to call it in tables and records.

    Raises:
        ShapeError: If the module does not map [N, D] to [N, C, H, W].
    """

    def __init__(self, module: nn.Module, *, latent_size: int, name: str = "module") -> None:
        self.module = copy.deepcopy(module).eval().requires_grad_(requires_grad=False)
        self.latent_size = latent_size
        self.name = name
        self.card: Metadata = {}
        parameter = next(self.module.parameters(), torch.empty(0))
        probe = torch.zeros(2, latent_size, dtype=parameter.dtype, device=parameter.device)
        with torch.no_grad():
            try:
                shape = tuple(self.module(probe).shape)
            except RuntimeError as error:
                raise ShapeError(
                    f"The module cannot take latent vectors of shape [2, {latent_size}]: {error}"
                ) from error
        if len(shape) != 4 or shape[0] != 2:
            raise ShapeError(
                f"The module maps [2, {latent_size}] to {list(shape)}; a generator gives images "
                "[2, C, H, W]. Reshape its output."
            )
        self.image_shape: tuple[int, int, int] = (shape[1], shape[2], shape[3])

    def __call__(self, latents: Tensor) -> Tensor:
        """Images of latent vectors. [..., D] -> [..., C, H, W]"""
        images = self.module(latents.reshape(-1, self.latent_size))
        return images.reshape(*latents.shape[:-1], *self.image_shape)

    def pixels(self, latents: Tensor) -> Tensor:
        """Pixels of latent vectors, row-major. [..., D] -> [..., P]"""
        with torch.no_grad():
            return self(latents).flatten(-3)

    def linearize(self, latents: Tensor) -> tuple[Tensor, Pullback]:
        """Pixels, and the map from a gradient in pixels to one in latents (autograd)."""
        with torch.enable_grad():
            variable = latents.detach().requires_grad_()
            pixels = self(variable).flatten(-3)

        def pullback(gradient: Tensor) -> Tensor:
            return torch.autograd.grad(pixels, variable, gradient)[0]

        return pixels.detach(), pullback

    def to(self, *, dtype: torch.dtype, device: torch.device | str = "cpu") -> ModuleGenerator:
        """A copy in another precision or place."""
        module = copy.deepcopy(self.module).to(dtype=dtype, device=device)
        return ModuleGenerator(module, latent_size=self.latent_size, name=self.name)

    def digest(self) -> str:
        """A hash of the module's structure and weights, for records."""
        sha = hashlib.sha256(repr(self.module).encode())
        for name, tensor in sorted(self.module.state_dict().items()):
            sha.update(name.encode())
            sha.update(tensor.detach().cpu().double().contiguous().numpy().tobytes())
        return sha.hexdigest()


AnyGenerator = Generator | ModuleGenerator
