"""Masks by name, as the command line, the dashboard and records write them: "box:10"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from inpaint.errors import ArgumentError
from inpaint.operators.mask import AXES, SIDES, Mask
from inpaint.types import ImageShape

MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class MaskPreset:
    """A kind of damage that has a name.

    Attributes:
        name: What stands before the colon.
        lost: What is lost, in words.
        number: What the number after the colon is, in words; None where there is none.
        example: A whole preset.
        seeded: Whether a second number, the seed, may follow; it is 0 where left out.
        make: From number, seed and image shape to the mask.
    """

    name: str
    lost: str
    number: str | None
    example: str
    seeded: bool
    make: Callable[[float, int, ImageShape], Mask]


def _whole(number: float) -> int:
    """The number as an int where it is whole; the constructors refuse the rest."""
    return int(number) if number == int(number) else number  # type: ignore[return-value]


def _half(side: str) -> MaskPreset:
    return MaskPreset(
        name=side,
        lost=f"the {side} half",
        number=None,
        example=side,
        seeded=False,
        make=lambda number, seed, shape: Mask.half(side, shape),  # type: ignore[arg-type]
    )


def _every(axis: str) -> MaskPreset:
    return MaskPreset(
        name=axis,
        lost=f"every k-th of the {axis}",
        number="k",
        example=f"{axis}:4",
        seeded=False,
        make=lambda number, seed, shape: Mask.every(
            _whole(number),
            shape,
            axis=axis,  # type: ignore[arg-type]
        ),
    )


_PRESETS = (
    MaskPreset(
        name="box",
        lost="a square in the centre",
        number="side in pixels",
        example="box:10",
        seeded=False,
        make=lambda number, seed, shape: Mask.box(_whole(number), shape),
    ),
    *(_half(side) for side in SIDES),
    MaskPreset(
        name="random",
        lost="a share of the pixels, at random",
        number="share lost, below 1",
        example="random:0.3",
        seeded=True,
        make=lambda number, seed, shape: Mask.random(number, shape, seed=seed),
    ),
    *(_every(axis) for axis in AXES),
    MaskPreset(
        name="checkerboard",
        lost="every other square",
        number="side of a square in pixels",
        example="checkerboard:2",
        seeded=False,
        make=lambda number, seed, shape: Mask.checkerboard(_whole(number), shape),
    ),
    MaskPreset(
        name="strokes",
        lost="what free-hand strokes cover",
        number="number of strokes",
        example="strokes:3",
        seeded=True,
        make=lambda number, seed, shape: Mask.strokes(_whole(number), shape, seed=seed),
    ),
)

MASK_PRESETS: dict[str, MaskPreset] = {preset.name: preset for preset in _PRESETS}
"""Every preset by its name."""


def names_preset(text: str) -> bool:
    """Whether a text names a preset, rightly or not, rather than a file."""
    return text.partition(":")[0] in MASK_PRESETS


def mask_preset(text: str, image_shape: ImageShape) -> Mask:
    """The mask that a text names.

    Args:
        text: A name, its number and, where something is drawn at random, perhaps a seed:
            "left", "box:10", "random:0.3", "strokes:3:7". It names what is lost.
        image_shape: Shape of one image. (C, H, W)

    Raises:
        ArgumentError: If there is no such preset, or a number is missing or out of range.
    """
    name, *numbers = text.split(":")
    preset = MASK_PRESETS.get(name)
    if preset is None:
        examples = ", ".join(preset.example for preset in _PRESETS)
        raise ArgumentError(
            f"mask is {text!r}; write a preset like {examples}, or give a file (.png, .npy, .npz)."
        )
    wanted = 0 if preset.number is None else 1
    if not wanted <= len(numbers) <= wanted + preset.seeded:
        rule = f"one number ({preset.number})" if preset.number else "no number"
        second = " and perhaps a seed" if preset.seeded else ""
        raise ArgumentError(
            f"mask is {text!r}; {name} takes {rule}{second}, such as {preset.example}."
        )
    try:
        number = float(numbers[0]) if wanted else 0.0
        seed = int(numbers[1]) if len(numbers) > wanted else 0
        if not (abs(number) < 1e9 and 0 <= seed <= MAX_SEED):
            raise ValueError
    except ValueError as error:
        raise ArgumentError(
            f"mask is {text!r}, whose numbers cannot be read; write it like {preset.example}."
        ) from error
    try:
        return preset.make(number, seed, image_shape)
    except ArgumentError as error:
        raise ArgumentError(f"mask is {text!r}: {error}") from error
