"""Generators as data: a stack of layers that can pull a gradient back to the latent vector."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from inpaint.checks import check_image_shape
from inpaint.errors import ArgumentError, ShapeError
from inpaint.generators.layers import Dense, Layer, Metadata
from inpaint.placement import Place, check_placement

Pullback = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False, repr=False)
class Generator:
    """A pre-trained generator as a tuple of layers, from latent vectors to images.

    It takes latent vectors of any floating dtype and computes in its own. Two generators are
    equal if they compute the same function, whatever their names.

    Attributes:
        layers: Applied in order; the last one gives the pixels, row-major.
        image_shape: Shape of one image. (C, H, W)
        name: What to call it in tables and records.
        card: Facts about it, such as data, objective, seed and command.
    """

    layers: tuple[Layer, ...]
    image_shape: tuple[int, int, int]
    name: str = "generator"
    card: Metadata = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_shape", check_image_shape(self.image_shape))
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

    def __repr__(self) -> str:
        sizes = "-".join(map(str, (self.latent_size, *(layer.outputs for layer in self.layers))))
        convolutions = sum(not isinstance(layer, Dense) for layer in self.layers)
        kind = (
            f"{convolutions} of {len(self.layers)} layers convolutional,"
            if convolutions
            else "dense"
        )
        shape = "x".join(map(str, self.image_shape))
        return (
            f"Generator({self.name!r}, latent size {self.latent_size}, images {shape}, "
            f"{kind} {sizes})"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Generator):
            return NotImplemented
        return self is other or (
            self._outline == other._outline and self.digest() == other.digest()
        )

    def __hash__(self) -> int:
        return hash(self._outline)

    @property
    def _outline(self) -> tuple[object, ...]:
        """What the digest is made of, except the weights."""
        return self.image_shape, tuple(layer.describe() for layer in self.layers)

    @property
    def latent_size(self) -> int:
        """Number of latent dimensions D."""
        return self.layers[0].inputs

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the computation."""
        return self.layers[0].weight.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.layers[0].weight.device

    def __call__(self, latents: Tensor) -> Tensor:
        """Images of latent vectors, in the generator's dtype. [..., D] -> [..., C, H, W]

        Raises:
            ShapeError: If the vectors have another size than D.
        """
        return self.pixels(latents).unflatten(-1, self.image_shape)

    def pixels(self, latents: Tensor) -> Tensor:
        """Pixels of latent vectors, row-major, in the generator's dtype. [..., D] -> [..., P]

        Raises:
            ShapeError: If the vectors have another size than D.
        """
        check_latents(latents, self.latent_size, self.name)
        latents = latents.to(self.dtype)
        for layer in self.layers:
            latents = layer.forward(latents)
        return latents

    def linearize(self, latents: Tensor) -> tuple[Tensor, Pullback]:
        """Pixels, and the map from a gradient in pixels to one in latents.

        Args:
            latents: Of any floating dtype. [..., D]

        Returns:
            The pixels [..., P] and a function [..., P] -> [..., D], in the generator's dtype.

        Raises:
            ShapeError: If the vectors have another size than D.
        """
        check_latents(latents, self.latent_size, self.name)
        outputs = [latents.to(self.dtype)]
        for layer in self.layers:
            outputs.append(layer.forward(outputs[-1]))

        def pullback(gradient: Tensor) -> Tensor:
            gradient = gradient.to(self.dtype)
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
        """Largest number of outputs of a layer, the images included."""
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

    def to(
        self,
        *places: Place,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Generator:
        """The same generator on another device or in another precision, as torch's `to`."""
        device, dtype = check_placement(places, device, dtype)
        return replace(self, layers=tuple(x.to(device=device, dtype=dtype) for x in self.layers))

    def digest(self) -> str:
        """A hash of the function that it computes: equal for equal weights in any precision."""
        sha = hashlib.sha256(repr(self.image_shape).encode())
        for layer in self.layers:
            sha.update(layer.describe().encode())
            for tensor in (layer.weight, layer.bias):
                sha.update(tensor.detach().cpu().double().contiguous().numpy().tobytes())
        return sha.hexdigest()


def check_latents(latents: Tensor, latent_size: int, name: str) -> None:
    """Require latent vectors of the generator's size.

    Raises:
        ShapeError: If they have another.
    """
    if latents.ndim < 1 or latents.shape[-1] != latent_size:
        raise ShapeError(
            f"latents has shape {list(latents.shape)}; the generator {name!r} takes "
            f"[..., {latent_size}]."
        )
