"""A run with its inputs read and its images damaged: what there is to restore."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from inpaint.errors import ArgumentError, ShapeError
from inpaint.files.job import Run
from inpaint.files.reading import read_generator, read_images, read_mask, read_operator
from inpaint.generators import AnyGenerator
from inpaint.operators import (
    Composition,
    LinearOperator,
    Mask,
    measure,
    names_operator,
    names_preset,
)
from inpaint.types import ImageSet, ImageShape, Measurement, Operator

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
        """Hashes of what was read: the images chosen, generator, files of mask and operator."""
        found = {
            "images": _hash(self.image_set.images, self.image_set.ideal),
            "generator": self.generator.digest(),
        }
        operator = self.measurement.operator
        if self.run.mask is not None and not names_preset(self.run.mask):
            found["mask"] = _hash(operator.observed)
        if self.run.operator is not None and not names_operator(self.run.operator):
            matrix = operator.parts[0] if isinstance(operator, Composition) else operator
            assert isinstance(matrix, LinearOperator)
            entries = matrix.matrix
            parts = (entries.indices(), entries.values()) if matrix.sparse else (entries,)
            found["operator"] = _hash(*parts)
        return found


def load(run: Run) -> Problem:
    """Read a run's inputs and damage its images.

    Raises:
        FileError: If an input cannot be read.
        ArgumentError: If a number is not in its range.
    """
    generator = read_generator(run.generator)
    image_set = read_images(
        run.source,
        image_shape=generator.image_shape,
        orientation=run.orientation,
        ink=run.ink,
        value_range=run.value_range,
    )
    return pose(run, select(image_set, run.numbers), generator)


def pose(run: Run, image_set: ImageSet, generator: AnyGenerator) -> Problem:
    """Damage images as a run says.

    Args:
        run: N or mask or operator, noise and seed.
        image_set: The images chosen, all of which are damaged.
        generator: What shall restore them.

    Raises:
        ArgumentError: If a number is not in its range.
        FileError: If the file of a mask or an operator cannot be read.
        ShapeError: If images, operator and generator do not fit together.
    """
    operator = _read_operator(run, image_set, generator)
    measurement = measure(image_set, operator, noise=run.noise, seed=run.config.seed)
    return Problem(run, image_set, measurement, generator)


def _read_operator(run: Run, image_set: ImageSet, generator: AnyGenerator) -> Operator:
    count, channels, height, width = image_set.images.shape
    if run.operator is None:
        shape = (channels, height, width)
        ideal = image_set.ideal
        if ideal is not None and ideal.shape[1:] != shape:
            raise ShapeError(
                f"{image_set.source} holds {height}x{width} values measured of images of "
                f"{ideal.shape[2]}x{ideal.shape[3]}; say with --operator how they were measured, "
                "such as --operator block-average."
            )
        return _mask(run, shape, count) or Mask.leading(run.keep, shape)
    operator = read_operator(run.operator, generator.image_shape)
    mask = _mask(run, operator.value_shape, count)
    return operator if mask is None else Composition((operator, mask))


def _mask(run: Run, shape: ImageShape, count: int) -> Mask | None:
    return None if run.mask is None else read_mask(run.mask, shape, count)


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
