"""Paints a mask on an enlarged image: brush, eraser, rectangle, invert, clear, undo, redo."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from components import data_url, register
from inpaint.plots.sheet import Pixels

Observed = NDArray[np.bool_]
"""True where a pixel is observed. [H, W]"""

_render = register("painter")


def ask(picture: Pixels, start: Observed, *, key: str) -> Observed:
    """The mask as it was painted so far.

    Args:
        picture: What is painted on. [H, W, 3]
        start: The mask to begin with, and to begin again with if the picture's size changes.
        key: Key of the component; what was painted stays in the session.

    Returns:
        [H, W]
    """
    state = st.session_state.get(f"{key} kept")
    if state is None or state[0].shape != start.shape:
        replace(start, key=key)
    observed, revision = st.session_state[f"{key} kept"]
    height, width = observed.shape
    found = _render(
        key=key,
        data={
            "picture": data_url(picture),
            "height": height,
            "width": width,
            "mask": write(observed),
            # The browser takes this mask only if Python has replaced it.
            "revision": revision,
        },
        on_mask_change=lambda: None,
    )
    painted = _read(found.mask, revision, (height, width))
    if painted is not None:
        st.session_state[f"{key} kept"] = (painted, revision)
        return painted
    return observed


def replace(observed: Observed, *, key: str) -> None:
    """Replace the mask, and let the painting go on from there."""
    before = st.session_state.get(f"{key} kept")
    st.session_state[f"{key} kept"] = (observed, 0 if before is None else before[1] + 1)


def write(observed: Observed) -> str:
    """A mask as a text of 0 (lost) and 1 (observed), row after row."""
    return "".join("1" if seen else "0" for seen in observed.ravel())


def _read(sent: Any, revision: int, shape: tuple[int, int]) -> Observed | None:
    """What the browser sent, if it is a mask of this revision; it may send anything."""
    if not isinstance(sent, dict) or sent.get("revision") != revision:
        return None
    bits = sent.get("bits")
    if not isinstance(bits, str) or len(bits) != shape[0] * shape[1] or set(bits) - {"0", "1"}:
        return None
    return (np.frombuffer(bits.encode(), np.uint8) == ord("1")).reshape(shape)
