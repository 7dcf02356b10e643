"""Operators by name, or from files that hold a matrix T."""

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
from inpaint.files.checks import check_file, check_finite, check_size
from inpaint.operators import LinearOperator, is_operator_name, named_operator
from inpaint.types import ImageShape, Operator

MATRIX_ENDINGS = (".npy", ".npz", ".mat")
SPARSE_PARTS = {"row", "col", "indices", "indptr"}
"""Arrays by which an .npz of `scipy.sparse.save_npz` is recognised."""
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
            return LinearOperator(_by_rows(mat.read_matrix(path, "T"), image_shape), image_shape)
        return LinearOperator(_read_array(path), image_shape)
    except ShapeError as error:
        raise ShapeError(f"{path.name}: {error}") from error
    except ArgumentError as error:
        raise ArgumentError(f"{path.name}: {error}") from error


def _by_rows(matrix: NDArray[np.float64], image_shape: ImageShape) -> Tensor:
    """Reorder the columns of a matrix from column-major pixels to row-major ones."""
    channels, height, width = image_shape
    if matrix.shape[1] != math.prod(image_shape):
        return torch.from_numpy(matrix)  # LinearOperator raises, with the reason.
    by_rows = matrix.reshape(-1, channels, width, height).swapaxes(-1, -2)
    return torch.from_numpy(np.ascontiguousarray(by_rows).reshape(matrix.shape))


def _read_array(path: Path) -> Tensor:
    sparse = _read_sparse(path) if path.suffix.lower() == ".npz" else None
    if sparse is not None:
        return sparse
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


def _read_sparse(path: Path) -> Tensor | None:
    """Read a matrix that `scipy.sparse.save_npz` wrote; None if the file holds something else."""
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
    except Exception as error:  # Damaged bytes make scipy raise errors of many kinds.
        raise FileError(
            f"{path.name} is not a sound sparse matrix; write it with scipy.sparse.save_npz."
        ) from error
    size = [int(side) for side in matrix.shape]
    if size[0] > MAX_ROWS:
        raise FileError(
            f"{path.name} declares a matrix of {size[0]:,} rows; at most {MAX_ROWS:,} are read."
        )
    return torch.sparse_coo_tensor(torch.from_numpy(places), entries, size, check_invariants=True)
