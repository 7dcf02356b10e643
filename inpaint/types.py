"""The records that travel through the package: data only, no logic beyond selection."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, ClassVar, Protocol, Self, TypeVar

import numpy as np
import torch
from torch import Tensor

from inpaint.checks import check_number
from inpaint.config import RestoreConfig
from inpaint.placement import Place, check_index, check_placement

ImageShape = tuple[int, int, int]
_T = TypeVar("_T")


class Operator(Protocol):
    """What is observed of an image: a linear map T from images to measured values.

    Values have three axes like images, so that operators can follow one another: block
    averages are a smaller picture [C, H', W'], the values of a matrix a row [1, 1, M]. `apply`
    and `adjoint` allow axes between the batch and these three: [B, ..., C, H, W].
    """

    @property
    def image_shape(self) -> ImageShape:
        """Shape of one image. (C, H, W)"""
        ...

    @property
    def value_shape(self) -> ImageShape:
        """Shape of the values of one image. (C', H', W')"""
        ...

    @property
    def observed(self) -> Tensor | None:
        """True where a value was observed; None if all were. [C', H', W'] or [B, C', H', W']"""
        ...

    @property
    def title(self) -> str:
        """What was observed, in words."""
        ...

    def apply(self, images: Tensor) -> Tensor:
        """Values without noise; unobserved ones are zero. [B, C, H, W] -> [B, C', H', W']"""
        ...

    def adjoint(self, values: Tensor) -> Tensor:
        """The transpose of `apply`. [B, C', H', W'] -> [B, C, H, W]"""
        ...

    def picture(self, values: Tensor) -> Tensor:
        """Values as images to look at. [B, C', H', W'] -> [B, C, H, W]"""
        ...

    def to(
        self,
        *places: Place,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Operator:
        """The same operator on another device or in another precision, as torch's `to`."""
        ...

    def __getitem__(self, images: Any) -> Operator:
        """The operator of some images of the batch, chosen as in numpy."""
        ...


class Status(enum.IntEnum):
    """The state of a restart. Only a running one takes further steps."""

    RUNNING = 0
    CONVERGED = 1
    MAX_STEPS = 2
    NON_FINITE = 3
    CANCELLED = 4
    NOT_STARTED = 5

    @property
    def label(self) -> str:
        """The status in words."""
        return self.name.lower().replace("_", " ")


class ShortRepr:
    """A dataclass whose repr shows shapes instead of tensors, so that it fits a screen."""

    def __repr__(self) -> str:
        pairs = ((each.name, getattr(self, each.name)) for each in fields(self))  # type: ignore[arg-type]
        said = ", ".join(f"{name}={_in_short(value)}" for name, value in pairs)
        return f"{type(self).__name__}({said})"


def _in_short(value: Any) -> str:
    """A value in a few words."""
    if isinstance(value, Tensor):
        return f"tensor{list(value.shape)}"
    if isinstance(value, tuple) and any(is_dataclass(item) for item in value):
        return f"<{len(value)} of {type(value[0]).__name__}>"
    return f"{type(value).__name__}(...)" if is_dataclass(value) else repr(value)


UNBATCHED = 3
"""Axes of one image [C, H, W]."""


class _Batched:
    """Records whose tensors have a batch axis, unless they hold one image.

    `TENSORS` names these tensors; the first one is always there.
    """

    TENSORS: ClassVar[tuple[str, ...]]
    numbers: tuple[int, ...]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.numbers:
            count = 1 if self.single else len(self._first)
            object.__setattr__(self, "numbers", tuple(range(count)))

    def __len__(self) -> int:
        if self.single:
            raise TypeError(f"A single {type(self).__name__} has no length.")
        return len(self._first)

    def __getitem__(self, images: Any) -> Self:
        """Some of the images, chosen as in numpy: an integer drops the batch axis.

        Raises:
            IndexError: If there is no such image.
        """
        chosen = check_index(images, len(self))
        found = self._with_tensors(lambda tensor: tensor[chosen], **self._choose(chosen))
        return found if _keeps_axis(images) else found._with_tensors(lambda tensor: tensor[0])

    def batched(self) -> Self:
        """The same with a batch axis, even for a single image."""
        return self._with_tensors(lambda tensor: tensor[None]) if self.single else self

    @property
    def single(self) -> bool:
        """Whether this is one image without a batch axis."""
        return bool(self._first.ndim == UNBATCHED)

    @property
    def labels(self) -> tuple[str, ...]:
        """What to call each image: its number and, where it came from a file, the file's name."""
        names = self.names or ("",) * len(self.numbers)
        return tuple(f"{k} {name}".rstrip() for k, name in zip(self.numbers, names, strict=True))

    @property
    def _first(self) -> Tensor:
        return getattr(self, self.TENSORS[0])

    def _choose(self, chosen: slice | list[int]) -> dict[str, Any]:
        """What else is chosen with the images."""
        return {"numbers": _pick(self.numbers, chosen), "names": _pick(self.names, chosen)}

    def _with_tensors(self, change: Callable[[Tensor], Tensor], **others: Any) -> Self:
        tensors = {name: getattr(self, name) for name in self.TENSORS}
        changed: dict[str, Any] = {
            name: None if tensor is None else change(tensor) for name, tensor in tensors.items()
        }
        return replace(self, **changed, **others)  # type: ignore[type-var]


@dataclass(frozen=True)
class Skipped:
    """A picture of a source that could not be read.

    Attributes:
        name: Its file, or its number in the source.
        reason: Why, in one sentence.
    """

    name: str
    reason: str


@dataclass(frozen=True, eq=False, repr=False)
class ImageSet(_Batched):
    """Undamaged images, as a reader or a generator gives them.

    Attributes:
        images: As they were recorded, noise included. [B, C, H, W]
        ideal: What a restoration should reach, where it is known: the same images without
            noise, or the images themselves where a file holds whole pictures. Its shape
            differs from that of `images` where those are measured values. [B, C, H, W]
        source: Where they came from, in words.
        notes: What the reader decided: orientation, ink colour, value range.
        numbers: The number of each image in its source.
        names: The file of each image, where each has its own.
        doubts: What the reader is not sure of, and which option decides it.
        skipped: Pictures of the source that could not be read.
    """

    TENSORS: ClassVar = ("images", "ideal")

    images: Tensor
    ideal: Tensor | None = None
    source: str = ""
    notes: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.images.shape[1:]))
        ideal = "unknown" if self.ideal is None else "known"
        source = f", from {self.source}" if self.source else ""
        return f"ImageSet({_count(self)} {shape}, ideal {ideal}{source})"


@dataclass(frozen=True, eq=False, repr=False)
class Measurement(_Batched):
    """What is known of B damaged images.

    Attributes:
        values: What was measured; unobserved entries are zero. [B, C', H', W']
        operator: How the values came from the images.
        ideal: The undamaged images where they are known. [B, C, H, W]
        numbers: The number of each image in its source. It names the image in tables and
            picks its random stream, so an image gives the same result alone as in a batch.
        source: Where the images came from, in words.
        weights: How much each value counts: 1 over the variance of its noise, up to a common
            factor; 0 where a value is ignored. None weighs all alike. [B, C', H', W']
        noise_level: Standard deviation of the noise of values of weight 1, in units of the values,
            where it is known. None leaves it unknown, and J integrates it out.
        names: The file of each image, where each has its own.
    """

    TENSORS: ClassVar = ("values", "ideal", "weights")

    values: Tensor
    operator: Operator
    ideal: Tensor | None = None
    numbers: tuple[int, ...] = ()
    source: str = ""
    weights: Tensor | None = None
    noise_level: float | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.noise_level is not None:
            check_number("noise_level", self.noise_level, positive=True)
            object.__setattr__(self, "noise_level", float(self.noise_level))

    def __repr__(self) -> str:
        # An operator of another package may not have a title.
        title = getattr(self.operator, "title", repr(self.operator))
        seen = title.removeprefix("N = ").removeprefix("M = ")
        noise = "unknown" if self.noise_level is None else f"{self.noise_level:g}"
        weighted = "" if self.weights is None else ", weighted"
        return f"Measurement({_count(self)}, {seen}, noise level {noise}{weighted})"

    def _choose(self, chosen: slice | list[int]) -> dict[str, Any]:
        return {**super()._choose(chosen), "operator": self.operator[chosen]}

    def to(
        self,
        *places: Place,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Measurement:
        """The same on another device or in another precision, as torch's `to`."""
        device, dtype = check_placement(places, device, dtype)
        operator = self.operator.to(device=device, dtype=dtype)
        return self._with_tensors(lambda x: x.to(device=device, dtype=dtype), operator=operator)


def _keeps_axis(index: Any) -> bool:
    """Whether an index keeps the batch axis, as in numpy."""
    return isinstance(index, slice) or np.ndim(index) > 0


def _pick(items: tuple[_T, ...], chosen: slice | list[int]) -> tuple[_T, ...]:
    if not items:
        return ()
    return items[chosen] if isinstance(chosen, slice) else tuple(items[i] for i in chosen)


def _count(record: ImageSet | Measurement) -> str:
    count = len(record.numbers)
    return f"{count} image{'' if count == 1 else 's'}"


@dataclass(frozen=True)
class Progress:
    """The progress of long work; every function that takes `on_progress` passes this to it.

    Attributes:
        stage: What is being done, such as "descent" or "sampling".
        done: Units of work finished in this stage.
        total: Units of work in this stage; None where that is not known beforehand.
        note: What has been reached, in words for the user, such as the lowest costs.
    """

    stage: str
    done: float
    total: float | None
    note: str = ""


OnProgress = Callable[[Progress], bool | None]
"""Called from time to time; returning False cancels the work, and what was reached is returned."""


def asks_to_stop(answer: Any) -> bool:
    """Whether the answer of an `OnProgress` cancels the work: False, also as numpy has it, or 0."""
    return answer is not None and not answer


@dataclass(frozen=True, eq=False, repr=False)
class SearchResult(ShortRepr):
    """What the search found for B images with R restarts each and latent size D.

    Attributes:
        images: The generator's output at the best restart. [B, C, H, W]
        starts: Where each restart began. [B, R, D]
        start_costs: J at `starts`. [B, R]
        latents: The best latent vector that each restart met. [B, R, D]
        costs: J at `latents`, in nats x 2; +inf where a restart failed. [B, R]
        history: J after each step, the start included, of the restarts in `followed`.
            [S + 1, B, F]
        followed: The restarts whose history is kept: all of them, or the best one of each image
            where all histories together would take too much memory. [B, F]
        status: Final `Status` of each restart; NOT_STARTED where an image took fewer. [B, R]
        num_starts: Starts of each image; above R where only those of lowest cost are kept. [B]
        best: The restart of lowest cost. [B]
        noise_level: Estimated noise standard deviation, in units of the pixels. [B]
        evaluations: Gradient evaluations spent on each restart. [B, R]
        backend: What ran, such as "cpp (avx512)" or "torch (cpu)".
        reasons: Why the backend was chosen, for the record.
        seconds: Wall time of the whole call.
        config: Settings that repeat this result: the rounds and steps that a limit or stop allowed.
    """

    images: Tensor
    starts: Tensor
    start_costs: Tensor
    latents: Tensor
    costs: Tensor
    history: Tensor
    followed: Tensor
    status: Tensor
    num_starts: Tensor
    best: Tensor
    noise_level: Tensor
    evaluations: Tensor
    backend: str
    reasons: tuple[str, ...]
    seconds: float
    config: RestoreConfig

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, images: slice | list[int]) -> SearchResult:
        return replace(
            self,
            **{name: getattr(self, name)[images] for name in PER_IMAGE},
            history=self.history[:, images],
        )

    @property
    def best_costs(self) -> Tensor:
        """J of each image's best restart. [B]"""
        return self.costs.gather(1, self.best[:, None])[:, 0]

    @property
    def best_latents(self) -> Tensor:
        """Latent vector of each image's best restart. [B, D]"""
        return self.latents[torch.arange(len(self.best)), self.best]

    @property
    def best_history(self) -> Tensor:
        """Cost curve of each image's best restart. [S + 1, B]"""
        places = (self.followed == self.best[:, None]).int().argmax(1)
        return self.history[:, torch.arange(len(places)), places]

    def best_status(self) -> list[Status]:
        """Status of each image's best restart, one per image."""
        return [Status(int(row[k])) for row, k in zip(self.status, self.best, strict=True)]


PER_IMAGE = (
    "images", "starts", "start_costs", "latents", "costs", "followed", "status", "num_starts",
    "best", "noise_level", "evaluations",
)  # fmt: skip
"""Fields of a `SearchResult` whose first axis is the batch."""
