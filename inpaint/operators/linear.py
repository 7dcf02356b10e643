"""Any linear operator as a matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inpaint.checks import check_image_shape
from inpaint.errors import ArgumentError, ShapeError
from inpaint.placement import Place, check_placement
from inpaint.types import ImageShape, Operator

RIDGE = 1e-3
"""Ridge of the picture of a matrix's values, relative to the mean diagonal: it limits noise."""
LARGEST_SYSTEM = 2048
"""Most equations that are solved for that picture; if there are more, it is `first_step`."""


@dataclass(frozen=True, eq=False, repr=False)
class LinearOperator:
    """The operator of a matrix: y = T x.

    Attributes:
        matrix: T, with a column per pixel, channel by channel and row by row; dense, or sparse
            (COO). [M, P]
        image_shape: Shape of one image of P pixels. (C, H, W)
    """

    matrix: Tensor
    image_shape: ImageShape

    def __post_init__(self) -> None:
        object.__setattr__(self, "image_shape", check_image_shape(self.image_shape))
        if isinstance(self.matrix, np.ndarray):
            object.__setattr__(self, "matrix", torch.from_numpy(self.matrix.astype(float)))
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

    def __repr__(self) -> str:
        rows, pixels = self.matrix.shape
        shape = "x".join(map(str, self.image_shape))
        return f"LinearOperator({rows} values of {pixels} pixels, {shape})"

    @property
    def sparse(self) -> bool:
        """Whether only nonzero entries are stored."""
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

        T' (T T' + r I)^-1 y, with a small ridge r. For a large matrix it is `first_step`.
        """
        rows, pixels = self.matrix.shape
        if min(rows, pixels) > LARGEST_SYSTEM:
            return first_step(self, values)
        back = self.adjoint(values)
        matrix = self.matrix.to(values).to_dense()
        tall = rows > pixels
        gram = matrix.T @ matrix if tall else matrix @ matrix.T
        ridge = RIDGE * gram.diagonal().mean()
        system = gram + ridge * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
        right = back.flatten(1) if tall else values.flatten(1)
        solved = torch.linalg.solve(system, right.T).T
        return (solved if tall else solved @ matrix).reshape(len(values), *self.image_shape)

    def to(
        self,
        *places: Place,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> LinearOperator:
        """The same operator on another device or in another precision, as torch's `to`."""
        device, dtype = check_placement(places, device, dtype)
        return replace(self, matrix=self.matrix.to(device=device, dtype=dtype))

    def __getitem__(self, images: Any) -> LinearOperator:
        return self


def first_step(operator: Operator, values: Tensor) -> Tensor:
    """The first step of steepest descent towards an image of these values, a T' y.

    [B, C', H', W'] -> [B, C, H, W]
    """
    back = operator.adjoint(values)
    power, again = (x.flatten(1).square().sum(1) for x in (back, operator.apply(back)))
    length = power / again.clamp(min=torch.finfo(values.dtype).tiny)
    return length[:, None, None, None] * back


def to_matrix(operator: Operator) -> Tensor:
    """The matrix T of an operator that treats all images alike. [M, P]

    The rows are its values, the columns the pixels, both in the order of `flatten`.
    """
    if isinstance(operator, LinearOperator):
        return operator.matrix.to_dense()
    operator = operator.to(device="cpu", dtype=torch.float64)
    count = math.prod(operator.value_shape)
    units = torch.eye(count, dtype=torch.float64).reshape(count, *operator.value_shape)
    return operator.adjoint(units).flatten(1)
