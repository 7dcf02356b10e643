"""NumPy archives and IDX files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from inpaint.errors import FileError
from inpaint.files.checks import check_finite, check_size
from inpaint.files.idx import read_idx
from inpaint.files.normalize import ReadOptions
from inpaint.types import ImageSet


def read_images(path: Path, options: ReadOptions) -> ImageSet:
    """Read an .npy of images, or an .npz with `images` and optionally `ideal`.

    Images are [B, H, W] or [B, C, H, W], in 0 to 1, -1 to 1 or 0 to 255. Nothing is unpickled.

    Raises:
        FileError: If the file holds no such arrays.
    """
    arrays = load(path, "images", "ideal")
    if "images" not in arrays:
        found = ", ".join(sorted(arrays)) or "no array"
        raise FileError(f"{path.name} holds no array named images (found: {found}).")
    images, notes = _normalize(path, "images", arrays["images"], options)
    if "ideal" not in arrays:
        return ImageSet(images=images, ideal=images, source=path.name, notes=notes)
    ideal, ideal_notes = _normalize(path, "ideal", arrays["ideal"], options)
    if ideal.shape != images.shape or ideal_notes != notes:
        raise FileError(
            f"{path.name} holds images {list(images.shape)} and ideal {list(ideal.shape)}; shape, "
            "value range and ink colour of the two must be equal."
        )
    return ImageSet(images=images, ideal=ideal, source=path.name, notes=notes)


def read_idx_images(path: Path, options: ReadOptions) -> ImageSet:
    """Read the images of an IDX file such as MNIST's, gzipped or not.

    Raises:
        FileError: If the file is truncated or holds labels instead of images.
    """
    array = read_idx(path)
    if array.ndim != 3:
        raise FileError(
            f"{path.name} holds an array of {array.ndim} axes; images have three, [B, H, W]. Is it "
            "a file of labels?"
        )
    images, notes = _normalize(path, "images", array, options)
    return ImageSet(images=images, ideal=images, source=path.name, notes=notes)


def load(path: Path, *names: str) -> dict[str, NDArray[np.generic]]:
    """Read the named arrays of an .npz, or an .npy under the first name.

    Without names, all arrays are read. Nothing is unpickled.

    Raises:
        FileError: If the file is damaged or too large.
    """
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                return {names[0]: np.load(file, allow_pickle=False)}
        with zipfile.ZipFile(path) as archive:
            check_size(path, sum(entry.file_size for entry in archive.infolist()))
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if not names or name in names}
    except FileError:
        raise
    except Exception as error:  # Damaged bytes make numpy raise errors of many kinds.
        raise FileError(
            f"{path.name} is not a readable NumPy file of numbers; it may be truncated, or hold "
            "objects, which are never unpickled."
        ) from error


def _normalize(
    path: Path, name: str, array: NDArray[np.generic], options: ReadOptions
) -> tuple[Tensor, tuple[str, ...]]:
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or array.size == 0 or array.dtype.kind not in "fiub":
        raise FileError(
            f"{path.name} holds {name} of shape {list(array.shape)}; images are numbers [B, H, W] "
            "or [B, C, H, W]."
        )
    check_finite(path, name, array)
    return options.normalize(array)
