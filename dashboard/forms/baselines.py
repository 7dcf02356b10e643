"""Methods of restoring without a generator: which one, and the images that it learns from.

Training images are uploaded; a digit is picked by the labels that belong to them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from forms import sources
from forms.request import Request
from forms.sources import Source
from inpaint.files import reading
from inpaint.network.files import network_names
from inpaint.studies.baselines.catalog import BASELINES, UNTRAINED
from inpaint.studies.baselines.training_set import Baseline
from inpaint.training.data import read_digits
from inpaint.types import ImageSet, ImageShape

NETWORK = "network "
"""Prefix of the names of networks."""

MOST_IMAGES = 10_000
"""Only the first training images are used: more change little and fill the memory."""

IDX_ENDINGS = (".gz", "-ubyte")
ALL = "all"

Fits = dict[tuple[str, str, Request], Baseline]


@dataclass(frozen=True)
class Method:
    """A way to restore without a generator.

    Attributes:
        name: One of `titles`.
        images: What it learns from; None for one that learns nothing.
        fits: Fits that the session has made. They take seconds, so it keeps the last ones.
    """

    name: str
    images: Source[ImageSet] | None = None
    fits: Fits = field(default_factory=dict, compare=False, repr=False)

    @property
    def title(self) -> str:
        """Its title."""
        return titles()[self.name]

    @property
    def about(self) -> str:
        """What it knows, in a sentence or two."""
        if self.name.startswith(NETWORK):
            return (
                "The right side is a convolutional network that was trained to fill in what is "
                "lost of such images. It sees the observed pixels alone, gives one image, and "
                "knows of no other that fits."
            )
        if self.name in UNTRAINED:
            return (
                "The right side continues the picture from the observed pixels and knows no other "
                "one; it keeps those pixels with their noise."
            )
        return (
            "The right side has learned from the training images; settings of its own were chosen "
            "on some of them, with this damage and the noise that the search found. The command "
            "`inpaint evaluate` compares all methods on hundreds of images."
        )

    def is_quick(self, request: Request) -> bool:
        """Whether it restores what is asked for within moments."""
        slow = self.name in BASELINES and BASELINES[self.name].slow
        return not slow or self.key(request) in self.fits

    def key(self, request: Request) -> tuple[str, str, Request]:
        """What a fit depends on."""
        return self.name, "" if self.images is None else self.images.token, request


def titles() -> dict[str, str]:
    """The title of each method, by its name."""
    networks = {NETWORK + name: NETWORK + name for name in network_names()}
    return {name: kind.title for name, kind in BASELINES.items()} | networks


def ask(name: str, request: Request | None, row: DeltaGenerator) -> Method | None:
    """What a method learns from; None while that is awaited.

    Args:
        name: One of `titles`.
        request: What is to be restored, if that is known already.
        row: The row of widgets that the choice of a digit is added to.

    Raises:
        InpaintError: If an upload cannot be read.
    """
    if name in UNTRAINED or name.startswith(NETWORK):
        return Method(name)
    shape: ImageShape | None = None
    if request is not None:
        channels, height, width = request.images.content.images.shape[1:]
        shape = channels, height, width
    left, right = st.columns(2, gap="medium")
    with right:
        labels = sources.upload("Labels, to pick a digit", "labels", IDX_ENDINGS, Path.read_bytes)
    digit = row.selectbox(
        "Digit",
        [ALL, *map(str, range(10))],
        key="digit",
        width=140,
        bind="query-params",
        disabled=labels is None,
        help="Which of the training images are learned from. It needs their labels.",
    )
    digits = () if labels is None or digit == ALL else (int(digit),)
    with left:
        images = sources.upload(
            "Training images",
            "training images",
            reading.IMAGE_ENDINGS,
            partial(_read, labels, digits, shape),
            about=(shape, labels, digits),
        )
    if images is None:
        st.caption(
            f"The {BASELINES[name].title} learns from undamaged images: choose a file of them, "
            "such as MNIST's train-images-idx3-ubyte.gz with its labels. The images to be "
            "restored must not be among them."
        )
        return None
    st.caption(f"Learns from {len(images.content):,} images.")
    token = f"{images.token} {labels and labels.token} {digits}"
    learned = Source(images.name, token, images.content)
    return Method(name, learned, st.session_state.setdefault("fits", {}))


def _read(
    labels: Source[bytes] | None, digits: tuple[int, ...], shape: ImageShape | None, path: Path
) -> ImageSet:
    """The first training images of these digits in a file."""
    if labels is None:
        found = reading.read_images(path, image_shape=shape)
        images = found.images if found.ideal is None else found.ideal
    else:
        part = slice(None) if digits else slice(MOST_IMAGES)
        read = partial(read_digits, path, digits=digits, part=part)
        images = sources.read(labels.name, labels.content, read)
    # A slice of a tensor would keep the whole in memory.
    return ImageSet(images[:MOST_IMAGES].clone())
