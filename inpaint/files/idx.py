"""IDX files, the format of MNIST: a short header, then one array of numbers.

Bytes 0 and 1 are zero, byte 2 is the type of the numbers, byte 3 the number of axes. Then come the
sizes of the axes as 32-bit integers and the numbers themselves, all big-endian.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from inpaint.errors import FileError

MAX_BYTES = 1 << 30
"""Largest array that is read: about twenty times MNIST's training set."""

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
Stream = BinaryIO | gzip.GzipFile

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_RATIO = 1032
"""Deflate compresses by at most this factor, so a gzip file that declares more is damaged."""

HALF_LEVEL = 1 / 510
"""Half a grey level of 8 bits; smaller differences count as zero."""


def read_idx(path: str | Path) -> np.ndarray:
    """Read the array of an IDX file, gzipped or not.

    The declared size is checked against the size of the file before anything is allocated.

    Args:
        path: A file such as train-images-idx3-ubyte.gz.

    Returns:
        The array in this machine's byte order, with the shape that the file declares.

    Raises:
        FileError: If the file cannot be read, is not an IDX file, or is cut short or too long.
    """
    path = Path(path)
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            size = path.stat().st_size
            if not packed:
                return _read_array(raw, path, limit=size)
            with gzip.GzipFile(fileobj=raw) as unpacked:
                return _read_array(unpacked, path, limit=size * _GZIP_RATIO)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FileError(
            f"{path} is a gzip file that cannot be unpacked ({error}); fetch it again."
        ) from error
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}.") from error


def _read_array(stream: Stream, path: Path, *, limit: int) -> np.ndarray:
    """Read the array of an opened IDX file that can hold at most `limit` bytes."""
    dtype, shape = _read_header(stream, path)
    size = math.prod(shape) * dtype.itemsize
    if size > MAX_BYTES:
        raise FileError(
            f"{path} declares an array of {size:,} bytes; at most {MAX_BYTES:,} are read. "
            "Split the file."
        )
    if size > limit:
        raise FileError(
            f"{path} declares an array of {size:,} bytes, more than the file can hold; "
            "it is cut short or damaged."
        )
    data = stream.read(size)
    if len(data) < size:
        raise FileError(
            f"{path} is cut short: it holds {len(data):,} of the {size:,} bytes that its header "
            "declares. Fetch it again."
        )
    if stream.read(1):
        raise FileError(
            f"{path} goes on after the {size:,} bytes that its header declares; "
            "it is no sound IDX file."
        )
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _read_header(stream: Stream, path: Path) -> tuple[np.dtype, tuple[int, ...]]:
    """Read the type and shape of the array."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or magic[3] == 0:
        raise FileError(
            f"{path} is not an IDX file: it begins with {magic.hex(' ') or 'nothing'} instead of "
            "00 00, a type and a number of axes."
        )
    axes = stream.read(4 * magic[3])
    if len(axes) < 4 * magic[3]:
        raise FileError(f"{path} is cut short within its header. Fetch it again.")
    return np.dtype(_TYPES[magic[2]]), struct.unpack(f">{magic[3]}I", axes)
