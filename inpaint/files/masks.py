"""Masks by preset name, or from files in which white, 1 and True mean observed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from inpaint.errors import ArgumentError, FileError, ShapeError
from inpaint.files import arrays, pictures
from inpaint.files.checks import check_file, check_finite
from inpaint.operators import Mask, is_mask_name, mask_preset
from inpaint.types import ImageShape

MASK_ENDINGS = (".png", ".npy", ".npz")


def read_mask(text: str, image_shape: ImageShape, images: int = 1) -> Mask:
    """Read the mask that a text names: a preset such as "box:10", or a file.

    In a file white, 1 and True mean observed. The threshold of a picture is mid-grey. An
    array holds only 0 and 1, or 0 and 255, and is [H, W], [C, H, W] or, with one mask per image,
    [B, C, H, W]; in an .npz its name is `mask`, as in `restoration.npz`.

    Args:
        text: Name of a preset, or path.
        image_shape: Shape of one image. (C, H, W)
        images: Number of images B.

    Raises:
        FileError: If there is no such file, or it does not hold a mask.
        ArgumentError: If the text names neither a preset nor a file, or no pixel is observed.
        ShapeError: If the mask is for images of another shape.
    """
    if is_mask_name(text) or not text.lower().endswith(MASK_ENDINGS):
        return mask_preset(text, image_shape)
    path = check_file(text, otherwise="or name a preset such as box:10")
    if path.suffix.lower() == ".png":
        observed = pictures.read_grey(path) >= 0.5
    else:
        observed = _read_array(path)
    channels, height, width = image_shape
    allowed = [(height, width), (channels, height, width), (images, channels, height, width)]
    if observed.shape not in allowed:
        raise ShapeError(
            f"{path.name} holds a mask of shape {list(observed.shape)}; the images have the shape "
            f"{[channels, height, width]}. Give a mask of {height}x{width} pixels."
        )
    tensor = torch.from_numpy(np.ascontiguousarray(observed))
    if tensor.ndim == 2:
        tensor = tensor.expand(image_shape).contiguous()
    try:
        return Mask(tensor)
    except ArgumentError as error:
        raise ArgumentError(f"{path.name}, where white or 1 is observed: {error}") from error


def _read_array(path: Path) -> NDArray[np.bool_]:
    found = arrays.load(path, "mask")
    if "mask" not in found:
        raise FileError(f"{path.name} holds no array named mask; give an .npz that has one.")
    array = found["mask"]
    if array.dtype.kind not in "fiub":
        raise FileError(f"{path.name} holds a mask of type {array.dtype}; give numbers or bools.")
    check_finite(path, "mask", array)
    levels = np.unique(array)
    if not set(levels.tolist()) <= {0, 1} and not set(levels.tolist()) <= {0, 255}:
        raise FileError(
            f"{path.name} holds a mask of {len(levels)} different values; a mask holds 0 where a "
            "pixel is lost and 1 (or 255) where it is observed."
        )
    return np.asarray(array != 0)
