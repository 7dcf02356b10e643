"""Pictures in a row and tables of figures as single elements of HTML, and boxes that open.

`st.columns` with an `st.image` for each of five pictures is fifteen elements and five requests to
the server. One element with the pictures inside makes no request, and shows a tenth of a second
sooner. `st.dataframe` scrolls in a narrow window, and does not show that columns are hidden; the
tables here wrap their words and turn by 90 degrees there.
"""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st
from components import data_url

from inpaint.plots.sheet import Pixels

NOTHING = "\u2013"
"""Shown where a row has no figure."""


@dataclass(frozen=True)
class Picture:
    """One picture with its words.

    Attributes:
        data: A URL that holds the whole picture.
        width: In pixels, so that the page keeps room for it before it is decoded.
        height: As `width`.
        alt: What it shows, for screen readers.
        title: Shown above it.
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


def draw_pictures(pictures: Sequence[Picture], *, key: str, width: int | None = None) -> None:
    """Show pictures side by side, with sharp pixels.

    Args:
        pictures: From left to right.
        key: Key of the container; it begins with "sheet", which the style sheet looks for.
        width: Width of each picture; None divides the room among them.
    """
    columns = f"repeat({len(pictures)}, minmax(0, 1fr))"
    if width is not None:
        columns = f"repeat(auto-fill, {width}px)"
    figures = "".join(picture.to_html() for picture in pictures)
    with st.container(key=key):
        st.html(f'<div class="strip" style="grid-template-columns: {columns}">{figures}</div>')


@dataclass(frozen=True)
class Column:
    """How a column is written.

    Attributes:
        help: What it means; shown when the pointer is on its name.
        form: How a number is written, as `format` takes it.
        unit: Written after each number.
    """

    help: str = ""
    form: str = ""
    unit: str = ""

    def write(self, value: object) -> str:
        """The text of a cell."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return NOTHING
        if isinstance(value, str):
            return value
        return f"{value:{self.form}}{self.unit}"


def draw_box(title: str, key: str, draw: Callable[[], None], *, icon: str | None = None) -> None:
    """Show a box that is folded away; its content is made only while it is open.

    Args:
        title: Its title.
        key: Key of the box.
        draw: Draws the content.
        icon: Name of a Material icon.
    """
    name = None if icon is None else f":material/{icon}:"
    box = st.expander(title, icon=name, key=key, on_change="rerun")
    if box.open:
        with box:
            draw()


def draw_table(rows: Sequence[Mapping[str, object]], columns: Mapping[str, Column]) -> None:
    """Show a table, one line per row.

    Args:
        rows: Values by the names of their columns, in order of the columns.
        columns: How they are written; empty columns are left out.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = {
        name: [columns.get(name, Column()).write(row.get(name)) for row in rows] for name in names
    }
    cells = {name: texts for name, texts in cells.items() if set(texts) != {NOTHING}}
    head = "".join(_heading(name, columns.get(name, Column())) for name in cells)
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(texts[place])}</td>' for texts in cells.values())}</tr>"
        for place in range(len(rows))
    )
    st.html(
        '<div class="figures"><table '
        f'style="grid-template-rows: repeat({len(cells)}, auto)">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _heading(name: str, column: Column) -> str:
    about = f' title="{html.escape(column.help)}"' if column.help else ""
    return f'<th scope="col"{about}>{html.escape(name)}</th>'
