"""The public functions: `inpaint.restore`, `inpaint.measure` and others."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from torch import Tensor

from inpaint.checks import check_type
from inpaint.config import RestoreConfig
from inpaint.errors import ArgumentError
from inpaint.files import saved
from inpaint.generators import AnyGenerator
from inpaint.generators.kind import picture_kind
from inpaint.inputs import as_images, as_measurement, as_operator, read_as_generator
from inpaint.operators import measure as measure_images
from inpaint.posterior.config import PosteriorConfig
from inpaint.posterior.estimates import LEVEL
from inpaint.posterior.examine import sample_estimated
from inpaint.progress import showing
from inpaint.restoration import Posterior, Restoration
from inpaint.search.restore import restore as search
from inpaint.types import ImageSet, Measurement, OnProgress

if TYPE_CHECKING:
    from inpaint.plots.comparison import Comparison


def measure(
    images: Any,
    operator: Any,
    *,
    noise: float = 0.0,
    noise_level: float | None = None,
    seed: int = 0,
    weights: Tensor | None = None,
) -> Measurement:
    """Damage undamaged images: apply an operator, and add noise to what it observes.

    Args:
        images: B undamaged images: arrays, tensors, PIL pictures, a path or an `ImageSet`; they
            become the measurement's `ideal`. An `ImageSet` that has ideals keeps them, and its
            images are measured, with the noise that they have. See `inpaint.as_images`.
        operator: What is observed: `inpaint.Mask.box(8)`, an array of bools, "box:8", a blur, a
            matrix, or any object with `A` and `A_adjoint`. Its shape comes from the images.
        noise: Standard deviation of the Gaussian noise added, in units of the pixels.
        noise_level: Standard deviation of all noise, if the restoration is to know it.
        seed: Determines the noise of an image, together with the image's number.
        weights: 1 over the variance of each value's noise, up to a common factor.
            [B, C', H', W']

    Raises:
        InpaintError: If images and operator do not fit together, or a number is out of range.
    """
    from dataclasses import replace

    image_set = as_images(images)
    channels, height, width = image_set.images.shape[1:]
    shape = (channels, height, width)
    if image_set.ideal is None:
        image_set = replace(image_set, ideal=image_set.images)
    fitted = as_operator(operator, shape, len(image_set))
    found = measure_images(image_set, fitted, noise=noise, seed=seed, weights=weights)
    return found if noise_level is None else replace(found, noise_level=noise_level)


def restore(
    images: Any,
    generator: Any = None,
    config: RestoreConfig | None = None,
    *,
    mask: Any = None,
    operator: Any = None,
    noise_level: float | None = None,
    estimate: str = "minimum",
    latents: Tensor | None = None,
    progress: bool | None = None,
    on_progress: OnProgress | None = None,
) -> Restoration:
    """Restore damaged images: find the latent vector of lowest J for each.

        result = inpaint.restore(image, mask=mask, generator="digits")

    Args:
        images: Damaged images: arrays or tensors [H, W], [C, H, W], [B, H, W] or [B, C, H, W] with
            values in 0 to 1 or uint8, PIL pictures, a path, or a `Measurement`. See
            `inpaint.as_images`.
        generator: Name of a shipped generator, path of a file, `torch.nn.Module`, or generator;
            None takes the default one.
        config: How to search; None takes the defaults.
        mask: Which pixels are observed: an array of bools or of 0 and 1, `inpaint.Mask.box(8)`,
            "box:8" or a path. NaN in the images marks lost pixels as well.
        operator: What is observed, if not pixels; see `inpaint.measure`.
        noise_level: Standard deviation of the noise where it is known, in units of the pixels.
        estimate: Which image to show: a key of `inpaint.ESTIMATES`.
        latents: Starting points to use instead of drawing and screening. [B, R, D]
        progress: Whether to draw a progress bar for work of over a second; None draws one in a
            terminal and in a notebook.
        on_progress: Called between steps with a `Progress`; if it returns False the search ends
            there, as it does on Ctrl-C, and what was reached is returned. It replaces the bar.

    Raises:
        InpaintError: If images, mask and generator do not fit together, or a value breaks its
            rule; the message says what to do.
    """
    config = RestoreConfig() if config is None else config
    check_type("config", config, RestoreConfig)
    measurement, source = _read_inputs(images, generator, mask, operator, noise_level)
    with showing(progress, on_progress) as report:
        found = search(
            measurement,
            source,
            config,
            latents=latents,
            on_progress=report,
        )
    restoration = Restoration(measurement[: len(found)], source, found)
    return (
        restoration if estimate == "minimum" else restoration.estimate(estimate, progress=progress)
    )


def sample_posterior(
    images: Any,
    generator: Any = None,
    config: PosteriorConfig | None = None,
    *,
    mask: Any = None,
    operator: Any = None,
    noise_level: float | None = None,
    level: float = LEVEL,
    progress: bool | None = None,
    on_progress: OnProgress | None = None,
) -> Posterior:
    """Sample the posterior of damaged images: all images that fit, not just one.

    Args:
        images: See `restore`.
        generator: See `restore`.
        config: How to sample; None takes the defaults.
        mask: See `restore`.
        operator: See `restore`.
        noise_level: See `restore`.
        level: Probability of the intervals.
        progress: See `restore`.
        on_progress: See `restore`.

    Raises:
        InpaintError: See `restore`.
    """
    config = PosteriorConfig() if config is None else config
    check_type("config", config, PosteriorConfig)
    measurement, source = _read_inputs(images, generator, mask, operator, noise_level)
    with showing(progress, on_progress) as report:
        found = sample_estimated(
            measurement,
            source,
            config,
            level=level,
            on_progress=report,
        )
    return Posterior(measurement[: len(found[0].images)], source, *found)


def compare(restoration: Restoration) -> Comparison:
    """The five columns of a restoration as data: ideal, corrupted, cost, output, difference."""
    return restoration.compare()


def load(directory: str | os.PathLike[str], generator: Any = None) -> Restoration | Posterior:
    """Read what `Restoration.save` or `Posterior.save` wrote.

    Args:
        directory: The folder.
        generator: The generator used, if the folder does not hold it; see `restore`.

    Raises:
        FileError: If the folder holds neither, or the generator differs.
    """
    source = None if generator is None else read_as_generator(generator)
    if saved.kind_of(directory) == "posterior":
        return Posterior.load(directory, source)
    return Restoration.load(directory, source)


def _read_inputs(
    images: Any, generator: Any, mask: Any, operator: Any, noise_level: float | None
) -> tuple[Measurement, AnyGenerator]:
    """Turn the arguments into a measurement and a generator."""
    if mask is not None and operator is not None:
        raise ArgumentError("mask and operator both say what is observed; leave one of them out.")
    source = read_as_generator(generator)
    observed = operator if mask is None else mask
    taken_as_it_is = isinstance(images, (Measurement, ImageSet))
    measurement = as_measurement(
        images,
        observed,
        image_shape=source.image_shape,
        kind=None if taken_as_it_is else picture_kind(source),
        noise_level=noise_level,
    )
    return measurement, source
