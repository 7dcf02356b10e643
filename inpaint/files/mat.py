"""MATLAB files: images as columns, and generators as matrices A_1, B_1, A_2, ...

scipy reads version 5; the optional h5py reads version 7.3, which is HDF5. Each column is an image
stored column by column. Files of generators differ in the sign inside the last sigmoid; the
border of an image that the generator makes shows which it is.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import torch
from numpy.typing import NDArray

from inpaint.errors import FileError, InpaintError
from inpaint.files.arrays import stored_arrays
from inpaint.files.checks import MAX_BYTES, check_finite, check_size, check_square
from inpaint.files.normalize import Orientation
from inpaint.files.stored import StoredSet
from inpaint.generators import Dense, Generator
from inpaint.generators.kind import border

Matrix = NDArray[np.float64]

KINDS = {
    "a generator": ("A_1", "B_1"),
    "images": ("X_n",),
    "an operator": ("T",),
}
"""What a file can hold, and the arrays by which it is recognised."""

COMPRESSED = 15
"""Type of an element of a version 5 file that is compressed with zlib."""
CHUNK = 2**20
"""Bytes decompressed at once."""

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
HDF5_OFFSETS = (0, 512)
"""HDF5 begins at the start of the file, or after the header that MATLAB writes."""


def read_images(path: Path, orientation: Orientation | None) -> StoredSet:
    """Read images `X_n` (as recorded) and, if present, `X_i` (ideal), one per column.

    Where X_n has fewer rows than X_i, its columns are values measured of the ideal images, such as
    block averages. They form a smaller image.

    Raises:
        FileError: If the file is not a MATLAB file or holds no such arrays.
    """
    matrices = _load(path, required=("X_n",), optional=("X_i",))
    recorded = matrices["X_n"]
    ideal = matrices.get("X_i")
    side = check_square(path, recorded.shape[0])
    images, ideals = _images(recorded, side), None
    measured: tuple[str, ...] = ()
    if ideal is not None:
        ideal_side = check_square(path, ideal.shape[0])
        if ideal.shape[1] != recorded.shape[1] or ideal_side % side:
            raise FileError(
                f"{path.name} holds X_n {list(recorded.shape)} and X_i {list(ideal.shape)}; the "
                "two must have the same shape, or X_n must hold block averages of X_i."
            )
        ideals = _images(ideal, ideal_side)
        if ideal_side != side:
            text = f"{side}x{side} values measured of images of {ideal_side}x{ideal_side}"
            measured = (text,)
    stored = stored_arrays(
        images, path.name, orientation=orientation, native="columns", ideals=ideals, whole=False
    )
    return replace(stored, notes=(*stored.notes, *measured))


def read_generator(path: Path) -> Generator:
    """Read a generator of dense ReLU layers whose output is a logistic sigmoid.

    Layer k is `A_k` [out, in] with `B_k` [out, 1]. The sign inside the last sigmoid is chosen
    so that the border of a typical image is paper.

    Raises:
        FileError: If the file is not a MATLAB file or its arrays do not form a generator.
    """
    shapes = _shapes(path)
    count = 0
    while f"A_{count + 1}" in shapes:
        count += 1
    wanted = [f"{letter}_{k}" for k in range(1, max(count, 1) + 1) for letter in "AB"]
    matrices = _load(path, required=tuple(wanted))
    try:
        layers = [
            Dense(
                weight=torch.from_numpy(matrices[f"A_{k}"]),
                bias=torch.from_numpy(matrices[f"B_{k}"].reshape(-1)),
                activation="sigmoid" if k == count else "relu",
            )
            for k in range(1, count + 1)
        ]
        last = layers[-1]
        side = check_square(path, last.weight.shape[0])
        # Row-major pixel (row, column) is entry column * side + row of the file.
        order = torch.arange(side * side).reshape(side, side).T.reshape(-1)
        layers[-1] = Dense(last.weight[order], last.bias[order], "sigmoid")
        generator = Generator(tuple(layers), (1, side, side), name=path.stem)
        return _fix_sign(generator)
    except InpaintError as error:
        raise FileError(f"{path.name} holds no generator: {error}") from error


def read_matrix(path: Path, name: str) -> Matrix:
    """Read one matrix of real numbers.

    Raises:
        FileError: If the file is not a MATLAB file or holds no such matrix.
    """
    return _load(path, required=(name,))[name]


def _fix_sign(generator: Generator) -> Generator:
    """Change the sign inside the last sigmoid if images would have light ink."""
    typical = torch.zeros(1, generator.latent_size, dtype=torch.float64)
    last, sign = generator.layers[-1], "x = sigmoid(W)"
    if float(border(generator(typical)).median()) < 0.5:
        last, sign = Dense(-last.weight, -last.bias, "sigmoid"), "x = sigmoid(-W)"
    return Generator(
        (*generator.layers[:-1], last),
        generator.image_shape,
        name=generator.name,
        card={"output sign": f"{sign}, detected from the border of a typical image"},
    )


def _images(columns: Matrix, side: int) -> Matrix:
    """[P, B], column-major -> [B, 1, H, W]"""
    return columns.T.reshape(-1, 1, side, side).transpose(0, 1, 3, 2)


def _load(
    path: Path, *, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, Matrix]:
    """Read matrices of real numbers by their names; optional ones may be missing."""
    shapes = _shapes(path)
    missing = [name for name in required if name not in shapes]
    if missing:
        found = ", ".join(sorted(shapes)) or "no array"
        other = [kind for kind, arrays in KINDS.items() if all(name in shapes for name in arrays)]
        hint = f"it holds {other[0]}" if other else f"it must hold {', '.join(required)}"
        raise FileError(f"{path.name} holds no {' or '.join(missing)} (found: {found}); {hint}.")
    wanted = [name for name in (*required, *optional) if name in shapes]
    check_size(path, sum(8 * int(np.prod(shapes[name], dtype=np.int64)) for name in wanted))
    loaded = _arrays(path, wanted)
    matrices = {}
    for name in wanted:
        array = loaded.get(name)
        if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in "fiu":
            raise FileError(f"{path.name} holds {name}, which is not a matrix of real numbers.")
        if name.startswith("X_") and array.size == 0:
            raise FileError(f"{path.name} holds an empty {name}; it needs one column per image.")
        if name != "X_n":  # In images NaN marks lost pixels.
            check_finite(path, name, array)
        matrices[name] = array.astype(np.float64)
    return matrices


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each array by its name, from the headers alone."""
    if _is_hdf5(path):
        with _open_hdf5(path) as (file, h5py):
            arrays = {name: file[name] for name in file}
            return {
                name: tuple(reversed(array.shape))
                for name, array in arrays.items()
                if isinstance(array, h5py.Dataset)
            }
    _check_compressed(path)
    try:
        listed = scipy.io.whosmat(str(path))
    except Exception as error:  # Damaged bytes make scipy raise errors of many kinds.
        raise FileError(
            f"{path.name} is not a readable MATLAB file; it may be truncated or of another format."
        ) from error
    return {name: tuple(shape) for name, shape, _ in listed}


def _arrays(path: Path, wanted: Sequence[str]) -> dict[str, Any]:
    """The arrays of these names, as MATLAB shows them."""
    if _is_hdf5(path):
        with _open_hdf5(path) as (file, _):
            # HDF5 holds the arrays of MATLAB transposed.
            return {name: np.asarray(file[name]).T for name in wanted}
    try:
        return scipy.io.loadmat(str(path), variable_names=wanted)
    except Exception as error:  # Damaged bytes make scipy raise errors of many kinds.
        raise FileError(f"{path.name} cannot be read to its end; it may be truncated.") from error


def _check_compressed(path: Path) -> None:
    """Check the size of a version 5 file's compressed elements before scipy decompresses them.

    A header of 128 bytes ends in the byte order; then each element has a type and a size.
    """
    with path.open("rb") as file:
        order = {b"IM": "<", b"MI": ">"}.get(file.read(128)[126:])
        total = 0
        while order is not None and len(tag := file.read(8)) == 8:
            kind, size = struct.unpack(f"{order}II", tag)
            if kind != COMPRESSED:
                file.seek(size, os.SEEK_CUR)
                continue
            decompressor = zlib.decompressobj()
            data = file.read(size)
            with contextlib.suppress(zlib.error):  # scipy reports the damage.
                while data and total <= MAX_BYTES:
                    total += len(decompressor.decompress(data, CHUNK))
                    data = decompressor.unconsumed_tail
            check_size(path, total)


def _is_hdf5(path: Path) -> bool:
    with path.open("rb") as file:
        for offset in HDF5_OFFSETS:
            file.seek(offset)
            if file.read(len(HDF5_MAGIC)) == HDF5_MAGIC:
                return True
    return False


@contextlib.contextmanager
def _open_hdf5(path: Path) -> Iterator[tuple[Any, Any]]:
    """The opened file, and the module h5py."""
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
    except Exception as error:  # Damaged bytes make h5py raise errors of many kinds.
        raise FileError(
            f"{path.name} is not a readable MATLAB v7.3 file; it may be truncated."
        ) from error
