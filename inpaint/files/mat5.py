"""Arrays of MATLAB files of version 5, whose types and sizes are checked one by one.

scipy's reader trusts them, so one damaged byte can end the process. Only matrices of real numbers
are read, dense or sparse; of anything else the name and the shape are known.

A header of 128 bytes ends in the byte order. Then each element has a type and a size, and is
padded to 8 bytes. Source: MathWorks, "MAT-File Format", 2023, chapter 1.
"""

from __future__ import annotations

import math
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from inpaint.files.checks import check_size
from inpaint.files.sparse import compressed_matrix

Array = NDArray[np.generic]

ORDERS = {b"IM": "<", b"MI": ">"}
"""Byte orders by the end of the header."""
HEADER = 128
NUMBERS = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
"""Types of elements that hold numbers."""
MATRIX, COMPRESSED = 14, 15
"""Types of elements that hold an array, and that hold one compressed with zlib."""
SPARSE, OPAQUE = 5, 17
"""Classes of arrays: sparse, and objects whose layout is not public."""
REAL_CLASSES = range(6, 16)
"""Classes of dense arrays of numbers."""
COMPLEX = 0x800
"""Flag of an array of complex numbers."""
HEAD = 4096
"""Bytes of an array that hold its class, shape and name, with room to spare."""


@dataclass(frozen=True)
class Variable:
    """An array of a file.

    Attributes:
        shape: Its shape; () if it is not public.
        real: Whether it holds real numbers.
        sparse: Whether only its nonzero entries are stored.
        start: Where its element begins in the file.
    """

    shape: tuple[int, ...]
    real: bool
    sparse: bool
    start: int


def is_mat5(path: Path) -> bool:
    """Whether a file begins as one of version 5."""
    with path.open("rb") as file:
        header = file.read(HEADER)
    return header[126:] in ORDERS and 0 not in header[:4]


def list_arrays(path: Path) -> dict[str, Variable]:
    """The arrays of a file by their names; where a name returns, its last array counts.

    Raises:
        ValueError: If the file is damaged.
    """
    found = {}
    with path.open("rb") as file:
        order = ORDERS[file.read(HEADER)[126:]]
        start = HEADER
        while tag := file.read(8):
            kind, size = _unpack(f"{order}II", tag)
            if kind == COMPRESSED:
                head = zlib.decompressobj().decompress(file.read(min(size, HEAD)), HEAD)
                inner, size_inside = _unpack(f"{order}II", head[:8])
                check_size(path, size_inside)
                content = head[8:]
            else:
                inner, content = kind, file.read(min(size, HEAD))
            if inner != MATRIX:
                raise ValueError(f"an element of type {inner} is not an array")
            name, variable, _ = _header(content, order, start)
            if name:  # What has none belongs to the program that wrote the file.
                found[name] = variable
            start = file.seek(start + 8 + size)
        if start > file.seek(0, os.SEEK_END):
            raise ValueError("the last array is cut short")
    return found


def read_array(path: Path, variable: Variable) -> Array | Tensor:
    """Read an array of real numbers: [rows, columns], or a sparse tensor of float64.

    Raises:
        ValueError: If it is damaged.
    """
    with path.open("rb") as file:
        order = ORDERS[file.read(HEADER)[126:]]
        content = _content(path, file, order, variable.start)
    _, header, parts = _header(content, order, variable.start)
    if header != variable:
        raise ValueError("the array is not the one that was listed")
    if variable.sparse:
        rows, pointers, entries = (_numbers(next(parts), order) for _ in range(3))
        return compressed_matrix(pointers, rows, entries, variable.shape, by_rows=False)
    numbers = _numbers(next(parts), order)
    if numbers.size != math.prod(variable.shape):
        raise ValueError(f"{numbers.size} numbers are no array {list(variable.shape)}")
    return numbers.reshape(variable.shape, order="F")


def _content(path: Path, file: BinaryIO, order: str, start: int) -> bytes:
    """What an element holds, decompressed."""
    file.seek(start)
    kind, size = _unpack(f"{order}II", file.read(8))
    data = file.read(size)
    if kind != COMPRESSED:
        return data
    unpacking = zlib.decompressobj()
    _, inner = _unpack(f"{order}II", unpacking.decompress(data, 8))
    check_size(path, inner)
    content = unpacking.decompress(unpacking.unconsumed_tail, inner)
    # The end holds a checksum, which raises an error if a byte was changed.
    unpacking.decompress(unpacking.unconsumed_tail, 1)
    return content


def _header(
    content: bytes, order: str, start: int
) -> tuple[str, Variable, Iterator[tuple[int, bytes]]]:
    """The name and the header of an array, and the elements that follow."""
    parts = _elements(content, order)
    flags = _numbers(next(parts), order)
    if flags.dtype.kind != "u" or flags.size != 2:
        raise ValueError("the flags of an array are not two numbers")
    kind = int(flags[0]) & 0xFF
    shape: tuple[int, ...] = ()
    if kind != OPAQUE:
        shape = tuple(int(size) for size in _numbers(next(parts), order).astype(np.int64))
        if len(shape) < 2 or min(shape) < 0:
            raise ValueError("the shape of an array is not two sizes or more")
    name = next(parts)[1].decode("latin-1")
    numeric = kind == SPARSE or kind in REAL_CLASSES
    real = numeric and not int(flags[0]) & COMPLEX
    return name, Variable(shape, real, kind == SPARSE, start), parts


def _elements(content: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """The elements inside an array: their types and what they hold.

    Up to four bytes are stored in the second half of the tag, after a type and a size of two bytes.

    Raises:
        ValueError: If an element is expected where there is none.
    """
    at = 0
    while True:
        kind, size = _unpack(f"{order}II", content[at : at + 8])
        if small := kind >> 16:
            kind, size, begin, end = kind & 0xFFFF, small, at + 4, at + 8
        else:
            begin = at + 8
            end = begin + size + -size % 8
        if begin + size > min(end, len(content)):
            raise ValueError("an element is longer than what holds it")
        yield kind, content[begin : begin + size]
        at = end


def _numbers(element: tuple[int, bytes], order: str) -> Array:
    kind, content = element
    if kind not in NUMBERS:
        raise ValueError(f"an element of type {kind} holds no numbers")
    return np.frombuffer(content, dtype=f"{order}{NUMBERS[kind]}")


def _unpack(layout: str, content: bytes) -> tuple[int, int]:
    if len(content) != struct.calcsize(layout):
        raise ValueError("the file ends inside an element")
    first, second = struct.unpack(layout, content)
    return first, second
