"""Where images and generators come from: what is shipped, or a file that a user uploads.

What is shipped is read once for all sessions. An upload is kept by its session alone, and is
on the disk only while a reader reads it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import streamlit as st

from inpaint import examples, pretrained, readers
from inpaint.errors import FileError
from inpaint.generator import Generator
from inpaint.run import default_generator
from inpaint.types import ImageSet

T = TypeVar("T")

UPLOAD = "upload"
"""What the choice of a source holds beside the names of what is shipped."""


@dataclass(frozen=True)
class Source(Generic[T]):
    """Something that was read, and what to call it.

    Attributes:
        name: What the command line would be given: a shipped name or a file's name.
        token: Differs where the content does.
        content: What the reader made of it.
    """

    name: str
    token: str
    content: T = field(compare=False, repr=False)


@st.cache_resource(show_spinner=False)
def shipped_images(name: str) -> Source[ImageSet]:
    """A bundled set of images."""
    return Source(name, name, readers.read_images(name))


@st.cache_resource(show_spinner=False)
def shipped_generator(name: str) -> Source[Generator]:
    """A shipped generator."""
    return Source(name, name, readers.read_generator(name))


def choose_images() -> Source[ImageSet] | None:
    """Let the user choose images; None while an upload is awaited.

    Raises:
        InpaintError: If an uploaded file does not hold images.
    """
    names = examples.bundled_names()
    choice = st.selectbox(
        "Images",
        [*names, UPLOAD],
        format_func=lambda name: "Upload a file" if name == UPLOAD else f"Bundled: {name}",
        key="images",
        bind="query-params",
        help="The bundled images were drawn by a small program and their ideals are known.",
    )
    if choice != UPLOAD:
        return shipped_images(choice)
    return _upload("Data file", "data", readers.IMAGE_ENDINGS, readers.read_images)


def choose_generator() -> Source[Generator] | None:
    """Let the user choose a generator; None while an upload is awaited.

    Raises:
        InpaintError: If an uploaded file does not hold a generator.
    """
    names = pretrained.pretrained_names()
    choice = st.selectbox(
        "Generator",
        [*names, UPLOAD],
        names.index(default_generator()) if names else 0,
        format_func=lambda name: "Upload a file" if name == UPLOAD else f"Shipped: {name}",
        key="generator",
        bind="query-params",
        help="The network whose latent space is searched: it maps a few numbers to an image.",
    )
    if choice != UPLOAD:
        return shipped_generator(choice)
    return _upload("Generator file", "generator", readers.GENERATOR_ENDINGS, readers.read_generator)


def _upload(
    label: str, kind: str, endings: tuple[str, ...], reader: Callable[[Path], T]
) -> Source[T] | None:
    kept = f"kept {kind}"
    upload = st.file_uploader(
        label,
        key=f"uploaded {kind}",
        help=f"Endings: {', '.join(endings)}. It is read on this machine and never executed.",
        on_change=lambda: st.session_state.pop(kept, None),
    )
    # A change of the page empties the uploader, but does not call on_change.
    if upload is not None and kept not in st.session_state:
        content = _read(upload.name, upload.getvalue(), reader)
        st.session_state[kept] = Source(upload.name, upload.file_id, content)
    source: Source[T] | None = st.session_state.get(kept)
    if upload is None and source is not None:
        st.caption(f"Still in use: {source.name}")
    return source


def _read(name: str, data: bytes, reader: Callable[[Path], T]) -> T:
    if not data:
        raise FileError(f"{name} is empty; choose the file again.")
    with tempfile.TemporaryDirectory(prefix="inpaint-") as folder:
        path = Path(folder) / Path(name.replace("\\", "/")).name
        path.write_bytes(data)
        return reader(path)
