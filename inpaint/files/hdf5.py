"""HDF5 files: only arrays are read, and only those that are in the file itself."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import FileError, InpaintError
from inpaint.files.checks import check_size

MAGIC = b"\x89HDF\r\n\x1a\n"
OFFSETS = (0, 512)
"""HDF5 begins at the start of the file, or after the header that MATLAB writes."""
DEEPEST = 16
"""Most groups inside one another."""
NUMBERS = "fiub"
"""Kinds of types that are read: floats, whole numbers, truth values."""


def is_hdf5(path: Path) -> bool:
    """Whether a file begins as an HDF5 file, or does so after MATLAB's header."""
    with path.open("rb") as file:
        for offset in OFFSETS:
            file.seek(offset)
            if file.read(len(MAGIC)) == MAGIC:
                return True
    return False


@contextlib.contextmanager
def open_hdf5(path: Path, kind: str, content: bytes | None = None) -> Iterator[Any]:
    """The opened file; any fault that h5py finds in the block ends in one sentence.

    Args:
        path: The file, for the message too.
        kind: What the file is, such as "MATLAB v7.3".
        content: The HDF5 file itself, where it is a part of `path`.

    Raises:
        FileError: If h5py is not installed, or finds the file damaged.
    """
    try:
        import h5py
    except ImportError as error:
        raise FileError(
            f"{path.name} is a {kind} file, which needs h5py; install it by "
            "pip install 'inpaint[hdf5]', or save the file in another format."
        ) from error
    try:
        with h5py.File(path if content is None else io.BytesIO(content), "r") as file:
            yield file
    except InpaintError:
        raise
    except Exception as error:  # Damaged bytes make h5py raise errors of many kinds.
        raise FileError(
            f"{path.name} is not a readable {kind} file; it may be truncated."
        ) from error


def members(group: Any) -> dict[str, Any]:
    """The groups and arrays of a group by their names; links to other files are left out."""
    import h5py

    own = (name for name in group if isinstance(group.get(name, getlink=True), h5py.HardLink))
    return {name: group[name] for name in own}


def is_group(member: Any) -> bool:
    """Whether a member holds others, and is no array."""
    import h5py

    return isinstance(member, h5py.Group)


def walk(group: Any, depth: int = 0) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All arrays of a group, with the names that lead to each."""
    for name, member in members(group).items():
        if not is_group(member):
            yield (name,), member
        elif depth < DEEPEST:
            yield from (((name, *names), array) for names, array in walk(member, depth + 1))


def read_array(path: Path, name: str, member: Any) -> NDArray[np.generic]:
    """Read an array of real numbers, as it lies in the file.

    Raises:
        FileError: If it is none, is too large, or lies in another file.
    """
    if is_group(member) or not is_plain(member):
        raise FileError(f"{path.name} holds {name}, which is not an array of real numbers.")
    check_size(path, max(8, member.dtype.itemsize) * math.prod(member.shape))
    return np.asarray(member)


def is_plain(member: Any) -> bool:
    """Whether an array holds real numbers, and holds them in this file."""
    import h5py

    return (
        isinstance(member, h5py.Dataset)
        and member.shape is not None
        and member.dtype.kind in NUMBERS
        and member.dtype.shape == ()
        and not member.external
        and not member.is_virtual
    )
