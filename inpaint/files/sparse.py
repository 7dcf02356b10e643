"""Sparse matrices from index arrays, with every index checked before it is used.

scipy converts between its formats in compiled code that trusts the indices: a damaged file would
write outside memory. Here nothing is converted before its structure is known to be right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Integers = NDArray[np.int64]

FORMATS = ("csr", "csc", "bsr", "coo", "dia")
"""What `scipy.sparse.save_npz` writes."""
LARGEST = 2**31
"""Most rows or columns, so that no product of the two overflows."""


def coordinate_matrix(rows: Any, columns: Any, entries: Any, shape: Sequence[int]) -> Tensor:
    """The matrix with these entries; entries at the same place are added.

    Args:
        rows: Whole numbers. [K]
        columns: Whole numbers. [K]
        entries: Real numbers. [K]
        shape: Numbers of rows and columns.

    Returns:
        A sparse COO tensor of float64. [rows, columns]

    Raises:
        ValueError: If the arrays have other types or lengths, or an index is out of range.
    """
    height, width = check_shape(shape)
    values = check_entries(entries, axes=1)
    places = [check_indices(rows, "row", height), check_indices(columns, "column", width)]
    if not len(places[0]) == len(places[1]) == len(values):
        raise ValueError(
            f"it has {len(places[0])} rows, {len(places[1])} columns and {len(values)} entries"
        )
    return torch.sparse_coo_tensor(
        torch.from_numpy(np.stack(places)),
        torch.from_numpy(values),
        (height, width),
        check_invariants=True,
    )


def compressed_matrix(
    pointers: Any, indices: Any, entries: Any, shape: Sequence[int], *, by_rows: bool
) -> Tensor:
    """The matrix of compressed rows (CSR), or of compressed columns (CSC).

    Arrays may be longer than the last pointer says, as MATLAB's are.

    Args:
        pointers: Where each row or column begins, and where the last one ends. [rows + 1]
        indices: Columns of the entries, or rows. [K]
        entries: Real numbers. [K]
        shape: Numbers of rows and columns.
        by_rows: Whether the rows are compressed.

    Raises:
        ValueError: If the arrays have other types or lengths, or an index is out of range.
    """
    shape = check_shape(shape)
    held = min(np.size(indices), np.size(entries))
    lines = expand_pointers(pointers, shape[0] if by_rows else shape[1], held)
    others, values = indices[: len(lines)], entries[: len(lines)]
    rows, columns = (lines, others) if by_rows else (others, lines)
    return coordinate_matrix(rows, columns, values, shape)


def from_scipy(parts: Mapping[str, Any]) -> Tensor:
    """The matrix whose arrays `scipy.sparse.save_npz` wrote.

    Raises:
        ValueError: If an array is missing, or they do not form a matrix.
    """
    for name in ("format", "shape", "data"):
        if not isinstance(parts.get(name), np.ndarray):
            raise ValueError(f"it has no array {name}")
    kind = parts["format"].item() if parts["format"].ndim == 0 else None
    kind = kind.decode("latin-1") if isinstance(kind, bytes) else kind
    if kind not in FORMATS:
        raise ValueError(f"its format is none of {', '.join(FORMATS)}")
    shape = check_shape(check_indices(parts["shape"], "shape", LARGEST + 1).tolist())
    needed = {"coo": ("row", "col"), "dia": ("offsets",)}.get(kind, ("indptr", "indices"))
    for name in needed:
        if not isinstance(parts.get(name), np.ndarray):
            raise ValueError(f"it has no array {name}")
    first, second = parts[needed[0]], parts[needed[-1]]
    match kind:
        case "coo":
            return coordinate_matrix(first, second, parts["data"], shape)
        case "dia":
            return _from_diagonals(first, parts["data"], shape)
        case "bsr":
            return _from_blocks(first, second, parts["data"], shape)
    return compressed_matrix(first, second, parts["data"], shape, by_rows=kind == "csr")


def check_shape(shape: Sequence[int]) -> tuple[int, int]:
    """Require two sizes, and return them."""
    if len(shape) != 2 or not all(0 <= size <= LARGEST for size in shape):
        raise ValueError("its shape is not that of a matrix")
    return int(shape[0]), int(shape[1])


def check_entries(entries: Any, *, axes: int) -> NDArray[np.float64]:
    """Require an array of real numbers, and return it as float64."""
    if not isinstance(entries, np.ndarray) or entries.ndim != axes:
        raise ValueError("its entries have the wrong number of axes")
    if entries.dtype.kind not in "fiub":
        raise ValueError(f"its entries are of type {entries.dtype}, not real numbers")
    return entries.astype(np.float64)


def check_indices(indices: Any, name: str, size: int) -> Integers:
    """Require whole numbers from 0 to below a size, and return them as int64."""
    if not isinstance(indices, np.ndarray) or indices.ndim != 1 or indices.dtype.kind not in "iu":
        raise ValueError(f"its {name} indices are not a list of whole numbers")
    numbers = indices.astype(np.int64)
    if numbers.size and not 0 <= numbers.min() <= numbers.max() < size:
        wrong = numbers[(numbers < 0) | (numbers >= size)][0]
        raise ValueError(f"its {name} index {wrong} is not between 0 and {size - 1}")
    return numbers


def expand_pointers(pointers: Any, lines: int, held: int) -> Integers:
    """The line of each of the entries held, from where each begins. [lines + 1] -> [K]"""
    starts = check_indices(pointers, "pointer", 2**62)
    if len(starts) != lines + 1 or starts[0] != 0 or (np.diff(starts) < 0).any():
        raise ValueError(f"its pointers do not rise from 0 in {lines} steps")
    if starts[-1] > held:
        raise ValueError(f"its pointers lead to entry {starts[-1]} of {held}")
    return np.repeat(np.arange(lines), np.diff(starts))


def _from_diagonals(offsets: Any, data: Any, shape: tuple[int, int]) -> Tensor:
    """Diagonal k holds its entry of column j at row j - offset. [K], [K, L]"""
    values = check_entries(data, axes=2)
    if not isinstance(offsets, np.ndarray) or offsets.shape != values.shape[:1]:
        raise ValueError("it does not have an offset for each diagonal")
    if offsets.dtype.kind not in "iu":
        raise ValueError("its offsets are not whole numbers")
    columns = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    rows = columns - offsets.astype(np.int64)[:, None]
    inside = (rows >= 0) & (rows < shape[0]) & (columns < shape[1])
    return coordinate_matrix(rows[inside], columns[inside], values[inside], shape)


def _from_blocks(pointers: Any, indices: Any, data: Any, shape: tuple[int, int]) -> Tensor:
    """Compressed rows whose entries are blocks. [rows / R + 1], [K], [K, R, C]"""
    values = check_entries(data, axes=3)
    height, width = values.shape[1:]
    if not (height and width) or shape[0] % height or shape[1] % width:
        raise ValueError(f"its blocks of {height}x{width} do not fill it")
    places = check_indices(indices, "column", shape[1] // width)
    lines = expand_pointers(pointers, shape[0] // height, min(len(places), len(values)))
    places, values = places[: len(lines)], values[: len(lines)]
    rows = lines[:, None, None] * height + np.arange(height)[:, None]
    columns = places[:, None, None] * width + np.arange(width)
    rows, columns = (np.broadcast_to(each, values.shape).ravel() for each in (rows, columns))
    return coordinate_matrix(rows, columns, values.ravel(), shape)
