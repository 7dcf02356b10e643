"""Components of our own, for what Streamlit's widgets cannot do: one folder of assets each.

Each module holds the Python side of one; `assets/` holds style and script. All of them run in
the page, load nothing from elsewhere, and take their colours from Streamlit's theme.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import streamlit as st
from PIL import Image
from streamlit.components.v2.types import ComponentRenderer

from inpaint.sheet import Pixels

_ASSETS = Path(__file__).parent / "assets"


def register(name: str) -> ComponentRenderer:
    """The component whose script and style are `name`.js and `name`.css."""
    style = (_ASSETS / "common.css").read_text(encoding="utf-8")
    style += (_ASSETS / f"{name}.css").read_text(encoding="utf-8")
    script = (_ASSETS / f"{name}.js").read_text(encoding="utf-8")
    return st.components.v2.component(
        f"inpaint_{name}", html='<div class="root"></div>', css=style, js=script
    )


def data_url(pixels: Pixels) -> str:
    """A picture as a PNG in a URL. [H, W, 3]"""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
