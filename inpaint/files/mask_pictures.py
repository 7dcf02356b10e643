"""Pictures that are masks: their grey values or, where they have one, their transparency."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from inpaint.errors import ArgumentError, FileError
from inpaint.files.pictures import MAX_PIXELS

White = Literal["observed", "lost"]
"""What the white pixels of a mask are."""

ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp")
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
LOSSY = ("JPEG", "WEBP")
"""Formats whose compression changes black and white near an edge."""
HALO = 16
"""By about this much, of 255."""
MOST_BETWEEN = 0.75
"""Largest share of values between black and white; a picture with more is a photograph. Of a small
mask with wide soft edges more than half lie between."""

Levels = NDArray[Any]


def open_picture(path: Path) -> Image.Image:
    """Open the file of a picture, in one of `FORMATS` only.

    Raises:
        FileError: If it is not a picture, or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Image.open(path, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_large(path.name) from error
    except Exception as error:  # Damaged bytes make Pillow raise errors of many kinds.
        raise FileError(
            f"{path.name} is not a readable picture ({', '.join(FORMATS)}); it may be truncated."
        ) from error


def read_levels(picture: Image.Image, white: White, name: str) -> tuple[Levels, str | None]:
    """The levels of a mask's picture.

    Args:
        picture: The picture, opened or made.
        white: What white is.
        name: What the picture is called in messages.

    Returns:
        The levels [H, W], of which the highest is white, and how they were found, in words; None
        where they are the grey values as they are.

    Raises:
        FileError: If the picture cannot be decoded.
        ArgumentError: If colours and transparency disagree.
    """
    kind = picture.format
    grey, alpha, brightest = _decode(picture, name)
    if alpha is not None and alpha.max() == 0:
        raise ArgumentError(f"{name} is transparent everywhere; save it without transparency.")
    if alpha is not None and alpha.min() < alpha.max():
        return _by_transparency(grey, alpha, brightest, white, name)
    return _without_halo(grey, white, kind) if kind in LOSSY else (grey, None)


def _decode(picture: Image.Image, name: str) -> tuple[Levels, Levels | None, int]:
    """The grey values of a picture, its opacity of 0 to 255 if it has any, and what white is."""
    if picture.width * picture.height > MAX_PIXELS:
        raise _too_large(name)
    try:
        count = getattr(picture, "n_frames", 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            upright = ImageOps.exif_transpose(picture)
            paper = upright.info.get("transparency")
            if upright.mode[0] in "IF":
                grey, brightest = np.asarray(upright), 65535
            else:
                grey, brightest = np.asarray(upright.convert("L")), 255
            if not upright.has_transparency_data:
                alpha = None
            elif brightest > 255:
                alpha = np.where(grey == paper, 0, 255)
            elif upright.mode == "1":  # Pillow stores its white as 255, but its paper as 1.
                alpha = np.where(grey == 255 * bool(paper), 0, 255)
            else:
                alpha = np.asarray(upright.convert("RGBA").getchannel("A"))
    except Exception as error:  # Damaged bytes make Pillow raise errors of many kinds.
        raise FileError(f"{name} is not a readable picture; it may be truncated.") from error
    if count > 1:
        raise FileError(f"{name} holds {count} pictures; save one of them alone.")
    return grey, alpha, brightest


def _by_transparency(
    grey: Levels, alpha: Levels, brightest: int, white: White, name: str
) -> tuple[Levels, str]:
    """The levels of a picture that is transparent in places.

    White on transparent is what white is, and the rest is the opposite. A photograph with a hole
    has lost the hole. Other colours next to transparency could mean either.
    """
    visible = grey[alpha == alpha.max()]
    if (visible == brightest).all():
        other = "lost" if white == "observed" else "observed"
        return alpha, f"opaque white is {white} and transparent is {other}"
    between = (visible > visible.min()) & (visible < visible.max())
    if between.mean() > MOST_BETWEEN:
        levels = alpha if white == "observed" else 255 - alpha.astype(np.int64)
        return levels, "transparent is lost, whatever the colours"
    light, opaque = int((grey > brightest // 2).sum()), int((alpha > 127).sum())
    raise ArgumentError(
        f"{name} has colours and transparency that disagree: {light} of {grey.size} pixels are "
        f"light, and {opaque} are opaque. Save it without transparency, in black and white."
    )


def _without_halo(grey: Levels, white: White, kind: str | None) -> tuple[Levels, str | None]:
    """Grey values without the traces of compression near black and white."""
    levels = grey.copy()
    levels[grey <= HALO] = 0
    levels[grey >= 255 - HALO] = 255
    if np.array_equal(levels, grey):
        return grey, None
    says = f"white is {white}, where {kind} values of {255 - HALO} and above count as white"
    return levels, f"{says} and of {HALO} and below as black"


def _too_large(name: str) -> FileError:
    return FileError(
        f"{name} declares more than {MAX_PIXELS:,} pixels, the most that are read. Give a mask of "
        "the size of the images."
    )
