"""One widget for one field of a configuration: its key in the URL, and its value to begin with."""

from __future__ import annotations

from typing import Any

import streamlit as st

LABELS = "labels"
"""Under which the session keeps the labels of the fields that were drawn last."""


def named(message: str) -> str:
    """A message that begins with a field's name, with the field's label before that."""
    name = message.partition(" ")[0]
    label = st.session_state.get(LABELS, {}).get(name)
    return message if label is None else f"{label}: {message}"


def _note(name: str, label: str) -> None:
    st.session_state.setdefault(LABELS, {})[name] = label


def preset(label: str, names: list[str], usual: str, *, key: str, adopt: Any) -> str:
    """The name of a preset; `adopt` sets the other widgets once it is changed."""
    found: str = st.segmented_control(
        label,
        names,
        default=usual,
        required=True,
        key=key,
        on_change=adopt,
        bind="query-params",
        width="stretch",
    )
    return found


def line(
    label: str, name: str, *, key: str, placeholder: str, text: str | None = None, **options: Any
) -> str:
    """A line of text, which its reader turns into the field's value; `text` is what it means."""
    _note(name, label)
    found: str = st.text_input(
        label, key=key, placeholder=placeholder, help=text, bind="query-params", **options
    )
    return found


def whole(
    label: str,
    name: str,
    base: Any,
    text: str,
    *,
    lowest: int = 1,
    key: str | None = None,
    empty: str | None = None,
) -> Any:
    """A whole number.

    Args:
        label: Stands above it.
        name: The field.
        base: The configuration whose value it begins with.
        text: What it means.
        lowest: The smallest number that can be chosen.
        key: Of the widget, where it is not the field's name.
        empty: What it means if it is left empty.
    """
    _note(name, label)
    return st.number_input(
        label,
        lowest,
        value=getattr(base, name),
        step=1,
        key=key or name,
        bind="query-params",
        help=text,
        placeholder=empty,
    )


def real(
    label: str, name: str, base: Any, text: str, *, step: float, empty: str | None = None
) -> Any:
    """A number; see `whole`. `step` is what its buttons add."""
    _note(name, label)
    return st.number_input(
        label,
        value=getattr(base, name),
        step=step,
        format="%g",
        key=name,
        bind="query-params",
        help=text,
        placeholder=empty,
    )


def choice(
    label: str, name: str, options: tuple[str, ...], base: Any, text: str | None = None
) -> Any:
    """One of some names; see `whole`."""
    return st.selectbox(
        label, options, options.index(getattr(base, name)), key=name, bind="query-params", help=text
    )


def machine(backends: tuple[str, ...], dtypes: tuple[str, ...], base: Any) -> dict[str, Any]:
    """What computes, and how: backend, precision, threads and device."""
    return {
        "backend": choice("Backend", "backend", backends, base),
        "dtype": choice("Precision", "dtype", dtypes, base),
        "threads": whole("Threads", "threads", base, "0 lets the server decide.", lowest=0),
        "device": st.selectbox(
            "Device",
            [base.device, "cuda"],
            key="device",
            bind="query-params",
            accept_new_options=True,
            help="Where torch computes.",
        ),
    }
