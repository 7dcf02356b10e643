"""Jobs that train something on images; see `inpaint.files.job`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from inpaint.checks import check_between, check_integer
from inpaint.classifier.config import ClassifierConfig
from inpaint.files.job import LARGEST
from inpaint.files.words import Job, option
from inpaint.network.config import NetworkConfig
from inpaint.training.config import TrainConfig

MOST_STROKES = 0.9
"""Largest share of drawings among training images."""


@dataclass(frozen=True, kw_only=True)
class TrainingImagesJob(Job):
    """Images to train on.

    Attributes:
        images: IDX file of the training images, gz or not.
        labels: IDX file of their labels.
        digits: Labels to train on.
        hold_out: Images at the end of the file that are left out.
        strokes: Share of drawings of the same digits among the training images, which a stroke
            model adds to the handwriting; 0 adds none.
    """

    images: Path = option(argument=True, is_input=True)
    labels: Path = option(is_input=True)
    digits: tuple[int, ...] = option((), shown="all")
    hold_out: int = option(10_000)
    strokes: float = option(0.0)

    def __post_init__(self) -> None:
        check_integer("hold_out", self.hold_out, 0, LARGEST)
        check_between("strokes", self.strokes, 0.0, MOST_STROKES)


@dataclass(frozen=True, kw_only=True)
class TrainJob(TrainingImagesJob):
    """Everything that determines the training of a generator.

    Attributes:
        start: Generator to train on from, a file or the name of a shipped one. It must have the
            layers that the other options ask for.
        config: How to train.
    """

    command: ClassVar[str] = "train"

    start: str | None = option(None, shown="random weights", is_input=True)
    config: TrainConfig = field(default_factory=TrainConfig)


@dataclass(frozen=True, kw_only=True)
class TrainNetworkJob(TrainingImagesJob):
    """Everything that determines the training of an inpainting network.

    Attributes:
        config: How to train.
    """

    command: ClassVar[str] = "train-network"

    config: NetworkConfig = field(default_factory=NetworkConfig)


@dataclass(frozen=True, kw_only=True)
class TrainClassifierJob(TrainingImagesJob):
    """Everything that determines the training of a classifier.

    Attributes:
        config: How to train.
    """

    command: ClassVar[str] = "train-classifier"

    config: ClassifierConfig = field(default_factory=ClassifierConfig)
