"""Operators by name, as the command line and records write them: "block-average:4"."""

from __future__ import annotations

from inpaint.errors import ArgumentError
from inpaint.operators.resampling import BlockAverage, Blur
from inpaint.types import ImageShape, Operator

OPERATOR_NAMES = ("block-average", "blur")
BLOCK_SIDE = 4
"""Side of the blocks where none is named."""


def names_operator(text: str) -> bool:
    """Whether a text names an operator, rightly or not, rather than a file."""
    return text.partition(":")[0] in OPERATOR_NAMES


def named_operator(text: str, image_shape: ImageShape) -> Operator:
    """The operator that a text names.

    Args:
        text: "block-average" (of 4x4 pixels), "block-average:2", or "blur:1.5" with the
            standard deviation in pixels.
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
