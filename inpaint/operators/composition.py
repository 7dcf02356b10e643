"""Several operators applied in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import torch
from torch import Tensor

from inpaint.errors import ArgumentError, ShapeError
from inpaint.operators.foreign import fit_operator, is_operator
from inpaint.operators.mask import Mask
from inpaint.operators.unshaped import UnshapedOperator
from inpaint.placement import Place, check_placement
from inpaint.types import ImageShape, Operator


@dataclass(frozen=True)
class Composition:
    """Operators applied in order, such as a blur and then a mask.

    If a part has no image shape yet, the composition has none either. It then takes the shape of
    the images that it is applied to.

    Attributes:
        parts: The first one is applied first. Only the last may have a mask for each image.
    """

    parts: tuple[Operator, ...]

    def __new__(cls, parts: Sequence[Any] = ()) -> Any:
        """A composition, or an `UnshapedOperator` if a part has no image shape yet."""
        if all(is_operator(part) for part in parts):
            return super().__new__(cls)
        return UnshapedOperator(f"Composition({tuple(parts)!r})", partial(cls._fit, tuple(parts)))

    @classmethod
    def _fit(cls, parts: tuple[Any, ...], image_shape: ImageShape) -> Composition:
        fitted: list[Operator] = []
        for part in parts:
            fitted.append(fit_operator(part, image_shape))
            image_shape = fitted[-1].value_shape
        return cls(tuple(fitted))

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        if not self.parts:
            raise ArgumentError("A composition needs at least one operator.")
        for first, second in zip(self.parts, self.parts[1:], strict=False):
            if first.value_shape != second.image_shape:
                raise ShapeError(
                    f"An operator gives values of shape {list(first.value_shape)} and the next one "
                    f"takes {list(second.image_shape)}; the two must be equal."
                )
        for part in self.parts[:-1]:
            if isinstance(part, Mask) and not part.shared:
                raise ArgumentError(
                    "A mask for each image stands before another operator; put it last."
                )

    @property
    def image_shape(self) -> ImageShape:
        """Shape of one image. (C, H, W)"""
        return self.parts[0].image_shape

    @property
    def value_shape(self) -> ImageShape:
        """Shape of the values of one image. (C', H', W')"""
        return self.parts[-1].value_shape

    @property
    def observed(self) -> Tensor | None:
        """What the last part observes. [C', H', W'] or [B, C', H', W']"""
        return self.parts[-1].observed

    @property
    def title(self) -> str:
        """What is observed, in words."""
        return ", then ".join(part.title for part in self.parts)

    def apply(self, images: Tensor) -> Tensor:
        """Apply all parts. [B, ..., C, H, W] -> [B, ..., C', H', W']"""
        return reduce(lambda values, part: part.apply(values), self.parts, images)

    def adjoint(self, values: Tensor) -> Tensor:
        """Apply the transposes in reverse. [B, ..., C', H', W'] -> [B, ..., C, H, W]"""
        return reduce(lambda images, part: part.adjoint(images), reversed(self.parts), values)

    def picture(self, values: Tensor) -> Tensor:
        """Values as images to look at. [B, C', H', W'] -> [B, C, H, W]"""
        return reduce(lambda images, part: part.picture(images), reversed(self.parts), values)

    def to(
        self,
        *places: Place,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Composition:
        """The same operators on another device or in another precision, as torch's `to`."""
        device, dtype = check_placement(places, device, dtype)
        return Composition(tuple(part.to(device=device, dtype=dtype) for part in self.parts))

    def __getitem__(self, images: Any) -> Composition:
        """The operators of some images, chosen as in numpy."""
        return Composition(tuple(part[images] for part in self.parts))
