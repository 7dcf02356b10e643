"""PNG and JPEG pictures."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from inpaint.errors import FileError
from inpaint.readers.files import settle_ink
from inpaint.types import ImageSet

MAX_PIXELS = 4096 * 4096
"""Largest picture that is decoded; a small file can declare a huge one."""


def read_images(path: Path) -> ImageSet:
    """One picture, as grey values in its own size.

    Raises:
        FileError: If the file is no picture or declares too large a one.
    """
    grey = read_grey(path)
    images, ink = settle_ink(torch.from_numpy(grey)[None, None])
    return ImageSet(
        images=images, ideal=images, source=path.name, notes=("grey values 0 to 1", ink)
    )


def read_grey(path: Path) -> NDArray[np.float64]:
    """Grey values of a picture, 0 for black to 1 for white. [H, W]

    Raises:
        FileError: If the file is no picture or declares too large a one.
    """
    try:
        with warnings.catch_warnings(), Image.open(path) as picture:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            if picture.width * picture.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            return np.asarray(picture.convert("L"), dtype=np.float64) / 255
    except Image.DecompressionBombError as error:
        raise FileError(
            f"{path.name} declares more than the {MAX_PIXELS:,} pixels that are read at most. "
            "Scale it down."
        ) from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise FileError(f"{path.name} is not a readable picture; it may be truncated.") from error
