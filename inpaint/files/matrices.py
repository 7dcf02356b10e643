"""Operators: one by its name, or the matrix T of a file."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np
import scipy.sparse
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint.errors import ArgumentError, FileError, ShapeError
from inpaint.files import arrays, mat
from inpaint.files.limits import check_file, check_finite, check_size
from inpaint.operators import LinearOperator, named_operator, names_operator
from inpaint.types import ImageShape, Operator

MATRIX_ENDINGS = (".npy", ".npz", ".mat")
SPARSE_PARTS = {"row", "col", "indices", "indptr"}
"""Arrays by which an .npz of scipy's sparse matrices is known."""
MAX_VALUES = 1_000_000
"""Most rows of a matrix: a sparse one can declare more than there is memory for."""


def read_operator(text: str, image_shape: ImageShape) -> Operator:
    """The operator that a text names: "block-average", "blur:1.5", or a file of a matrix.

    A matrix T is [M, P], with a row for each value and a column for each of the P pixels of an
    image: row by row in an .npy or .npz (array `T`, or a sparse matrix as scipy saves it), but
    column by column in a .mat (array `T`), as the images of such files are.

    Args:
        text: Name or path.
        image_shape: Shape of one image. (C, H, W)

    Raises:
        FileError: If there is no such file, or it holds no matrix.
        ArgumentError: If it is no name either, or the matrix cannot be used.
        ShapeError: If the matrix is for images of another size.
    """
    if names_operator(text) or not text.lower().endswith(MATRIX_ENDINGS):
        return named_operator(text, image_shape)
    path = check_file(text, otherwise="or name an operator such as block-average")
    try:
        if path.suffix.lower() == ".mat":
            return LinearOperator(_by_rows(mat.read_matrix(path, "T"), image_shape), image_shape)
        return LinearOperator(_read_array(path), image_shape)
    except ShapeError as error:
        raise ShapeError(f"{path.name}: {error}") from error
    except ArgumentError as error:
        raise ArgumentError(f"{path.name}: {error}") from error


def _by_rows(matrix: NDArray[np.float64], image_shape: ImageShape) -> Tensor:
    """The matrix with its columns in row-major order; they come in column-major order."""
    channels, height, width = image_shape
    if matrix.shape[1] != math.prod(image_shape):
        return torch.from_numpy(matrix)  # The operator refuses it with the reason.
    turned = matrix.reshape(-1, channels, width, height).swapaxes(-1, -2)
    return torch.from_numpy(np.ascontiguousarray(turned).reshape(matrix.shape))


def _read_array(path: Path) -> Tensor:
    found = _sparse(path) if path.suffix.lower() == ".npz" else None
    if found is not None:
        return found
    array = arrays.load(path, "T").get("T")
    if array is None:
        raise FileError(f"{path.name} holds no array named T; give an .npz that has one.")
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        raise FileError(
            f"{path.name} holds T of type {array.dtype} and shape {list(array.shape)}; it must be "
            "a matrix of real numbers [M, P]."
        )
    check_finite(path, "T", array)
    return torch.from_numpy(array.astype(np.float64))


def _sparse(path: Path) -> Tensor | None:
    """A matrix that scipy.sparse.save_npz wrote; None if the file is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
            check_size(path, sum(entry.file_size for entry in archive.infolist()))
        if not names & SPARSE_PARTS:
            return None
        matrix = scipy.sparse.load_npz(path).tocoo()
        places = np.stack([matrix.row, matrix.col]).astype(np.int64)
        outside = (places < 0).any() or (places.max(1, initial=-1) >= matrix.shape).any()
        if outside or matrix.data.dtype.kind not in "fiub":
            raise ValueError
        entries = torch.from_numpy(matrix.data.astype(np.float64))
    except FileError:
        raise
    except Exception as error:  # scipy raises whatever the bytes lead it to.
        raise FileError(
            f"{path.name} is no sound file of a sparse matrix; write it with scipy.sparse.save_npz."
        ) from error
    size = [int(side) for side in matrix.shape]
    if size[0] > MAX_VALUES:
        raise FileError(
            f"{path.name} declares a matrix of {size[0]:,} rows; at most {MAX_VALUES:,} are read."
        )
    return torch.sparse_coo_tensor(torch.from_numpy(places), entries, size, check_invariants=True)
