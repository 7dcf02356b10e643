"""Problems: a job with its inputs read and its images damaged."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from inpaint.errors import ArgumentError, ShapeError
from inpaint.files.checks import FilePath, list_names
from inpaint.files.interpret import ReadPicture, normalize
from inpaint.files.job import DamageJob, ImagesJob
from inpaint.files.masks import read_mask, refuse_white
from inpaint.files.matrices import read_operator
from inpaint.files.normalize import Ink, Orientation, Range, ReadOptions
from inpaint.files.reading import read_generator, read_stored
from inpaint.files.stored import StoredSet
from inpaint.generators import AnyGenerator
from inpaint.generators.kind import Content, PictureKind, picture_kind
from inpaint.generators.likeness import unlike
from inpaint.operators import (
    Composition,
    LinearOperator,
    Mask,
    is_mask_name,
    is_operator_name,
    measure,
)
from inpaint.types import ImageSet, ImageShape, Measurement, Operator

Images = TypeVar("Images", ImageSet, StoredSet)


@dataclass(frozen=True)
class Problem:
    """A job with its inputs read.

    Attributes:
        job: What was asked for.
        image_set: The images that were chosen, not yet damaged.
        measurement: The same images damaged.
        generator: What restores them.
        read: How each picture was read, where they were stored ones.
    """

    job: DamageJob
    image_set: ImageSet
    measurement: Measurement
    generator: AnyGenerator
    read: tuple[ReadPicture, ...] = ()

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
    stored = read_stored(job.source, job.orientation, generator.image_shape)
    return pose(job, select(stored, job.numbers), generator, total=stored.total)


def pose(
    job: DamageJob,
    images: ImageSet | StoredSet,
    generator: AnyGenerator,
    *,
    mask: Mask | None = None,
    operator: Operator | None = None,
    total: int | None = None,
) -> Problem:
    """Damage images as a job says.

    Args:
        job: N or mask or operator, noise and seed, and how to read stored pictures.
        images: The images chosen, all of which are damaged. What the numbers of stored pictures
            mean is judged by the pixels that are observed.
        generator: What restores them.
        mask: The job's mask, if it has been read already.
        operator: The job's operator, if it has been read already.
        total: Number of images in their source, where it is known.

    Raises:
        ArgumentError: If a number is out of range.
        FileError: If the file of a mask or an operator cannot be read.
        ShapeError: If images, operator and generator do not fit together.
    """
    damage = _Damage(job, generator, mask, operator, total)
    read: tuple[ReadPicture, ...] = ()
    if isinstance(images, ImageSet):
        observed = damage.operator_of(images)
    else:
        images, observed, read = damage.normalize(images)
    measurement = measure(images, observed, noise=job.noise, seed=job.seed)
    measurement = replace(measurement, noise_level=job.noise_level)
    return Problem(job, images, measurement, generator, read)


def read_whole(
    source: FilePath,
    *,
    generator: AnyGenerator | None = None,
    orientation: Orientation | None = None,
    ink: Ink | None = None,
    kind: Content | None = None,
    value_range: Range | None = None,
    damaged: bool = False,
) -> tuple[StoredSet, ImageSet, tuple[ReadPicture, ...]]:
    """Pictures as far as they are known before anyone says what is observed of them.

    Args:
        source: See `inpaint.read_images`.
        generator: What is to restore them, if it is known.
        orientation: See `inpaint.read_images`.
        ink: See `inpaint.read_images`.
        kind: What the generator draws, where that is not left to its card or its images.
        value_range: See `inpaint.read_images`.
        damaged: See `inpaint.read_images`.

    Returns:
        The pictures as stored, the images that they become, and how each was read.

    Raises:
        FileError: If the source cannot be read.
    """
    shape = None if generator is None else generator.image_shape
    stored = read_stored(source, orientation, shape)
    options = ReadOptions(orientation, ink, value_range)
    if generator is None:
        return stored, *normalize(stored, None, None, damaged=damaged, options=options)
    found = picture_kind(generator) if kind is None else PictureKind(kind)
    measured = any(picture.ideal is not None for picture in stored.pictures)
    shape = None if measured else shape
    images, read = normalize(stored, found, shape, damaged=damaged, options=options)
    if images.images.shape[1:] == generator.image_shape:
        seen = ~torch.isnan(images.images)
        whole = replace(images, images=torch.where(seen, images.images, 0.0))
        images = replace(images, doubts=doubt_likeness(whole, seen, generator).doubts)
    return stored, replace(images, notes=(*images.notes, found.sentence(generator.name))), read


def kind_of(job: ImagesJob, generator: AnyGenerator) -> PictureKind:
    """What the generator's images are: as the job says, or as `picture_kind` finds it."""
    return picture_kind(generator) if job.kind is None else PictureKind(job.kind)


def doubt_likeness(images: ImageSet, observed: Tensor, generator: AnyGenerator) -> ImageSet:
    """Images with a doubt for those that look unlike anything that the generator draws."""
    odd = [
        label
        for label, is_odd in zip(
            images.labels, unlike(generator, images.images, observed), strict=True
        )
        if is_odd
    ]
    if not odd:
        return images
    shown = list_names(odd, 3)
    which = f"image {shown} does" if len(odd) == 1 else f"images {shown} do"
    return replace(
        images, doubts=(*images.doubts, f"{which} not look like what {generator.name} draws")
    )


@dataclass(frozen=True)
class _Damage:
    """What is observed of a job's images."""

    job: DamageJob
    generator: AnyGenerator
    mask: Mask | None
    operator: Operator | None
    total: int | None

    def operator_of(self, images: ImageSet) -> Operator:
        """The operator for images that have been read."""
        _, channels, height, width = images.images.shape
        if not self._measures:
            shape = (channels, height, width)
            ideal = images.ideal
            if ideal is not None and ideal.shape[1:] != shape:
                raise ShapeError(
                    f"{images.source} holds {height}x{width} values measured of images of "
                    f"{ideal.shape[2]}x{ideal.shape[3]}; say with --operator how they were "
                    "measured, such as --operator block-average."
                )
            return self._mask_of(shape, images)
        operator = self.operator
        if operator is None:
            assert self.job.operator is not None
            operator = read_operator(self.job.operator, self.generator.image_shape)
        if self.job.mask is None and self.mask is None:
            refuse_white(self.job.mask_white, "no mask")
            return operator
        return Composition((operator, self._mask_of(operator.value_shape, images)))

    def normalize(self, stored: StoredSet) -> tuple[ImageSet, Operator, tuple[ReadPicture, ...]]:
        """Stored pictures as a generator's images, what is observed, and how each was read."""
        job, generator = self.job, self.generator
        options = ReadOptions(job.orientation, job.ink, job.value_range)
        kind = kind_of(job, generator)
        read = partial(normalize, stored, kind, damaged=job.damaged, options=options)
        if self._measures:
            images, found = read(None)
            return images, self.operator_of(images), found
        shape = generator.image_shape
        own = _own_shape(stored)
        if own is None or own[1:] != shape[1:]:
            images, mask, found = self._fit(stored, read)
        else:
            mask = self._mask_of(shape, stored)
            images, found = read(shape, mask=mask)
            mask = mask[stored.places(images.numbers)]
        images = doubt_likeness(images, mask.observed, generator)
        if kind.known_by != "card":
            images = replace(images, notes=(*images.notes, kind.sentence(generator.name)))
        return images, mask, found

    def _fit(self, stored: StoredSet, read: Any) -> tuple[ImageSet, Mask, tuple[ReadPicture, ...]]:
        """Pictures of another size, fitted, and the mask that lies on the fitted images.

        A picture with holes is fitted without them, so its mask lies on the picture as stored.
        """
        job, shape = self.job, self.generator.image_shape
        own = _own_shape(stored)
        ideal = stored.pictures[0].ideal
        if ideal is not None:
            _, height, width = stored.pictures[0].shape
            whole = ideal.shape[1:]
            if whole == (height, width):
                raise ShapeError(
                    f"{stored.source} holds images of {height}x{width} with ideals, and "
                    f"{self.generator.name} makes images of {shape[1]}x{shape[2]}; choose a "
                    "generator of that shape."
                )
            raise ShapeError(
                f"{stored.source} holds {height}x{width} values measured of images of "
                f"{whole[0]}x{whole[1]}, and {self.generator.name} makes images of "
                f"{shape[1]}x{shape[2]}; say with --operator how they were measured, such as "
                "--operator block-average, or choose another generator."
            )
        mask, on_stored = None, job.damaged
        if not on_stored:
            try:
                mask = self._mask_of(shape, stored)
            except ShapeError:
                # A mask of the pictures' own size is fitted with them.
                if own is None or job.mask is None or is_mask_name(job.mask):
                    raise
                on_stored = True
        if on_stored:
            if own is None:
                raise ShapeError(
                    f"{stored.source} holds pictures of different sizes, so that one mask does not "
                    "lie on all of them; restore each by itself, or scale them to one size."
                )
            mask = self._mask_of((1, *own[1:]), stored)
        assert mask is not None
        images, found = read(shape, mask=mask if on_stored else None)
        every = torch.ones(1, *shape, dtype=torch.bool)
        observed = every if on_stored else mask[stored.places(images.numbers)].observed
        if any(each.observed is not None for each in found):
            all_seen = np.ones(shape[1:], dtype=bool)
            seen = np.stack([all_seen if x.observed is None else x.observed for x in found])
            observed = observed & torch.from_numpy(seen)[:, None]
        mask = Mask(observed.expand(-1, *shape) if observed.ndim == 4 else observed)
        return images, mask, found

    @property
    def _measures(self) -> bool:
        """Whether something other than pixels is observed."""
        return self.operator is not None or self.job.operator is not None

    def _mask_of(self, shape: ImageShape, images: ImageSet | StoredSet) -> Mask:
        if self.mask is not None:
            return self.mask
        white = self.job.mask_white
        if self.job.mask is None:
            refuse_white(white, "no mask")
            return Mask.leading(self.job.keep, shape)
        numbers = images.numbers
        return read_mask(self.job.mask, shape, white=white, numbers=numbers, total=self.total)


def _own_shape(stored: StoredSet) -> ImageShape | None:
    """The shape of the pictures as stored; None if they have different sizes."""
    shapes = {picture.shape[1:] for picture in stored.pictures}
    return stored.pictures[0].shape if len(shapes) == 1 else None


def select(image_set: Images, numbers: Sequence[int] | None) -> Images:
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
