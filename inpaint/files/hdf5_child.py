"""Reads arrays of an HDF5 file, in a process of its own that `hdf5.py` starts.

The HDF5 library trusts what it reads, so a damaged file can end its process or keep it busy for
ever. Only arrays of real numbers are read, and only those that lie in the file itself.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

ATTRIBUTES = ("model_config", "MATLAB_sparse")
"""Attributes that are read."""
DEEPEST = 16
"""Most groups inside one another."""


def main(source: str, target: str, wanted: list[str] | None, limit: int) -> None:
    """Print what a file holds as JSON, and write the arrays that are wanted to an .npz.

    Args:
        source: The HDF5 file.
        target: The .npz, whose arrays are named by their numbers in the list.
        wanted: Names of arrays, or of groups of them; None reads all.
        limit: Most bytes that are read.
    """
    listed: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    total = 0
    with h5py.File(source, "r") as file:
        for name, member in walk(file, ""):
            entry: dict[str, Any] = {"name": name, "attributes": attributes(member)}
            if isinstance(member, h5py.Dataset):
                entry |= {"shape": list(member.shape or ()), "real": is_real(member)}
            if entry.get("real") and is_wanted(name, wanted):
                total += max(8, member.dtype.itemsize) * math.prod(member.shape)
                if total <= limit:
                    arrays[str(len(listed))] = np.asarray(member)
            listed.append(entry)
        listed.append({"name": "", "attributes": attributes(file)})
    np.savez(target, **arrays)
    print(json.dumps({"listed": listed, "bytes": total}))


def walk(group: h5py.Group, path: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """All members of a group and of those inside it; links to other files are left out."""
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        member = group[name]
        yield f"{path}{name}", member
        if isinstance(member, h5py.Group) and depth < DEEPEST:
            yield from walk(member, f"{path}{name}/", depth + 1)


def attributes(member: Any) -> dict[str, Any]:
    """The attributes of a member that are read."""
    found = {name: member.attrs[name] for name in ATTRIBUTES if name in member.attrs}
    return {
        name: value.decode("latin-1") if isinstance(value, bytes) else np.asarray(value).tolist()
        for name, value in found.items()
    }


def is_real(dataset: h5py.Dataset) -> bool:
    """Whether an array holds real numbers, and holds them in this file."""
    return (
        dataset.shape is not None
        and dataset.dtype.kind in "fiub"
        and not dataset.external
        and not dataset.is_virtual
    )


def is_wanted(name: str, wanted: list[str] | None) -> bool:
    """Whether an array is one of those wanted, or in one of their groups."""
    return wanted is None or any(name == each or name.startswith(f"{each}/") for each in wanted)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4]))
