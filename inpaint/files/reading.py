"""Readers: from a file, or the name of something shipped, to images and generators.

Orientation, ink colour and the sign of the output are settled here, once: what comes out is
row-major with 1 for paper, and every generator ends in the plain logistic sigmoid.
"""

from __future__ import annotations

import os
from pathlib import Path

from inpaint.errors import FileError
from inpaint.files import arrays, examples, mat, pictures
from inpaint.files.limits import check_file
from inpaint.files.masks import read_mask
from inpaint.files.matrices import read_operator
from inpaint.files.normalize import Ink, Orientation, Range, Reading
from inpaint.files.safetensors import read_safetensors, write_safetensors
from inpaint.files.state_dict import read_state_dict
from inpaint.files.writing import write_images
from inpaint.generators import Generator, pretrained
from inpaint.types import ImageSet, ImageShape

__all__ = [
    "read_generator",
    "read_images",
    "read_mask",
    "read_operator",
    "read_state_dict",
    "write_generator",
    "write_images",
]

Source = str | os.PathLike[str]

IMAGE_ENDINGS = (".mat", ".npz", ".npy", ".png", ".jpg", ".jpeg", ".gz", "-ubyte")
GENERATOR_ENDINGS = (".mat", ".safetensors")


def read_images(
    source: Source,
    *,
    image_shape: ImageShape | None = None,
    orientation: Orientation | None = None,
    ink: Ink | None = None,
    value_range: Range | None = None,
) -> ImageSet:
    """Read images from a file or a folder, or take a bundled set by its name.

    What was detected and done stands in the set's `notes`.

    Args:
        source: A .mat with `X_n` (and `X_i`), an .npz with `images` (and `ideal`), an .npy,
            a PNG or JPEG, a folder of such pictures, an IDX file (gzipped or not), or the name
            of a bundled set.
        image_shape: Shape of the generator's images; pictures of another size are cropped,
            scaled and centred to fit it. None keeps their size. (C, H, W)
        orientation: "rows" or "columns", the order in which the numbers of a picture stand;
            None takes the format's own.
        ink: "dark" or "light"; None takes what most of the border shows for paper.
        value_range: The file's values of black and white; None detects them.

    Raises:
        FileError: If there is no such file or set, or it does not hold images.
        ArgumentError: If an argument is none of its choices.
    """
    reading = Reading(image_shape, orientation, ink, value_range)
    name = os.fspath(source)
    if name in examples.bundled_names():
        return examples.load_bundled(name)
    if Path(source).is_dir():
        return pictures.read_folder(Path(source), reading)
    names = ", ".join(examples.bundled_names())
    path = check_file(source, otherwise=f"or name a bundled set ({names})")
    match path.suffix.lower():
        case ".mat":
            return mat.read_images(path, reading)
        case ".npz" | ".npy":
            return arrays.read_images(path, reading)
        case ".png" | ".jpg" | ".jpeg":
            return pictures.read_images(path, reading)
    if path.name.removesuffix(".gz").endswith(("-ubyte", ".idx")):
        return arrays.read_idx_images(path, reading)
    raise FileError(
        f"{path.name} has no ending that names an image format; give a file that ends in "
        f"{', '.join(IMAGE_ENDINGS)}."
    )


def read_generator(source: Source) -> Generator:
    """Read a generator from a file, or take a shipped one by its name.

    Args:
        source: A .mat with `A_1`, `B_1`, `A_2`, `B_2` (and so on), a .safetensors written by
            `write_generator`, or the name of a shipped generator. Nothing is unpickled.

    Raises:
        FileError: If there is no such file or generator, or it does not hold one.
    """
    name = os.fspath(source)
    if name in pretrained.pretrained_names():
        return pretrained.load_pretrained(name)
    names = ", ".join(pretrained.pretrained_names())
    path = check_file(source, otherwise=f"or name a shipped generator ({names})")
    match path.suffix.lower():
        case ".mat":
            return mat.read_generator(path)
        case ".safetensors":
            return read_safetensors(path)
    raise FileError(
        f"{path.name} has no ending that names a generator format; give a file that ends in "
        f"{' or '.join(GENERATOR_ENDINGS)}."
    )


def write_generator(generator: Generator, path: Source) -> Path:
    """Write a generator of dense layers as safetensors.

    Raises:
        FileError: If the file cannot be written.
    """
    path = Path(path)
    try:
        write_safetensors(generator, path)
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror or error}.") from error
    return path
