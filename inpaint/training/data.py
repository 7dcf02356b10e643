"""Training images: read from IDX files, checked, and identified by a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from inpaint.checks import check_between
from inpaint.errors import ArgumentError, FileError, ShapeError
from inpaint.files.digits import draw_digit
from inpaint.files.idx import read_idx
from inpaint.files.strokes import SIZE
from inpaint.files.training_job import MOST_STROKES


def read_digits(
    images: str | Path,
    labels: str | Path,
    *,
    digits: Sequence[int] = (),
    part: slice = slice(None),
) -> Tensor:
    """The images of `read_labelled` without their labels. float32 [K, 1, H, W]"""
    return read_labelled(images, labels, digits=digits, part=part)[0]


def read_labelled(
    images: str | Path,
    labels: str | Path,
    *,
    digits: Sequence[int] = (),
    part: slice = slice(None),
) -> tuple[Tensor, Tensor]:
    """Read the images of some digits, and their labels, from a pair of IDX files.

    Args:
        images: File of the images, 8-bit, 0 = paper.
        labels: File of their labels.
        digits: Labels to keep, in any order; empty keeps all.
        part: Part of the file to take the digits from: `slice(None, -10_000)` is all but the
            last 10,000 images.

    Returns:
        In the file's order: the images, 1 = paper, 0 = ink, float32 [K, 1, H, W], and their
        labels, int64 [K].

    Raises:
        FileError: If a file cannot be read or the two do not match.
        ArgumentError: If no image is left.
    """
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
        kept = np.isin(classes, list(digits))
        pixels, classes = pixels[kept], classes[kept]
    if len(pixels) == 0:
        raise ArgumentError(
            f"digits is {tuple(digits)}; no image of {images} in the requested part has such a "
            "label. Choose others, or a larger part."
        )
    ink = torch.from_numpy(pixels)[:, None].float() / 255
    return 1 - ink, torch.from_numpy(classes.astype(np.int64))


def with_strokes(
    images: Tensor, labels: Tensor, share: float, *, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Add drawings by `inpaint.files.digits` to handwriting, with classes in the same proportions.

    Args:
        images: Handwritten digits, 1 = paper. [K, 1, 28, 28]
        labels: Their digits. int64 [K]
        share: Share of drawings in the result; 0 adds none.
        seed: Determines the drawings.

    Returns:
        The images and labels, drawings last.

    Raises:
        ArgumentError: If there are no drawings of such images.
    """
    check_between("strokes", share, 0.0, MOST_STROKES)
    if share == 0:
        return images, labels
    known = bool(((labels >= 0) & (labels < 10)).all())
    if tuple(images.shape[1:]) != (1, SIZE, SIZE) or not known:
        raise ArgumentError(
            f"strokes is {share:g}; only the digits 0 to 9 in images of {SIZE}x{SIZE} pixels can "
            f"be drawn, and these images have shape {list(images.shape[1:])} and labels up to "
            f"{int(labels.max())}. Leave strokes at 0."
        )
    rng = np.random.default_rng(seed)
    chosen = rng.choice(labels.numpy(), round(share / (1 - share) * len(images)))
    drawings = np.stack([draw_digit(int(digit), rng) for digit in chosen]).astype(np.float32)
    return (
        torch.cat([images, torch.from_numpy(drawings)[:, None]]),
        torch.cat([labels, torch.from_numpy(chosen)]),
    )


def digest_images(images: Tensor) -> str:
    """SHA-256 of images as hexadecimal digits: it identifies a data set in records."""
    content = images.detach().cpu().float().contiguous()
    return hashlib.sha256(content.numpy().tobytes()).hexdigest()


def count_shared(first: Tensor, second: Tensor) -> int:
    """Number of images of the second set [M, C, H, W] that are in the first [K, C, H, W] too."""

    def contents(images: Tensor) -> list[bytes]:
        return [image.detach().cpu().float().contiguous().numpy().tobytes() for image in images]

    known = set(contents(first))
    return sum(content in known for content in contents(second))


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
