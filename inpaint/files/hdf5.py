"""HDF5 files, read by a process of its own (`hdf5_child.py`), so that a damaged one ends well."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inpaint.errors import FileError
from inpaint.files.checks import MAX_BYTES, check_size

MAGIC = b"\x89HDF\r\n\x1a\n"
OFFSETS = (0, 512)
"""HDF5 begins at the start of the file, or after the header that MATLAB writes."""
READER = Path(__file__).with_name("hdf5_child.py")
TIME_LIMIT = 60.0
"""Seconds after which the library has lost its way in a damaged file."""


@dataclass(frozen=True)
class Member:
    """An array or a group of a file.

    Attributes:
        shape: Shape of an array; None of a group.
        real: Whether it is an array of real numbers.
        attributes: Those that are read, by their names.
        array: Its numbers, if they were asked for.
    """

    shape: tuple[int, ...] | None = None
    real: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict)
    array: NDArray[np.generic] | None = None


def is_hdf5(path: Path) -> bool:
    """Whether a file begins as an HDF5 file, or does so after MATLAB's header."""
    with path.open("rb") as file:
        for offset in OFFSETS:
            file.seek(offset)
            if file.read(len(MAGIC)) == MAGIC:
                return True
    return False


def read_members(
    path: Path, kind: str, wanted: Sequence[str] | None = None, content: bytes | None = None
) -> dict[str, Member]:
    """The members of a file by their names, such as "layers/dense/vars/0"; "" is the file.

    Args:
        path: The file.
        kind: What the file is, for messages, such as "MATLAB v7.3".
        wanted: Names of the arrays that are read, or of groups of them; None reads all.
        content: The HDF5 file itself, where it is a part of `path`.

    Raises:
        FileError: If h5py is not installed, or the file is damaged or too large.
    """
    if importlib.util.find_spec("h5py") is None:
        raise FileError(
            f"{path.name} is a {kind} file, which needs h5py; install it, or save the file in "
            "another format (in MATLAB with the option -v7)."
        )
    with tempfile.TemporaryDirectory() as folder:
        source, target = path.absolute(), Path(folder) / "arrays.npz"
        if content is not None:
            source = Path(folder) / "content.h5"
            source.write_bytes(content)
        words = [sys.executable, "-P", str(READER), str(source), str(target)]
        words += [json.dumps(None if wanted is None else list(wanted)), str(MAX_BYTES)]
        try:
            done = subprocess.run(
                words, capture_output=True, check=True, timeout=TIME_LIMIT, stdin=subprocess.DEVNULL
            )
            found = json.loads(done.stdout)
            with np.load(target, allow_pickle=False) as archive:
                arrays = {int(number): archive[number] for number in archive.files}
        except (subprocess.SubprocessError, OSError, ValueError) as error:
            raise FileError(
                f"{path.name} is not a readable {kind} file; it may be truncated."
            ) from error
    check_size(path, found["bytes"])
    return {
        each["name"]: Member(
            tuple(each["shape"]) if "shape" in each else None,
            each.get("real", False),
            each["attributes"],
            arrays.get(number),
        )
        for number, each in enumerate(found["listed"])
    }
