"""The records that travel through the package: data only, no logic beyond selection."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from inpaint.config import RestoreConfig

ImageShape = tuple[int, int, int]


class Operator(Protocol):
    """What is observed of an image: a linear map T from images to measured values.

    Values stand in three axes like images, so that operators can follow one another: block
    averages are a smaller picture [C, H', W'], those of a matrix a row [1, 1, M]. Axes between
    the batch and these three are allowed everywhere: [B, ..., C, H, W].
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
        """Measure images without noise; what is not observed is zero. [B, C, H, W] -> [B, ...]"""
        ...

    def adjoint(self, values: Tensor) -> Tensor:
        """The transpose of `apply`. [B, C', H', W'] -> [B, C, H, W]"""
        ...

    def picture(self, values: Tensor) -> Tensor:
        """Values as images to look at. [B, C', H', W'] -> [B, C, H, W]"""
        ...

    def to(self, *, dtype: torch.dtype, device: torch.device | str = "cpu") -> Operator:
        """The same operator in another precision or place."""
        ...

    def __getitem__(self, images: slice) -> Operator:
        """The operator of some images of the batch."""
        ...


class Status(enum.IntEnum):
    """How a restart stands. Only a running one takes further steps."""

    RUNNING = 0
    CONVERGED = 1
    MAX_STEPS = 2
    NON_FINITE = 3
    CANCELLED = 4

    @property
    def label(self) -> str:
        """The status in words."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True)
class ImageSet:
    """Images as a reader or a drawing gives them, not yet damaged.

    Attributes:
        images: As they were recorded, with whatever noise that brought. [B, C, H, W]
        ideal: What a restoration should reach, where it is known: the same images without
            noise, or the images themselves where a file holds whole pictures. It is of another
            shape than `images` where those are values of a measurement. [B, C, H, W]
        source: Where they came from, in words.
        notes: What the reader settled: orientation, ink colour, value range.
        numbers: The number of each image in its source.
    """

    images: Tensor
    ideal: Tensor | None = None
    source: str = ""
    notes: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.numbers:
            object.__setattr__(self, "numbers", tuple(range(len(self.images))))

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, images: slice) -> ImageSet:
        return replace(
            self,
            images=self.images[images],
            ideal=None if self.ideal is None else self.ideal[images],
            numbers=self.numbers[images],
        )


@dataclass(frozen=True)
class Measurement:
    """What is known of B damaged images.

    Attributes:
        values: What was measured; unobserved entries are zero. [B, C', H', W']
        operator: How the values came from the images.
        ideal: The undamaged images where they are known. [B, C, H, W]
        numbers: The number of each image in its source. It names the image in tables and
            picks its random stream, so an image restored alone repeats its place in a batch.
        source: Where the images came from, in words.
        weights: How much each value counts: 1 over the variance of its noise, up to a common
            factor; 0 where it shall be ignored. None weighs all alike. [B, C', H', W']
    """

    values: Tensor
    operator: Operator
    ideal: Tensor | None = None
    numbers: tuple[int, ...] = ()
    source: str = ""
    weights: Tensor | None = None

    def __post_init__(self) -> None:
        if not self.numbers:
            object.__setattr__(self, "numbers", tuple(range(len(self.values))))

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, images: slice) -> Measurement:
        return replace(
            self,
            values=self.values[images],
            operator=self.operator[images],
            ideal=None if self.ideal is None else self.ideal[images],
            numbers=self.numbers[images],
            weights=None if self.weights is None else self.weights[images],
        )


@dataclass(frozen=True)
class Progress:
    """How far a restoration is; handed to `on_progress` between chunks of steps.

    Attributes:
        stage: What is being done: "screening", "descent" or "polish".
        step: Steps done in this stage.
        steps: Steps this stage takes at most.
        best_costs: Lowest cost of each image so far. [B]
        seconds: Time since the restoration began.
    """

    stage: str
    step: int
    steps: int
    best_costs: Tensor
    seconds: float


@dataclass(frozen=True)
class Restoration:
    """What `restore` found for B images with R restarts each and latent size D.

    Attributes:
        images: The generator's output at the best restart. [B, C, H, W]
        starts: Where each restart began. [B, R, D]
        latents: The best latent vector that each restart met. [B, R, D]
        costs: J at `latents`, in nats x 2; +inf where a restart failed. [B, R]
        history: J after each step, the start included. [S + 1, B, R]
        status: Final `Status` of each restart. [B, R]
        best: The restart of lowest cost. [B]
        noise_level: Estimated noise standard deviation, in units of the pixels. [B]
        evaluations: Gradient evaluations spent on each restart. [B, R]
        backend: What ran, such as "cpp (avx512)" or "torch (cpu)".
        reasons: Why the backend was chosen, for the record.
        seconds: Wall time of the whole call.
        config: Settings that repeat this result: a time budget or a cancellation is replaced
            by the rounds and steps that it allowed.
    """

    images: Tensor
    starts: Tensor
    latents: Tensor
    costs: Tensor
    history: Tensor
    status: Tensor
    best: Tensor
    noise_level: Tensor
    evaluations: Tensor
    backend: str
    reasons: tuple[str, ...]
    seconds: float
    config: RestoreConfig

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
        return self.history[:, torch.arange(len(self.best)), self.best]

    def best_status(self) -> list[Status]:
        """Status of each image's best restart, one per image."""
        return [Status(int(row[k])) for row, k in zip(self.status, self.best, strict=True)]


Metadata = Mapping[str, str]
