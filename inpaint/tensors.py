"""Arrays of any kind as tensors with the axes of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inpaint.errors import ArgumentError, ShapeError
from inpaint.types import ImageShape

COLOURS = 3


def as_tensor(value: Any, name: str) -> Tensor:
    """An array, a tensor or nested numbers as a tensor on the CPU; masked entries become NaN.

    Raises:
        ArgumentError: If it holds no numbers.
    """
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, np.ma.MaskedArray):
        # Masked pixels are lost.
        scale = 255.0 if value.dtype == np.uint8 else 1.0
        value = np.where(np.ma.getmaskarray(value), np.nan, value.data / scale)
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise TypeError
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"{name} is a {type(value).__name__}, which is not an array of numbers; give a numpy "
            "array, a torch tensor, a PIL picture or a path."
        ) from error
    # Torch computes with no other unsigned type, and warns of arrays that cannot be written.
    wide = array.dtype.kind == "u" and array.dtype.itemsize > 1
    return torch.from_numpy(np.array(array, dtype=np.int64 if wide else None, order="C"))


def with_batch(tensor: Tensor, image_shape: ImageShape | None) -> Tensor:
    """Images [B, C, H, W] from an array of 2 to 4 axes."""
    shape = list(tensor.shape)
    if tensor.ndim == 2:
        return tensor[None, None]
    if tensor.numel() == 0 or tensor.ndim not in (3, 4):
        raise ShapeError(
            f"images has shape {shape}; give [H, W], [C, H, W], [B, H, W] or [B, C, H, W]."
        )
    if shape[-1] in (1, COLOURS) and shape[-3] not in (1, COLOURS):
        axes = "[H, W, C]" if tensor.ndim == 3 else "[B, H, W, C]"
        in_colour = shape[-1] == COLOURS and image_shape is not None and image_shape[0] == 1
        advice = "make it grey, for the generator is" if in_colour else "move the channels first"
        raise ShapeError(f"images has shape {shape}, which looks like {axes}; {advice}.")
    if tensor.ndim == 4:
        return tensor
    if image_shape is not None:
        return tensor[None] if shape[0] == image_shape[0] and shape[0] > 1 else tensor[:, None]
    if shape[0] == COLOURS:
        raise ShapeError(
            f"images has shape {shape}, which may be one colour image or three grey ones; give "
            f"{[1, *shape]} or {[shape[0], 1, *shape[1:]]}."
        )
    return tensor[:, None]


def is_numbers(values: Sequence[Any]) -> bool:
    """Whether a nested list holds numbers, as numpy takes it."""
    first: Any = values
    while isinstance(first, (list, tuple)) and first:
        first = first[0]
    return isinstance(first, (int, float, np.number))
