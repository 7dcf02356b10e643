"""MATLAB files of version 7.3, which are HDF5 files; the optional h5py reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from inpaint.errors import FileError

MAGIC = b"\x89HDF\r\n\x1a\n"
OFFSETS = (0, 512)
"""Where HDF5 begins: at once, or after the header that MATLAB writes."""


def is_hdf5(path: Path) -> bool:
    """Whether a file is of version 7.3."""
    with path.open("rb") as file:
        for offset in OFFSETS:
            file.seek(offset)
            if file.read(len(MAGIC)) == MAGIC:
                return True
    return False


def names(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the arrays, as MATLAB shows them.

    Raises:
        FileError: If h5py is not installed, or the file is not sound.
    """
    with _open(path) as (file, h5py):
        arrays = {name: file[name] for name in file}
        return {
            name: tuple(reversed(array.shape))
            for name, array in arrays.items()
            if isinstance(array, h5py.Dataset)
        }


def load(path: Path, wanted: Sequence[str]) -> dict[str, Any]:
    """The arrays of these names, as MATLAB shows them: HDF5 holds them transposed.

    Raises:
        FileError: If h5py is not installed, or the file is not sound.
    """
    with _open(path) as (file, _):
        return {name: np.asarray(file[name]).T for name in wanted}


@contextmanager
def _open(path: Path) -> Iterator[tuple[Any, Any]]:
    try:
        import h5py
    except ImportError as error:
        raise FileError(
            f"{path.name} is a MATLAB v7.3 file, which needs h5py; install it, or save the file "
            "with the option -v7."
        ) from error
    try:
        with h5py.File(path, "r") as file:
            yield file, h5py
    except Exception as error:  # h5py raises whatever the bytes lead it to.
        raise FileError(
            f"{path.name} is not a readable MATLAB v7.3 file; it may be truncated."
        ) from error
