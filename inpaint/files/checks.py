"""Checks that every reader makes before it trusts a file."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import FileError

FilePath = str | os.PathLike[str]

MAX_BYTES = 512 * 2**20
"""Largest file, and largest declared content, that a reader opens."""


def check_file(source: FilePath, *, otherwise: str = "") -> Path:
    """Require a readable file that is not too large, and return its path.

    Args:
        source: Path of the file.
        otherwise: What else the caller could have given, for the message.

    Raises:
        FileError: If there is no such file, or it cannot be opened or is too large.
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


def check_shadow(name: str) -> None:
    """Refuse the name of a bundled set where a file or a folder has the same name.

    Raises:
        FileError: If there is one.
    """
    if os.path.lexists(name):
        raise FileError(
            f"{name!r} names a bundled set, and there is a file or folder of that name here; write "
            f"./{name} for yours, or run from another folder for the bundled set."
        )


def check_size(path: Path, size: int) -> None:
    """Require at most `MAX_BYTES`, of the file itself or of the content that it declares."""
    if size > MAX_BYTES:
        raise FileError(
            f"{path.name} holds {size / 2**20:,.0f} MB; at most {MAX_BYTES // 2**20} MB are read. "
            "Split the file."
        )


def check_finite(path: Path, name: str, array: NDArray[np.generic]) -> None:
    """Require that an array of the file holds neither NaN nor infinity."""
    if not np.isfinite(array).all():
        raise FileError(
            f"{path.name} holds NaN or infinity in {name}; every value must be finite. Check how "
            "the file was written."
        )


def check_square(path: Path, pixels: int) -> int:
    """Require that a number of pixels makes a square image, and return its side."""
    side = math.isqrt(pixels)
    if side * side != pixels:
        raise FileError(
            f"{path.name} holds images of {pixels} values; images must be square, and {pixels} is "
            "not a square number."
        )
    return side


def list_names(names: Iterable[str], limit: int = 12) -> str:
    """The names of arrays that were found in a file, for a message of one line."""
    found = list(names)
    shown = [name if name.isprintable() else ascii(name) for name in found[:limit]]
    shown = [name if len(name) <= 60 else f"{name[:60]}..." for name in shown]
    more = [f"and {len(found) - limit} more"] if len(found) > limit else []
    return ", ".join([*shown, *more]) or "no array"
