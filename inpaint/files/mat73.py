"""Arrays of MATLAB files of version 7.3, which are HDF5 with the axes reversed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from inpaint.files.hdf5 import Member, read_members
from inpaint.files.mat5 import Array, Variable
from inpaint.files.sparse import compressed_matrix

KIND = "MATLAB v7.3"


def list_arrays(path: Path) -> dict[str, Variable]:
    """The arrays of a file by their names.

    Raises:
        FileError: If the file is damaged, or h5py is not installed.
    """
    members = read_members(path, KIND, wanted=())
    found = {}
    for name, member in members.items():
        pointers = members.get(f"{name}/jc", Member()).shape
        rows = member.attributes.get("MATLAB_sparse")
        if "/" in name:
            continue
        if member.shape is not None:
            found[name] = Variable(tuple(reversed(member.shape)), member.real, False, 0)
        elif type(rows) is int and pointers is not None and len(pointers) == 1:
            found[name] = Variable((rows, pointers[0] - 1), True, True, 0)
    return found


def read_arrays(path: Path, wanted: dict[str, Variable]) -> dict[str, Array | Tensor]:
    """Read arrays of real numbers: [rows, columns], or sparse tensors of float64.

    Raises:
        FileError: If the file is damaged, or h5py is not installed.
        ValueError: If a sparse matrix is damaged.
    """
    members = read_members(path, KIND, wanted=tuple(wanted))
    return {name: _read(members, name, variable) for name, variable in wanted.items()}


def _read(members: dict[str, Member], name: str, variable: Variable) -> Array | Tensor:
    if not variable.sparse:
        array = members[name].array
        if array is None:
            raise ValueError("the array is not the one that was listed")
        return array.T
    none = np.zeros(0, dtype=np.int64)
    # A matrix of zeros has neither rows nor entries.
    pointers, rows, entries = (
        none if (array := members.get(f"{name}/{part}", Member()).array) is None else array
        for part in ("jc", "ir", "data")
    )
    return compressed_matrix(pointers, rows, entries, variable.shape, by_rows=False)
