"""Tables of figures that are read whole: their words wrap, and in a narrow window they are turned.

A table of `st.dataframe` has to be scrolled there, and what lies outside is not seen to be there.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

NOTHING = "\u2013"
"""Stands where a row has no figure."""


@dataclass(frozen=True)
class Column:
    """How a column is written.

    Attributes:
        help: What it means; shown while its name is pointed at.
        form: Of a number, as `format` takes it.
        unit: Stands behind each number.
    """

    help: str = ""
    form: str = ""
    unit: str = ""

    def write(self, value: object) -> str:
        """A cell."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return NOTHING
        if isinstance(value, str):
            return value
        return f"{value:{self.form}}{self.unit}"


def draw(rows: Sequence[Mapping[str, object]], columns: Mapping[str, Column]) -> None:
    """Show a table, one line a row.

    Args:
        rows: Values by the names of their columns, in order of the columns.
        columns: How they are written; a column that no row has anything for is left out.
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
