"""What is lost: the columns on the right, a pattern, a mask from a file or a painted one."""

from __future__ import annotations

import base64
import binascii
import io
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
from components import painter
from components.painter import Observed
from PIL import Image

from forms import fields, mask_files
from forms.operators import plain
from forms.sources import Source
from inpaint.checks import check_number
from inpaint.errors import ArgumentError
from inpaint.files.job import DamageJob
from inpaint.files.masks import White, array_mask
from inpaint.operators import MASK_PRESETS, Mask, is_mask_name, mask_preset, measure
from inpaint.plots import sheet
from inpaint.types import ImageSet, ImageShape, Operator

KINDS = {
    "columns": "Columns",
    "nothing": "Nothing",
    "pattern": "Pattern",
    "file": "File",
    "paint": "Paint",
}

KEPT_SHARE = 350 / 784
"""Share of the pixels kept by default, as in the third of the four published problems."""

FIRST_PAINTED = "box:10"
"""The mask that painting begins with."""

MOST_NOISE = 0.5
"""Largest noise that can be chosen; an opened run may have more."""

PAINTER = "painter"
MOST_KEPT = 12
"""Masks that a session keeps for later."""


@dataclass(frozen=True)
class Damage:
    """The damage that the form describes.

    Attributes:
        keep: N; ignored where there is a mask.
        noise: Standard deviation of the noise added.
        mask: A preset, or a mask that was uploaded or painted.
        mask_white: What is white in its file, if not what is observed.
        noise_level: Standard deviation of all noise where it is known.
    """

    keep: int
    noise: float
    mask: Source[Mask] | None = None
    mask_white: White | None = None
    noise_level: float | None = None


def ask_damage(
    images: ImageSet | None, operator: Source[Operator] | None, total: int
) -> Damage | None:
    """The form of the damage; None while a mask file is awaited.

    Args:
        images: The images to damage, if there are any.
        operator: What is observed of them, if not pixels; some of its values are then lost.
        total: Number of images in their source.

    Raises:
        InpaintError: If a mask cannot be read, or loses everything.
    """
    left, right = st.columns([3, 1], gap="medium")
    with right:
        noise, noise_level = ask_noise(images)
        damage = Damage(count_pixels(images), noise, noise_level=noise_level)
    with left:
        kind = _ask_kind(images, operator)
    if kind != "paint":
        st.query_params.pop("painted", None)
    if kind == "nothing":
        return damage
    if kind == "columns" or images is None:
        with left:
            return replace(damage, keep=ask_keep(images))
    values = _values(images, operator)
    if kind == "pattern":
        with left:
            text, shape = _ask_pattern(), _shape(values)
        mask = Source(text, f"{text} {shape}", mask_preset(text, shape))
        return replace(damage, mask=mask)
    if kind == "paint":
        return replace(damage, mask=_paint(values))
    with left:
        found, white = mask_files.ask(values, total)
    return None if found is None else replace(damage, mask=found, mask_white=white)


def _values(images: ImageSet, operator: Source[Operator] | None) -> ImageSet:
    """What a mask lies on: the pixels, or what an operator makes of them.

    Raises:
        ShapeError: If the operator is for images of another shape.
    """
    if operator is None:
        return images
    return replace(images, images=measure(images, operator.content).values)


def _ask_kind(images: ImageSet | None, operator: Source[Operator] | None) -> str:
    """How the damage is described; keeping the first N is only for pixels."""
    unfit = "columns" if operator is not None else "nothing"
    kinds = [kind for kind in KINDS if kind != unfit]
    if st.session_state.get("damage", kinds[0]) not in kinds:
        st.session_state["damage"] = kinds[0]
    return str(
        st.segmented_control(
            "What is lost",
            kinds,
            default=kinds[0],
            format_func=KINDS.__getitem__,
            required=True,
            key="damage",
            bind="query-params",
            disabled=images is None,
        )
    )


def adopt_damage(job: DamageJob, *, made: bool) -> None:
    """Set the widgets to a recorded job's damage; call this before they are drawn.

    Args:
        job: The job.
        made: Whether its mask was made on this page, and so came with the record.
    """
    st.session_state["N"] = job.keep
    st.session_state["noise"] = job.noise
    st.session_state["noise_level"] = job.noise_level
    kind = "columns" if job.operator is None else "nothing"
    if job.mask is not None and is_mask_name(job.mask) and not made:
        kind = "pattern"
        name, number, seed = (*job.mask.split(":"), "", "")[:3]
        st.session_state["pattern"] = name
        st.session_state["pattern_number"] = float(number or 0)
        st.session_state["pattern_seed"] = int(seed or 0)
    elif job.mask is not None:
        kind = "file"
        st.session_state["mask_white"] = job.mask_white or "observed"
    st.session_state["damage"] = kind


def ask_keep(images: ImageSet | None) -> int:
    """N; the slider is disabled while there are no images."""
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


def ask_noise(images: ImageSet | None) -> tuple[float, float | None]:
    """The noise to be added, and the level of all noise where it is known.

    Raises:
        ArgumentError: If the level is not above 0.
    """
    most = max(MOST_NOISE, st.session_state.get("noise") or 0.0)
    noise: float = st.slider(
        "Noise added",
        0.0,
        most,
        0.0,
        0.01,
        key="noise",
        bind="query-params",
        disabled=images is None,
        help="Standard deviation of noise added to the images, on top of their own; paper is 1 "
        "and ink 0.",
    )
    level = fields.real(
        "Noise level, if known",
        "noise_level",
        Damage,
        "Standard deviation of all noise in the images; left empty, it is estimated too.",
        step=0.01,
        empty="unknown",
    )
    if level is not None:
        check_number("noise_level", level, positive=True)
    return noise, level


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
        text += f":{plain(number)}"
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


def _paint(values: ImageSet) -> Source[Mask]:
    """Paint on one of the images, and keep masks for later."""
    shape, count = _shape(values), len(values)
    start = _from_link(shape) if f"{PAINTER} kept" not in st.session_state else None
    if start is None:
        start = _observed(mask_preset(_first_pattern(shape), shape))
    left, right = st.columns([5, 3], gap="small")
    with right:
        number = 0
        if count > 1:
            clamp("painted on", count - 1)
            number = st.number_input("Paint on image", 0, count - 1, key="painted on")
        _offer_kept(start.shape)
    with left:
        picture = sheet.to_pixels(values.images[number])
        observed = painter.ask(picture, start, key=PAINTER)
    with right:
        _offer_keeping(observed)
    if observed.size <= 4096:  # Some programs cut longer URLs.
        st.query_params["painted"] = _to_link(observed)
    if observed.all():
        raise ArgumentError("The painted mask loses nothing; paint what is lost.")
    if not observed.any():
        raise ArgumentError("The painted mask observes no pixel; erase some of it.")
    mask = array_mask(np.where(observed, 255, 0), shape, name="mask.png")
    return Source("mask.png", painter.write(observed), mask, made=lambda: to_png(observed))


def _offer_kept(shape: tuple[int, ...]) -> None:
    """Offer masks that were kept, and the patterns, to continue from."""
    kept: dict[str, Observed] = st.session_state.setdefault("kept masks", {})
    fitting = {name: mask for name, mask in kept.items() if mask.shape == shape}
    named = list(fitting) + [preset.example for preset in MASK_PRESETS.values()]
    chosen = st.selectbox(
        "Begin with", named, key="begin with", index=None, placeholder="A mask or pattern"
    )

    def use() -> None:
        mask = fitting.get(str(chosen))
        height, width = shape
        if mask is None:
            mask = _observed(mask_preset(str(chosen), (1, height, width)))
        painter.replace(mask, key=PAINTER)

    st.button("Use", on_click=use, disabled=chosen is None, width="stretch", key="use mask")


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


def _shape(values: ImageSet) -> ImageShape:
    _, channels, height, width = values.images.shape
    return channels, height, width


def _first_pattern(shape: ImageShape) -> str:
    """A pattern that fits the smallest image too."""
    return FIRST_PAINTED if min(shape[1:]) >= 10 else "right"


def _observed(mask: Mask) -> Observed:
    """A mask as an array; all channels are alike. [H, W]"""
    return np.asarray(mask.observed[0].numpy(), dtype=np.bool_)


def _to_link(observed: Observed) -> str:
    return base64.urlsafe_b64encode(np.packbits(observed).tobytes()).decode().rstrip("=")


def _from_link(shape: ImageShape) -> Observed | None:
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
