"""Restoring without a generator: which method, what it learns from, and its fit.

A fit takes seconds, so the session keeps the last ones. Training images are uploaded; a digit is
picked by the labels that belong to them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from work.runner import Report

from forms import sources
from forms.sources import Source
from forms.widgets import Request
from inpaint.files import reading
from inpaint.network import load_network, network_names
from inpaint.operators import Mask
from inpaint.studies.baselines import BASELINES, UNTRAINED, Baseline, Training, fit_baseline
from inpaint.training.data import read_digits
from inpaint.types import ImageSet, ImageShape

NETWORK = "network "
"""What the names of networks begin with here."""

MOST_IMAGES = 10_000
"""Training images taken at most, the first ones: more change little and fill the memory."""

MOST_FITS = 8
"""Fits that a session keeps."""

IDX_ENDINGS = (".gz", "-ubyte")
ALL = "all"

Fits = dict[tuple[str, str, Request], Baseline]


@dataclass(frozen=True)
class Method:
    """A way to restore without a generator.

    Attributes:
        name: One of `titles`.
        images: What it learns from; None for one that learns nothing.
        fits: Those that the session has made.
    """

    name: str
    images: Source[ImageSet] | None = None
    fits: Fits = field(default_factory=dict, compare=False, repr=False)

    @property
    def title(self) -> str:
        """What to call it."""
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
        """Whether it restores what is asked for in moments."""
        slow = self.name in BASELINES and BASELINES[self.name].slow
        return not slow or self._key(request) in self.fits

    def fit(self, request: Request, mask: Mask, noise: float, report: Report) -> Baseline | None:
        """Make it ready. Runs in a worker.

        Args:
            request: What is to be restored.
            mask: What is observed of it.
            noise: Standard deviation of its noise.
            report: Told how far the choice of a setting is.

        Returns:
            None if it was stopped before it was ready.

        Raises:
            InpaintError: If the training images do not suit what is to be restored.
        """
        if self.name.startswith(NETWORK):
            return load_network(self.name.removeprefix(NETWORK))
        if self.images is None:
            return fit_baseline(self.name)
        key = self._key(request)
        if key not in self.fits:
            images = self.images.content.images

            def watch(done: int, count: int) -> None:
                if not report(done / count, f"Trying setting {done + 1}."):
                    raise _Stopped

            report(0.0, f"Learning from {len(images):,} images.")
            training = Training(images=images, mask=mask, noise=noise, on_setting=watch)
            try:
                self.fits[key] = fit_baseline(self.name, training)
            except _Stopped:
                return None
            for old in list(self.fits)[:-MOST_FITS]:
                del self.fits[old]
        return self.fits[key]

    def _key(self, request: Request) -> tuple[str, str, Request]:
        return self.name, "" if self.images is None else self.images.token, request


class _Stopped(Exception):
    """A fit was stopped."""


def titles() -> dict[str, str]:
    """What to call each method, by its name."""
    networks = {NETWORK + name: NETWORK + name for name in network_names()}
    return {name: kind.title for name, kind in BASELINES.items()} | networks


def ask(name: str, request: Request | None, row: DeltaGenerator) -> Method | None:
    """What a method learns from; None while that is awaited.

    Args:
        name: One of `titles`.
        request: What is to be restored, if that is known already.
        row: Where the method was chosen; the choice of a digit stands beside it.

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
    # A part of a tensor would hold on to the whole.
    return ImageSet(images[:MOST_IMAGES].clone())
