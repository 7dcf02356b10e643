"""What is lost of the images: the columns on the right, a pattern, a file's mask, a painted one."""

from __future__ import annotations

import base64
import binascii
import io
from dataclasses import dataclass, replace

import numpy as np
import sources
import streamlit as st
from components import painter
from components.painter import Observed
from PIL import Image
from sources import Source

from inpaint import sheet
from inpaint.operators import MASK_PRESETS, Mask, mask_preset
from inpaint.types import ImageSet

KINDS = {
    "columns": "Columns",
    "pattern": "Pattern",
    "file": "File",
    "paint": "Paint",
}

KEPT_SHARE = 350 / 784
"""Share of the pixels that is kept at first: the third of the four published problems."""

FIRST_PAINTED = "box:10"
"""The mask that painting begins with."""

PAINTER = "painter"
MOST_KEPT = 12
"""Masks that a session keeps for later."""


@dataclass(frozen=True)
class Damage:
    """What is asked for.

    Attributes:
        keep: N; not heeded where there is a mask.
        noise: Standard deviation of the noise added.
        pattern: A preset such as "box:10".
        mask: A mask that was uploaded or painted.
    """

    keep: int
    noise: float
    pattern: str | None = None
    mask: Source[Mask] | None = None


def ask_damage(images: ImageSet | None) -> Damage | None:
    """The whole of it; None while a mask file is awaited.

    Raises:
        InpaintError: If a mask cannot be read, or loses everything.
    """
    left, right = st.columns([3, 1], gap="medium")
    with right:
        damage = Damage(count_pixels(images), ask_noise(images))
    with left:
        kind = st.segmented_control(
            "What is lost",
            list(KINDS),
            default="columns",
            format_func=KINDS.__getitem__,
            required=True,
            key="damage",
            bind="query-params",
            disabled=images is None,
        )
    if kind != "paint":
        st.query_params.pop("painted", None)
    if kind == "columns" or images is None:
        return replace(damage, keep=ask_keep(images))
    if kind == "pattern":
        return replace(damage, pattern=_ask_pattern())
    mask = _upload(images) if kind == "file" else _paint(images)
    return None if mask is None else replace(damage, mask=mask)


def ask_keep(images: ImageSet | None) -> int:
    """N; the slider rests while there are no images."""
    pixels = count_pixels(images)
    clamp("N", pixels)
    keep: int = st.slider(
        "Pixels kept (N)",
        1,
        pixels,
        round(pixels * KEPT_SHARE),
        key="N",
        bind="query-params",
        disabled=images is None,
        help=f"The first N of {pixels} pixels, column after column from the left; "
        "the others are lost.",
    )
    return keep


def ask_noise(images: ImageSet | None) -> float:
    """The noise to be added."""
    noise: float = st.slider(
        "Noise added",
        0.0,
        0.5,
        0.0,
        0.01,
        key="noise",
        bind="query-params",
        disabled=images is None,
        help="Standard deviation of noise added to the images, beside what they have already; "
        "paper is 1 and ink 0.",
    )
    return noise


def count_pixels(images: ImageSet | None) -> int:
    """Pixels of an image; while there is none, those of the last one."""
    if images is not None:
        st.session_state["pixels"] = images.images.shape[-2] * images.images.shape[-1]
    return int(st.session_state.get("pixels", 784))


def clamp(key: str, most: int) -> None:
    """Keep a widget's value within a range that has become smaller."""
    if st.session_state.get(key, 0) > most:
        st.session_state[key] = most


def _ask_pattern() -> str:
    """A preset with its number and seed, as the command line writes it."""
    cells = st.columns([2, 1, 1], gap="medium")
    name = cells[0].selectbox(
        "Pattern",
        list(MASK_PRESETS),
        key="pattern",
        bind="query-params",
        on_change=_adopt_example,
    )
    preset = MASK_PRESETS[name]
    text = str(name)
    if preset.number is not None:
        number = cells[1].number_input(
            preset.number.capitalize(),
            min_value=0.0,
            value=_example_number(name),
            step=0.05 if preset.number.startswith("share") else 1.0,
            format="%g",
            key="pattern_number",
            bind="query-params",
        )
        text += f":{number:g}"
    if preset.seeded:
        seed = cells[2].number_input(
            "Seed of the pattern", 0, step=1, key="pattern_seed", bind="query-params"
        )
        text += f":{seed}" if seed else ""
    st.caption(f"Lost: {preset.lost}.")
    return text


def _example_number(name: str) -> float:
    return float(MASK_PRESETS[name].example.partition(":")[2] or 0)


def _adopt_example() -> None:
    """Set the number to one that suits the new pattern."""
    if "pattern_number" in st.session_state:
        st.session_state["pattern_number"] = _example_number(st.session_state["pattern"])


def _upload(images: ImageSet) -> Source[Mask] | None:
    shape, count = _shape(images), len(images)
    found = sources.upload_mask(shape, count)
    if found is None:
        st.caption("A picture or an array of the images' size; white, 1 and True mean observed.")
    return found


def _paint(images: ImageSet) -> Source[Mask]:
    """Paint on one of the images, and keep masks for later."""
    shape = _shape(images)
    start = _from_link(shape) if f"{PAINTER} kept" not in st.session_state else None
    if start is None:
        start = _observed(mask_preset(_first_pattern(shape), shape))
    left, right = st.columns([3, 2], gap="medium")
    with right:
        number = 0
        if len(images) > 1:
            last = len(images) - 1
            clamp("painted on", last)
            number = st.number_input("Paint on image", 0, last, key="painted on")
        _offer_kept(start.shape)
    with left:
        observed = painter.ask(sheet.to_pixels(images.images[number]), start, key=PAINTER)
    with right:
        _offer_keeping(observed)
    if observed.size <= 4096:  # A longer URL is cut by some programs.
        st.query_params["painted"] = _to_link(observed)
    data = to_png(observed)
    token = painter.write(observed)
    mask = sources.read_mask("mask.png", data, shape, len(images))
    return Source("mask.png", token, mask, made=lambda: data)


def _offer_kept(shape: tuple[int, ...]) -> None:
    """Masks that were kept, and the patterns, to go on from."""
    kept: dict[str, Observed] = st.session_state.setdefault("kept masks", {})
    fitting = {name: mask for name, mask in kept.items() if mask.shape == shape}
    named = list(fitting) + [preset.example for preset in MASK_PRESETS.values()]
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    chosen = left.selectbox("Begin with", named, key="begin with", index=None)

    def use() -> None:
        mask = fitting.get(str(chosen))
        height, width = shape
        if mask is None:
            mask = _observed(mask_preset(str(chosen), (1, height, width)))
        painter.replace(mask, key=PAINTER)

    right.button("Use", on_click=use, disabled=chosen is None, width="stretch", key="use mask")


def _offer_keeping(observed: Observed) -> None:
    kept: dict[str, Observed] = st.session_state["kept masks"]

    def keep() -> None:
        count = st.session_state["masks kept"] = st.session_state.get("masks kept", 0) + 1
        kept[f"mask {count}"] = observed
        for name in list(kept)[:-MOST_KEPT]:
            del kept[name]

    st.button(
        "Keep this mask",
        on_click=keep,
        icon=":material/bookmark:",
        key="keep mask",
        help="It can be chosen above until this tab is closed.",
    )
    st.download_button(
        "Mask (PNG)",
        lambda: to_png(observed),
        "mask.png",
        "image/png",
        icon=":material/download:",
        on_click="ignore",
    )


def to_png(observed: Observed) -> bytes:
    """A mask as a picture that the readers take: white is observed."""
    buffer = io.BytesIO()
    Image.fromarray(np.where(observed, np.uint8(255), np.uint8(0))).save(buffer, format="PNG")
    return buffer.getvalue()


def _shape(images: ImageSet) -> tuple[int, int, int]:
    _, channels, height, width = images.images.shape
    return channels, height, width


def _first_pattern(shape: tuple[int, int, int]) -> str:
    """A pattern that fits the smallest image too."""
    return FIRST_PAINTED if min(shape[1:]) >= 10 else "right"


def _observed(mask: Mask) -> Observed:
    """A mask as numpy has it, channels being alike. [H, W]"""
    return np.asarray(mask.observed[0].numpy(), dtype=np.bool_)


def _to_link(observed: Observed) -> str:
    return base64.urlsafe_b64encode(np.packbits(observed).tobytes()).decode().rstrip("=")


def _from_link(shape: tuple[int, int, int]) -> Observed | None:
    """The mask that a link holds, if it holds one for images of this size."""
    text, (height, width) = st.query_params.get("painted", ""), shape[1:]
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    if len(data) != (height * width + 7) // 8:
        return None
    bits = np.unpackbits(np.frombuffer(data, np.uint8))[: height * width]
    return bits.reshape(height, width).astype(np.bool_)
