"""Devices, precisions and indices, read as torch and numpy read them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inpaint.checks import check_device
from inpaint.errors import ArgumentError

Place = torch.device | str | int | torch.dtype | Tensor
"""A positional argument of `.to`: a device, a dtype, or a tensor that has both."""


def check_placement(
    places: Iterable[Place], device: torch.device | str | int | None, dtype: torch.dtype | None
) -> tuple[torch.device | None, torch.dtype | None]:
    """Read the arguments of `.to` as torch does: by position, by keyword or both.

    Returns:
        Device and dtype; None for one that is not given and stays unchanged.

    Raises:
        ArgumentError: If one is given twice, the device cannot be used, or the dtype is not a
            floating one.
    """
    for place in places:
        if isinstance(place, Tensor):
            found: tuple[Any, Any] = (place.device, place.dtype)
        else:
            found = (None, place) if isinstance(place, torch.dtype) else (place, None)
        for name, old, new in zip(("device", "dtype"), (device, dtype), found, strict=True):
            if old is not None and new is not None:
                raise ArgumentError(f"{name} is given twice, as {old} and {new}; give it once.")
        device = device if found[0] is None else found[0]
        dtype = dtype if found[1] is None else found[1]
    if dtype is not None and not dtype.is_floating_point:
        raise ArgumentError(f"dtype is {dtype}; choose a floating one, such as torch.float64.")
    # A tensor's device has a number: cuda:0, not cuda.
    return None if device is None else torch.empty(0, device=check_device(device)).device, dtype


def check_index(index: Any, count: int) -> slice | list[int]:
    """Read an index of `count` records as numpy does; an integer takes a batch of one.

    Args:
        index: An integer, a slice, or a list, array or tensor of integers or of `count` bools.
        count: Number of records.

    Raises:
        IndexError: If it is none of these, or goes beyond the end.
    """
    if isinstance(index, slice):
        return index
    array = np.asarray(index.cpu() if isinstance(index, Tensor) else index)
    if array.dtype == bool and array.shape == (count,):
        return list(np.flatnonzero(array).tolist())
    if array.ndim > 1 or not (array.dtype.kind in "iu" or array.shape == (0,)):
        raise IndexError(
            f"{index!r} is no index of {count} images; give an integer, a slice, a list of "
            f"integers or {count} bools."
        )
    places: list[int] = array.reshape(-1).tolist()
    for place in places:
        if not -count <= place < count:
            raise IndexError(f"index {place} is out of range; there are {count} images.")
    return [place % count for place in places]
