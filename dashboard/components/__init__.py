"""Components of our own, for what Streamlit's widgets cannot do: one folder of assets each.

Each module holds the Python side of one; `assets/` holds style and script. All of them run in
the page, load nothing from elsewhere, and take their colours from Streamlit's theme.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

_ASSETS = Path(__file__).parent / "assets"


def register(name: str) -> ComponentRenderer:
    """The component whose script and style are `name`.js and `name`.css."""
    style = (_ASSETS / "common.css").read_text(encoding="utf-8")
    style += (_ASSETS / f"{name}.css").read_text(encoding="utf-8")
    script = (_ASSETS / f"{name}.js").read_text(encoding="utf-8")
    return st.components.v2.component(
        f"inpaint_{name}", html='<div class="root"></div>', css=style, js=script
    )
