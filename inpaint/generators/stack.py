"""Generators as data: a stack of layers that can pull a gradient back to the latent vector."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from inpaint.errors import ArgumentError, ShapeError
from inpaint.generators.layers import Dense, Layer
from inpaint.types import Metadata

Pullback = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Generator:
    """A pre-trained generator as a tuple of layers, from latent vectors to images.

    Attributes:
        layers: Applied one after the other; the last one gives the pixels, row-major.
        image_shape: Shape of one image. (C, H, W)
        name: What to call it in tables and records.
        card: Facts about it: data, objective, seed, command.
    """

    layers: tuple[Layer, ...]
    image_shape: tuple[int, int, int]
    name: str = "generator"
    card: Metadata = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.layers:
            raise ArgumentError("A generator needs at least one layer.")
        for before, after in zip(self.layers, self.layers[1:], strict=False):
            if after.inputs != before.outputs:
                raise ShapeError(
                    f"A layer with {before.outputs} outputs is followed by one with "
                    f"{after.inputs} inputs; the two numbers must be equal."
                )
        pixels = self.layers[-1].outputs
        channels, height, width = self.image_shape
        if pixels != channels * height * width:
            raise ShapeError(
                f"The last layer has {pixels} outputs; an image of shape "
                f"{channels}x{height}x{width} needs {channels * height * width}."
            )

    @property
    def latent_size(self) -> int:
        """Number of latent dimensions D."""
        return self.layers[0].inputs

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

    @property
    def dense(self) -> bool:
        """Whether all layers are dense."""
        return all(isinstance(layer, Dense) for layer in self.layers)

    @property
    def width(self) -> int:
        """Most numbers that stand between two layers, the images included."""
        return max(layer.outputs for layer in self.layers)

    def select(self, pixels: Tensor) -> Generator:
        """The generator of some pixels only, for a cost that needs no others.

        Args:
            pixels: Row-major pixel numbers. [M]

        Raises:
            ArgumentError: If the last layer is not dense.
        """
        last = self.layers[-1]
        if not isinstance(last, Dense):
            raise ArgumentError("Pixels can be selected from a dense last layer only.")
        last = replace(last, weight=last.weight[pixels], bias=last.bias[pixels])
        return replace(self, layers=(*self.layers[:-1], last), image_shape=(1, 1, len(pixels)))

    def to(self, *, dtype: torch.dtype, device: torch.device | str = "cpu") -> Generator:
        """The same generator in another precision or place."""
        return replace(self, layers=tuple(x.to(dtype=dtype, device=device) for x in self.layers))

    def digest(self) -> str:
        """A hash of the function it computes, for records: equal weights, equal digest."""
        sha = hashlib.sha256(repr(self.image_shape).encode())
        for layer in self.layers:
            sha.update(layer.describe().encode())
            for tensor in (layer.weight, layer.bias):
                sha.update(tensor.detach().cpu().double().contiguous().numpy().tobytes())
        return sha.hexdigest()
