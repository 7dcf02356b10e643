"""NumPy archives and IDX files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from inpaint.errors import FileError
from inpaint.files.idx import read_idx
from inpaint.files.limits import check_finite, check_size
from inpaint.files.normalize import Reading
from inpaint.types import ImageSet


def read_images(path: Path, reading: Reading) -> ImageSet:
    """An .npy of images, or an .npz with `images` and perhaps `ideal`.

    Images are [B, H, W] or [B, C, H, W], in 0 to 1, -1 to 1 or 0 to 255.

    Raises:
        FileError: If the file holds no such arrays. Nothing is unpickled.
    """
    arrays = load(path, "images", "ideal")
    if "images" not in arrays:
        found = ", ".join(sorted(arrays)) or "no array"
        raise FileError(f"{path.name} holds no array named images (found: {found}).")
    images, notes = _settle(path, "images", arrays["images"], reading)
    if "ideal" not in arrays:
        return ImageSet(images=images, ideal=images, source=path.name, notes=notes)
    ideal, ideal_notes = _settle(path, "ideal", arrays["ideal"], reading)
    if ideal.shape != images.shape or ideal_notes != notes:
        raise FileError(
            f"{path.name} holds images {list(images.shape)} and ideal {list(ideal.shape)}; shape, "
            "range and ink colour of the two must be equal."
        )
    return ImageSet(images=images, ideal=ideal, source=path.name, notes=notes)


def read_idx_images(path: Path, reading: Reading) -> ImageSet:
    """Images of an IDX file such as MNIST's, gzipped or not.

    Raises:
        FileError: If the file is truncated or holds labels instead of images.
    """
    array = read_idx(path)
    if array.ndim != 3:
        raise FileError(
            f"{path.name} holds {array.ndim} dimensions; images have three [B, H, W]. Is it a file "
            "of labels?"
        )
    images, notes = _settle(path, "images", array, reading)
    return ImageSet(images=images, ideal=images, source=path.name, notes=notes)


def load(path: Path, *names: str) -> dict[str, NDArray[np.generic]]:
    """The named arrays of an .npz, those that it has; the array of an .npy by the first name.

    Raises:
        FileError: If the file is not sound, or too large. Nothing is unpickled.
    """
    try:
        if path.suffix.lower() == ".npy":
            with path.open("rb") as file:
                return {names[0]: np.load(file, allow_pickle=False)}
        with zipfile.ZipFile(path) as archive:
            check_size(path, sum(entry.file_size for entry in archive.infolist()))
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if name in names}
    except FileError:
        raise
    except Exception as error:  # numpy raises whatever the bytes lead it to.
        raise FileError(
            f"{path.name} is not a readable NumPy file of numbers; it may be truncated, or hold "
            "objects, which are never unpickled."
        ) from error


def _settle(
    path: Path, name: str, array: NDArray[np.generic], reading: Reading
) -> tuple[Tensor, tuple[str, ...]]:
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or array.size == 0 or array.dtype.kind not in "fiub":
        raise FileError(
            f"{path.name} holds {name} of shape {list(array.shape)}; images are numbers [B, H, W] "
            "or [B, C, H, W]."
        )
    check_finite(path, name, array)
    return reading.settle(array)
