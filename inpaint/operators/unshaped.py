"""Operators whose image shape is not known yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from inpaint.types import ImageShape, Operator


@dataclass(frozen=True, repr=False)
class UnshapedOperator:
    """An operator without an image shape, such as `Mask.box(8)`.

    `measure` gives it the shape of the images.

    Attributes:
        text: The call that made it.
        make: Makes the operator from an image shape (C, H, W).
    """

    text: str
    make: Callable[[ImageShape], Operator] = field(compare=False)

    def __repr__(self) -> str:
        return self.text

    def fit(self, image_shape: ImageShape) -> Operator:
        """The operator for images of this shape. (C, H, W)

        Raises:
            ArgumentError: If a number is out of range for this shape.
        """
        return self.make(image_shape)
