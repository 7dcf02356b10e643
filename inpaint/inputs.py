"""Read what a caller may pass: arrays, tensors, pictures, paths, masks."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from inpaint.errors import ArgumentError, ShapeError
from inpaint.files.job import default_generator
from inpaint.files.masks import array_mask, picture_mask, read_mask
from inpaint.files.matrices import read_operator
from inpaint.files.reading import read_generator, read_images
from inpaint.generators import AnyGenerator, as_generator
from inpaint.operators import LinearOperator, Mask, fit_operator, is_operator, is_operator_name
from inpaint.types import ImageSet, ImageShape, Measurement, Operator

LOWEST, HIGHEST = -1.0, 2.0
"""Floats between these are values of 0 to 1 with noise; others are refused."""

COLOURS = 3


def as_images(images: Any, image_shape: ImageShape | None = None) -> ImageSet:
    """Images of any kind as an `ImageSet` of B images [B, C, H, W].

    Arrays and tensors hold floats of 0 to 1, integers of 0 to 255 (uint8) or bools, and are taken
    as they are: 1 is white. Files and pictures are read as `read_images` reads them, and the
    set's `notes` say how.

    Args:
        images: An array or tensor [H, W], [C, H, W], [B, H, W] or [B, C, H, W]; a PIL picture; a
            path or the name of a bundled set; a list of pictures or arrays of one shape; or an
            `ImageSet`.
        image_shape: Shape of the generator's images, to which pictures are fitted, and which
            decides between [C, H, W] and [B, H, W]. (C, H, W)

    Raises:
        ShapeError: If the axes are ambiguous or cannot be those of images.
        ArgumentError: If the values are neither floats of 0 to 1 nor integers of 0 to 255.
        FileError: If a file cannot be read.
    """
    if isinstance(images, ImageSet):
        return images.batched()
    if isinstance(images, (str, os.PathLike)):
        return read_images(images, image_shape=image_shape)
    if isinstance(images, Image.Image):
        channels = COLOURS if image_shape is not None and image_shape[0] == COLOURS else 1
        images = _picture_array(images, channels)
    if isinstance(images, (list, tuple)) and not _is_numbers(images):
        return _join([as_images(each, image_shape) for each in images])
    tensor = _with_batch(_as_tensor(images, "images"), image_shape)
    return ImageSet(images=_as_unit(tensor), source="an array")


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
        return LinearOperator(_as_tensor(operator, "operator").double(), image_shape)
    if isinstance(operator, (np.ndarray, Tensor, list)):
        return _as_mask(_as_tensor(operator, "mask"), image_shape, images)
    return fit_operator(operator, image_shape)


def as_measurement(
    images: Any,
    operator: Any = None,
    *,
    image_shape: ImageShape | None = None,
    noise_level: float | None = None,
) -> Measurement:
    """Damaged images as a measurement; the values of lost pixels are ignored.

    Args:
        images: What `as_images` takes, or a `Measurement`. NaN is allowed in lost pixels;
            without an operator, it marks them.
        operator: What `as_operator` takes; None for a measurement, or where NaN marks lost pixels.
        image_shape: Shape of the generator's images. (C, H, W)
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
        image_set = as_images(images, image_shape)
    values = image_set.images
    shape = _shape_of(values) if image_shape is None else image_shape
    if operator is None:
        if not torch.isnan(values).any():
            raise ArgumentError(
                "Nothing says which pixels are lost; give mask=..., mark lost pixels by NaN, or "
                "use inpaint.measure to damage undamaged images."
            )
        operator = Mask(~torch.isnan(values))
    operator = as_operator(operator, shape, len(values))
    if tuple(values.shape[1:]) != tuple(operator.value_shape):
        raise ShapeError(
            f"The images have shape {list(values.shape)}; the generator makes images of shape "
            f"{list(shape)}. Resize the images, or choose another generator."
        )
    if operator.observed is not None:
        values = torch.where(operator.observed, values, 0.0)
    if not torch.isfinite(values).all():
        place = [int(axis[0]) for axis in (~torch.isfinite(values)).nonzero(as_tuple=True)]
        raise ArgumentError(
            f"The images hold NaN or infinity at {place} [image, channel, row, column], which is "
            "observed and must be finite; mark such pixels as lost."
        )
    return Measurement(
        values=values,
        operator=operator,
        ideal=image_set.ideal,
        numbers=image_set.numbers,
        source=image_set.source,
        noise_level=noise_level,
    )


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
        tensor = _as_tensor(values, "images")
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


def _as_tensor(value: Any, name: str) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, np.ma.MaskedArray):
        # Masked pixels are lost.
        scale = 255.0 if value.dtype.kind in "iu" else 1.0
        value = np.where(np.ma.getmaskarray(value), np.nan, value.data / scale)
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise TypeError
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"{name} is a {type(value).__name__}, which is not an array of numbers; give a numpy "
            "array, a torch tensor, a PIL picture or a path."
        ) from error
    # Torch computes with no other unsigned type, and warns of arrays that cannot be written.
    wide = array.dtype.kind == "u" and array.dtype.itemsize > 1
    return torch.from_numpy(np.array(array, dtype=np.int64 if wide else None, order="C"))


def _as_unit(tensor: Tensor) -> Tensor:
    """Values of 0 to 1 in float64 (float32 stays)."""
    if tensor.dtype == torch.bool:
        return tensor.double()
    if not tensor.is_floating_point():
        low, high = (int(end) for end in tensor.long().aminmax())
        if high == 1:
            raise ArgumentError(
                "images holds integers of 0 and 1, which would be nearly black: integers go from 0 "
                "to 255. Give bools, or floats of 0 to 1."
            )
        if tensor.dtype != torch.uint8 and not (low >= 0 and high <= 255):
            raise ArgumentError(
                f"images holds integers from {low} to {high}; give integers of 0 to 255, or floats "
                "of 0 to 1."
            )
        return tensor.double() / 255
    finite = tensor[torch.isfinite(tensor)]
    if len(finite) and not (float(finite.min()) >= LOWEST and float(finite.max()) <= HIGHEST):
        raise ArgumentError(
            f"images holds values from {float(finite.min()):g} to {float(finite.max()):g}; give "
            "floats of 0 to 1, or uint8."
        )
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()


def _with_batch(tensor: Tensor, image_shape: ImageShape | None) -> Tensor:
    """Images [B, C, H, W] from an array of 2 to 4 axes."""
    shape = list(tensor.shape)
    if tensor.ndim == 2:
        return tensor[None, None]
    if tensor.numel() == 0 or tensor.ndim not in (3, 4):
        raise ShapeError(
            f"images has shape {shape}; give [H, W], [C, H, W], [B, H, W] or [B, C, H, W]."
        )
    if shape[-1] in (1, COLOURS) and shape[-3] not in (1, COLOURS):
        axes = "[H, W, C]" if tensor.ndim == 3 else "[B, H, W, C]"
        in_colour = shape[-1] == COLOURS and image_shape is not None and image_shape[0] == 1
        advice = "make it grey, for the generator is" if in_colour else "move the channels first"
        raise ShapeError(f"images has shape {shape}, which looks like {axes}; {advice}.")
    if tensor.ndim == 4:
        return tensor
    if image_shape is not None:
        return tensor[None] if shape[0] == image_shape[0] and shape[0] > 1 else tensor[:, None]
    if shape[0] == COLOURS:
        raise ShapeError(
            f"images has shape {shape}, which may be one colour image or three grey ones; give "
            f"{[1, *shape]} or {[shape[0], 1, *shape[1:]]}."
        )
    return tensor[:, None]


def _as_mask(tensor: Tensor, image_shape: ImageShape, images: int) -> Mask:
    # NumPy has no bfloat16.
    levels = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
    return array_mask(levels.numpy(), image_shape, total=images)


def _picture_array(picture: Image.Image, channels: int) -> Any:
    """A PIL picture as an array. uint8 [C, H, W]"""
    if picture.has_transparency_data:
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture.convert("RGBA"))
    array = np.array(picture.convert("RGB" if channels == COLOURS else "L"))
    return array.transpose(2, 0, 1) if array.ndim == 3 else array[None]


def _join(sets: Sequence[ImageSet]) -> ImageSet:
    if not sets:
        raise ShapeError("images is an empty list; give at least one image.")
    shapes = {tuple(each.images.shape[1:]) for each in sets}
    if len(shapes) > 1:
        raise ShapeError(
            f"images holds pictures of the shapes {', '.join(map(str, sorted(shapes)))}; all must "
            "have one shape."
        )
    images = torch.cat([each.images.double() for each in sets])
    notes = tuple(dict.fromkeys(note for each in sets for note in each.notes))
    return ImageSet(images=images, source=f"{len(images)} pictures", notes=notes)


def _is_numbers(values: Sequence[Any]) -> bool:
    """Whether a nested list holds numbers, as numpy takes it."""
    first: Any = values
    while isinstance(first, (list, tuple)) and first:
        first = first[0]
    return isinstance(first, (int, float, np.number))


def _shape_of(images: Tensor) -> ImageShape:
    channels, height, width = images.shape[1:]
    return channels, height, width
