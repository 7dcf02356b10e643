"""Any linear operator as a matrix, and several operators one after the other."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import reduce

import torch
from torch import Tensor

from inpaint.errors import ArgumentError, ShapeError
from inpaint.operators.mask import Mask
from inpaint.types import ImageShape, Operator

RIDGE = 1e-3
"""Of the picture of a matrix's values: keeps noise from being blown up."""
LARGEST_SYSTEM = 2048
"""Equations that are solved for that picture; of more there is only a first guess."""


@dataclass(frozen=True)
class LinearOperator:
    """A matrix says what is observed: y = T x.

    Attributes:
        matrix: T, with a column per pixel, channel by channel and row by row; dense, or sparse
            (COO). [M, P]
        image_shape: Shape of one image of P pixels. (C, H, W)
    """

    matrix: Tensor
    image_shape: ImageShape

    def __post_init__(self) -> None:
        if self.matrix.layout not in (torch.strided, torch.sparse_coo):
            raise ArgumentError(
                f"matrix has the layout {self.matrix.layout}; give a dense or a sparse COO tensor."
            )
        pixels = math.prod(self.image_shape)
        if self.matrix.ndim != 2 or self.matrix.shape[1] != pixels:
            hint = " It may have to be transposed." if self.matrix.shape[0] == pixels else ""
            raise ShapeError(
                f"matrix has shape {list(self.matrix.shape)}; an image of shape "
                f"{list(self.image_shape)} needs [M, {pixels}].{hint}"
            )
        if self.sparse:
            object.__setattr__(self, "matrix", self.matrix.coalesce())
        entries = self.matrix.values() if self.sparse else self.matrix
        if not torch.isfinite(entries).all():
            raise ArgumentError("matrix holds NaN or infinity; every entry must be finite.")
        if not (entries != 0).any():
            raise ArgumentError("matrix holds only zeros, so it observes nothing of an image.")

    @property
    def sparse(self) -> bool:
        """Whether only the entries that are not zero are kept."""
        return self.matrix.layout == torch.sparse_coo

    @property
    def value_shape(self) -> ImageShape:
        """A row of values. (1, 1, M)"""
        return 1, 1, self.matrix.shape[0]

    @property
    def observed(self) -> None:
        """All values are observed."""
        return None

    @property
    def title(self) -> str:
        """How many values are observed, in words."""
        return f"M = {self.matrix.shape[0]} values of {self.matrix.shape[1]} pixels observed"

    def apply(self, images: Tensor) -> Tensor:
        """Multiply by T. [B, ..., C, H, W] -> [B, ..., 1, 1, M]"""
        pixels = images.flatten(-3)
        values = (self.matrix.to(images) @ pixels.reshape(-1, pixels.shape[-1]).T).T
        return values.reshape(*pixels.shape[:-1], *self.value_shape)

    def adjoint(self, values: Tensor) -> Tensor:
        """Multiply by T'. [B, ..., 1, 1, M] -> [B, ..., C, H, W]"""
        flat = values.flatten(-3)
        pixels = (self.matrix.to(values).T @ flat.reshape(-1, flat.shape[-1]).T).T
        return pixels.reshape(*flat.shape[:-1], *self.image_shape)

    def picture(self, values: Tensor) -> Tensor:
        """The smallest image that has about these values. [B, 1, 1, M] -> [B, C, H, W]

        T' (T T' + r I)^-1 y, with a small ridge r. For a large matrix it is the first step of
        steepest descent towards that, a T' y.
        """
        back = self.adjoint(values)
        rows, pixels = self.matrix.shape
        if min(rows, pixels) > LARGEST_SYSTEM:
            power, again = (x.flatten(1).square().sum(1) for x in (back, self.apply(back)))
            length = power / again.clamp(min=torch.finfo(values.dtype).tiny)
            return length[:, None, None, None] * back
        matrix = self.matrix.to(values).to_dense()
        tall = rows > pixels
        gram = matrix.T @ matrix if tall else matrix @ matrix.T
        ridge = RIDGE * gram.diagonal().mean()
        system = gram + ridge * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
        right = back.flatten(1) if tall else values.flatten(1)
        solved = torch.linalg.solve(system, right.T).T
        return (solved if tall else solved @ matrix).reshape(len(values), *self.image_shape)

    def to(self, *, dtype: torch.dtype, device: torch.device | str = "cpu") -> LinearOperator:
        """The same operator in another precision or place."""
        return replace(self, matrix=self.matrix.to(device, dtype))

    def __getitem__(self, images: slice) -> LinearOperator:
        return self


@dataclass(frozen=True)
class Composition:
    """Operators one after the other, such as a blur and then a mask.

    Attributes:
        parts: The first one is applied first. Only the last may be a mask of its own for
            each image.
    """

    parts: tuple[Operator, ...]

    def __post_init__(self) -> None:
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
                    "A mask of its own for each image stands before another operator; put it last."
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

    def to(self, *, dtype: torch.dtype, device: torch.device | str = "cpu") -> Composition:
        """The same operators in another precision or place."""
        return Composition(tuple(part.to(dtype=dtype, device=device) for part in self.parts))

    def __getitem__(self, images: slice) -> Composition:
        return Composition(tuple(part[images] for part in self.parts))


def to_matrix(operator: Operator) -> Tensor:
    """The matrix T of an operator that treats all images alike. [M, P]

    The rows are its values, the columns the pixels, both in the order of `flatten`.
    """
    if isinstance(operator, LinearOperator):
        return operator.matrix.to_dense()
    operator = operator.to(dtype=torch.float64)
    count = math.prod(operator.value_shape)
    units = torch.eye(count, dtype=torch.float64).reshape(count, *operator.value_shape)
    return operator.adjoint(units).flatten(1)
