"""Images and generators from files of any kind, or by the name of something shipped."""

from __future__ import annotations

import os
from pathlib import Path

from inpaint.errors import FileError
from inpaint.files import arrays, examples, mat, pictures
from inpaint.files.checks import FilePath, check_file, check_shadow
from inpaint.files.interpret import normalize
from inpaint.files.normalize import Ink, Orientation, Range, ReadOptions
from inpaint.files.safetensors import read_safetensors, write_safetensors
from inpaint.files.state_dict import read_keras, refuse_plain_weights
from inpaint.files.stored import StoredSet, stored_images
from inpaint.generators import Generator, pretrained
from inpaint.generators.kind import DARK_INK, PHOTOGRAPH, PictureKind
from inpaint.operators import Mask
from inpaint.types import ImageSet, ImageShape

IMAGE_ENDINGS = (".mat", ".npz", ".npy", ".png", ".jpg", ".jpeg", ".gz", "-ubyte")
GENERATOR_ENDINGS = (".mat", ".safetensors", ".keras", ".h5")


def read_images(
    source: FilePath,
    *,
    image_shape: ImageShape | None = None,
    kind: PictureKind | None = None,
    mask: Mask | None = None,
    orientation: Orientation | None = None,
    ink: Ink | None = None,
    value_range: Range | None = None,
    damaged: bool = False,
) -> ImageSet:
    """Read images from a file or a folder, or load a bundled set by its name.

    The `notes` of the result say what was detected and converted, and its `doubts` what is not
    sure. A picture that cannot be read is left out and named in `skipped`, if there are others.

    Args:
        source: A .mat with `X_n` (and `X_i`), an .npz with `images` (and `ideal`), an .npy,
            a PNG or JPEG, a folder of such pictures, an IDX file (gzipped or not), or the name
            of a bundled set.
        image_shape: Shape of the generator's images; pictures of another size are cropped,
            scaled and centred to fit it. None keeps their size. (C, H, W)
        kind: What the generator's images are, see `inpaint.picture_kind`; None takes dark ink for
            grey pictures, as the shipped generators draw it, and photographs for colours.
        mask: What is observed: the range and the ink are judged by these pixels, and only they
            must be finite.
        orientation: "rows" if pixels are stored row by row, "columns" if column by column;
            None takes the format's default.
        ink: "dark" or "light"; None takes the majority of the border pixels as paper.
        value_range: The file's values of black and white; None detects them.
        damaged: Whether the pictures have holes already, so that no ideal is known.

    Raises:
        FileError: If there is no such file or set, or it does not hold images.
        ArgumentError: If an argument is not one of its choices.
    """
    options = ReadOptions(orientation, ink, value_range)
    stored = read_stored(source, orientation, image_shape)
    kind = usual_kind(stored, image_shape) if kind is None else kind
    images, _ = normalize(stored, kind, image_shape, mask=mask, damaged=damaged, options=options)
    return images


def usual_kind(stored: StoredSet, image_shape: ImageShape | None) -> PictureKind:
    """The kind for which pictures are read where no generator is named: by their channels."""
    channels = stored.pictures[0].shape[0] if image_shape is None else image_shape[0]
    return PHOTOGRAPH if channels > 1 else DARK_INK


def read_stored(
    source: FilePath,
    orientation: Orientation | None = None,
    image_shape: ImageShape | None = None,
) -> StoredSet:
    """The pictures of a file, a folder or a bundled set, before their numbers are understood.

    Args:
        source: See `read_images`.
        orientation: See `read_images`.
        image_shape: Shape of the generator's images, where it is known. (C, H, W)

    Raises:
        FileError: See `read_images`.
    """
    name = os.fspath(source)
    if not name:
        raise FileError(
            "SOURCE is empty; give a file, a folder or the name of a bundled set, or leave it out."
        )
    if name in examples.bundled_names():
        check_shadow(name)
        return stored_images(examples.load_bundled(name))
    if Path(source).is_dir():
        return pictures.read_folder(Path(source))
    names = ", ".join(examples.bundled_names())
    path = check_file(source, otherwise=f"or name a bundled set ({names})")
    match path.suffix.lower():
        case ".mat":
            return mat.read_images(path, orientation, image_shape)
        case ".npz" | ".npy":
            return arrays.read_images(path, orientation)
        case ".png" | ".jpg" | ".jpeg":
            return pictures.read_picture(path)
    if path.name.removesuffix(".gz").endswith(("-ubyte", ".idx")):
        return arrays.read_idx_images(path, orientation)
    raise FileError(
        f"{path.name} has no ending of an image format; give a file that ends in "
        f"{', '.join(IMAGE_ENDINGS)}."
    )


def read_generator(source: FilePath) -> Generator:
    """Read a generator from a file, or load a shipped one by its name.

    Args:
        source: A .mat with `A_1`, `B_1`, `A_2`, `B_2` (and so on), a .safetensors written by
            `write_generator`, a Sequential model of Dense layers that Keras saved (.keras, .h5),
            or the name of a shipped generator. Nothing is unpickled. Weights without
            activations are read by `read_state_dict`.

    Raises:
        FileError: If there is no such file or shipped generator, or the file does not hold one.
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
        case ".keras" | ".h5" | ".hdf5":
            return read_keras(path)
        case ".npz":
            raise refuse_plain_weights(path)
    raise FileError(
        f"{path.name} has no ending of a generator format; give a file that ends in "
        f"{', '.join(GENERATOR_ENDINGS)}."
    )


def write_generator(generator: Generator, path: FilePath) -> Path:
    """Write a generator of dense layers as safetensors.

    Raises:
        ArgumentError: If the generator has other layers.
        FileError: If the file cannot be written.
    """
    write_safetensors(generator, path)
    return Path(path)
