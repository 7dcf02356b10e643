"""An evaluation's inputs: read in, and damaged."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from inpaint.errors import ArgumentError
from inpaint.files.job import EvaluateJob
from inpaint.files.masks import read_mask, refuse_white
from inpaint.files.problem import digest_tensors
from inpaint.files.reading import read_generator
from inpaint.generators import AnyGenerator
from inpaint.generators.kind import PictureKind, picture_kind, turn_ink
from inpaint.network.files import load_network, network_names
from inpaint.network.model import InpaintingNetwork
from inpaint.operators import Mask, is_mask_name, measure
from inpaint.operators.mask import require_mask
from inpaint.training.data import digest_images, read_digits
from inpaint.types import ImageSet, Measurement


@dataclass(frozen=True, eq=False)
class EvaluationInputs:
    """What an evaluation reads.

    Attributes:
        image_set: The images to be evaluated, undamaged.
        generator: What restores them.
        network: What fills in lost pixels, if there is such a network.
        training: What the baselines learn from. [K, C, H, W]
    """

    image_set: ImageSet
    generator: AnyGenerator
    network: InpaintingNetwork | None
    training: Tensor | None

    def digests(self) -> dict[str, str | None]:
        """Hashes of what was read, by the field of the job that names it."""
        return {
            "images": digest_images(self.image_set.images),
            "train": None if self.training is None else digest_images(self.training),
            "generator": self.generator.digest(),
            "network": None if self.network is None else self.network.digest(),
        }


@dataclass(frozen=True)
class Damage:
    """One kind of damage that an evaluation repairs.

    Attributes:
        job: The evaluation of this damage alone.
        title: The damage in words.
        folder: Name of the folder for its results, if there are several kinds of damage.
        measurement: The damaged images.
    """

    job: EvaluateJob
    title: str
    folder: str
    measurement: Measurement

    def digests(self) -> dict[str, str]:
        """The hash of the mask's file, if there is one, by the field of the job that names it."""
        if not self.job.masks or is_mask_name(self.job.masks[0]):
            return {}
        mask = require_mask(self.measurement.operator, "an evaluation")
        return {"masks": digest_tensors(mask.observed)}


def load_inputs(job: EvaluateJob) -> EvaluationInputs:
    """Read an evaluation's inputs.

    Raises:
        FileError: If an input cannot be read.
        ArgumentError: If no image is left.
    """
    generator = read_generator(job.generator)
    held_out = slice(-job.hold_out or None, None)
    kind = picture_kind(generator)
    images = turn_ink(read_digits(job.images, job.labels, digits=job.digits, part=held_out), kind)
    if job.skip >= len(images):
        raise ArgumentError(
            f"skip is {job.skip}; there are {len(images)} such images. Choose 0 to "
            f"{len(images) - 1}."
        )
    # Taken from the whole set, so that an image keeps its number and thus its noise.
    whole = ImageSet(images, ideal=images, source=str(job.images))
    return EvaluationInputs(
        image_set=whole[job.skip : job.skip + job.limit],
        generator=generator,
        network=_read_network(job),
        training=_read_training(job, kind),
    )


def damage(job: EvaluateJob, inputs: EvaluationInputs) -> tuple[Damage, ...]:
    """Damage the images in each way asked for; the noise added to an image is always the same.

    Raises:
        ArgumentError: If N is out of range, or there is no such mask.
        FileError: If the file of a mask cannot be read.
        ShapeError: If a mask does not have the images' shape.
    """
    count, channels, height, width = inputs.image_set.images.shape
    shape = (channels, height, width)
    found = []
    if all(is_mask_name(name) for name in job.masks):
        refuse_white(job.mask_white, "no mask file")
    if job.masks:
        for name in job.masks:
            title = Path(name).name
            folder = re.sub(r"[^\w.]+", "-", title)
            white = None if is_mask_name(name) else job.mask_white
            mask = read_mask(name, shape, white=white, total=count)
            part = replace(job, masks=(name,), mask_white=white)
            found.append((part, title, folder, mask))
    else:
        for keep in job.keeps:
            part = replace(job, keeps=(keep,))
            found.append((part, f"N = {keep}", f"N{keep}", Mask.leading(keep, shape)))
    return tuple(
        Damage(
            part,
            title,
            folder,
            measure(inputs.image_set, mask, noise=job.noise, seed=job.config.seed),
        )
        for part, title, folder, mask in found
    )


def _read_network(job: EvaluateJob) -> InpaintingNetwork | None:
    """The network asked for, or the shipped one that belongs to a shipped generator."""
    if job.network is not None:
        return load_network(job.network)
    return load_network(job.generator) if job.generator in network_names() else None


def _read_training(job: EvaluateJob, kind: PictureKind) -> Tensor | None:
    """The images that baselines learn from; None if none are named."""
    if job.train is None or job.train_labels is None:
        return None
    rest = slice(None, -job.hold_out or None)
    try:
        found = read_digits(job.train, job.train_labels, digits=job.digits, part=rest)
    except ArgumentError as error:
        raise ArgumentError(
            f"{error} hold_out is {job.hold_out}: so many images at its end are left out."
        ) from error
    return turn_ink(found, kind)
