"""PNG and JPEG pictures of any size, single or in a folder."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from inpaint.errors import FileError
from inpaint.files.checks import check_file
from inpaint.files.normalize import BYTES, Range
from inpaint.files.stored import StoredPicture, StoredSet
from inpaint.types import Skipped

MAX_PIXELS = 4096 * 4096
"""Most pixels of a picture; a small file can declare a huge one."""
MAX_PICTURES = 10_000
"""Most pictures in a folder."""
ENDINGS = (".png", ".jpg", ".jpeg")
FORMATS = ("PNG", "JPEG")
"""The formats that are decoded, whatever a file is called."""
WORDS: Range = (0.0, 65535.0)
"""Black and white of 16 bits."""

RECORD = "run.json"
RESULTS = ("figure.png", "modes.png", "preview.png")
"""Pictures that a command writes beside its record."""


def read_picture(path: Path) -> StoredSet:
    """Read one picture.

    Raises:
        FileError: If the file is not a picture or is too large.
    """
    return StoredSet((_decode(path),), path.name)


def read_folder(path: Path) -> StoredSet:
    """Read all pictures of a folder, in the order of their names.

    Hidden files and the results of an earlier run are left out; a picture that cannot be read is
    skipped.

    Raises:
        FileError: If it holds no pictures, or too many, or none can be read.
    """
    found = sorted(p for p in path.iterdir() if p.suffix.lower() in ENDINGS and p.name[0] != ".")
    results = [p for p in found if p.name in RESULTS] if _is_record(path / RECORD) else []
    paths = [p for p in found if p not in results]
    if not 1 <= len(paths) <= MAX_PICTURES:
        raise FileError(
            f"{path} is a folder with {len(paths):,} pictures ({', '.join(ENDINGS)}); give a file, "
            f"or a folder of 1 to {MAX_PICTURES:,} pictures."
        )
    pictures, numbers, skipped = [], [], []
    for number, one in enumerate(paths):
        try:
            pictures.append(_decode(check_file(one)))
            numbers.append(number)
        except FileError as error:
            skipped.append(Skipped(one.name, str(error)))
    if not pictures:
        raise FileError(f"{path} holds no picture that can be read: {skipped[0].reason}")
    left_out = ", ".join(p.name for p in results)
    notes = (f"{left_out} left out, which an earlier run has written",) if results else ()
    return StoredSet(tuple(pictures), path.name, notes, tuple(numbers), tuple(skipped))


def _is_record(path: Path) -> bool:
    """Whether a file is the record of a run."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(data, dict) and {"format", "kind", "job"} <= set(data)


def _decode(path: Path) -> StoredPicture:
    """The numbers of a file, grey or in colour as it is."""
    try:
        with warnings.catch_warnings(), Image.open(path, formats=FORMATS) as picture:
            warnings.simplefilter("ignore")
            if picture.width * picture.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            return as_stored(ImageOps.exif_transpose(picture), path.name)
    except Image.DecompressionBombError as error:
        raise FileError(
            f"{path.name} declares more than {MAX_PIXELS:,} pixels, the most that are read. "
            "Scale it down."
        ) from error
    except Exception as error:  # Damaged bytes make Pillow raise errors of many kinds.
        raise FileError(f"{path.name} is not a readable picture; it may be truncated.") from error


def as_stored(picture: Image.Image, name: str = "") -> StoredPicture:
    """The numbers of a picture of PIL, its transparency apart."""
    if picture.mode.startswith("I"):
        values = np.asarray(picture).astype(np.int64)
        clear = picture.info.get("transparency")
        opacity = None if clear is None else (values != int(clear)).astype(np.float64)
        return StoredPicture(values[None], name, WORDS, opacity)
    opacity = None
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        opacity = np.asarray(picture.getchannel("A"), dtype=np.float64) / 255
    grey = picture.mode in ("1", "L", "LA", "F")
    return StoredPicture(_channels(picture, "L" if grey else "RGB"), name, BYTES, opacity)


def _channels(picture: Image.Image, mode: str) -> NDArray[np.uint8]:
    """The numbers of a picture in a mode of 8 bits. [C, H, W]"""
    values = np.asarray(picture.convert(mode))
    return values.transpose(2, 0, 1) if values.ndim == 3 else values[None]
