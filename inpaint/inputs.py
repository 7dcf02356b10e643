"""Read what a caller may pass: arrays, tensors, pictures, paths, masks."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from inpaint.errors import ArgumentError, FileError, InpaintWarning, ShapeError
from inpaint.files.interpret import normalize
from inpaint.files.job import default_generator
from inpaint.files.masks import array_mask, picture_mask, read_mask
from inpaint.files.matrices import read_operator
from inpaint.files.normalize import Ink, Range, ReadOptions
from inpaint.files.pictures import as_stored
from inpaint.files.reading import read_generator, read_stored, usual_kind
from inpaint.files.stored import StoredPicture, StoredSet
from inpaint.generators import AnyGenerator, as_generator
from inpaint.generators.kind import PictureKind
from inpaint.operators import LinearOperator, Mask, fit_operator, is_operator, is_operator_name
from inpaint.operators.measuring import measurement_of
from inpaint.tensors import as_tensor, is_numbers, with_batch
from inpaint.types import ImageSet, ImageShape, Measurement, Operator


def as_images(
    images: Any,
    image_shape: ImageShape | None = None,
    *,
    kind: PictureKind | None = None,
    mask: Mask | None = None,
    ink: Ink | None = None,
    value_range: Range | None = None,
) -> ImageSet:
    """Images of any kind as an `ImageSet` of B images [B, C, H, W], with values of 0 to 1.

    The set's `notes` say how they were read. What is doubtful is a warning (`InpaintWarning`), or
    refused with the argument that decides it.

    Args:
        images: An array or tensor [H, W], [C, H, W], [B, H, W] or [B, C, H, W] of floats, integers
            or bools; a PIL picture; a path or the name of a bundled set; a list of pictures or
            arrays of one shape; or an `ImageSet`, which is taken as it is.
        image_shape: Shape of the generator's images, to which pictures are fitted, and which
            decides between [C, H, W] and [B, H, W]. (C, H, W)
        kind: What the generator's images are, see `inpaint.picture_kind`: ink of the other colour
            is inverted. None leaves the ink of arrays as it is, and reads files as `read_images`.
        mask: What is observed: range and ink are judged by these pixels. Without it, NaN marks
            lost pixels.
        ink: Colour of the ink, "dark" or "light"; None detects it.
        value_range: Values of black and white; None detects them: 0 to 1, -1 to 1, 0 to 100, and 8,
            10, 12 or 16 bits.

    Raises:
        ShapeError: If the axes are ambiguous or cannot be those of images.
        ArgumentError: If the values are in no known range.
        FileError: If a file cannot be read.
    """
    if isinstance(images, ImageSet):
        return images.batched()
    options = ReadOptions(ink=ink, value_range=value_range)
    return _normalized(_as_stored(images, image_shape), image_shape, kind, mask, options)


def as_operator(operator: Any, image_shape: ImageShape, images: int = 1) -> Operator:
    """What was observed, as an operator for images of a shape.

    Args:
        operator: A mask as a picture or an array of two levels, where the higher means observed,
            [H, W], [C, H, W], [B, H, W] or [B, C, H, W]; a text such as "box:8" or "blur:1.5", or
            the path of a file; an operator, with a shape or without; or any object with `A` and
            `A_adjoint`, or with `apply` and `adjoint`.
        image_shape: Shape of one image. (C, H, W)
        images: Number of images B.

    Raises:
        ShapeError: If it is for images of another shape.
        ArgumentError: If it is none of these, or observes nothing.
        FileError: If a file cannot be read.
    """
    if isinstance(operator, (str, os.PathLike)):
        text = os.fspath(operator)
        if _names_operator(text):
            return read_operator(text, image_shape)
        return read_mask(text, image_shape, total=images)
    if isinstance(operator, Image.Image):
        return picture_mask(operator, image_shape)
    if isinstance(operator, (np.ndarray, Tensor)) and _is_matrix(operator, image_shape):
        return LinearOperator(as_tensor(operator, "operator").double(), image_shape)
    if isinstance(operator, (np.ndarray, Tensor, list)):
        return _as_mask(as_tensor(operator, "mask"), image_shape, images)
    return fit_operator(operator, image_shape)


def as_measurement(
    images: Any,
    operator: Any = None,
    *,
    image_shape: ImageShape | None = None,
    kind: PictureKind | None = None,
    noise_level: float | None = None,
) -> Measurement:
    """Damaged images as a measurement; the values of lost pixels are ignored.

    Args:
        images: What `as_images` takes, or a `Measurement`. NaN is allowed in lost pixels;
            without an operator, it marks them.
        operator: What `as_operator` takes; None for a measurement, or where NaN marks lost pixels.
        image_shape: Shape of the generator's images. (C, H, W)
        kind: See `as_images`.
        noise_level: Standard deviation of the noise where it is known, in units of the pixels.

    Raises:
        ShapeError: If images and operator do not fit together.
        ArgumentError: If nothing says which pixels are lost, or an observed value is not finite.
    """
    if isinstance(images, Measurement):
        if operator is not None:
            raise ArgumentError(
                "A Measurement knows what was observed already; leave the mask out, or give images."
            )
        known = images if noise_level is None else replace(images, noise_level=noise_level)
        return known.batched() if is_operator(known.operator) else _fitted(known, image_shape)
    if image_shape is not None and _measures_values(operator, image_shape):
        operator = as_operator(operator, image_shape)
    if is_operator(operator) and operator.value_shape != operator.image_shape:
        image_set = _as_values(images, operator)
    else:
        image_set, operator = _with_mask(images, operator, image_shape, kind)
    values = image_set.images
    if tuple(values.shape[1:]) != tuple(operator.value_shape):
        raise ShapeError(
            f"The images have shape {list(values.shape)}; the generator makes images of shape "
            f"{list(image_shape or operator.image_shape)}. Resize the images, or choose another "
            "generator."
        )
    if operator.observed is not None:
        values = torch.where(operator.observed, values, 0.0)
    if not torch.isfinite(values).all():
        place = [int(axis[0]) for axis in (~torch.isfinite(values)).nonzero(as_tuple=True)]
        raise ArgumentError(
            f"The images hold NaN or infinity at {place} [image, channel, row, column], which is "
            "observed and must be finite; mark such pixels as lost."
        )
    return measurement_of(image_set, values, operator, noise_level=noise_level)


def _with_mask(
    images: Any, operator: Any, image_shape: ImageShape | None, kind: PictureKind | None
) -> tuple[ImageSet, Operator]:
    """Damaged images read by what is observed of them, and the operator that says so."""
    stored = images.batched() if isinstance(images, ImageSet) else _as_stored(images, image_shape)
    if operator is None:
        if not _marks_lost(stored):
            raise ArgumentError(
                "Nothing says which pixels are lost; give mask=..., mark lost pixels by NaN, or "
                "use inpaint.measure to damage undamaged images."
            )
        found = stored
        if isinstance(found, StoredSet):
            found = _normalized(found, image_shape, kind, None, ReadOptions(), damaged=True)
        return found, Mask(~torch.isnan(found.images))
    shape = image_shape
    if shape is None:
        first = stored.images[0] if isinstance(stored, ImageSet) else stored.pictures[0].values
        channels, height, width = first.shape
        shape = (channels, height, width)
    fitted = as_operator(operator, shape, len(stored))
    if isinstance(stored, ImageSet):
        return stored, fitted
    for picture in stored.pictures:
        if picture.limits is None and picture.shape != tuple(shape):
            raise ShapeError(
                f"The images have shape {[len(stored), *picture.shape]}; the generator makes "
                f"images of shape {list(shape)}. Resize the images, or choose another generator."
            )
    mask = fitted if isinstance(fitted, Mask) else None
    found = _normalized(stored, image_shape, kind, mask, ReadOptions(), damaged=True)
    if len(found) == len(stored):
        return found, fitted
    return found, fitted[stored.places(found.numbers)]


def _marks_lost(images: ImageSet | StoredSet) -> bool:
    """Whether NaN marks lost pixels."""
    if isinstance(images, ImageSet):
        return bool(torch.isnan(images.images).any())
    return any(bool(np.isnan(each.values).any()) for each in images.pictures)


def _normalized(
    stored: StoredSet,
    image_shape: ImageShape | None,
    kind: PictureKind | None,
    mask: Mask | None,
    options: ReadOptions,
    *,
    damaged: bool = False,
) -> ImageSet:
    """Stored pictures as images; what is doubtful becomes a warning."""
    # Arrays are not resized without a word; pictures are.
    fits = all(picture.limits is not None for picture in stored.pictures)
    if kind is None and not stored.given:
        kind = usual_kind(stored, image_shape)
    try:
        found, _ = normalize(
            stored,
            kind,
            image_shape if fits else None,
            mask=mask,
            damaged=damaged,
            options=options,
        )
    except FileError as error:
        if not stored.given:
            raise
        raise ArgumentError(str(error)) from error
    said = [*found.doubts, *(f"{each.name} left out: {each.reason}" for each in found.skipped)]
    for text in said:
        warnings.warn(text, InpaintWarning, stacklevel=4)
    single = all(each.values.dtype == np.float32 for each in stored.pictures)
    if single and stored.given:
        ideal = None if found.ideal is None else found.ideal.float()
        return replace(found, images=found.images.float(), ideal=ideal)
    return found


def _as_stored(images: Any, image_shape: ImageShape | None) -> StoredSet:
    """What a caller gave, as stored pictures.

    Raises:
        ShapeError: If the axes are ambiguous or cannot be those of images.
        ArgumentError: If it is neither an array nor a picture.
        FileError: If a file cannot be read.
    """
    if isinstance(images, StoredSet):
        return images
    if isinstance(images, (str, os.PathLike)):
        return read_stored(images, image_shape=image_shape)
    if isinstance(images, Image.Image):
        return StoredSet((as_stored(images),), "a picture", given=True)
    if isinstance(images, (list, tuple)) and not is_numbers(images):
        return _join([_as_stored(each, image_shape) for each in images])
    tensor = with_batch(as_tensor(images, "images"), image_shape)
    pictures = tuple(map(StoredPicture, tensor.numpy()))
    return StoredSet(pictures, "an array", given=True, whole=False)


def _is_matrix(array: Any, image_shape: ImageShape) -> bool:
    """Whether an array is a matrix T [M, pixels], rather than a mask."""
    pixels = math.prod(image_shape)
    return array.ndim == 2 and array.shape[1] == pixels and tuple(array.shape) != image_shape[1:]


def _measures_values(operator: Any, image_shape: ImageShape) -> bool:
    """Whether an operator may give values that are not pixels, as a mask never does."""
    if isinstance(operator, (str, os.PathLike)):
        return _names_operator(os.fspath(operator))
    if isinstance(operator, (np.ndarray, Tensor)):
        return _is_matrix(operator, image_shape)
    return not isinstance(operator, (type(None), Mask, Image.Image, list))


def _names_operator(text: str) -> bool:
    """Whether a text names an operator or the file of a matrix, rather than a mask."""
    return is_operator_name(text) or text.lower().endswith(".mat")


def _as_values(values: Any, operator: Operator) -> ImageSet:
    """Measured values that are not pixels, of any range and with any leading axes of size 1."""
    if isinstance(values, (str, os.PathLike, ImageSet)):
        image_set = as_images(values)
    else:
        tensor = as_tensor(values, "images")
        measured = tensor if tensor.is_floating_point() else tensor.double()
        return ImageSet(_shaped(measured, operator), source="measured values")
    return replace(image_set, images=_shaped(image_set.images, operator))


def _shaped(values: Tensor, operator: Operator) -> Tensor:
    """Measured values with a batch axis and the operator's axes. [B, C', H', W']"""
    own = tuple(size for size in operator.value_shape if size > 1)
    sizes = tuple(size for size in values.shape if size > 1)
    if values.numel() % math.prod(own) or sizes[len(sizes) - len(own) :] != own:
        raise ShapeError(
            f"What was measured has shape {list(values.shape)}; the operator gives values "
            f"[B, {', '.join(map(str, operator.value_shape))}]. Give those, or measure images by "
            "inpaint.measure(images, operator)."
        )
    return values.reshape(-1, *operator.value_shape)


def _fitted(measurement: Measurement, image_shape: ImageShape | None) -> Measurement:
    """A measurement by an operator of another package, which is completed."""
    if image_shape is None:
        raise ArgumentError(
            f"The measurement's operator is a {type(measurement.operator).__name__}; make the "
            "measurement with inpaint.measure."
        )
    operator = as_operator(measurement.operator, image_shape)
    return replace(measurement, values=_shaped(measurement.values, operator), operator=operator)


def read_as_generator(generator: Any = None) -> AnyGenerator:
    """A generator from its name, a path or a `torch.nn.Module`; a generator stays unchanged.

    Args:
        generator: None takes the default one.

    Raises:
        FileError: If a file cannot be read.
        ArgumentError: If it cannot be a generator.
    """
    if generator is None:
        generator = default_generator()
    if isinstance(generator, (str, os.PathLike)):
        return read_generator(generator)
    return as_generator(generator)


def _as_mask(tensor: Tensor, image_shape: ImageShape, images: int) -> Mask:
    # NumPy has no bfloat16.
    levels = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
    return array_mask(levels.numpy(), image_shape, total=images)


def _join(sets: Sequence[StoredSet]) -> StoredSet:
    if not sets:
        raise ShapeError("images is an empty list; give at least one image.")
    pictures = tuple(picture for each in sets for picture in each.pictures)
    shapes = sorted({picture.shape for picture in pictures})
    if len(shapes) > 1 and any(picture.limits is None for picture in pictures):
        raise ShapeError(
            f"images holds pictures of the shapes {', '.join(map(str, shapes))}; all must have one "
            "shape."
        )
    notes = tuple(dict.fromkeys(note for each in sets for note in each.notes))
    whole = all(each.whole for each in sets)
    return StoredSet(pictures, f"{len(pictures)} pictures", notes, given=True, whole=whole)
