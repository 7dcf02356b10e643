"""An enlarged picture on which the user chooses a pixel: by a click, or by the arrow keys."""

from __future__ import annotations

from typing import Any

import streamlit as st

from components import data_url, register
from inpaint.plots.sheet import Pixels

_render = register("pixels")


def ask(picture: Pixels, start: tuple[int, int], *, label: str, key: str) -> tuple[int, int]:
    """Row and column of the pixel that was chosen last.

    Args:
        picture: The picture before it is enlarged. [H, W, 3]
        start: The pixel shown until one is chosen, or if the chosen one is no longer in the
            picture.
        label: What the picture shows, for screen readers.
        key: Key of the component; the choice stays in the session.
    """
    height, width = picture.shape[:2]
    kept = f"{key} kept"
    # The browser's choice is read before the component is drawn, so that the drawing shows it.
    sent = st.session_state.get(key, {}).get("pixel")
    chosen = _read(sent, height, width) or st.session_state.get(kept)
    st.session_state[kept] = chosen
    if chosen is None or chosen[0] >= height or chosen[1] >= width:
        chosen = start
    _render(
        key=key,
        data={
            "picture": data_url(picture),
            "height": height,
            "width": width,
            "chosen": list(chosen),
            "label": label,
        },
        on_pixel_change=lambda: None,
    )
    return int(chosen[0]), int(chosen[1])


def _read(sent: Any, height: int, width: int) -> tuple[int, int] | None:
    """What the browser sent, if it is a pixel of the picture; it may send anything."""
    if not isinstance(sent, dict):
        return None
    row, column = sent.get("row"), sent.get("column")
    if not (type(row) is int and type(column) is int):
        return None
    return (row, column) if 0 <= row < height and 0 <= column < width else None
