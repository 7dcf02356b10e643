"""Training images: read from IDX files, checked, and identified by a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from inpaint.errors import ArgumentError, FileError, ShapeError
from inpaint.files.idx import read_idx


def read_digits(
    images: str | Path,
    labels: str | Path,
    *,
    digits: Sequence[int] = (),
    part: slice = slice(None),
) -> Tensor:
    """Read the images of some digits from a pair of IDX files.

    Args:
        images: File of the images, 8-bit, 0 = paper.
        labels: File of their labels.
        digits: Labels to keep, in any order; empty keeps all.
        part: Part of the file to take the digits from: `slice(None, -10_000)` is all but the
            last 10,000 images.

    Returns:
        In the file's order, 1 = paper, 0 = ink. float32 [K, 1, H, W]

    Raises:
        FileError: If a file cannot be read or the two do not match.
        ArgumentError: If no image is left.
    """
    return read_labelled(images, labels, digits=digits, part=part)[0]


def read_labelled(
    images: str | Path,
    labels: str | Path,
    *,
    digits: Sequence[int] = (),
    part: slice = slice(None),
) -> tuple[Tensor, Tensor]:
    """What `read_digits` reads, and the label of each image: [K, 1, H, W], int64 [K]."""
    pixels, classes = read_idx(images), read_idx(labels)
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise FileError(
            f"{images} holds a {pixels.dtype} array with {pixels.ndim} axes; images must be 8-bit "
            "[count, height, width]. Is it the file of the labels?"
        )
    if classes.shape != pixels.shape[:1]:
        raise FileError(
            f"{labels} holds an array of shape {list(classes.shape)}; it must be one label for "
            f"each of the {len(pixels)} images of {images}."
        )
    pixels, classes = pixels[part], classes[part]
    if digits:
        wanted = np.isin(classes, list(digits))
        pixels, classes = pixels[wanted], classes[wanted]
    if len(pixels) == 0:
        raise ArgumentError(
            f"digits is {tuple(digits)}; no image of {images} in the requested part has such a "
            "label. Choose others, or a larger part."
        )
    return 1 - torch.from_numpy(pixels)[:, None].float() / 255, torch.from_numpy(classes).long()


def digest_images(images: Tensor) -> str:
    """SHA-256 of images as hexadecimal digits: it identifies a data set in records."""
    content = images.detach().cpu().float().contiguous()
    return hashlib.sha256(content.numpy().tobytes()).hexdigest()


def check_images(images: Tensor) -> None:
    """Require images that can be trained on.

    Raises:
        ShapeError: If `images` is not [K, C, H, W] with at least one image.
        ArgumentError: If a pixel is outside 0 to 1.
    """
    if images.ndim != 4 or images.numel() == 0:
        raise ShapeError(
            f"images has shape {list(images.shape)}; it must be [K, C, H, W] with at least one "
            "image."
        )
    if not bool(((images >= 0) & (images <= 1)).all()):
        raise ArgumentError(
            "images has values outside 0 to 1 (or NaN); 1 is paper and 0 is ink. Rescale them."
        )
