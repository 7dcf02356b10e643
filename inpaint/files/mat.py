"""MATLAB files: images as columns, and generators as matrices A_1, B_1, A_2, ...

Version 5 is read by scipy, 7.3 by the optional h5py.

A column is an image stored column by column; the last sigmoid's sign is settled by looking
at what the generator draws.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import scipy.io
import torch
from numpy.typing import NDArray

from inpaint.errors import FileError, InpaintError
from inpaint.files import hdf5
from inpaint.files.limits import MAX_BYTES, check_finite, check_size, picture_side
from inpaint.files.normalize import Reading, settle_ink
from inpaint.generators import Dense, Generator
from inpaint.types import ImageSet

Matrix = NDArray[np.float64]

KINDS = {
    "a generator": ("A_1", "B_1"),
    "images": ("X_n",),
    "an operator": ("T",),
}
"""What a file can hold, and the arrays that tell."""

PACKED = 15
"""Type of a part of a version 5 file that is packed with zlib."""
CHUNK = 2**20
"""Bytes unpacked at once."""


def read_images(path: Path, reading: Reading) -> ImageSet:
    """Images `X_n` (as recorded) and, where present, `X_i` (ideal), one per column.

    Where X_n has fewer rows than X_i, its columns are what was measured of the ideal images: a
    smaller picture, such as block averages.

    Raises:
        FileError: If the file is no MATLAB file or holds no such arrays.
    """
    matrices = _load(path, required=("X_n",), optional=("X_i",))
    recorded = matrices["X_n"]
    ideal = matrices.get("X_i")
    side = picture_side(path, recorded.shape[0])
    images, notes = reading.settle(_pictures(recorded, side), stored="columns")
    if ideal is None:
        return ImageSet(images=images, source=path.name, notes=notes)
    ideal_side = picture_side(path, ideal.shape[0])
    if ideal.shape[1] != recorded.shape[1] or ideal_side % side:
        raise FileError(
            f"{path.name} holds X_n {list(recorded.shape)} and X_i {list(ideal.shape)}; the two "
            "must have the same shape, or X_n be averages of blocks of X_i."
        )
    ideals, ideal_notes = reading.settle(_pictures(ideal, ideal_side), stored="columns")
    if ideal_notes != notes:
        raise FileError(
            f"{path.name} holds X_n read as {', '.join(notes)}, but X_i as "
            f"{', '.join(ideal_notes)}; both must be of one kind. Say which with --ink, --range "
            "or --orientation."
        )
    if ideal_side != side:
        measured = f"{side}x{side} values measured of images of {ideal_side}x{ideal_side}"
        notes = (*notes, measured)
    return ImageSet(images=images, ideal=ideals, source=path.name, notes=notes)


def read_generator(path: Path) -> Generator:
    """A generator of dense ReLU layers whose output is a logistic sigmoid.

    Layer k is `A_k` [out, in] with `B_k` [out, 1]. Files differ in the sign inside the last
    sigmoid: the one taken is that under which the border of a typical image is paper.

    Raises:
        FileError: If the file is no MATLAB file or its arrays are no generator.
    """
    names = _names(path)
    count = 0
    while f"A_{count + 1}" in names:
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
        side = picture_side(path, last.weight.shape[0])
        # Row-major pixel (row, column) is entry column * side + row of the file.
        order = torch.arange(side * side).reshape(side, side).T.reshape(-1)
        layers[-1] = Dense(last.weight[order], last.bias[order], "sigmoid")
        generator = Generator(tuple(layers), (1, side, side), name=path.stem)
        return _settle_sign(generator)
    except InpaintError as error:
        raise FileError(f"{path.name} holds no generator: {error}") from error


def read_matrix(path: Path, name: str) -> Matrix:
    """One matrix of real numbers by its name.

    Raises:
        FileError: If the file is no MATLAB file or holds no such matrix.
    """
    return _load(path, required=(name,))[name]


def _settle_sign(generator: Generator) -> Generator:
    typical = torch.zeros(1, generator.latent_size, dtype=torch.float64)
    _, ink = settle_ink(generator(typical))
    inverted = ink.endswith("inverted")
    sign = "x = sigmoid(-W)" if inverted else "x = sigmoid(W)"
    last = generator.layers[-1]
    if inverted:
        last = Dense(-last.weight, -last.bias, "sigmoid")
    return Generator(
        (*generator.layers[:-1], last),
        generator.image_shape,
        name=generator.name,
        card={"output sign": f"{sign}, detected from the border of a typical image"},
    )


def _pictures(columns: Matrix, side: int) -> Matrix:
    """[P, B], column-major -> [B, 1, H, W]"""
    return columns.T.reshape(-1, 1, side, side).transpose(0, 1, 3, 2)


def _names(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the arrays, from the headers alone."""
    if hdf5.is_hdf5(path):
        return hdf5.names(path)
    _check_packed(path)
    try:
        listed = scipy.io.whosmat(str(path))
    except Exception as error:  # scipy raises whatever the bytes lead it to.
        raise FileError(
            f"{path.name} is not a readable MATLAB file; it may be truncated or of another format."
        ) from error
    return {name: tuple(shape) for name, shape, _ in listed}


def _check_packed(path: Path) -> None:
    """Refuse a version 5 file whose packed parts are huge, before scipy unpacks them.

    After a header of 128 bytes, which ends in the byte order, each part has a type and a size.
    """
    with path.open("rb") as file:
        order = {b"IM": "<", b"MI": ">"}.get(file.read(128)[126:])
        total = 0
        while order is not None and len(tag := file.read(8)) == 8:
            kind, size = struct.unpack(f"{order}II", tag)
            if kind != PACKED:
                file.seek(size, os.SEEK_CUR)
                continue
            unpacker = zlib.decompressobj()
            data = file.read(size)
            with contextlib.suppress(zlib.error):  # scipy says that it is damaged.
                while data and total <= MAX_BYTES:
                    total += len(unpacker.decompress(data, CHUNK))
                    data = unpacker.unconsumed_tail
            check_size(path, total)


def _arrays(path: Path, wanted: list[str]) -> dict[str, object]:
    if hdf5.is_hdf5(path):
        return hdf5.load(path, wanted)
    try:
        return dict(scipy.io.loadmat(str(path), variable_names=wanted))
    except Exception as error:  # scipy raises whatever the bytes lead it to.
        raise FileError(f"{path.name} cannot be read to its end; it may be truncated.") from error


def _load(
    path: Path, *, required: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, Matrix]:
    names = _names(path)
    missing = [name for name in required if name not in names]
    if missing:
        found = ", ".join(sorted(names)) or "no array"
        other = [kind for kind, arrays in KINDS.items() if all(name in names for name in arrays)]
        hint = f"it holds {other[0]}" if other else f"what is needed is {', '.join(required)}"
        raise FileError(f"{path.name} holds no {' or '.join(missing)} (found: {found}); {hint}.")
    wanted = [name for name in (*required, *optional) if name in names]
    check_size(path, sum(8 * int(np.prod(names[name], dtype=np.int64)) for name in wanted))
    loaded = _arrays(path, wanted)
    matrices = {}
    for name in wanted:
        array = loaded.get(name)
        if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind not in "fiu":
            raise FileError(f"{path.name} holds {name}, which is not a matrix of real numbers.")
        if re.match(r"X_", name) and array.size == 0:
            raise FileError(f"{path.name} holds an empty {name}; it needs one column per image.")
        check_finite(path, name, array)
        matrices[name] = array.astype(np.float64)
    return matrices
