"""A pad to draw a digit on with the mouse."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from components import register

_render = register("pad")


def ask(*, key: str) -> list[NDArray[np.float64]]:
    """The lines that were drawn so far: points (x to the right, y downwards). [K, 2] each

    What was drawn stays in the session; the browser may send anything, so it is checked here.
    """
    kept = f"{key} kept"
    found = _render(
        key=key,
        data={"strokes": st.session_state.get(kept, [])},
        on_strokes_change=lambda: None,
    )
    if found.strokes is not None:
        st.session_state[kept] = found.strokes
    return _check(st.session_state.get(kept, []))


def _check(strokes: Any) -> list[NDArray[np.float64]]:
    try:
        lines = [np.asarray(stroke, dtype=np.float64).reshape(-1, 2) for stroke in strokes]
    except (TypeError, ValueError):
        return []
    return [line for line in lines if len(line)]
