"""Pictures side by side, in one element with the pictures inside.

A column of `st.columns` with an `st.image` for each of five pictures is fifteen elements and
five requests to the server; this is one element and none, and is seen a tenth of a second sooner.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from inpaint.plots import sheet
from inpaint.plots.sheet import Pixels


@dataclass(frozen=True)
class Picture:
    """One picture with its words.

    Attributes:
        data: A URL that holds the whole picture.
        width: In pixels of the picture, so that its place is kept before it is decoded.
        height: As `width`.
        alt: What it shows, for those who do not see it.
        title: Stands above it.
        captions: Lines below it, the first one bold.
    """

    data: str
    width: int
    height: int
    alt: str
    title: str = ""
    captions: Sequence[str] = ()

    @classmethod
    def of_pixels(
        cls, pixels: Pixels, alt: str, *, title: str = "", captions: Sequence[str] = ()
    ) -> Picture:
        """A picture that was composed in numpy. [H, W, 3]"""
        height, width = pixels.shape[:2]
        return cls(data_url(pixels), width, height, alt, title, captions)

    @classmethod
    def of_svg(cls, drawing: str, width: int, height: int, alt: str, *, title: str = "") -> Picture:
        """A drawing."""
        code = base64.b64encode(drawing.encode()).decode()
        return cls(f"data:image/svg+xml;base64,{code}", width, height, alt, title)

    def to_html(self) -> str:
        """The figure; all words are escaped."""
        title = f"<b>{html.escape(self.title)}</b>" if self.title else ""
        first = "".join(f"<strong>{html.escape(line)}</strong>" for line in self.captions[:1])
        lines = [first, *(html.escape(line) for line in self.captions[1:])]
        caption = f"<figcaption>{'<br>'.join(lines)}</figcaption>" if self.captions else ""
        return (
            f'<figure>{title}<img src="{self.data}" width="{self.width}" height="{self.height}" '
            f'alt="{html.escape(self.alt)}" decoding="sync">{caption}</figure>'
        )


def draw(pictures: Sequence[Picture], *, key: str, width: int | None = None) -> None:
    """Show pictures side by side, with sharp pixels.

    Args:
        pictures: From left to right.
        key: Of the container; it begins with "sheet", by which the style knows it.
        width: Of each picture; None divides the room among them.
    """
    columns = f"repeat({len(pictures)}, minmax(0, 1fr))"
    if width is not None:
        columns = f"repeat(auto-fill, {width}px)"
    figures = "".join(picture.to_html() for picture in pictures)
    with st.container(key=key):
        st.html(f'<div class="strip" style="grid-template-columns: {columns}">{figures}</div>')


def data_url(pixels: Pixels) -> str:
    """A picture as a PNG in a URL. [H, W, 3]"""
    return f"data:image/png;base64,{base64.b64encode(sheet.to_png(pixels)).decode()}"
