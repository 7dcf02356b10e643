"""The losses of a training, from the record that `inpaint train` writes with the weights."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st
from forms import sources

from inpaint.errors import FileError
from inpaint.generators import Generator

MOST_STEPS = 100_000
"""Most entries of a history that are read; `inpaint train` writes one per hundred steps."""


def draw_losses(generator: Generator) -> None:
    """The losses over the steps.

    Raises:
        InpaintError: If the record cannot be read.
    """
    found = sources.upload("Record of the training", "training", (".json",), read_record)
    if found is None:
        st.caption(
            "`inpaint train` writes a record, such as eights.json, with the weights: its losses "
            "over the steps are shown here. The shipped generators come with a model card instead."
        )
        return
    record = found.content
    trained = record.get("generator", {})
    if isinstance(trained, dict) and trained.get("sha256") not in (None, generator.digest()):
        st.warning(
            "This is the record of another generator than the one that is chosen.",
            icon=":material/warning:",
        )
    history = pd.DataFrame(record["history"]).melt("step", var_name="loss", value_name="value")
    for name, part in history.dropna().groupby("loss", sort=False):
        st.markdown(f"**{sources.escape(str(name))}**")
        st.altair_chart(draw_loss(part))
    seconds = record.get("seconds")
    took = f" in {seconds:,.0f} s" if isinstance(seconds, (int, float)) else ""
    st.caption(
        f"{len(record['history'])} looks at a training of {record.get('steps', 'unknown')} "
        f"steps{took}. A second stage begins where the loss named inversion begins; the others "
        "are of fewer images from there on, and so rougher."
    )


def draw_loss(part: pd.DataFrame) -> alt.Chart:
    """One loss over the steps."""
    return (
        alt.Chart(part)
        .mark_line()
        .encode(
            x=alt.X("step:Q", title="Step"),
            y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False)),
            tooltip=["step", alt.Tooltip("value", format=".4g")],
        )
        .properties(height=180)
    )


def read_record(path: Path) -> dict[str, Any]:
    """The record in a file, checked to hold a history.

    Raises:
        FileError: If it does not.
    """
    refused = f"{path.name} is no record of a training; give the .json that inpaint train wrote."
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FileError(refused) from error
    history = record.get("history") if isinstance(record, dict) else None
    if not isinstance(history, list) or not 1 <= len(history) <= MOST_STEPS:
        raise FileError(refused)
    for entry in history:
        if not isinstance(entry, dict) or "step" not in entry:
            raise FileError(refused)
        if not all(_is_number(value) for value in entry.values()):
            raise FileError(refused)
    return record


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)
