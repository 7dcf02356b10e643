"""Checks that records of settings make of themselves, with messages that say the way out."""

from __future__ import annotations

import math
from typing import Any

import torch

from inpaint.errors import ArgumentError


def check_integer(name: str, value: Any, low: int, high: int) -> None:
    """Refuse what is no whole number from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ArgumentError(
            f"{name} is {value!r}; it must be a whole number. Choose {low} to {high}."
        )


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Refuse what is not among the choices."""
    if value not in choices:
        raise ArgumentError(f"{name} is {value!r}; choose one of {', '.join(choices)}.")


def check_number(name: str, value: Any, *, positive: bool) -> None:
    """Refuse what is no finite number of 0 or above, and 0 too where it must be `positive`."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < 0 or (positive and value == 0):
        rule = "above 0" if positive else "0 or above"
        raise ArgumentError(f"{name} is {value!r}; choose a finite number {rule}.")


def check_between(name: str, value: Any, low: float, high: float) -> None:
    """Refuse what is no finite number from `low` to `high`."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value <= high:
        raise ArgumentError(f"{name} is {value!r}; choose a number from {low:g} to {high:g}.")


def check_device(name: str) -> torch.device:
    """The torch device called so, if it can be used here."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ArgumentError(
            f"device is {name!r}, which torch cannot use here; choose 'cpu', or 'cuda' on a "
            "machine with a CUDA build of torch."
        ) from error
    return device
