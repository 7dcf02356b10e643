"""MATLAB files of all versions, and sparse matrices, sound and damaged."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inpaint import InpaintError, read_generator, read_images
from inpaint.errors import FileError
from inpaint.files import mat4, mat5
from inpaint.files.matrices import read_operator
from inpaint.operators import to_matrix
from tests.helpers import missing, read_or_refuse, spoil

SHAPE = (1, 3, 4)
MATRIX = np.random.default_rng(0).standard_normal((5, 12)).round(1) * (np.arange(12) % 3 > 0)
BY_COLUMNS = MATRIX.reshape(5, 3, 4).swapaxes(1, 2).reshape(5, 12)
"""The same matrix for pixels in the order of MATLAB."""


def save_73(path: Path, matrix: scipy.sparse.csc_array, **changes: np.ndarray) -> None:
    """Write a sparse T as MATLAB 7.3 does."""
    try:
        import h5py
    except ImportError:
        missing("h5py is not installed.")
    parts = {"jc": matrix.indptr.astype("u8"), "ir": matrix.indices.astype("u8")}
    with h5py.File(path, "w", userblock_size=512) as file:
        group = file.create_group("T")
        group.attrs["MATLAB_sparse"] = np.uint64(matrix.shape[0])
        group.attrs["MATLAB_class"] = np.bytes_("double")
        for name, array in {**parts, "data": matrix.data, **changes}.items():
            group[name] = array


def save_sparse(path: Path, kind: str) -> None:
    """Write `MATRIX` by columns in a sparse .mat of one of the versions."""
    matrix = scipy.sparse.csc_array(BY_COLUMNS)
    match kind:
        case "7.3":
            save_73(path, matrix)
        case "4":
            scipy.io.savemat(path, {"T": matrix}, format="4")
        case _:
            scipy.io.savemat(path, {"T": matrix}, do_compression=kind == "7")


@pytest.mark.parametrize("kind", ["4", "5", "7", "7.3"])
def test_a_sparse_matrix_is_read_from_every_version(kind: str, tmp_path: Path) -> None:
    save_sparse(tmp_path / "t.mat", kind)
    operator = read_operator(str(tmp_path / "t.mat"), SHAPE)
    assert operator.sparse
    np.testing.assert_array_equal(to_matrix(operator).numpy(), MATRIX)


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "bsr", "dia"])
def test_a_sparse_matrix_is_read_from_every_format_of_scipy(kind: str, tmp_path: Path) -> None:
    matrix = scipy.sparse.coo_array(MATRIX).asformat(kind)
    for form in (matrix, scipy.sparse.coo_matrix(MATRIX).asformat(kind)):
        scipy.sparse.save_npz(tmp_path / "t.npz", form)
        operator = read_operator(str(tmp_path / "t.npz"), SHAPE)
        assert operator.sparse
        np.testing.assert_array_equal(to_matrix(operator).numpy(), MATRIX)


def test_blocks_and_diagonals_that_leave_the_matrix_are_read(tmp_path: Path) -> None:
    blocks = scipy.sparse.kron(np.eye(3), np.ones((1, 4)), format="bsr")
    diagonals = scipy.sparse.diags_array([1.0, 2, 3], offsets=[0, -2, 7], shape=(5, 12))
    for matrix in (blocks, diagonals):
        scipy.sparse.save_npz(tmp_path / "t.npz", matrix)
        operator = read_operator(str(tmp_path / "t.npz"), SHAPE)
        np.testing.assert_array_equal(to_matrix(operator).numpy(), matrix.toarray())


def test_sparse_images_and_weights_become_dense(tmp_path: Path) -> None:
    images = np.tile((np.arange(16.0) % 3 > 0)[:, None], 3)
    images[[0, 1, 2, 3], 0] = 1
    for name, matrix in (("dense", images), ("sparse", scipy.sparse.csc_array(images))):
        scipy.io.savemat(tmp_path / f"{name}.mat", {"X_n": matrix})
    dense, sparse = (read_images(tmp_path / f"{name}.mat") for name in ("dense", "sparse"))
    assert torch.equal(dense.images, sparse.images)
    layers = {"A_1": np.eye(9)[:, :2], "B_1": np.ones((9, 1))}
    scipy.io.savemat(tmp_path / "g.mat", layers)
    expected = read_generator(tmp_path / "g.mat")
    scipy.io.savemat(tmp_path / "g.mat", {**layers, "A_1": scipy.sparse.csc_array(layers["A_1"])})
    assert read_generator(tmp_path / "g.mat") == expected


CSR = {
    "format": np.array(b"csr"),
    "shape": np.array([2, 12]),
    "indptr": np.array([0, 1, 2]),
    "indices": np.array([0, 11]),
    "data": np.ones(2),
}

BAD_SPARSE: dict[str, tuple[dict[str, np.ndarray], str]] = {
    "pointers fall": ({"indptr": np.array([0, 2, 1])}, "do not rise"),
    "pointers return": ({"indptr": np.array([0, 2**31, 2])}, "do not rise"),
    "pointers too few": ({"indptr": np.array([0, 2])}, "do not rise"),
    "pointers late": ({"indptr": np.array([1, 1, 2])}, "do not rise"),
    "pointers beyond": ({"indptr": np.array([0, 1, 3])}, "to entry 3 of 2"),
    "pointers huge": ({"indptr": np.array([0, 1, 2**60])}, "of 2"),
    "pointers of floats": ({"indptr": np.array([0.0, 1, 2])}, "whole numbers"),
    "index high": ({"indices": np.array([0, 12])}, "column index 12 is not between 0 and 11"),
    "index negative": ({"indices": np.array([0, -1])}, "column index -1"),
    "index unsigned": ({"indices": np.array([0, 2**63], dtype="u8")}, "column index"),
    "entries few": ({"data": np.ones(1)}, "to entry 2 of 1"),
    "entries complex": ({"data": np.ones(2) * 1j}, "not real numbers"),
    "entries in rows": ({"data": np.ones((2, 2))}, "axes"),
    "shape of one": ({"shape": np.array([12])}, "not that of a matrix"),
    "shape negative": ({"shape": np.array([-2, 12])}, "index -2"),
    "format": ({"format": np.array(b"xyz")}, "none of csr"),
    "format of rows": ({"format": np.array([b"csr"])}, "none of csr"),
    "coo without rows": ({"format": np.array(b"coo")}, "no array row"),
    "blocks": ({"format": np.array(b"bsr"), "data": np.ones((2, 1, 5))}, "do not fill it"),
    "blocks too few": (
        {
            "format": np.array(b"bsr"),
            "data": np.ones((1, 1, 4)),
            "indices": np.array([0, 1]),
        },
        "to entry 2 of 1",
    ),
    "NaN": ({"data": np.array([1, np.nan])}, "NaN or infinity"),
}


@pytest.mark.parametrize("name", BAD_SPARSE)
def test_a_sparse_matrix_with_bad_indices_gets_one_sentence(name: str, tmp_path: Path) -> None:
    changes, message = BAD_SPARSE[name]
    np.savez(tmp_path / "t.npz", **{**CSR, **changes})
    with pytest.raises(InpaintError, match=message) as error:
        read_operator(str(tmp_path / "t.npz"), SHAPE)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("part", "value"), [("jc", 99), ("jc", 2**63), ("ir", 5), ("ir", 2**64 - 1)]
)
def test_a_damaged_sparse_matrix_of_73_gets_one_sentence(
    part: str, value: int, tmp_path: Path
) -> None:
    matrix = scipy.sparse.csc_array(BY_COLUMNS)
    array = {"jc": matrix.indptr, "ir": matrix.indices}[part].astype("u8")
    array[2] = value
    save_73(tmp_path / "t.mat", matrix, **{part: array})
    with pytest.raises(FileError, match="damaged array .T.: its"):
        read_operator(str(tmp_path / "t.mat"), SHAPE)


def test_an_array_of_another_file_is_not_read(tmp_path: Path) -> None:
    save_73(tmp_path / "t.mat", scipy.sparse.csc_array(BY_COLUMNS))
    import h5py

    (tmp_path / "secret").write_bytes(bytes(16 * 16 * 8))
    with h5py.File(tmp_path / "linked.mat", "w") as file:
        file["T"] = h5py.ExternalLink("t.mat", "T/data")
        file.create_dataset("X_n", (16, 16), "f8", external=[(str(tmp_path / "secret"), 0, 2048)])
    with pytest.raises(FileError, match="no T"):
        read_operator(str(tmp_path / "linked.mat"), SHAPE)
    with pytest.raises(FileError, match="not a matrix of real numbers"):
        read_images(tmp_path / "linked.mat")


def element(kind: int, content: bytes, order: str = "<") -> bytes:
    """An element of a version 5 file."""
    return struct.pack(f"{order}II", kind, len(content)) + content + bytes(-len(content) % 8)


def array5(
    values: np.ndarray,
    *,
    name: bytes = b"X_n",
    order: str = "<",
    kind: int = 9,
    shape: tuple[int, ...] | None = None,
    flags: int = 6,
) -> bytes:
    """An array of a version 5 file, byte by byte."""
    shape = values.shape if shape is None else shape
    numbers = values.astype(values.dtype.newbyteorder(order)).tobytes(order="F")
    parts = (
        element(6, struct.pack(f"{order}II", flags, 0), order),
        element(5, struct.pack(f"{order}{len(shape)}i", *shape), order),
        element(1, name, order),
        element(kind, numbers, order),
    )
    return element(14, b"".join(parts), order)


def file5(*elements: bytes, order: str = "<") -> bytes:
    """A version 5 file."""
    version = struct.pack(f"{order}H", 0x0100)
    end = b"IM" if order == "<" else b"MI"
    return b"MATLAB 5.0 MAT-file".ljust(124) + version + end + b"".join(elements)


def compressed(content: bytes, order: str = "<") -> bytes:
    packed = zlib.compress(content)
    return struct.pack(f"{order}II", 15, len(packed)) + packed


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("pack", [lambda content, _: content, compressed])
def test_numbers_of_every_type_and_byte_order_are_read(
    order: str, pack: Callable[[bytes, str], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "a.mat"
    values = np.arange(12).reshape(4, 3)
    for kind, dtype in mat5.NUMBERS.items():
        # Programs store the numbers of a double array in a smaller type where it holds them.
        content = array5(values.astype(dtype), order=order, kind=kind)
        path.write_bytes(file5(pack(content, order), order=order))
        variable = mat5.list_arrays(path)["X_n"]
        assert variable.shape == (4, 3)
        np.testing.assert_array_equal(mat5.read_array(path, variable), values)


def test_every_array_of_scipy_is_listed_as_scipy_lists_it(tmp_path: Path, data_dir: Path) -> None:
    arrays = {
        "d": np.ones((2, 3)),
        "i": np.ones((2, 3), dtype="i2"),
        "b": np.eye(3) > 0,
        "c": np.ones((2, 2)) * 1j,
        "s": scipy.sparse.csc_array(MATRIX),
        "text": "hello",
        "struct": {"a": {"b": 1.0}},
        "cell": np.array([1, "a"], dtype=object),
        "deep": np.ones((2, 3, 4)),
    }
    for compress in (False, True):
        scipy.io.savemat(tmp_path / "a.mat", arrays, do_compression=compress)
        found = mat5.list_arrays(tmp_path / "a.mat")
        expected = scipy.io.whosmat(str(tmp_path / "a.mat"))
        # scipy gives the shape of its own string, not that of the row of characters.
        assert {name: each.shape for name, each in found.items()} == {
            name: (1, 5) if name == "text" else shape for name, shape, _ in expected
        }
        assert [name for name, each in found.items() if each.real] == ["d", "i", "b", "s", "deep"]
    for name in ("data21.mat", "data22.mat", "data23.mat"):
        loaded = scipy.io.loadmat(str(data_dir / name))
        listed = mat5.list_arrays(data_dir / name)
        assert set(listed) == {each for each in loaded if not each.startswith("__")}
        for each, variable in listed.items():
            np.testing.assert_array_equal(
                mat5.read_array(data_dir / name, variable), loaded[each], strict=True
            )


def test_arrays_of_version_4_are_read_as_scipy_reads_them(tmp_path: Path) -> None:
    arrays = {"d": np.ones((2, 3)) * 1.5, "i": np.eye(3, dtype="u1"), "c": np.ones((2, 2)) * 1j}
    arrays |= {"f": np.float32([[1.5, 2]]), "text": "hello", "s": scipy.sparse.csc_array(MATRIX)}
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, arrays, format="4")
    found = mat4.list_arrays(path)
    assert [name for name, each in found.items() if each.real] == ["d", "i", "f", "s"]
    for name in ("d", "i", "f"):
        np.testing.assert_array_equal(mat4.read_array(path, found[name]), arrays[name])
    assert found["s"].shape == MATRIX.shape
    big = struct.pack(">5i", 1000, 2, 1, 0, 2) + b"T\0" + np.array([1.0, 2], dtype=">f8").tobytes()
    path.write_bytes(big)
    np.testing.assert_array_equal(mat4.read_array(path, mat4.list_arrays(path)["T"]), [[1], [2]])


SOUND = array5(np.ones((4, 2)))
BAD_BYTES: dict[str, tuple[bytes, str]] = {
    "type 8 in place of 9": (array5(np.ones((4, 2)), kind=8), "type 8 holds no numbers"),
    "shape too large": (array5(np.ones((4, 2)), shape=(4, 4)), "8 numbers"),
    "shape huge": (array5(np.ones((4, 2)), shape=(2**16, 2**16)), "at most 512 MB"),
    "shape negative": (array5(np.ones((4, 2)), shape=(-4, -2)), "truncated"),
    "one axis": (array5(np.ones(4), shape=(4,)), "truncated"),
    "three axes": (array5(np.ones((4, 2, 2))), "not a matrix of real numbers"),
    "complex": (array5(np.ones((4, 2)), flags=0x806), "not a matrix of real numbers"),
    "cells": (array5(np.ones((4, 2)), flags=1), "not a matrix of real numbers"),
    "an object": (array5(np.ones((4, 2)), flags=17), "no X_n"),
    "sparse without indices": (array5(np.ones((4, 2)), flags=5), "damaged"),
    "not an array": (element(9, bytes(64)), "truncated"),
    "size too large": (SOUND[:4] + struct.pack("<I", 2**31) + SOUND[8:], "truncated"),
    "compressed inside": (compressed(compressed(SOUND)), "truncated"),
    "checksum": (compressed(SOUND)[:-1] + b"\0", "truncated"),
    "a name of many lines": (array5(np.ones((4, 2)), name=b"a\nb"), r"found: 'a\\nb'"),
}


@pytest.mark.parametrize("name", BAD_BYTES)
def test_damaged_bytes_get_one_sentence(name: str, tmp_path: Path) -> None:
    content, message = BAD_BYTES[name]
    (tmp_path / "a.mat").write_bytes(file5(content))
    with pytest.raises(FileError, match=message) as error:
        read_images(tmp_path / "a.mat")
    assert "\n" not in str(error.value)


def test_cells_inside_cells_are_never_entered(tmp_path: Path) -> None:
    head = element(6, struct.pack("<II", 1, 0)) + element(5, struct.pack("<ii", 1, 1))
    content = element(14, head + element(1, b"X_n"))
    for _ in range(2000):
        content = element(14, head + element(1, b"X_n") + content)
    (tmp_path / "a.mat").write_bytes(file5(content))
    with pytest.raises(FileError, match="not a matrix of real numbers"):
        read_images(tmp_path / "a.mat")


ROWS: dict[str, tuple[tuple[int, int], tuple[int, int, int] | None]] = {
    "one image": ((1, 784), None),
    "images, and no square": ((3, 784), None),
    "images of the generator's size": ((4, 784), (1, 28, 28)),
}


@pytest.mark.parametrize("name", ROWS)
def test_images_in_rows_are_refused(name: str, tmp_path: Path) -> None:
    sizes, image_shape = ROWS[name]
    scipy.io.savemat(tmp_path / "a.mat", {"X_n": np.random.default_rng(0).random(sizes)})
    message = f"{sizes[0]}x784; an image is a column. Transpose it"
    with pytest.raises(FileError, match=message):
        read_images(tmp_path / "a.mat", image_shape=image_shape)


def test_many_small_images_are_not_taken_for_rows(tmp_path: Path) -> None:
    for sizes, image_shape in (((16, 784), None), ((784, 784), (1, 28, 28)), ((49, 100), None)):
        scipy.io.savemat(tmp_path / "a.mat", {"X_n": np.random.default_rng(0).random(sizes)})
        images = read_images(tmp_path / "a.mat", image_shape=image_shape)
        assert images.images.shape[0] == sizes[1]


def sound_files(folder: Path) -> dict[Path, Callable[[Path], object]]:
    """A small, sound file of each kind that this module tests, with its reader."""
    for kind in ("4", "5", "7", "7.3"):
        save_sparse(folder / f"t{kind}.mat", kind)
    for kind in ("csr", "csc", "coo", "bsr", "dia"):
        matrix = scipy.sparse.coo_array(MATRIX).asformat(kind)
        scipy.sparse.save_npz(folder / f"t{kind}.npz", matrix, compressed=kind != "csr")
    (folder / "images.mat").write_bytes(file5(SOUND, compressed(SOUND)))
    return {
        path: read_images if path.stem == "images" else lambda p: read_operator(str(p), SHAPE)
        for path in sorted(folder.iterdir())
    }


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_matrix_never_crashes(data: st.DataObject, tmp_path: Path) -> None:
    path, read = data.draw(st.sampled_from(sorted(sound_files(tmp_path).items(), key=str)))
    spoil(data, path, changes=(1, 6))
    read_or_refuse(path, read)
