"""What all readers ask of a file before they open it."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import FileError

MAX_BYTES = 512 * 2**20
"""Largest file, and largest declared content, that a reader opens."""


def check_file(source: str | os.PathLike[str], *, otherwise: str = "") -> Path:
    """The path of a readable file of a size that a reader takes.

    Args:
        source: Where the file should be.
        otherwise: What else the caller could have given, for the message.

    Raises:
        FileError: If there is none.
    """
    path = Path(source)
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        raise FileError(
            f"There is no file {os.fspath(source)!r}; check the path{', ' if otherwise else ''}"
            f"{otherwise}."
        ) from error
    if not path.is_file():
        raise FileError(f"{path} is not a file; give the path of one.")
    check_size(path, size)
    try:
        path.open("rb").close()
    except OSError as error:
        raise FileError(f"{path} cannot be opened: {error.strerror or error}.") from error
    return path


def check_size(path: Path, size: int) -> None:
    """Refuse a file that holds, or says that it holds, too much to read safely."""
    if size > MAX_BYTES:
        raise FileError(
            f"{path.name} holds {size / 2**20:,.0f} MB; at most {MAX_BYTES // 2**20} MB are read. "
            "Split the file."
        )


def picture_side(path: Path, pixels: int) -> int:
    """The side of a square picture of so many pixels."""
    side = math.isqrt(pixels)
    if side * side != pixels:
        raise FileError(
            f"{path.name} holds images of {pixels} values, which is no square picture; a column "
            "must hold one square image."
        )
    return side


def check_finite(path: Path, name: str, array: NDArray[np.generic]) -> None:
    """Refuse NaN and infinity where a file's numbers come in."""
    if not np.isfinite(array).all():
        raise FileError(
            f"{path.name} holds NaN or infinity in {name}; every value must be finite. Check how "
            "the file was written."
        )
