"""IDX files: valid ones are read back, and broken ones are refused with a reason."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from inpaint.errors import FileError
from inpaint.files.idx import read_idx

CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def idx_bytes(array: np.ndarray) -> bytes:
    """The IDX file of an array."""
    code = CODES[array.dtype.str[1:]]
    header = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", list(CODES))
def test_arrays_are_read_back(tmp_path: Path, dtype: str, packed: bool) -> None:
    array = np.arange(24, dtype=dtype).reshape(2, 3, 4)
    path = tmp_path / "array"
    path.write_bytes(gzip.compress(idx_bytes(array)) if packed else idx_bytes(array))
    read = read_idx(path)
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


def broken_files() -> dict[str, tuple[bytes, str]]:
    """Broken files by name, each with words that its error must contain."""
    valid = idx_bytes(np.arange(200, dtype="u1").reshape(20, 10))
    bomb = bytes([0, 0, 8, 1]) + struct.pack(">I", 1 << 30) + bytes(1000)
    endless = idx_bytes(np.zeros(4, "u1")) + bytes(50_000_000)
    return {
        "text": (b"These are not the images.", "not an IDX file"),
        "empty": (b"", "not an IDX file"),
        "header": (valid[:9], "cut short"),
        "short": (valid[:-1], "cut short"),
        "long": (valid + b"!", "goes on"),
        "huge": (bytes([0, 0, 14, 3]) + struct.pack(">3I", *[2**32 - 1] * 3), "at most"),
        "packed-short": (gzip.compress(valid)[:-20], "cannot be unpacked"),
        "packed-damaged": (gzip.compress(valid)[:12] + b"?" * 40, "cannot be unpacked"),
        "packed-false-size": (gzip.compress(bomb), "more than the file can hold"),
        "packed-bomb": (gzip.compress(endless), "goes on"),
    }


@pytest.mark.parametrize("name", list(broken_files()))
def test_broken_files_are_refused_with_a_reason(tmp_path: Path, name: str) -> None:
    content, word = broken_files()[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FileError, match=word) as caught:
        read_idx(path)
    assert name in str(caught.value)


def test_a_missing_file_is_refused_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        read_idx(tmp_path / "missing")
    with pytest.raises(FileError, match="cannot be read"):
        read_idx(tmp_path)


def test_mnist_is_read(data_dir: Path) -> None:
    images = read_idx(data_dir / "train-images-idx3-ubyte.gz")
    labels = read_idx(data_dir / "train-labels-idx1-ubyte.gz")
    assert images.shape == (60_000, 28, 28)
    assert images.dtype == np.uint8
    assert labels.shape == (60_000,)
    assert set(labels) == set(range(10))
