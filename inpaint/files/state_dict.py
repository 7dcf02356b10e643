"""State dicts of dense layers, such as those of `torch.nn.Sequential`, in safetensors files."""

from __future__ import annotations

import re

import torch

from inpaint.errors import ArgumentError, FileError
from inpaint.files.checks import FilePath, check_file, check_square
from inpaint.files.safetensors import read_tensors
from inpaint.generators import Activation, Dense, Generator
from inpaint.types import ImageShape


def read_state_dict(
    source: FilePath,
    *,
    image_shape: ImageShape | None = None,
    hidden: Activation = "relu",
    output: Activation = "sigmoid",
    negative_slope: float = 0.01,
) -> Generator:
    """Read the weights of dense layers that another program trained.

    A state dict holds no activations, so they are arguments. The numbers in the names order the
    layers ("0.weight", "2.weight", "10.weight").

    Args:
        source: A .safetensors file with a weight [out, in] and optionally a bias [out] per layer.
        image_shape: Shape of one image; None takes a square of one channel. (C, H, W)
        hidden: Activation of all layers but the last.
        output: Activation of the last layer.
        negative_slope: Slope of "leaky_relu" below zero.

    Raises:
        FileError: If the file is damaged, or holds anything but dense layers.
    """
    path = check_file(source)
    tensors, _ = read_tensors(path)
    names = sorted({name.rpartition(".")[0] for name in tensors}, key=_in_order)
    others = sorted(name for name in tensors if name.rpartition(".")[2] not in ("weight", "bias"))
    if others or not names:
        found = f"{others[0]}, which is no weight or bias of a dense layer" if others else "nothing"
        raise FileError(
            f"{path.name} holds {found}; build the module, load its weights, and use "
            "inpaint.from_module or ModuleGenerator."
        )
    layers = []
    for name in names:
        weight, bias = (tensors.get(f"{name}.{part}".lstrip(".")) for part in ("weight", "bias"))
        if weight is None or weight.ndim != 2 or not weight.is_floating_point():
            found = "no weight" if weight is None else f"a weight {list(weight.shape)}"
            raise FileError(
                f"{path.name} holds a layer {name!r} with {found}; a dense layer has "
                "floating-point weights [out, in]. Use inpaint.from_module for other layers."
            )
        dtype = torch.float64 if weight.dtype == torch.float64 else torch.float32
        weight = weight.to(dtype)
        bias = weight.new_zeros(len(weight)) if bias is None else bias.to(dtype)
        activation = output if name == names[-1] else hidden
        layers.append((weight, bias, activation))
    try:
        side = None if image_shape else check_square(path, len(layers[-1][0]))
        return Generator(
            tuple(Dense(*layer, negative_slope=negative_slope) for layer in layers),
            image_shape or (1, side or 0, side or 0),
            name=path.stem,
            card={"activations": f"{hidden}, then {output}, chosen when the weights were read"},
        )
    except ArgumentError as error:
        raise FileError(f"{path.name} does not hold a sound generator: {error}") from error


def _in_order(name: str) -> list[tuple[int, str]]:
    """A sort key that compares numbers by value, so that layer 10 follows layer 9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"[._]", name)]
