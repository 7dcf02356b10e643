"""Operators of other packages, and any operator fitted to an image shape."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from inpaint.checks import check_image_shape
from inpaint.errors import ArgumentError, ShapeError
from inpaint.operators.linear import first_step
from inpaint.operators.mask import Mask
from inpaint.operators.unshaped import UnshapedOperator
from inpaint.placement import Place, check_placement
from inpaint.types import ImageShape, Operator

TOLERANCE = 1e-4
"""Relative error up to which an operator counts as linear and its adjoint as the transpose: well
above the rounding of transforms in float32, and far below a real difference."""

PROTOCOL = (
    *("image_shape", "value_shape", "observed", "title"),
    *("apply", "adjoint", "picture", "to", "__getitem__"),
)
"""What `inpaint.types.Operator` consists of."""

Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False, repr=False)
class ForeignOperator:
    """A linear operator of another package, completed to an `inpaint.types.Operator`.

    It is tested on random images: it must be linear, and its adjoint must be the transpose.
    Values of one or two axes get leading axes of size 1; beyond three, the first axes are
    joined. Values that are zero for every image count as not observed.

    Attributes:
        foreign: Has `A` and `A_adjoint`, like deepinv's physics, or `apply` and `adjoint`, which
            map images [N, C, H, W] to values [N, ...] and back for any N. Tensors are brought to
            its device and, if it does not accept theirs, to its precision.
        image_shape: Shape of one image. (C, H, W)

    Raises:
        ArgumentError: If it is not such an operator.
    """

    foreign: Any
    image_shape: ImageShape
    value_shape: ImageShape = field(init=False)
    observed: Tensor | None = field(init=False)
    _own_shape: tuple[int, ...] = field(init=False)
    _dtypes: tuple[torch.dtype, ...] = field(init=False)
    _device: torch.device = field(init=False)
    _maps: tuple[Map, Map] = field(init=False)

    def __post_init__(self) -> None:
        def settle(**found: Any) -> None:
            for name, value in found.items():
                object.__setattr__(self, name, value)

        settle(image_shape=check_image_shape(self.image_shape))
        settle(_maps=_find_maps(self.foreign), _device=_find_device(self.foreign))
        own_shape, dtypes = self._probe()
        axes = (1, 1, 1, *own_shape)
        value_shape = (math.prod(axes[:-2]), *axes[-2:])
        settle(_own_shape=own_shape, _dtypes=dtypes, value_shape=value_shape)
        lost = self._test()
        settle(observed=~lost if bool(lost.any()) else None)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.image_shape))
        return f"ForeignOperator({self.title.removeprefix('M = ')}, {shape})"

    @property
    def title(self) -> str:
        """How many values are observed and by what, in words."""
        count = math.prod(self.value_shape) if self.observed is None else int(self.observed.sum())
        return f"M = {count} values observed by {type(self.foreign).__name__}"

    def apply(self, images: Tensor) -> Tensor:
        """Apply the operator. [B, ..., C, H, W] -> [B, ..., C', H', W']"""
        return self._call(self._maps[0], images, self.image_shape, self.value_shape)

    def adjoint(self, values: Tensor) -> Tensor:
        """Apply its adjoint. [B, ..., C', H', W'] -> [B, ..., C, H, W]"""
        return self._call(self._maps[1], values, self._own_shape, self.image_shape)

    def picture(self, values: Tensor) -> Tensor:
        """An image that has about these values. [B, C', H', W'] -> [B, C, H, W]"""
        return first_step(self, values)

    def as_mask(self) -> Mask | None:
        """The same operator as a mask, if it leaves some pixels unchanged and loses the others."""
        if self.value_shape != self.image_shape:
            return None
        images = self._random(self.image_shape, seed=2)
        observed = torch.ones(self.image_shape, dtype=torch.bool, device=self._device)
        observed = observed if self.observed is None else self.observed
        return Mask(observed) if torch.equal(self.apply(images), images * observed) else None

    def to(
        self,
        *places: Place,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> ForeignOperator:
        """The same operator on another device; it keeps its own precision.

        Only a `torch.nn.Module` is moved; for any other operator, the tensors are.
        """
        device, _ = check_placement(places, device, dtype)
        if device in (None, self._device) or not isinstance(self.foreign, nn.Module):
            return self
        return ForeignOperator(copy.deepcopy(self.foreign).to(device), self.image_shape)

    def __getitem__(self, images: Any) -> ForeignOperator:
        return self

    def _call(
        self, function: Map, inputs: Tensor, own_shape: tuple[int, ...], shape: ImageShape
    ) -> Tensor:
        """Call the operator with a single batch axis, on its device and in its precision."""
        between = inputs.shape[:-3]
        dtype = inputs.dtype if inputs.dtype in self._dtypes else self._dtypes[0]
        tracked = inputs.requires_grad and torch.is_grad_enabled()
        # An adjoint may itself be computed by autograd.
        with torch.enable_grad():
            own = inputs.to(self._device, dtype).reshape(math.prod(between), *own_shape)
            outputs = function(own).to(inputs).reshape(*between, *shape)
        return outputs if tracked else outputs.detach()

    def _probe(self) -> tuple[tuple[int, ...], tuple[torch.dtype, ...]]:
        """Shape of the operator's own values, and the precisions that it accepts."""
        forward, backward = self._maps
        shapes: dict[torch.dtype, tuple[int, ...]] = {}
        failure = ""
        for dtype in (torch.float32, torch.float64):
            zeros = torch.zeros(1, *self.image_shape, dtype=dtype, device=self._device)
            values, raised = _attempt(forward, zeros)
            if not raised:
                self._check_values(zeros, values)
                _, raised = _attempt(backward, values)
            if raised:
                failure = failure or raised
            else:
                shapes[dtype] = tuple(values.shape[1:])
        if not shapes:
            self._refuse(failure)
        return next(iter(shapes.values())), tuple(shapes)

    def _check_values(self, zeros: Tensor, values: Any) -> None:
        if not isinstance(values, Tensor) or not values.is_floating_point():
            kind = values.dtype if isinstance(values, Tensor) else type(values).__name__
            self._refuse(f"its values are of type {kind}; they must be one tensor of floats")
        if values.ndim == 0 or len(values) != 1:
            self._refuse(
                f"it maps {list(zeros.shape)} to {list(values.shape)}; the first axis must stay "
                "that of the batch"
            )
        if bool(values.any()):
            self._refuse("it does not map 0 to 0, so it is not linear")

    def _test(self) -> Tensor:
        """Test that the operator is linear and has its adjoint.

        Returns:
            Which values are zero for every image. [C', H', W']
        """
        x, y = self._random(self.image_shape, seed=0), self._random(self.value_shape, seed=1)
        x[2] = x[0] + 2 * x[1]
        (forth, raised), (back, raised_back) = _attempt(self.apply, x), _attempt(self.adjoint, y)
        if raised or raised_back:
            self._refuse(raised or raised_back)
        size = float(forth.norm())
        if size == 0:
            self._refuse("it maps every image to 0")
        # Written so that NaN fails as well.
        if not float((forth[2] - forth[0] - 2 * forth[1]).norm()) <= TOLERANCE * size:
            self._refuse("it is not linear, or it adds noise")
        there, here = float((forth * y).sum()), float((x * back).sum())
        if not abs(there - here) <= TOLERANCE * size * float(y.norm()):
            self._refuse(
                f"its adjoint is not its transpose, for <A x, y> is {there:.4g} and <x, A* y> is "
                f"{here:.4g}"
            )
        return (forth == 0).all(0)

    def _random(self, shape: ImageShape, *, seed: int) -> Tensor:
        """Three random images or values, in the finest precision that is accepted. [3, *shape]"""
        stream = torch.Generator().manual_seed(seed)
        draws = torch.randn(3, *shape, generator=stream, dtype=torch.float64)
        return draws.to(self._device, self._dtypes[-1])

    def _refuse(self, reason: str) -> NoReturn:
        raise ArgumentError(
            f"{type(self.foreign).__name__} is no linear operator of images of shape "
            f"{self.image_shape}: {reason}."
        )


def is_operator(value: Any) -> bool:
    """Whether a value has all that `inpaint.types.Operator` asks for."""
    return all(hasattr(value, name) for name in PROTOCOL)


def fit_operator(operator: Any, image_shape: Iterable[int]) -> Operator:
    """The operator for images of a shape.

    Args:
        operator: An operator; one without an image shape, such as `Mask.box(8)`; or a linear
            operator of another package, with `A` and `A_adjoint` or `apply` and `adjoint`. If it
            only loses pixels, it becomes a `Mask`.
        image_shape: Shape of one image. (C, H, W)

    Raises:
        ShapeError: If the operator is for images of another shape.
        ArgumentError: If it is not an operator, or one of its numbers does not suit this shape.
    """
    shape = check_image_shape(image_shape)
    if isinstance(operator, UnshapedOperator):
        return operator.fit(shape)
    if not is_operator(operator):
        foreign = ForeignOperator(operator, shape)
        return foreign.as_mask() or foreign
    if tuple(operator.image_shape) != shape:
        raise ShapeError(
            f"The operator {type(operator).__name__} is for images of shape "
            f"{tuple(operator.image_shape)}, these have {shape}; they must be equal."
        )
    fitted: Operator = operator
    return fitted


def _find_maps(foreign: Any) -> tuple[Map, Map]:
    """The functions by which an operator is applied and transposed."""
    for names in (("A", "A_adjoint"), ("apply", "adjoint")):
        forward, backward = (getattr(foreign, name, None) for name in names)
        # Every module has an `apply`, which applies functions to its parts.
        inherited = getattr(forward, "__func__", None) is nn.Module.apply
        if callable(forward) and callable(backward) and not inherited:
            return forward, backward
    raise ArgumentError(
        f"operator is a {type(foreign).__name__}; give a Mask, BlockAverage, Blur, LinearOperator "
        "or Composition, or an object that has A and A_adjoint, or apply and adjoint."
    )


def _find_device(foreign: Any) -> torch.device:
    if isinstance(foreign, nn.Module):
        first = next(chain(foreign.parameters(), foreign.buffers()), None)
        return torch.device("cpu") if first is None else first.device
    device = getattr(foreign, "device", None)
    return torch.device(device if isinstance(device, (str, torch.device)) else "cpu")


def _attempt(function: Map, inputs: Tensor) -> tuple[Any, str]:
    """What a function of another package returned, or else what it raised, in words."""
    try:
        with torch.enable_grad():
            return function(inputs), ""
    # Such code may raise anything.
    except Exception as error:
        text = str(error).partition("\n")[0]
        return None, f"it raised {type(error).__name__}: {text}".rstrip(".: ")
