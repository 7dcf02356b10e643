"""Images to files, in the kinds that are read."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from inpaint.errors import ArgumentError, FileError
from inpaint.types import ImageSet

WRITTEN = (".mat", ".npz", ".npy", ".png", "-ubyte", "-ubyte.gz")


def write_images(image_set: ImageSet, path: str | os.PathLike[str]) -> Path:
    """Write images, 1 for paper, so that `read_images` gives them back.

    Pictures and IDX files hold 8 bits a pixel and no ideal; an .npy no ideal either.

    Args:
        image_set: B images.
        path: The ending names the kind: .mat (square images of one channel), .npz, .npy,
            -ubyte or -ubyte.gz (IDX, one channel), .png (one image), or none for a folder of
            PNG files.

    Raises:
        ArgumentError: If the ending is unknown, or its kind cannot hold these images.
        FileError: If the file cannot be written.
    """
    path = Path(path)
    images = image_set.images.detach().cpu().double()
    ideal = None if image_set.ideal is None else image_set.ideal.detach().cpu().double()
    ending = path.suffix.lower()
    single = images.shape[1] == 1
    if ending == ".mat" and not (single and images.shape[2] == images.shape[3]):
        raise ArgumentError(f"{path.name} can hold square images of one channel only; use .npz.")
    if path.name.endswith(("-ubyte", "-ubyte.gz")) and not single:
        raise ArgumentError(f"{path.name} can hold images of one channel only; use .npz.")
    if ending == ".png" and len(images) != 1:
        raise ArgumentError(f"{path.name} can hold one image; give the name of a folder for more.")
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
                f"{path.name} has no ending that can be written; choose {', '.join(WRITTEN)}, or "
                "none for a folder of pictures."
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
