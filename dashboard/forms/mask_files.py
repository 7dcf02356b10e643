"""A mask from a file: what is white in it, and what it observes of the images."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import streamlit as st

from forms import sources
from forms.sources import Source
from inpaint.errors import FileError
from inpaint.files import masks
from inpaint.files.masks import MASK_ENDINGS, White
from inpaint.operators import Mask
from inpaint.plots import sheet
from inpaint.types import ImageSet, ImageShape

LOST, LOST_SHARE = (220, 60, 50), 0.72
"""Colour of lost pixels and its share, as in the painter."""
MOST_SHOWN = 4
"""Images on which a mask is shown."""
ENLARGED = 112
"""About the height of each, in pixels of the page."""


def ask(values: ImageSet, total: int) -> tuple[Source[Mask] | None, White | None]:
    """Let the user upload a mask, and show what it observes.

    Args:
        values: What the mask lies on: images, or what an operator makes of them.
        total: Number of images in their source.

    Returns:
        The mask, None while it is awaited; and what is white in its file, None for observed.

    Raises:
        InpaintError: If the file does not hold a mask for these images.
    """
    white: White = st.segmented_control(
        "White in the file is",
        list(get_args(White)),
        default="observed",
        required=True,
        key="mask_white",
        bind="query-params",
        help="Most programs for inpainting paint white what is lost. Of other levels than black "
        "and white the higher one is meant.",
    )
    about = (tuple(values.images.shape[1:]), values.numbers, total, white)
    found = sources.upload(
        "Mask file", "mask", MASK_ENDINGS, partial(_mask_at, *about), about=about
    )
    if found is None:
        st.caption("A picture or an array of two levels, of the size of what is observed.")
    else:
        _show(values, found.content)
    return found, None if white == "observed" else white


def _mask_at(
    shape: ImageShape, numbers: tuple[int, ...], total: int, white: White, path: Path
) -> Mask:
    if not path.name.lower().endswith(MASK_ENDINGS):
        raise FileError(
            f"{path.name} has no ending that names a mask's format; give a file that ends in "
            f"{', '.join(MASK_ENDINGS)}."
        )
    return masks.read_mask(path, shape, white=white, numbers=numbers, total=total)


def _show(values: ImageSet, mask: Mask) -> None:
    """What a mask observes, on the images and in words."""
    with st.container(key="sheet-mask"):
        st.image(_over_lost(values, mask), width="content")
    said = [*mask.notes, f"{mask.title.removeprefix('N = ')}; red is lost"]
    st.caption(f"{sources.escape('; '.join(said))}.")


def _over_lost(values: ImageSet, mask: Mask) -> sheet.Pixels:
    """The first images in a row, with what is lost of them painted red. [H, W, 3]"""
    shown = min(len(values), MOST_SHOWN)
    pixels = sheet.strip(values.images[:shown], scale=1, gap=0).astype(np.float64)
    # Where channels have masks of their own, a pixel counts as lost if it is lost in one of them.
    lost = ~mask.batch(len(values))[:shown].all(1).numpy()
    painted = np.where(np.concatenate(list(lost), axis=1)[..., None], 1 - LOST_SHARE, 1.0)
    pixels = painted * pixels + (1 - painted) * np.array(LOST)
    scale = max(1, ENLARGED // values.images.shape[-2])
    return np.rint(pixels).astype(np.uint8).repeat(scale, axis=0).repeat(scale, axis=1)
