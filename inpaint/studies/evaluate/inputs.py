"""An evaluation's inputs: read in, and damaged."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from inpaint.errors import ArgumentError
from inpaint.files.reading import read_generator, read_mask
from inpaint.generators import AnyGenerator
from inpaint.network import InpaintingNetwork, load_network, network_names
from inpaint.operators import Mask, measure
from inpaint.studies.evaluate.job import Trial
from inpaint.training.data import read_digits
from inpaint.types import ImageSet, Measurement


@dataclass(frozen=True)
class Inputs:
    """What a trial read.

    Attributes:
        image_set: The images to be evaluated, undamaged.
        generator: What shall restore them.
        network: What shall fill them in, if there is such a network.
        training: What the baselines learn from. [K, C, H, W]
    """

    image_set: ImageSet
    generator: AnyGenerator
    network: InpaintingNetwork | None
    training: Tensor | None


def load_trial(trial: Trial) -> Inputs:
    """Read a trial's inputs.

    Raises:
        FileError: If an input cannot be read.
        ArgumentError: If no image is left.
    """
    generator = read_generator(trial.generator)
    held_out = slice(-trial.hold_out or None, None)
    images = read_digits(trial.images, trial.labels, digits=trial.digits, part=held_out)
    if trial.skip >= len(images):
        raise ArgumentError(
            f"skip is {trial.skip}; there are {len(images)} such images. Choose 0 to "
            f"{len(images) - 1}."
        )
    # Taken from the whole set, so that an image keeps its number, and with it its noise.
    whole = ImageSet(images, ideal=images, source=str(trial.images))
    return Inputs(
        image_set=whole[slice(trial.skip, trial.skip + trial.limit)],
        generator=generator,
        network=_read_network(trial),
        training=_read_training(trial),
    )


def damage(trial: Trial, inputs: Inputs) -> Measurement:
    """Damage a trial's images; the noise added to an image is the same whatever is lost.

    Raises:
        ArgumentError: If N is out of range, or there is no such mask.
        FileError: If the file of a mask cannot be read.
        ShapeError: If a mask is not of the images' shape.
    """
    count, channels, height, width = inputs.image_set.images.shape
    shape = (channels, height, width)
    asked = trial.mask
    mask = Mask.leading(trial.keep, shape) if asked is None else read_mask(asked, shape, count)
    return measure(inputs.image_set, mask, noise=trial.noise, seed=trial.config.seed)


def _read_network(trial: Trial) -> InpaintingNetwork | None:
    """The network asked for, or the shipped one that belongs to a shipped generator."""
    if trial.network is not None:
        return load_network(trial.network)
    return load_network(trial.generator) if trial.generator in network_names() else None


def _read_training(trial: Trial) -> Tensor | None:
    """What the baselines learn from, if it was named."""
    if trial.train is None or trial.train_labels is None:
        return None
    rest = slice(None, -trial.hold_out or None)
    try:
        return read_digits(trial.train, trial.train_labels, digits=trial.digits, part=rest)
    except ArgumentError as error:
        raise ArgumentError(
            f"{error} hold_out is {trial.hold_out}: so many images at its end are left out."
        ) from error
