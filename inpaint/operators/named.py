"""Masks and operators by name, as the command line and records write them: "box:10", "blur:1.5"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from inpaint.errors import ArgumentError
from inpaint.operators.mask import AXES, MAX_SEED, SIDES, Axis, Mask, Side
from inpaint.operators.resampling import BlockAverage, Blur
from inpaint.types import ImageShape, Operator


@dataclass(frozen=True)
class MaskPreset:
    """A kind of mask that has a name.

    Attributes:
        name: The part before the colon.
        lost: What is lost, in words.
        number: What the number after the colon means; None if the preset takes none.
        example: A complete preset.
        seeded: Whether a second number may follow: the seed, which is 0 by default.
        make: Makes the mask from number, seed and image shape.
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


def _half(side: Side) -> MaskPreset:
    return MaskPreset(
        name=side,
        lost=f"the {side} half",
        number=None,
        example=side,
        seeded=False,
        make=lambda number, seed, shape: Mask.half(side, shape),
    )


def _every(axis: Axis) -> MaskPreset:
    return MaskPreset(
        name=axis,
        lost=f"every k-th of the {axis}",
        number="k",
        example=f"{axis}:4",
        seeded=False,
        make=lambda number, seed, shape: Mask.every(_whole(number), shape, axis=axis),
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


def is_mask_name(text: str) -> bool:
    """Whether a text begins with the name of a preset, and so is not a file."""
    return text.partition(":")[0] in MASK_PRESETS


def mask_preset(text: str, image_shape: ImageShape) -> Mask:
    """The mask that a text names.

    Args:
        text: What is lost: a name, its number and, if it is random, an optional seed, such
            as "left", "box:10", "random:0.3" or "strokes:3:7".
        image_shape: Shape of one image. (C, H, W)

    Raises:
        ArgumentError: If there is no such preset, or a number is missing or out of range.
    """
    name, *numbers = text.split(":")
    preset = MASK_PRESETS.get(name)
    if preset is None:
        examples = ", ".join(preset.example for preset in _PRESETS)
        raise ArgumentError(
            f"mask is {text!r}; write a preset like {examples}, or give a file, such as mask.png."
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


OPERATOR_NAMES = ("block-average", "blur")
BLOCK_SIDE = 4
"""Default side of the blocks."""


def is_operator_name(text: str) -> bool:
    """Whether a text begins with the name of an operator, and so is not a file."""
    return text.partition(":")[0] in OPERATOR_NAMES


def named_operator(text: str, image_shape: ImageShape) -> Operator:
    """The operator that a text names.

    Args:
        text: "block-average" (of 4x4 pixels), "block-average:2", or "blur:1.5", where the
            number is the standard deviation in pixels.
        image_shape: Shape of one image. (C, H, W)

    Raises:
        ArgumentError: If there is no such operator, or its number is missing or out of range.
    """
    name, colon, number = text.partition(":")
    try:
        match name:
            case "block-average":
                return BlockAverage(int(number) if colon else BLOCK_SIDE, image_shape)
            case "blur":
                return Blur.gaussian(float(number), image_shape)
    except ArgumentError as error:
        raise ArgumentError(f"operator is {text!r}: {error}") from error
    except ValueError as error:
        raise ArgumentError(
            f"operator is {text!r}, whose number cannot be read; write it like block-average:4 or "
            "blur:1.5."
        ) from error
    raise ArgumentError(
        f"operator is {text!r}; write block-average, block-average:2 or blur:1.5, or give a file "
        "of a matrix (.npy, .npz, .mat)."
    )
