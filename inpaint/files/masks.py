"""Masks: by the name of a preset, from files, and from arrays and pictures of two levels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from inpaint.checks import check_choice
from inpaint.errors import ArgumentError, FileError, ShapeError
from inpaint.files import arrays, mask_pictures, mat
from inpaint.files.checks import FilePath, check_file
from inpaint.files.mask_pictures import MOST_BETWEEN, White
from inpaint.operators import Mask, is_mask_name, mask_preset
from inpaint.types import ImageShape

MASK_ENDINGS = (*mask_pictures.ENDINGS, ".npy", ".npz", ".mat")

ENDS = ((0, 1), (-1, 1), (0, 255), (0, 65535))
"""Usual levels of black and white; a mask of more than two levels must reach both of a pair."""


def read_mask(
    source: FilePath,
    image_shape: ImageShape,
    *,
    white: White | None = None,
    numbers: Sequence[int] | None = None,
    total: int | None = None,
) -> Mask:
    """Read the mask that a text names: a preset such as "box:10", or a file.

    A file holds two levels, whatever they are; the higher one is white. Only pixels of exactly the
    observed level are observed: what lies between black and white, as on a soft edge, counts as
    lost. Where a picture is transparent in places, the transparency decides. An array is [H, W]
    or [C, H, W] or, with one mask per image, [B, H, W] or [B, C, H, W]; in an .npz and a .mat its
    name is `mask`, as in `restoration.npz`. The `notes` of the mask say how it was read.

    Args:
        source: Name of a preset, or path.
        image_shape: Shape of one image. (C, H, W)
        white: What is white in a file: "observed" or "lost"; None takes observed.
        numbers: Numbers of the images whose masks are taken from one mask per image; None takes
            all.
        total: Number of images in their source, where it is known: a file with a mask per image
            must have as many, or an array `numbers` that says whose they are.

    Raises:
        FileError: If there is no such file, or it holds no mask.
        ArgumentError: If the text names neither a preset nor a file, if the values do not say what
            is lost, or if every pixel is observed, or none.
        ShapeError: If the mask is for images of another shape or number.
    """
    text = os.fspath(source)
    is_preset = is_mask_name(text)
    if white is not None:
        check_choice("mask_white", white, get_args(White))
    if not is_preset and not text.lower().endswith(MASK_ENDINGS) and Path(text).is_file():
        raise FileError(
            f"{Path(text).name} has no ending of a mask's format; give a file that ends in "
            f"{', '.join(MASK_ENDINGS)}."
        )
    if is_preset or not text.lower().endswith(MASK_ENDINGS):
        mask = mask_preset(text, image_shape)
        refuse_white(white, f"the preset {text}, whose name says what is lost,")
        return mask
    path = check_file(text, otherwise="or name a preset such as box:10")
    ending = path.suffix.lower()
    means: White = white or "observed"
    levels: NDArray[Any]
    says, held = None, None
    if ending in mask_pictures.ENDINGS:
        with mask_pictures.open_picture(path) as picture:
            levels, says = mask_pictures.read_levels(picture, means, path.name)
    elif ending == ".mat":
        matrix = mat.read_matrix(path, "mask")
        levels = (matrix.to_dense() if matrix.is_sparse else matrix).numpy()
    else:
        levels, held = _read_arrays(path)
    return array_mask(
        levels,
        image_shape,
        name=path.name,
        white=means,
        numbers=numbers,
        total=total,
        held=held,
        says=says,
    )


def array_mask(
    levels: NDArray[Any],
    image_shape: ImageShape,
    *,
    name: str = "mask",
    white: White = "observed",
    numbers: Sequence[int] | None = None,
    total: int | None = None,
    held: Sequence[int] | None = None,
    says: str | None = None,
) -> Mask:
    """The mask that an array of levels holds.

    Args:
        levels: Bools, or numbers of two levels. [H, W], [C, H, W], [B, H, W] or [B, C, H, W]
        image_shape: Shape of one image. (C, H, W)
        name: What the array is called in notes and messages.
        white: What the higher level is.
        numbers: See `read_mask`.
        total: See `read_mask`.
        held: Numbers of the images that the masks belong to, where the file says them.
        says: Which level is observed, in words; None finds the words.

    Raises:
        ArgumentError: If the values do not say what is lost, or all pixels are observed, or none.
        ShapeError: If the mask is for images of another shape or number.
    """
    if levels.dtype.kind not in "fiub" or levels.size == 0:
        raise ArgumentError(
            f"{name} holds values of type {levels.dtype} and shape {list(levels.shape)}; give "
            "numbers or bools, one for each pixel."
        )
    divided, words, between = _divide(levels, white, name)
    observed, says = _fit(divided, image_shape, name), says or words
    _check_observed(observed, says, white, name)
    if observed.ndim == 4:
        observed = _choose(observed, numbers, total, held, name)
    notes = [f"{name}: {says}"]
    if between:
        plural = "" if between == 1 else "s"
        verb = "counts" if between == 1 else "count"
        notes.append(f"{between} value{plural} between black and white {verb} as lost")
    tensor = torch.from_numpy(observed.copy())
    return replace(Mask(tensor), notes=(", ".join(notes),))


def picture_mask(picture: Image.Image, image_shape: ImageShape) -> Mask:
    """The mask that a picture shows: white is observed, or see `read_mask`.

    Raises:
        FileError: If the picture cannot be decoded.
        ArgumentError: If colours and transparency disagree, or as in `array_mask`.
        ShapeError: If it is for images of another shape.
    """
    levels, says = mask_pictures.read_levels(picture, "observed", "mask")
    return array_mask(levels, image_shape, says=says)


def refuse_white(white: str | None, found: str) -> None:
    """Refuse to be told what is white where no file is read.

    Raises:
        ArgumentError: If it is told.
    """
    if white is not None:
        raise ArgumentError(
            f"mask_white is {white!r}, but there is {found} and no file; leave mask_white out, or "
            "give the file of a mask."
        )


def _fit(observed: NDArray[np.bool_], image_shape: ImageShape, name: str) -> NDArray[np.bool_]:
    """What is observed as [C, H, W] or, with one mask per image, [B, C, H, W]."""
    channels, height, width = image_shape
    shape = observed.shape
    if shape == (height, width):
        return np.broadcast_to(observed, image_shape)
    if shape == image_shape:
        return observed
    if observed.ndim == 3 and shape[1:] == (height, width):
        observed = np.broadcast_to(observed[:, None], (shape[0], channels, height, width))
    if observed.ndim == 4 and observed.shape[1:] == image_shape:
        return observed[0] if len(observed) == 1 else observed
    raise ShapeError(
        f"{name} has shape {list(shape)}; the images have shape {list(image_shape)}. Give a mask "
        f"of {height}x{width} pixels, or one per image: [B, {height}, {width}] or "
        f"[B, {channels}, {height}, {width}]."
    )


def _divide(levels: NDArray[Any], white: White, name: str) -> tuple[NDArray[np.bool_], str, int]:
    """Divide levels into observed and lost.

    Returns:
        What is observed, which level that is in words, and how many values lie between.
    """
    if not np.isfinite(levels).all():
        raise ArgumentError(
            f"{name} holds NaN or infinity; give one level where a pixel is observed and another "
            "where it is lost."
        )
    found = np.unique(levels)
    low, high = found[0], found[-1]
    usual = (low, high) in ENDS
    between = int(((levels > low) & (levels < high)).sum())
    top = "True" if levels.dtype.kind == "b" else "white" if high > 1 else "1"
    if len(found) == 1:
        if not any(low in pair for pair in ENDS):
            raise ArgumentError(
                f"{name} holds {low:g} everywhere; a mask has two levels, one where pixels are "
                "observed and one where they are lost."
            )
        # Of the usual levels 0 and -1 are black.
        observed = bool(low > 0) == (white == "observed")
        words = f"it holds {low} everywhere, which is {'observed' if observed else 'lost'}"
        return np.full(levels.shape, observed), words, 0
    if between and not (usual and between <= MOST_BETWEEN * levels.size):
        raise ArgumentError(
            f"{name} holds {len(found)} different values from {low:g} to {high:g}, {between} of "
            f"{levels.size} of them between the two; a mask has two levels. Is it a photograph? "
            "Give black and white, or 0 and 1."
        )
    words = f"{top} is {white}"
    if not usual:
        words = f"its levels are {low:g} and {high:g}, {high:g} is {white}"
    return levels == (high if white == "observed" else low), words, between


def _check_observed(observed: NDArray[np.bool_], says: str, white: White, name: str) -> None:
    """Require that something is lost and something is observed."""
    other = "lost" if white == "observed" else "observed"
    advice = f"If white is what is {other}, say so (--mask-white {other}), or invert the mask."
    if observed.all():
        raise ArgumentError(f"{name} loses nothing: {says}. {advice}")
    if not observed.any():
        raise ArgumentError(f"{name} observes no pixel: {says}. {advice}")


def _choose(
    masks: NDArray[np.bool_],
    numbers: Sequence[int] | None,
    total: int | None,
    held: Sequence[int] | None,
    name: str,
) -> NDArray[np.bool_]:
    """The masks of some images by their numbers. [B, C, H, W]"""
    if numbers is None or held is None:
        if total is not None and len(masks) != total:
            of = "" if numbers is None else f", of which {_listed(numbers)} are taken"
            raise ShapeError(
                f"{name} holds {len(masks)} masks {list(masks.shape)}; there "
                f"{'is 1 image' if total == 1 else f'are {total} images'}{of}. Give one mask for "
                "all images, or one for each."
            )
        held = range(len(masks))
    if numbers is not None:
        place = {number: index for index, number in enumerate(held)}
        without = [number for number in numbers if number not in place]
        if without:
            raise ShapeError(
                f"{name} holds masks of the images {_listed(held)}, and none of "
                f"{_listed(without)}; choose among its images with --images, or give another mask."
            )
        masks, held = masks[[place[number] for number in numbers]], numbers
    for number, mask in zip(held, masks, strict=True):
        if not mask.any():
            raise ArgumentError(
                f"{name} observes no pixel of image {number}, so nothing can be restored from it; "
                "leave the image out, or observe at least one pixel."
            )
    return masks


def _listed(numbers: Sequence[int], most: int = 8) -> str:
    shown = ", ".join(map(str, numbers[:most]))
    return f"{shown} and {len(numbers) - most} more" if len(numbers) > most else shown


def _read_arrays(path: Path) -> tuple[NDArray[Any], list[int] | None]:
    """The levels in a NumPy file, and the numbers of the images where it has them."""
    found = arrays.load(path, "mask", "numbers")
    if "mask" not in found:
        raise FileError(f"{path.name} holds no array named mask; give an .npz that has one.")
    numbers = found.get("numbers")
    if numbers is None:
        return found["mask"], None
    if numbers.dtype.kind not in "iu" or numbers.shape != found["mask"].shape[:1]:
        # The numbers of images that share one mask.
        return found["mask"], None
    return found["mask"], numbers.tolist()
