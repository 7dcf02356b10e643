"""Operators by name, or from files that hold a matrix T."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint.errors import ArgumentError, FileError, ShapeError
from inpaint.files import arrays, mat
from inpaint.files.checks import check_file, check_finite, list_names
from inpaint.files.sparse import from_scipy
from inpaint.operators import LinearOperator, is_operator_name, named_operator
from inpaint.types import ImageShape, Operator

MATRIX_ENDINGS = (".npy", ".npz", ".mat")
SPARSE_PARTS = ("format", "shape", "data", "row", "col", "indices", "indptr", "offsets")
"""Arrays that `scipy.sparse.save_npz` writes."""
MAX_ROWS = 1_000_000
"""Most rows of a sparse matrix; a small file can declare more than fit in memory."""


def read_operator(text: str, image_shape: ImageShape) -> Operator:
    """Read the operator that a text names: "block-average", "blur:1.5", or the file of a matrix.

    A matrix T is [M, P], with a row for each value and a column for each of the P pixels of an
    image. An .npy or .npz (array `T`, or a sparse matrix saved by scipy) orders the pixels row by
    row; a .mat (array `T`) orders them column by column, as it does in its images.

    Args:
        text: Name of an operator, or path.
        image_shape: Shape of one image. (C, H, W)

    Raises:
        FileError: If there is no such file, or it does not hold a matrix.
        ArgumentError: If the text names neither an operator nor a file, or the matrix is not valid.
        ShapeError: If the matrix is for images of another size.
    """
    if is_operator_name(text) or not text.lower().endswith(MATRIX_ENDINGS):
        return named_operator(text, image_shape)
    path = check_file(text, otherwise="or name an operator such as block-average")
    try:
        if path.suffix.lower() == ".mat":
            matrix = mat.read_matrix(path, "T")
            _check_rows(path, matrix)
            return LinearOperator(_by_rows(matrix, image_shape), image_shape)
        return LinearOperator(_read_array(path), image_shape)
    except ShapeError as error:
        raise ShapeError(f"{path.name}: {error}") from error
    except ArgumentError as error:
        raise ArgumentError(f"{path.name}: {error}") from error


def _by_rows(matrix: Tensor, image_shape: ImageShape) -> Tensor:
    """Reorder the columns of a matrix from column-major pixels to row-major ones."""
    channels, height, width = image_shape
    if matrix.shape[1] != math.prod(image_shape):
        return matrix  # LinearOperator raises, with the reason.
    order = torch.arange(matrix.shape[1]).reshape(channels, width, height).mT.flatten()
    return matrix.index_select(1, order)


def _read_array(path: Path) -> Tensor:
    loaded = arrays.load(path, "T", *SPARSE_PARTS)
    array = loaded.get("T")
    if array is None and "format" in loaded:
        return _from_scipy(path, loaded)
    if array is None:
        found = list_names(arrays.load(path))
        raise FileError(
            f"{path.name} holds no array named T (found: {found}); write it with "
            "np.savez(file, T=matrix)."
        )
    if not isinstance(array, np.ndarray):  # The member of the archive has lost its header.
        raise FileError(f"{path.name} holds a damaged array T; write it again.")
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        raise FileError(
            f"{path.name} holds T of type {array.dtype} and shape {list(array.shape)}; it must be "
            "a matrix of real numbers [M, P]."
        )
    check_finite(path, "T", array)
    return torch.from_numpy(array.astype(np.float64))


def _from_scipy(path: Path, parts: Mapping[str, NDArray[np.generic]]) -> Tensor:
    """The matrix that `scipy.sparse.save_npz` wrote."""
    try:
        matrix = from_scipy(parts)
    except ValueError as error:
        raise FileError(
            f"{path.name} is not a sound sparse matrix: {error}. Write it with "
            "scipy.sparse.save_npz."
        ) from error
    _check_rows(path, matrix)
    return matrix


def _check_rows(path: Path, matrix: Tensor) -> None:
    """Require that the values of a sparse matrix fit in memory."""
    if matrix.is_sparse and len(matrix) > MAX_ROWS:
        raise FileError(
            f"{path.name} declares a matrix of {len(matrix):,} rows; at most {MAX_ROWS:,} are read."
        )
