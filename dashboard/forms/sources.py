"""Where images and generators come from: shipped, uploaded, simulated or drawn.

What is shipped is read once for all sessions. An upload belongs to its session alone, and is on
the disk only while it is read.
"""

from __future__ import annotations

import hashlib
import io
import re
import tempfile
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import streamlit as st
from components import pad

from forms import fields
from forms.fields import Refused
from inpaint.errors import FileError, InpaintError
from inpaint.files import examples, reading
from inpaint.files.interpret import ReadPicture, normalize
from inpaint.files.job import default_generator
from inpaint.files.problem import read_whole
from inpaint.files.stored import StoredSet, stored_images
from inpaint.files.words import read_range
from inpaint.generators import Generator, pretrained
from inpaint.generators.kind import CONTENTS
from inpaint.generators.samples import simulate
from inpaint.plots.reading import show_crop, show_result
from inpaint.types import ImageSet

T = TypeVar("T")

UPLOAD = "upload"
SIMULATE = "simulate"
DRAW = "draw"
"""Choices of a source in addition to the names of what is shipped."""

CHOICES = {
    UPLOAD: "Upload a file",
    SIMULATE: "Simulate from the generator",
    DRAW: "Draw your own",
}

MOST_SHOWN = 3
"""Most pictures of an upload whose crop is shown."""

USUAL_NOISE = 0.1
"""Noise added to images that have none of their own, about that of the published ones."""


@dataclass(frozen=True)
class Source(Generic[T]):
    """Something that was read, and its name.

    Attributes:
        name: What a command line names: a shipped name or a file's name.
        token: A different text for each content.
        content: What the reader made of it.
        made: The content of a file of that name, if it was made here, so that the command line
            does not have it.
        stored: Pictures before their numbers are understood, which is done anew for each mask;
            `content` then shows them as far as that is possible without one.
        read_options: How the file is to be read, where that is not left to the reader: fields of
            `RestoreJob`.
    """

    name: str
    token: str
    content: T = field(compare=False, repr=False)
    made: Callable[[], bytes] | None = field(default=None, compare=False, repr=False)
    stored: StoredSet | None = field(default=None, compare=False, repr=False)
    read_options: dict[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Upload:
    """A file that the session holds, in its memory only.

    Attributes:
        name: The file's name.
        token: A different text for each upload.
        data: The whole content.
        made: Whether it was made here: a drawing, samples or a painted mask of an opened run.
    """

    name: str
    token: str
    data: bytes = field(repr=False)
    made: bool = False


@st.cache_resource(show_spinner=False)
def shipped_images(name: str) -> Source[ImageSet]:
    """A bundled set of images."""
    stored = stored_images(examples.load_bundled(name))
    return Source(name, name, normalize(stored, None, None)[0], stored=stored)


@st.cache_resource(show_spinner=False)
def shipped_generator(name: str) -> Source[Generator]:
    """A shipped generator."""
    return Source(name, name, reading.read_generator(name))


def choose_images(generator: Generator | None) -> Source[ImageSet] | None:
    """Let the user choose images; None while an upload or a drawing is awaited.

    Args:
        generator: The generator that draws images of known truth, if one was chosen already.

    Raises:
        InpaintError: If an uploaded file does not hold images.
    """
    names = examples.bundled_names()
    choice = st.selectbox(
        "Images",
        [*names, SIMULATE, DRAW, UPLOAD],
        format_func=lambda name: CHOICES.get(name, f"Bundled: {name}"),
        key="images",
        bind="query-params",
        on_change=_adopt_noise,
        help="The bundled images were drawn by a small program and their ideals are known.",
    )
    if choice == UPLOAD:
        return _upload_images(generator)
    if choice == SIMULATE:
        return None if generator is None else _simulate(generator)
    return _draw() if choice == DRAW else shipped_images(choice)


def _upload_images(generator: Generator | None) -> Source[ImageSet] | None:
    """Images from a file; pictures of another size than the generator's are fitted to it."""
    place = st.container()
    read_options = _ask_reading()
    with place:
        found = upload(
            "Data file",
            "data",
            reading.IMAGE_ENDINGS,
            partial(read_whole, generator=generator, **read_options),
            about=(generator and generator.digest(), tuple(read_options.items())),
        )
        if found is None:
            return None
        stored, images, read = found.content
        show_reading(images, read)
    return Source(found.name, found.token, images, found.made, stored, read_options)


def show_reading(images: ImageSet, read: tuple[ReadPicture, ...]) -> None:
    """What was taken of pictures, what is doubtful, and how they were read."""
    fitted = [each for each in read if each.fitted is not None][:MOST_SHOWN]
    for each in fitted:
        left, right = st.columns(2, vertical_alignment="center")
        left.image(show_crop(each), caption="What is taken", width="stretch")
        right.image(show_result(each), caption="What is restored", width="stretch")
    for doubt in images.doubts:
        st.warning(escape(f"{doubt[0].upper()}{doubt[1:]}."), icon=":material/help:")
    for left_out in images.skipped:
        st.warning(escape(f"Left out: {left_out.reason}"), icon=":material/hide_image:")
    st.caption(escape(f"Read as: {'; '.join(images.notes)}."))


def _ask_reading() -> dict[str, Any]:
    """How a file is read, where the user overrides what is detected: fields of `RestoreJob`.

    Raises:
        ArgumentError: If the range cannot be read.
    """
    damaged = st.toggle(
        "It has holes already",
        key="damaged",
        bind="query-params",
        help="The lost part of the pictures is not the truth: nothing is compared with it.",
    )
    with st.popover("How it is read", width="stretch"):
        found: dict[str, Any] = {
            "damaged": damaged or None,
            "kind": st.selectbox(
                "The generator draws",
                list(CONTENTS),
                index=None,
                format_func=CONTENTS.__getitem__,
                placeholder="as its card or its pictures say",
                key="kind",
                bind="query-params",
            ),
            "orientation": st.selectbox(
                "Order of the numbers",
                ["rows", "columns"],
                index=None,
                placeholder="the format's own",
                key="orientation",
                bind="query-params",
            ),
            "ink": st.selectbox(
                "Ink",
                ["dark", "light"],
                index=None,
                placeholder="detected",
                key="ink",
                bind="query-params",
            ),
        }
        text = fields.line(
            "Values of black and white", "range", key="range", placeholder="detected, such as 0:255"
        )
    if text:
        found["value_range"] = read_range("range", text)
    return {name: value for name, value in found.items() if value is not None}


def _adopt_noise() -> None:
    """Images made here have no noise of their own; without any there is nothing to estimate."""
    made = st.session_state["images"] in (SIMULATE, DRAW)
    st.session_state["noise"] = USUAL_NOISE if made else 0.0


def _simulate(generator: Generator) -> Source[ImageSet]:
    left, right = st.columns(2)
    seed = left.number_input(
        "Seed of the truth",
        0,
        step=1,
        key="truth",
        bind="query-params",
        help="The images that are to be found again are drawn with it.",
    )
    count = right.number_input("How many", 1, 12, 4, key="truths", bind="query-params")
    images = simulate(generator, count, seed=seed)
    token = f"{generator.digest()} {seed} {count}"
    return Source("simulated.npz", token, images, made=partial(_pack, images))


def _draw() -> Source[ImageSet] | None:
    strokes = pad.ask(key="pad")
    if not strokes:
        return None
    images = examples.hand_drawn(strokes)
    token = hashlib.sha256(images.images.numpy().tobytes()).hexdigest()
    return Source("drawn.npz", token, images, made=partial(_pack, images))


def _pack(images: ImageSet) -> bytes:
    """Images as an .npz that the readers take."""
    arrays = {"images": images.images.numpy()}
    if images.ideal is not None:
        arrays["ideal"] = images.ideal.numpy()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


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
        format_func=lambda name: CHOICES.get(name, f"Shipped: {name}"),
        key="generator",
        bind="query-params",
        help="The network whose latent space is searched: it maps a few numbers to an image.",
    )
    if choice != UPLOAD:
        return shipped_generator(choice)
    return upload("Generator file", "generator", reading.GENERATOR_ENDINGS, reading.read_generator)


def ask_generator() -> Source[Generator] | None:
    """The sidebar of a page that needs nothing but a generator; None while there is none."""
    try:
        with st.sidebar:
            source = choose_generator()
    except InpaintError as error:
        fields.show_error(error)
        return None
    if source is None:
        st.info("Choose a generator file in the sidebar.", icon=":material/info:")
    return source


def upload(
    label: str,
    kind: str,
    endings: tuple[str, ...],
    reader: Callable[[Path], T],
    *,
    about: Hashable = None,
) -> Source[T] | None:
    """Let the user upload a file, and read it; None while it is awaited.

    Args:
        label: Label of the uploader.
        kind: Key under which the session keeps the file.
        endings: Endings that the reader knows.
        reader: Reads the content, given the file's path.
        about: Whatever else the content depends on; it is read again when this changes.

    Raises:
        Refused: If the reader refuses it.
    """
    kept, known = f"kept {kind}", f"read {kind}"
    chosen = st.file_uploader(
        label,
        key=f"uploaded {kind}",
        help=f"Endings: {', '.join(endings)}. It is read on this machine and never executed.",
        on_change=lambda: forget(kind),
    )
    # A change of the page empties the uploader, but does not call on_change.
    if chosen is not None and kept not in st.session_state:
        st.session_state[kept] = Upload(chosen.name, chosen.file_id, chosen.getvalue())
    file: Upload | None = st.session_state.get(kept)
    if file is None:
        name = st.session_state.get(f"awaited {kind}")
        if name is not None:
            st.caption(f"The opened run used **{escape(name)}**: choose that file here.")
        return None
    if st.session_state.get(known, (None,))[0] != (file.token, about):
        st.session_state[known] = ((file.token, about), _try_to_read(file, reader))
    found: Source[T] | InpaintError = st.session_state[known][1]
    if chosen is None:
        how = "chosen" if isinstance(found, InpaintError) else "in use"
        st.caption(f"Still {how}: {escape(file.name)}")
    if isinstance(found, InpaintError):
        raise Refused(kind, str(found)) from found
    return found


def forget(kind: str) -> None:
    """Forget a file, and that an opened run asked for it."""
    for key in (f"kept {kind}", f"read {kind}", f"awaited {kind}"):
        st.session_state.pop(key, None)


def escape(text: str) -> str:
    """A user's text as Markdown that looks the same."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~$:-])", r"\\\1", text)


def _try_to_read(file: Upload, reader: Callable[[Path], T]) -> Source[T] | InpaintError:
    try:
        content = read(file.name, file.data, reader)
    except InpaintError as error:
        return error
    made = (lambda: file.data) if file.made else None
    return Source(file.name, file.token, content, made=made)


def read(name: str, data: bytes, reader: Callable[[Path], T]) -> T:
    """What a reader makes of a file's content, which is on the disk only during this call.

    Raises:
        InpaintError: As the reader does, but without the folder, which means nothing to users.
    """
    if not data:
        raise FileError(f"{name} is empty; choose the file again.")
    with tempfile.TemporaryDirectory(prefix="inpaint-") as folder:
        path = Path(folder) / Path(name.replace("\\", "/")).name
        path.write_bytes(data)
        try:
            return reader(path)
        except InpaintError as error:
            raise type(error)(str(error).replace(f"{path.parent}/", "")) from error
