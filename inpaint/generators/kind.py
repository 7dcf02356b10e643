"""What a generator's images are, ink on paper or photographs: it decides how pictures are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from inpaint.checks import check_choice
from inpaint.errors import ArgumentError
from inpaint.generators.module import AnyGenerator

Content = Literal["dark-ink", "light-ink", "photograph"]
CONTENTS: dict[Content, str] = {
    "dark-ink": "dark ink on light paper",
    "light-ink": "light ink on dark paper",
    "photograph": "photographs",
}
"""Each content in words."""

CARD_ENTRY = "pictures"
"""Entry of a generator's card that holds its content, in words."""

SAMPLES = 64
"""Images from which a content is detected."""
FLAT = 0.15
"""Pixels this close to the level of the paper are paper."""
PAPER_BORDER = 0.9
"""Least share of paper among the border pixels of ink on paper. Measured: above .99 for digits."""
PAPER_SHARE = 0.4
"""Least share of paper among all pixels. Measured: about .8 for digits."""
END = 0.2
"""Paper is at most this far from black or white."""


@dataclass(frozen=True)
class PictureKind:
    """What a generator's images are.

    Attributes:
        content: Ink on paper, dark or light, or photographs (grey or in colour).
        known_by: Where the content comes from: the generator's card, its images, or the user.
    """

    content: Content
    known_by: Literal["card", "images", "user"] = "user"

    def __post_init__(self) -> None:
        check_choice("kind", self.content, get_args(Content))

    @property
    def paper(self) -> float | None:
        """Level of the paper; None for photographs, which have none."""
        return {"dark-ink": 1.0, "light-ink": 0.0}.get(self.content)

    def sentence(self, name: str) -> str:
        """What the generator draws and how that is known, in words."""
        known = {
            "card": "as its card says",
            "images": "judged by its own images; --kind says otherwise",
            "user": "as --kind says",
        }
        return f"{name} draws {CONTENTS[self.content]} ({known[self.known_by]})"


DARK_INK = PictureKind("dark-ink", "card")
"""The kind of the shipped generators, for which grey pictures are read where none is named."""
PHOTOGRAPH = PictureKind("photograph")
"""The kind for which colour pictures are read where none is named."""


def picture_kind(generator: AnyGenerator) -> PictureKind:
    """What a generator's images are: from its card, or else from images that it draws.

    Raises:
        ArgumentError: If its card holds a kind that is not known.
    """
    said = generator.card.get(CARD_ENTRY)
    if said is None:
        return PictureKind(_detect(typical_images(generator)), "images")
    for content, words in CONTENTS.items():
        if said in (content, words):
            return PictureKind(content, "card")
    raise ArgumentError(
        f"The card of {generator.name!r} says that it draws {said!r}; known are "
        f"{', '.join(CONTENTS.values())}."
    )


def turn_ink(images: Tensor, kind: PictureKind) -> Tensor:
    """Images of dark ink as a generator's kind has them, and the other way round."""
    return 1 - images if kind.content == "light-ink" else images


def border(images: Tensor) -> Tensor:
    """The outermost pixels of images. [..., H, W] -> [..., 2 H + 2 W]"""
    sides = (images[..., 0, :], images[..., -1, :], images[..., :, 0], images[..., :, -1])
    return torch.cat(sides, dim=-1)


def typical_images(generator: AnyGenerator, count: int = SAMPLES) -> Tensor:
    """Images that a generator draws of random latent vectors, always the same. [count, C, H, W]"""
    source = torch.Generator().manual_seed(0)
    latents = torch.randn(count, generator.latent_size, generator=source, dtype=torch.float64)
    with torch.no_grad():
        return generator(latents.to(generator.device)).double().cpu()


def _detect(images: Tensor) -> Content:
    """Ink has paper around it, of one level near black or white. [B, C, H, W]"""
    edges = border(images)
    paper = float(edges.median())
    flat = float(((edges - paper).abs() < FLAT).double().mean()) >= PAPER_BORDER
    mostly = float(((images - paper).abs() < FLAT).double().mean()) >= PAPER_SHARE
    if images.shape[1] > 1 or not (flat and mostly and min(paper, 1 - paper) < END):
        return "photograph"
    return "dark-ink" if paper > 0.5 else "light-ink"
