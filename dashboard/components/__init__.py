"""Components for what Streamlit's widgets cannot do.

Each module holds the Python side of one; `assets/` holds its style and script. They run in the
page, load nothing from elsewhere, and take their colours from Streamlit's theme.
"""

from __future__ import annotations

import base64
from pathlib import Path

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from inpaint.plots import sheet
from inpaint.plots.sheet import Pixels

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
    return f"data:image/png;base64,{base64.b64encode(sheet.to_png(pixels)).decode()}"
