"""A run with its inputs read and its images damaged: what there is to restore."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from inpaint.errors import ArgumentError
from inpaint.generator import AnyGenerator
from inpaint.operators import Mask, measure, names_preset
from inpaint.readers import read_generator, read_images, read_mask
from inpaint.run import Run
from inpaint.types import ImageSet, Measurement

__all__ = ["Problem", "Run", "load", "pose", "select"]


@dataclass(frozen=True)
class Problem:
    """A run with its inputs read.

    Attributes:
        run: What was asked for.
        image_set: The images that were chosen, not yet damaged.
        measurement: The same images damaged.
        generator: What shall restore them.
    """

    run: Run
    image_set: ImageSet
    measurement: Measurement
    generator: AnyGenerator

    def digests(self) -> dict[str, str]:
        """Hashes of what was read: the images chosen, with their ideals, generator, mask file."""
        found = {
            "images": _hash(self.image_set.images, self.image_set.ideal),
            "generator": self.generator.digest(),
        }
        operator = self.measurement.operator
        if self.run.mask is not None and not names_preset(self.run.mask):
            assert isinstance(operator, Mask)
            found["mask"] = _hash(operator.observed)
        return found


def load(run: Run) -> Problem:
    """Read a run's inputs and damage its images.

    Raises:
        FileError: If an input cannot be read.
        ArgumentError: If a number is not in its range.
    """
    image_set = select(read_images(run.source), run.numbers)
    return pose(run, image_set, read_generator(run.generator))


def pose(run: Run, image_set: ImageSet, generator: AnyGenerator) -> Problem:
    """Damage images as a run says.

    Args:
        run: N or mask, noise and seed.
        image_set: The images chosen, all of which are damaged.
        generator: What shall restore them.

    Raises:
        ArgumentError: If a number is not in its range.
        FileError: If the mask's file cannot be read.
    """
    count, channels, height, width = image_set.images.shape
    shape = (channels, height, width)
    named = run.mask
    mask = Mask.leading(run.keep, shape) if named is None else read_mask(named, shape, count)
    measurement = measure(image_set, mask, noise=run.noise, seed=run.config.seed)
    return Problem(run, image_set, measurement, generator)


def select(image_set: ImageSet, numbers: Sequence[int] | None) -> ImageSet:
    """Take some images by their numbers, in the order asked for; None takes all.

    Raises:
        ArgumentError: If a number is not in the set.
    """
    if numbers is None:
        return image_set
    place = {number: index for index, number in enumerate(image_set.numbers)}
    for number in numbers:
        if number not in place:
            raise ArgumentError(
                f"images asks for number {number}; the source has {len(image_set)} images. "
                f"Choose {min(place)} to {max(place)}."
            )
    chosen = [place[number] for number in numbers]
    return replace(
        image_set,
        images=image_set.images[chosen],
        ideal=None if image_set.ideal is None else image_set.ideal[chosen],
        numbers=tuple(numbers),
    )


def _hash(*tensors: Tensor | None) -> str:
    """A hash of the shapes and values of tensors; None is left out."""
    sha = hashlib.sha256()
    for tensor in tensors:
        if tensor is not None:
            sha.update(repr(tuple(tensor.shape)).encode())
            sha.update(tensor.cpu().double().contiguous().numpy().tobytes())
    return sha.hexdigest()
