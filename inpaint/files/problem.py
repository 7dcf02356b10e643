"""Problems: a job with its inputs read and its images damaged."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from inpaint.errors import ArgumentError, ShapeError
from inpaint.files.job import DamageJob
from inpaint.files.masks import read_mask, refuse_white
from inpaint.files.matrices import read_operator
from inpaint.files.reading import read_generator, read_images
from inpaint.generators import AnyGenerator
from inpaint.operators import (
    Composition,
    LinearOperator,
    Mask,
    is_mask_name,
    is_operator_name,
    measure,
)
from inpaint.types import ImageSet, ImageShape, Measurement, Operator


@dataclass(frozen=True)
class Problem:
    """A job with its inputs read.

    Attributes:
        job: What was asked for.
        image_set: The images that were chosen, not yet damaged.
        measurement: The same images damaged.
        generator: What restores them.
    """

    job: DamageJob
    image_set: ImageSet
    measurement: Measurement
    generator: AnyGenerator

    def first(self, count: int) -> Problem:
        """The problem of the first images, such as those that a cancelled search reached."""
        if count == len(self.measurement):
            return self
        part = slice(count)
        return replace(self, image_set=self.image_set[part], measurement=self.measurement[part])

    @property
    def notes(self) -> tuple[str, ...]:
        """How the images and the file of the mask were read."""
        operator = self.measurement.operator
        last = operator.parts[-1] if isinstance(operator, Composition) else operator
        return self.image_set.notes + (last.notes if isinstance(last, Mask) else ())

    def digests(self) -> dict[str, str]:
        """Hashes of what was read, by the field of the job that names it."""
        found = {
            "source": digest_tensors(self.image_set.images, self.image_set.ideal),
            "generator": self.generator.digest(),
        }
        operator = self.measurement.operator
        if self.job.mask is not None and not is_mask_name(self.job.mask):
            found["mask"] = digest_tensors(operator.observed)
        if self.job.operator is not None and not is_operator_name(self.job.operator):
            matrix = operator.parts[0] if isinstance(operator, Composition) else operator
            assert isinstance(matrix, LinearOperator)
            entries = matrix.matrix
            parts = (entries.indices(), entries.values()) if matrix.sparse else (entries,)
            found["operator"] = digest_tensors(*parts)
        return found


def load(job: DamageJob) -> Problem:
    """Read a job's inputs and damage its images.

    Raises:
        FileError: If an input cannot be read.
        ArgumentError: If a number is out of range.
    """
    generator = read_generator(job.generator)
    image_set = read_images(
        job.source,
        image_shape=generator.image_shape,
        orientation=job.orientation,
        ink=job.ink,
        value_range=job.value_range,
    )
    return pose(job, select(image_set, job.numbers), generator, total=len(image_set))


def pose(
    job: DamageJob, image_set: ImageSet, generator: AnyGenerator, *, total: int | None = None
) -> Problem:
    """Damage images as a job says.

    Args:
        job: N or mask or operator, noise and seed.
        image_set: The images chosen, all of which are damaged.
        generator: What restores them.
        total: Number of images in their source, where it is known.

    Raises:
        ArgumentError: If a number is out of range.
        FileError: If the file of a mask or an operator cannot be read.
        ShapeError: If images, operator and generator do not fit together.
    """
    operator = _read_operator(job, image_set, generator, total)
    measurement = measure(image_set, operator, noise=job.noise, seed=job.seed)
    measurement = replace(measurement, noise_level=job.noise_level)
    return Problem(job, image_set, measurement, generator)


def _read_operator(
    job: DamageJob, image_set: ImageSet, generator: AnyGenerator, total: int | None
) -> Operator:
    channels, height, width = image_set.images.shape[1:]
    if job.operator is None:
        shape = (channels, height, width)
        ideal = image_set.ideal
        if ideal is not None and ideal.shape[1:] != shape:
            raise ShapeError(
                f"{image_set.source} holds {height}x{width} values measured of images of "
                f"{ideal.shape[2]}x{ideal.shape[3]}; say with --operator how they were measured, "
                "such as --operator block-average."
            )
        return _mask(job, shape, image_set, total) or Mask.leading(job.keep, shape)
    operator = read_operator(job.operator, generator.image_shape)
    mask = _mask(job, operator.value_shape, image_set, total)
    return operator if mask is None else Composition((operator, mask))


def _mask(job: DamageJob, shape: ImageShape, image_set: ImageSet, total: int | None) -> Mask | None:
    if job.mask is None:
        refuse_white(job.mask_white, "no mask")
        return None
    return read_mask(job.mask, shape, white=job.mask_white, numbers=image_set.numbers, total=total)


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
    return image_set[chosen]


def digest_tensors(*tensors: Tensor | None) -> str:
    """A hash of the shapes and values of tensors; None is left out."""
    sha = hashlib.sha256()
    for tensor in tensors:
        if tensor is not None:
            sha.update(repr(tuple(tensor.shape)).encode())
            sha.update(tensor.cpu().double().contiguous().numpy().tobytes())
    return sha.hexdigest()
