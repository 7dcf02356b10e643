"""MATLAB files: images as columns, and generators as matrices A_1, B_1, A_2, ...

Versions 4 (`mat4.py`), 5 (`mat5.py`) and 7.3 (`mat73.py`, by the optional h5py) are read. Each
column is an image stored column by column. Files of generators differ in the sign inside the last
sigmoid; the border of an image that the generator makes shows which it is.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint.errors import FileError, InpaintError
from inpaint.files import hdf5, mat4, mat5, mat73
from inpaint.files.arrays import stored_arrays
from inpaint.files.checks import check_finite, check_size, check_square, list_names
from inpaint.files.normalize import Orientation
from inpaint.files.stored import StoredSet
from inpaint.generators import Dense, Generator
from inpaint.generators.kind import border
from inpaint.types import ImageShape

Matrix = NDArray[np.float64]

KINDS = {
    "a generator": ("A_1", "B_1"),
    "images": ("X_n",),
    "an operator": ("T",),
}
"""What a file can hold, and the arrays by which it is recognised."""


def read_images(
    path: Path, orientation: Orientation | None, image_shape: ImageShape | None
) -> StoredSet:
    """Read images `X_n` (as recorded) and, if present, `X_i` (ideal), one per column.

    Where X_n has fewer rows than X_i, its columns are values measured of the ideal images, such as
    block averages. They form a smaller image.

    Raises:
        FileError: If the file is not a MATLAB file or holds no such arrays.
    """
    matrices = _load(path, required=("X_n",), optional=("X_i",))
    recorded = matrices["X_n"]
    ideal = matrices.get("X_i")
    if ideal is None or len(ideal) == len(recorded):
        _check_columns(path, recorded, image_shape)
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
    listed = _list(path)
    count = 0
    while f"A_{count + 1}" in listed:
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


def read_matrix(path: Path, name: str) -> Tensor:
    """Read one matrix of real numbers, as a dense tensor or, if it is stored so, a sparse one.

    Raises:
        FileError: If the file is not a MATLAB file or holds no such matrix.
    """
    array = _load(path, required=(name,), keep_sparse=True)[name]
    return array if isinstance(array, Tensor) else torch.from_numpy(array)


def _check_columns(path: Path, images: Matrix, image_shape: ImageShape | None) -> None:
    """Refuse images that are stored as rows, where their sizes show it."""
    rows, columns = images.shape
    pixels = None if image_shape is None else math.prod(image_shape)
    square = math.isqrt(rows) ** 2 == rows
    as_rows = math.isqrt(columns) ** 2 == columns and (rows == 1 or not square)
    if rows < columns and (columns == pixels or as_rows):
        raise FileError(
            f"{path.name} holds X_n, which is {rows}x{columns}; an image is a column. Transpose it."
        )


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
    path: Path,
    *,
    required: tuple[str, ...],
    optional: tuple[str, ...] = (),
    keep_sparse: bool = False,
) -> dict[str, Any]:
    """Read matrices of real numbers by their names; optional ones may be missing.

    Sparse ones become dense, unless they are kept as tensors.
    """
    listed = _list(path)
    missing = [name for name in required if name not in listed]
    if missing:
        found = list_names(sorted(listed))
        other = [kind for kind, arrays in KINDS.items() if all(name in listed for name in arrays)]
        hint = f"it holds {other[0]}" if other else f"it must hold {', '.join(required)}"
        raise FileError(f"{path.name} holds no {' or '.join(missing)} (found: {found}); {hint}.")
    wanted = {name: listed[name] for name in (*required, *optional) if name in listed}
    for name, array in wanted.items():
        if not array.real or len(array.shape) != 2:
            raise FileError(f"{path.name} holds {name}, which is not a matrix of real numbers.")
        if name.startswith("X_") and 0 in array.shape:
            raise FileError(f"{path.name} holds an empty {name}; it needs one column per image.")
    dense = (each.shape for each in wanted.values() if not (each.sparse and keep_sparse))
    check_size(path, sum(8 * math.prod(shape) for shape in dense))
    matrices: dict[str, Any] = {}
    for name, matrix in _read(path, wanted).items():
        entries = matrix.coalesce().values().numpy() if isinstance(matrix, Tensor) else matrix
        if name != "X_n":  # In images NaN marks lost pixels.
            check_finite(path, name, entries)
        if isinstance(matrix, Tensor):
            matrices[name] = matrix if keep_sparse else matrix.to_dense().numpy()
        else:
            matrices[name] = matrix.astype(np.float64)
    return matrices


def _list(path: Path) -> dict[str, mat5.Variable]:
    """The arrays of a file by their names, from the headers alone."""
    try:
        if hdf5.is_hdf5(path):
            return mat73.list_arrays(path)
        return mat5.list_arrays(path) if mat5.is_mat5(path) else mat4.list_arrays(path)
    except (ValueError, OverflowError, zlib.error) as error:
        raise FileError(
            f"{path.name} is not a readable MATLAB file; it may be truncated or of another format."
        ) from error


def _read(path: Path, wanted: dict[str, mat5.Variable]) -> dict[str, mat5.Array | Tensor]:
    """Matrices of real numbers, as MATLAB shows them, or sparse tensors."""
    try:
        if hdf5.is_hdf5(path):
            return mat73.read_arrays(path, wanted)
        read = mat5.read_array if mat5.is_mat5(path) else mat4.read_array
        return {name: read(path, variable) for name, variable in wanted.items()}
    except (ValueError, OverflowError, zlib.error) as error:
        raise FileError(
            f"{path.name} holds a damaged array ({', '.join(wanted)}): {error}. Write it again."
        ) from error
