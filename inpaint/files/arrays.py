"""NumPy archives and IDX files."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import FileError
from inpaint.files.checks import check_size
from inpaint.files.idx import read_idx
from inpaint.files.normalize import Orientation
from inpaint.files.stored import StoredPicture, StoredSet

COLOURS = 3


def read_images(path: Path, orientation: Orientation | None) -> StoredSet:
    """Read an .npy of images, or an .npz with `images` and optionally `ideal`.

    Images are [H, W], [B, H, W] or [B, C, H, W]. Nothing is unpickled.

    Raises:
        FileError: If the file holds no such arrays.
    """
    arrays = load(path, "images", "ideal")
    if "images" not in arrays:
        others = sorted(load(path).items())
        found = ", ".join(f"{name} {list(array.shape)}" for name, array in others) or "no array"
        raise FileError(
            f"{path.name} holds no array named images (found: {found}); save one under that name, "
            "as by np.savez(file, images=...)."
        )
    images = _with_axes(path, "images", arrays["images"])
    ideal = _with_axes(path, "ideal", arrays["ideal"]) if "ideal" in arrays else None
    if ideal is not None and ideal.shape != images.shape:
        raise FileError(
            f"{path.name} holds images {list(images.shape)} and ideal {list(ideal.shape)}; the "
            "shapes of the two must be equal."
        )
    return stored_arrays(images, path.name, orientation=orientation, ideals=ideal)


def read_idx_images(path: Path, orientation: Orientation | None) -> StoredSet:
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
    images = _with_axes(path, "images", array)
    return stored_arrays(images, path.name, orientation=orientation)


def stored_arrays(
    images: NDArray[np.generic],
    source: str,
    *,
    orientation: Orientation | None = None,
    native: Orientation = "rows",
    ideals: NDArray[np.generic] | None = None,
    whole: bool = True,
) -> StoredSet:
    """Arrays of one batch as a stored set.

    Args:
        images: As laid out by `native`. [B, C, H, W]
        source: Where they came from.
        orientation: Order of the numbers, if it is not that of the format.
        native: The format's order.
        ideals: The undamaged images. [B, C, H', W']
        whole: See `StoredSet`.
    """
    notes = []
    if orientation not in (None, native):
        images = images.swapaxes(-1, -2)
        ideals = None if ideals is None else ideals.swapaxes(-1, -2)
    if orientation is not None or native != "rows":
        order = (orientation or native)[:-1]
        notes.append(f"pictures are stored {order} by {order}")
    pictures = tuple(
        StoredPicture(values, ideal=None if ideals is None else ideals[k])
        for k, values in enumerate(images)
    )
    return StoredSet(pictures, source, tuple(notes), whole=whole)


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
            found = {name: archive[name] for name in archive.files if not names or name in names}
        # A damaged member comes as bytes.
        return {name: array for name, array in found.items() if isinstance(array, np.ndarray)}
    except FileError:
        raise
    except Exception as error:  # Damaged bytes make numpy raise errors of many kinds.
        raise FileError(
            f"{path.name} is not a readable NumPy file of numbers; it may be truncated, or hold "
            "objects, which are never unpickled."
        ) from error


def _with_axes(path: Path, name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Images [B, C, H, W] from an array of 2 to 4 axes."""
    if array.ndim == 2:
        array = array[None]
    if array.ndim == 3:
        array = array[:, None]
    shape = list(array.shape)
    if array.ndim != 4 or array.size == 0 or array.dtype.kind not in "fiub":
        raise FileError(
            f"{path.name} holds {name} of type {array.dtype} and shape {shape}; images are numbers "
            "[B, H, W] or [B, C, H, W]."
        )
    if shape[1] not in (1, COLOURS):
        if shape[-1] in (1, COLOURS):
            raise FileError(
                f"{path.name} holds {name} of shape {shape}, which looks like [B, H, W, C]; move "
                "the channels, as by np.moveaxis(images, -1, 1)."
            )
        raise FileError(
            f"{path.name} holds {name} of shape {shape}; images [B, C, H, W] have 1 or 3 channels."
        )
    return array
