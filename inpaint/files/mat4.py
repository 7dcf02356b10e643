"""Arrays of MATLAB files of version 4: matrices one after the other, each behind its header.

A header is five numbers of four bytes: the type MOPT, rows, columns, whether the matrix is complex,
and the length of the name, which follows. Source: MathWorks, "MAT-File Format", 2023, chapter 2.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from torch import Tensor

from inpaint.files.checks import check_size
from inpaint.files.mat5 import Array, Variable
from inpaint.files.sparse import LARGEST, coordinate_matrix

NUMBERS = ("f8", "f4", "i4", "i2", "u2", "u1")
"""Types of numbers by the digit P of MOPT."""
FULL, SPARSE = 0, 2
"""Kinds of matrices by the digit T of MOPT."""
LONGEST = 256
"""Most bytes of a name."""


def list_arrays(path: Path) -> dict[str, Variable]:
    """The arrays of a file by their names; where a name returns, its last array counts.

    Raises:
        ValueError: If the file is damaged or of another format.
    """
    found = {}
    size = path.stat().st_size
    with path.open("rb") as file:
        while (start := file.tell()) < size:
            kind, dtype, (rows, columns), is_complex, name = _header(file)
            begin = file.tell()
            end = begin + rows * columns * dtype.itemsize * (1 + is_complex)
            if end > size:
                raise ValueError("the last array is cut short")
            shape = rows, columns
            if kind == SPARSE:
                # Each row is the place of an entry and its value; the last one has the shape.
                is_complex = columns == 4
                table = np.frombuffer(file.read(end - begin), dtype)
                if rows < 1 or columns not in (3, 4):
                    raise ValueError("a sparse matrix has a row for each entry")
                height, width = table.reshape(columns, rows)[:2, -1]
                shape = int(height), int(width)
            real = kind in (FULL, SPARSE) and not is_complex
            found[name] = Variable(shape, real, kind == SPARSE, start)
            file.seek(end)
    if not found:
        raise ValueError("the file is empty")
    return found


def read_array(path: Path, variable: Variable) -> Array | Tensor:
    """Read an array of real numbers: [rows, columns], or a sparse tensor of float64.

    Raises:
        ValueError: If it is damaged.
    """
    with path.open("rb") as file:
        file.seek(variable.start)
        _, dtype, (rows, columns), _, _ = _header(file)
        check_size(path, rows * columns * dtype.itemsize)
        numbers = np.frombuffer(file.read(rows * columns * dtype.itemsize), dtype)
    numbers = numbers.reshape(rows, columns, order="F")
    if not variable.sparse:
        return numbers
    if not (np.abs(numbers[:-1, :2]) <= LARGEST).all():
        raise ValueError("its indices are not whole numbers")
    places = numbers[:-1, :2].astype(np.int64)
    if (places != numbers[:-1, :2]).any():
        raise ValueError("its indices are not whole numbers")
    return coordinate_matrix(
        places[:, 0] - 1, places[:, 1] - 1, numbers[:-1, 2].astype(np.float64), variable.shape
    )


def _header(file: BinaryIO) -> tuple[int, np.dtype[np.generic], tuple[int, int], bool, str]:
    """Kind, type of numbers, shape, whether they are complex, and the name."""
    head = file.read(20)
    if len(head) < 20:
        raise ValueError("the file ends inside a header")
    order = "<" if struct.unpack("<i", head[:4])[0] in range(1000) else ">"
    mopt, rows, columns, imaginary, length = struct.unpack(f"{order}5i", head)
    # The first digit is the byte order, 0 or 1; the second is always 0.
    number, kind = mopt // 10 % 10, mopt % 10
    sound = mopt - (mopt % 100) == (0 if order == "<" else 1000)
    if not sound or number >= len(NUMBERS) or kind > SPARSE or min(rows, columns) < 0:
        raise ValueError("a header is not that of a matrix")
    if imaginary not in (0, 1) or not 0 < length <= LONGEST:
        raise ValueError("a header is not that of a matrix")
    name = file.read(length).split(b"\0")[0].decode("latin-1")
    return kind, np.dtype(f"{order}{NUMBERS[number]}"), (rows, columns), imaginary == 1, name
