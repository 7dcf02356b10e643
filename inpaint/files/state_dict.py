"""State dicts of dense layers, as `torch.nn.Sequential` has them, from safetensors files."""

from __future__ import annotations

import os
import re
from pathlib import Path

import torch

from inpaint.errors import ArgumentError, FileError
from inpaint.files.limits import check_file, picture_side
from inpaint.files.safetensors import read_tensors
from inpaint.generators import Activation, Dense, Generator
from inpaint.types import ImageShape


def read_state_dict(
    source: str | os.PathLike[str],
    *,
    image_shape: ImageShape | None = None,
    hidden: Activation = "relu",
    output: Activation = "sigmoid",
    negative_slope: float = 0.01,
) -> Generator:
    """Read the weights of dense layers that another program trained.

    A state dict holds no activations, so they are arguments. The layers stand in the order of
    the numbers in their names ("0.weight", "2.weight", "10.weight").

    Args:
        source: A .safetensors file with a weight [out, in] and perhaps a bias [out] per layer.
        image_shape: Shape of one image; None takes a square one of one channel. (C, H, W)
        hidden: Activation of all layers but the last.
        output: Activation of the last layer.
        negative_slope: Slope of "leaky_relu" below zero.

    Raises:
        FileError: If the file is not sound, or holds something else than dense layers.
    """
    path = check_file(source)
    tensors, _ = read_tensors(path)
    names = sorted({name.rpartition(".")[0] for name in tensors}, key=_in_order)
    strangers = sorted(
        name for name in tensors if name.rpartition(".")[2] not in ("weight", "bias")
    )
    if strangers or not names:
        found = f"{strangers[0]}, " if strangers else "nothing, "
        raise FileError(
            f"{path.name} holds {found}which is no weight or bias of a dense layer; build the "
            "module, load its weights, and use inpaint.from_module or ModuleGenerator."
        )
    layers = []
    for name in names:
        weight, bias = (tensors.get(f"{name}.{part}".lstrip(".")) for part in ("weight", "bias"))
        if weight is None or weight.ndim != 2 or not weight.is_floating_point():
            shape = "no weight" if weight is None else f"a weight {list(weight.shape)}"
            raise FileError(
                f"{path.name} holds a layer {name!r} with {shape}; a dense layer "
                "has floating-point numbers [out, in]. Use inpaint.from_module for others."
            )
        dtype = torch.float64 if weight.dtype == torch.float64 else torch.float32
        weight = weight.to(dtype)
        bias = weight.new_zeros(len(weight)) if bias is None else bias.to(dtype)
        activation = output if name == names[-1] else hidden
        layers.append((weight, bias, activation))
    try:
        side = None if image_shape else picture_side(path, len(layers[-1][0]))
        return Generator(
            tuple(Dense(*layer, negative_slope=negative_slope) for layer in layers),
            image_shape or (1, side or 0, side or 0),
            name=Path(path).stem,
            card={"activations": f"{hidden}, then {output}, as they were given"},
        )
    except ArgumentError as error:
        raise FileError(f"{path.name} does not hold a sound generator: {error}") from error


def _in_order(name: str) -> list[tuple[int, str]]:
    """Numbers in a name by their value, so that layer 10 follows layer 9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"[._]", name)]
