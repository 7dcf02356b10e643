"""Checks of arguments, whose messages say what is allowed."""

from __future__ import annotations

import contextlib
import math
import operator
from collections.abc import Iterable
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inpaint.errors import ArgumentError, ShapeError

if TYPE_CHECKING:
    import torch


USABLE = 0.75
"""Share of the free memory that one piece of work may take."""

MOST_STEPS = 100_000_000
"""Most steps of a training."""

LONGEST_NAME = 200
"""Most bytes of a name, which leaves room for endings."""


def check_integer(name: str, value: Any, low: int, high: int, *, word: str | None = None) -> None:
    """Require an integer from `low` to `high`, or the word that may stand in its place."""
    if word is not None and isinstance(value, str) and value == word:
        return
    if isinstance(value, bool) or not isinstance(value, Integral) or not low <= int(value) <= high:
        other = "" if word is None else f", or {word!r}"
        raise ArgumentError(
            f"{name} is {value!r}; it must be a whole number. Choose {low} to {high}{other}."
        )


def check_type(name: str, value: Any, kind: type) -> None:
    """Require a value of one of the package's classes."""
    if not isinstance(value, kind):
        raise ArgumentError(f"{name} is a {type(value).__name__}; give an inpaint.{kind.__name__}.")


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Require one of the choices."""
    if value not in choices:
        raise ArgumentError(f"{name} is {value!r}; choose one of {', '.join(choices)}.")


def check_number(name: str, value: Any, *, positive: bool) -> None:
    """Require a finite number of 0 or above; above 0 if it must be `positive`."""
    if not _finite(value) or value < 0 or (positive and value == 0):
        rule = "above 0" if positive else "0 or above"
        raise ArgumentError(f"{name} is {value!r}; choose a finite number {rule}.")


def check_training(config: Any) -> None:
    """Check the settings that every training has: name, batch, seed, checkpoints and averages."""
    check_file_name("name", config.name)
    check_integer("batch_size", config.batch_size, 1, 1_000_000)
    check_integer("seed", config.seed, 0, 2**63 - 1)
    check_integer("checkpoint_every", config.checkpoint_every, 1, MOST_STEPS)
    check_between("augmentation", config.augmentation, 0.0, 5.0)
    check_between("average", config.average, 0.0, 0.999999)


def check_file_name(name: str, value: Any) -> None:
    """Require a text that can be the name of a file, without its ending, on any system."""
    plain = isinstance(value, str) and value == value.strip() and not value.startswith(".")
    if not plain or not value or any(c in '/\\:*?"<>|' or ord(c) < 32 for c in value):
        raise ArgumentError(
            f"{name} is {value!r}; files are named after it. Choose letters, digits, spaces, '-', "
            "'_' and '.', the first and the last not a space and the first not a dot."
        )
    if len(value.encode()) > LONGEST_NAME:
        raise ArgumentError(
            f"{name} has {len(value.encode())} bytes; files are named after it. Choose at most "
            f"{LONGEST_NAME}."
        )


def check_between(name: str, value: Any, low: float, high: float) -> None:
    """Require a finite number from `low` to `high`."""
    if not _finite(value) or not low <= value <= high:
        raise ArgumentError(f"{name} is {value!r}; choose a number from {low:g} to {high:g}.")


def check_fits(name: str, count: int, bytes_each: int, way_out: str) -> None:
    """Require that `count` things of `bytes_each` fit into the memory that is free."""
    free = free_memory()
    if free is None or count * bytes_each <= USABLE * free:
        return
    fits = int(USABLE * free / bytes_each)
    raise ArgumentError(
        f"{name} is {count}, which takes {count * bytes_each / 1e9:.3g} GB of memory here, and "
        f"{free / 1e9:.3g} GB are free. At most {fits} fit. {way_out}"
    )


def free_memory() -> int | None:
    """Bytes of memory that this process can still use; None where the system does not say."""
    found = []
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        sizes = dict(line.split(":") for line in lines)
        found.append(1024 * int(sizes["MemAvailable"].split()[0]))
    # A container may have less than the machine; its files in memory can be given back.
    with contextlib.suppress(OSError, ValueError, KeyError):
        group = Path("/sys/fs/cgroup")
        most, used = (int((group / f"memory.{x}").read_text()) for x in ("max", "current"))
        parts = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        found.append(most - used + int(parts["inactive_file"]))
    return min(found, default=None)


def check_device(name: torch.device | str | int) -> torch.device:
    """The torch device of this name; it must be usable on this machine."""
    # Settings are checked without torch, which the command line's help does not load.
    import torch

    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ArgumentError(
            f"device is {str(name)!r}, which torch cannot use here; choose 'cpu', or 'cuda' on a "
            "machine with a CUDA build of torch."
        ) from error
    return device


def check_image_shape(shape: Iterable[int]) -> tuple[int, int, int]:
    """An image shape [C, H, W], or [H, W] of one channel, as a tuple of integers. (C, H, W)

    Raises:
        ShapeError: If it is neither.
    """
    try:
        sizes = tuple(operator.index(size) for size in shape)
    except TypeError:
        sizes = ()
    if len(sizes) not in (2, 3) or min(sizes) < 1:
        raise ShapeError(
            f"image_shape is {shape!r}; give channels, height and width, such as (1, 28, 28)."
        )
    channels, height, width = (1, *sizes)[-3:]
    return channels, height, width


def _finite(value: Any) -> bool:
    number = isinstance(value, Real) and not isinstance(value, bool)
    return number and math.isfinite(value)
