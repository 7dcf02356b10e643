"""Write images in the formats that `read_images` reads."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from inpaint.checks import check_type
from inpaint.errors import ArgumentError, FileError
from inpaint.files.checks import FilePath
from inpaint.types import ImageSet

ENDINGS = (".mat", ".npz", ".npy", ".png", "-ubyte", "-ubyte.gz")


def write_images(image_set: ImageSet, path: FilePath) -> Path:
    """Write images, with 1 for paper, so that `read_images` returns them.

    PNG and IDX files hold 8 bits per pixel. Only .npz and .mat hold the ideal images.

    Args:
        image_set: Images to write.
        path: The ending chooses the format: .mat (square images of one channel), .npz, .npy,
            -ubyte or -ubyte.gz (IDX, one channel), .png (one image), or none for a folder of
            PNG files.

    Raises:
        ArgumentError: If the ending is unknown, or the format cannot hold these images.
        FileError: If the file cannot be written.
    """
    path = Path(path)
    check_type("image_set", image_set, ImageSet)
    images = image_set.images.detach().cpu().double()
    ideal = None if image_set.ideal is None else image_set.ideal.detach().cpu().double()
    ending = path.suffix.lower()
    single = images.shape[1] == 1
    if ending == ".mat" and not (single and images.shape[2] == images.shape[3]):
        raise ArgumentError(f"{path.name} can hold only square images of one channel; use .npz.")
    if path.name.endswith(("-ubyte", "-ubyte.gz")) and not single:
        raise ArgumentError(f"{path.name} can hold only images of one channel; use .npz.")
    if ending == ".png" and len(images) != 1:
        raise ArgumentError(f"{path.name} can hold only one image; name a folder to write more.")
    try:
        if ending == ".mat":
            columns = {"X_n": _columns(images)}
            if ideal is not None:
                columns["X_i"] = _columns(ideal)
            scipy.io.savemat(path, columns, do_compression=True)
        elif ending == ".npz":
            arrays: dict[str, Any] = {"images": images.numpy()}
            if ideal is not None:
                arrays["ideal"] = ideal.numpy()
            np.savez_compressed(path, **arrays)
        elif ending == ".npy":
            np.save(path, images.numpy())
        elif ending == ".png":
            _picture(images[0]).save(path)
        elif path.name.endswith(("-ubyte", "-ubyte.gz")):
            content = _idx(images)
            path.write_bytes(gzip.compress(content) if ending == ".gz" else content)
        elif not ending:
            path.mkdir(parents=True, exist_ok=True)
            for number, image in enumerate(images):
                _picture(image).save(path / f"{number:05d}.png")
        else:
            raise ArgumentError(
                f"{path.name} has no ending of a format that can be written; choose "
                f"{', '.join(ENDINGS)}, or none for a folder of PNG files."
            )
    except OSError as error:
        raise FileError(
            f"{path} cannot be written: {error.strerror or error}. Choose another place."
        ) from error
    return path


def _columns(images: Tensor) -> NDArray[np.float64]:
    """[B, 1, H, W] -> [P, B], each column an image stored column by column."""
    return images[:, 0].mT.flatten(1).T.contiguous().numpy()


def _levels(images: Tensor) -> NDArray[np.uint8]:
    return np.rint(255 * images.clamp(0, 1).numpy()).astype(np.uint8)


def _picture(image: Tensor) -> Image.Image:
    levels = _levels(image)
    return Image.fromarray(levels.transpose(1, 2, 0) if len(levels) == 3 else levels[0])


def _idx(images: Tensor) -> bytes:
    levels = _levels(images[:, 0])
    return b"\0\0\x08\x03" + struct.pack(">3I", *levels.shape) + levels.tobytes()
