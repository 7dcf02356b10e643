"""PNG and JPEG pictures of any size, single or in a folder."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from inpaint.errors import FileError
from inpaint.files.normalize import BYTES, ReadOptions
from inpaint.types import ImageSet, ImageShape

MAX_PIXELS = 4096 * 4096
"""Most pixels of a picture; a small file can declare a huge one."""
MAX_PICTURES = 10_000
"""Most pictures in a folder."""
ENDINGS = (".png", ".jpg", ".jpeg")

INK_BOX = 20 / 28
"""Share of the image's side that a digit of MNIST fills: 20x20 pixels of 28x28."""
INK_LEVEL = 0.1
"""A pixel belongs to the drawing if its ink is above this share of the darkest ink."""
MIN_INK = 0.05
"""A picture whose darkest ink is below this is blank."""


def read_images(path: Path, options: ReadOptions) -> ImageSet:
    """Read one picture.

    Without an image shape it keeps its size, in grey. A picture of a different shape is
    fitted. For one channel this is done as for MNIST's digits: the drawing is scaled to
    a box of 20 / 28 of the side and centred by its mass. For colours, the picture is cropped to
    the largest central part of the right aspect ratio and scaled.

    Raises:
        FileError: If the file is not a picture, is too large, or is blank and must be fitted.
    """
    channels = 1 if options.image_shape is None else options.image_shape[0]
    pixels, limits = _decode(path, colour=channels == 3)
    images, notes = options.normalize(pixels[None], default_range=limits)
    if options.image_shape is not None and tuple(images.shape[1:]) != options.image_shape:
        fitted, how = _fit(path, images[0], options.image_shape)
        images, notes = fitted[None], (*notes, how)
    return ImageSet(images=images, ideal=images, source=path.name, notes=notes)


def read_folder(path: Path, options: ReadOptions) -> ImageSet:
    """Read all pictures of a folder, in the order of their names.

    Raises:
        FileError: If it holds no pictures, too many, or pictures of different sizes.
    """
    paths = sorted(p for p in path.iterdir() if p.suffix.lower() in ENDINGS)
    if not 1 <= len(paths) <= MAX_PICTURES:
        raise FileError(
            f"{path} is a folder with {len(paths)} pictures ({', '.join(ENDINGS)}); give a file, "
            f"or a folder of 1 to {MAX_PICTURES} pictures."
        )
    sets = [read_images(one, options) for one in paths]
    for one in sets:
        if one.images.shape != sets[0].images.shape:
            raise FileError(
                f"{path} holds pictures of different sizes ({sets[0].source} and {one.source}); "
                "scale them to one size."
            )
    notes = tuple(dict.fromkeys(note for one in sets for note in one.notes))
    images = torch.cat([one.images for one in sets])
    return replace(sets[0], images=images, ideal=images, source=path.name, notes=notes, numbers=())


def read_grey(path: Path) -> NDArray[np.float64]:
    """Read the grey values of a picture, from 0 for black to 1 for white. [H, W]

    Raises:
        FileError: If the file is not a picture or is too large.
    """
    pixels, (_, high) = _decode(path, colour=False)
    return np.asarray(pixels[0] / high, dtype=np.float64)


def _decode(path: Path, *, colour: bool) -> tuple[NDArray[np.generic], tuple[float, float]]:
    """The pixels of a file [C, H, W], over white where they are transparent, and their range."""
    try:
        with warnings.catch_warnings(), Image.open(path) as picture:
            warnings.simplefilter("ignore")
            if picture.width * picture.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            upright = ImageOps.exif_transpose(picture)
            if upright.mode.startswith("I"):
                grey = np.asarray(upright).astype(np.int64)
                return np.repeat(grey[None], 3 if colour else 1, axis=0), (0.0, 65535.0)
            if upright.has_transparency_data:
                paper = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(paper, upright.convert("RGBA"))
            pixels = np.asarray(upright.convert("RGB" if colour else "L"))
            return pixels.transpose(2, 0, 1) if colour else pixels[None], BYTES
    except Image.DecompressionBombError as error:
        raise FileError(
            f"{path.name} declares more than {MAX_PIXELS:,} pixels, the most that are read. "
            "Scale it down."
        ) from error
    except Exception as error:  # Damaged bytes make Pillow raise errors of many kinds.
        raise FileError(f"{path.name} is not a readable picture; it may be truncated.") from error


def _fit(path: Path, image: Tensor, shape: ImageShape) -> tuple[Tensor, str]:
    """Fit a picture [C, H, W] to the shape of the generator's images; the note says how."""
    channels, height, width = shape
    if channels == 1:
        return _fit_digit(path, image.mean(0), height, width)
    if len(image) != channels:
        raise FileError(
            f"{path.name} has {len(image)} channels; the generator makes images of {channels}. "
            "Choose another generator."
        )
    scale = min(image.shape[1] / height, image.shape[2] / width)
    tall, wide = (max(1, round(scale * side)) for side in (height, width))
    top, left = (image.shape[1] - tall) // 2, (image.shape[2] - wide) // 2
    part = image[:, top : top + tall, left : left + wide]
    fitted = torch.stack([_resize(channel, height, width) for channel in part])
    return fitted, f"cropped to its middle and scaled to {height}x{width} pixels"


def _fit_digit(path: Path, grey: Tensor, height: int, width: int) -> tuple[Tensor, str]:
    """Crop a drawing to its ink, scale it and centre it by its mass. [H, W] -> [1, H, W]"""
    ink = 1 - grey
    darkest = float(ink.max())
    if darkest < MIN_INK:
        raise FileError(f"{path.name} shows nothing but paper; give a picture with ink on it.")
    rows, columns = ((ink > INK_LEVEL * darkest).any(axis).nonzero()[:, 0] for axis in (1, 0))
    drawing = ink[int(rows[0]) : int(rows[-1]) + 1, int(columns[0]) : int(columns[-1]) + 1]
    box = round(INK_BOX * min(height, width))
    scale = box / max(drawing.shape)
    small = _resize(drawing, *(max(1, round(scale * side)) for side in drawing.shape))
    total = float(small.sum())
    canvas = torch.zeros(height, width, dtype=small.dtype)
    starts = []
    for axis, side in enumerate((height, width)):
        places = torch.arange(small.shape[axis]) + 0.5
        centre = float((small.sum(1 - axis) * places).sum()) / total
        # Measured: on both axes the centre of mass of MNIST's digits lies in [14, 15) of 28.
        start = math.ceil(side / 2 - centre)
        starts.append(min(max(start, 0), side - small.shape[axis]))
    top, left = starts
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    note = (
        f"cropped to its ink, scaled to {box}x{box} pixels and centred by its mass in "
        f"{height}x{width}, as MNIST was"
    )
    return 1 - canvas[None], note


def _resize(picture: Tensor, height: int, width: int) -> Tensor:
    """Scale an image: down by averages over areas, up by interpolation. [H, W]"""
    source = Image.fromarray(picture.float().numpy())
    kind = Image.Resampling.BOX if picture.shape[0] >= height else Image.Resampling.BILINEAR
    scaled = np.asarray(source.resize((width, height), kind), dtype=np.float64)
    return torch.from_numpy(scaled.clip(0, 1).copy())
