"""Pictures as they are stored: numbers, and what their format says about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inpaint.files.normalize import UNIT, Ink, Range
from inpaint.files.paper import Pixels
from inpaint.types import ImageSet, ImageShape, Skipped


@dataclass(frozen=True, eq=False)
class StoredPicture:
    """One picture as it is stored.

    Attributes:
        values: Its numbers, row by row; NaN where there is none. [C, H, W]
        name: Its file, if it has its own.
        limits: Values of black and white that the format declares.
        opacity: 0 where it is transparent, 1 where it is not; None if all is opaque. [H, W]
        ink: Its ink, where that is known.
        understood: Whether its meaning needs no words, because it was made here.
        ideal: The same picture undamaged, in the same units. [C, H', W']
    """

    values: NDArray[np.generic]
    name: str = ""
    limits: Range | None = None
    opacity: Pixels | None = None
    ink: Ink | None = None
    understood: bool = False
    ideal: NDArray[np.generic] | None = None

    @property
    def shape(self) -> ImageShape:
        """Channels, height and width as stored."""
        channels, height, width = self.values.shape
        return channels, height, width


@dataclass(frozen=True, eq=False)
class StoredSet:
    """The pictures of a source.

    Attributes:
        pictures: In the order of their numbers.
        source: Where they came from, in words.
        notes: What the reader decided about all of them.
        numbers: The number of each picture in its source.
        skipped: Pictures that could not be read.
        given: Whether they were given as arrays or pictures, and not read from a file.
        whole: Whether the pictures are undamaged: then each is its own ideal.
    """

    pictures: tuple[StoredPicture, ...]
    source: str
    notes: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    given: bool = False
    whole: bool = True

    def __post_init__(self) -> None:
        if not self.numbers:
            object.__setattr__(self, "numbers", tuple(range(len(self.pictures))))

    @property
    def total(self) -> int:
        """How many pictures there are, with those that could not be read."""
        return len(self.pictures) + len(self.skipped)

    def places(self, numbers: Sequence[int]) -> list[int]:
        """Where the pictures of these numbers stand in the set."""
        place = {number: index for index, number in enumerate(self.numbers)}
        return [place[number] for number in numbers]

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, chosen: Sequence[int]) -> StoredSet:
        return replace(
            self,
            pictures=tuple(self.pictures[k] for k in chosen),
            numbers=tuple(self.numbers[k] for k in chosen),
        )


def stored_images(image_set: ImageSet, ink: Ink = "dark") -> StoredSet:
    """Images of known meaning as a stored set, so that they are read for any generator."""
    arrays = image_set.images.cpu().double().numpy()
    ideals = None if image_set.ideal is None else image_set.ideal.cpu().double().numpy()
    if ideals is not None and ideals is not arrays and np.array_equal(ideals, arrays):
        ideals = None
    return StoredSet(
        tuple(
            StoredPicture(
                values,
                limits=UNIT,
                ink=ink,
                understood=True,
                ideal=None if ideals is None else ideals[k],
            )
            for k, values in enumerate(arrays)
        ),
        image_set.source,
        image_set.notes,
        image_set.numbers,
    )
