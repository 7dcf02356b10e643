"""Layers as data: dense ones, and the transposed convolutions of decoders."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from inpaint.errors import ArgumentError, ShapeError
from inpaint.placement import Place, check_placement
from inpaint.types import ImageShape

Metadata = Mapping[str, str]
"""A model card: what a generator was made from, by name."""

Activation = Literal["none", "relu", "leaky_relu", "tanh", "sigmoid"]
ACTIVATIONS: tuple[str, ...] = get_args(Activation)


@dataclass(frozen=True, eq=False, repr=False)
class Dense:
    """One layer: activation(weight @ input + bias).

    Attributes:
        weight: [out, in]
        bias: [out]
        activation: Applied after the affine map.
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
        _check("A dense layer", self.weight, self.bias, self.activation)

    def __repr__(self) -> str:
        return f"Dense({self.inputs}-{self.outputs}, {self.activation})"

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return self.weight.shape[1]

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return self.weight.shape[0]

    def forward(self, inputs: Tensor) -> Tensor:
        """[..., in] -> [..., out]"""
        affine = inputs @ self.weight.T + self.bias
        return _activate(affine, self.activation, self.negative_slope)

    def backward(self, gradient: Tensor, outputs: Tensor) -> Tensor:
        """Gradient with respect to the inputs, given that with respect to the outputs.

        The slope of every activation is a function of its output, so the affine part need
        not be kept. [..., out], [..., out] -> [..., in]
        """
        gradient = _pull(gradient, outputs, self.activation, self.negative_slope)
        return gradient @ self.weight

    def to(
        self,
        *places: Place,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Dense:
        """The same layer on another device or in another precision, as torch's `to`."""
        device, dtype = check_placement(places, device, dtype)
        weight, bias = (x.to(device=device, dtype=dtype) for x in (self.weight, self.bias))
        return replace(self, weight=weight, bias=bias)

    def describe(self) -> str:
        """What a hash of the layer needs besides its weights."""
        return f"{self.activation} {self.negative_slope}"


@dataclass(frozen=True, eq=False, repr=False)
class ConvTranspose:
    """A transposed convolution, as `torch.nn.ConvTranspose2d` without groups and dilation.

    Its inputs and outputs are flat like those of a dense layer, so both fit into one stack.

    Attributes:
        weight: [in channels, out channels, height, width]
        bias: [out channels]
        activation: Applied after the affine map.
        input_shape: Channels, height and width of the inputs.
        stride: Distance between neighbouring positions of the kernel, in pixels.
        padding: Pixels cut off at each border.
        output_padding: Rows and columns added below and to the right.
        negative_slope: Slope of "leaky_relu" below zero.
    """

    weight: Tensor
    bias: Tensor
    activation: Activation
    input_shape: ImageShape
    stride: int = 1
    padding: int = 0
    output_padding: int = 0
    negative_slope: float = 0.01

    def __post_init__(self) -> None:
        fitting = self.weight.ndim == 4 and self.bias.shape == self.weight.shape[1:2]
        if not fitting or self.weight.shape[0] != self.input_shape[0]:
            raise ShapeError(
                f"A transposed convolution has a weight {list(self.weight.shape)}, a bias "
                f"{list(self.bias.shape)} and inputs {list(self.input_shape)}; they must be "
                "[in, out, height, width], [out] and [in, H, W]."
            )
        if self.stride < 1 or self.padding < 0 or not 0 <= self.output_padding < self.stride:
            raise ArgumentError(
                f"stride is {self.stride}, padding {self.padding} and output_padding "
                f"{self.output_padding}; choose a stride of 1 or above, a padding of 0 or above, "
                "and an output_padding below the stride."
            )
        if min(self.output_shape) < 1:
            raise ShapeError(
                f"padding is {self.padding}, which leaves an output of {list(self.output_shape)}."
            )
        _check("A transposed convolution", self.weight, self.bias, self.activation)

    def __repr__(self) -> str:
        shapes = ("x".join(map(str, shape)) for shape in (self.input_shape, self.output_shape))
        return f"ConvTranspose({'-'.join(shapes)}, {self.activation})"

    @property
    def output_shape(self) -> ImageShape:
        """Channels, height and width of the outputs."""
        height, width = (
            (size - 1) * self.stride - 2 * self.padding + kernel + self.output_padding
            for size, kernel in zip(self.input_shape[1:], self.weight.shape[2:], strict=True)
        )
        return self.weight.shape[1], height, width

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return math.prod(self.input_shape)

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return math.prod(self.output_shape)

    def forward(self, inputs: Tensor) -> Tensor:
        """[..., in] -> [..., out]"""
        affine = functional.conv_transpose2d(
            inputs.reshape(-1, *self.input_shape),
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
        )
        flat = affine.reshape(*inputs.shape[:-1], self.outputs)
        return _activate(flat, self.activation, self.negative_slope)

    def backward(self, gradient: Tensor, outputs: Tensor) -> Tensor:
        """Gradient with respect to the inputs, given that with respect to the outputs.

        [..., out], [..., out] -> [..., in]
        """
        gradient = _pull(gradient, outputs, self.activation, self.negative_slope)
        maps = gradient.reshape(-1, *self.output_shape)
        pulled = functional.conv2d(maps, self.weight, stride=self.stride, padding=self.padding)
        return pulled.reshape(*gradient.shape[:-1], self.inputs)

    def to(
        self,
        *places: Place,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> ConvTranspose:
        """The same layer on another device or in another precision, as torch's `to`."""
        device, dtype = check_placement(places, device, dtype)
        weight, bias = (x.to(device=device, dtype=dtype) for x in (self.weight, self.bias))
        return replace(self, weight=weight, bias=bias)

    def describe(self) -> str:
        """What a hash of the layer needs besides its weights."""
        shape = (self.input_shape, self.stride, self.padding, self.output_padding)
        return f"{self.activation} {self.negative_slope} {shape}"


Layer = Dense | ConvTranspose


def _check(what: str, weight: Tensor, bias: Tensor, activation: str) -> None:
    if activation not in ACTIVATIONS:
        raise ArgumentError(
            f"activation is {activation!r}; choose one of {', '.join(ACTIVATIONS)}."
        )
    if not (torch.isfinite(weight).all() and torch.isfinite(bias).all()):
        raise ArgumentError(
            f"{what}'s weights hold NaN or infinity; every weight must be finite. Check the file "
            "that they came from."
        )


def _activate(affine: Tensor, activation: Activation, negative_slope: float) -> Tensor:
    """The activation of a tensor that may be overwritten."""
    match activation:
        case "relu":
            return affine.clamp_(min=0)
        case "leaky_relu":
            return torch.where(affine > 0, affine, negative_slope * affine)
        case "tanh":
            return affine.tanh_()
        case "sigmoid":
            return affine.sigmoid_()
    return affine


def _pull(
    gradient: Tensor, outputs: Tensor, activation: Activation, negative_slope: float
) -> Tensor:
    """Gradient before the activation, whose slope is a function of its output."""
    match activation:
        case "relu":
            return gradient * (outputs > 0)
        case "leaky_relu":
            return torch.where(outputs > 0, gradient, negative_slope * gradient)
        case "tanh":
            return gradient * (1 - outputs * outputs)
        case "sigmoid":
            return gradient * (outputs * (1 - outputs))
    return gradient
