"""The classifier: three convolutions, a layer of features, and a probability for each class."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from inpaint.errors import ShapeError
from inpaint.types import ImageShape

FEATURES = 64
"""Numbers that describe an image."""

WIDTHS = (16, 32, 32)
"""Channels of the convolutions; each is followed by a halving of the resolution."""

MAX_BATCH = 1000
"""Most images taken together, to limit the memory of the layers."""


class Classifier(nn.Module):
    """Tells which class an image belongs to, and describes it by `FEATURES` numbers.

    Args:
        image_shape: C, H, W; H and W are at least 8.
        classes: Number of classes; the labels are 0 to `classes - 1`.
        name: Name of the classifier.

    Raises:
        ShapeError: If a side has fewer than 8 pixels.
    """

    def __init__(self, image_shape: ImageShape, classes: int, *, name: str = "classifier") -> None:
        super().__init__()
        channels, height, width = image_shape
        halvings = len(WIDTHS)
        if min(height, width) < 2**halvings:
            raise ShapeError(
                f"The images have {height} x {width} pixels; a classifier needs sides of at least "
                f"{2**halvings}."
            )
        self.image_shape = image_shape
        self.classes = classes
        self.name = name
        layers: list[nn.Module] = []
        for before, after in zip((channels, *WIDTHS), WIDTHS, strict=False):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        size = WIDTHS[-1] * (height >> halvings) * (width >> halvings)
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(size, FEATURES), nn.ReLU())
        self.head = nn.Linear(FEATURES, classes)

    def digest(self) -> str:
        """SHA-256 of the weights, as hexadecimal digits."""
        found = hashlib.sha256()
        for name, tensor in sorted(self.state_dict().items()):
            values = tensor.detach().cpu().float().contiguous()
            found.update(name.encode() + values.numpy().tobytes())
        return found.hexdigest()

    def forward(self, images: Tensor) -> Tensor:
        """Logarithms of the classes' odds, up to a constant. [B, C, H, W] -> [B, classes]"""
        logits: Tensor = self.head(self._body(images))
        return logits

    def features(self, images: Tensor) -> Tensor:
        """What describes each image. [B, C, H, W] -> float64 [B, FEATURES]

        Raises:
            ShapeError: If the images' shape is not the classifier's.
        """
        return torch.cat([self._body(part).double() for part in self._parts(images)])

    def probabilities(self, images: Tensor) -> Tensor:
        """The probability of each class. [B, C, H, W] -> float64 [B, classes]

        Raises:
            ShapeError: If the images' shape is not the classifier's.
        """
        return torch.cat([self(part).double().softmax(1) for part in self._parts(images)])

    def _body(self, images: Tensor) -> Tensor:
        # Ink is 1 here, so the zero padding looks like paper.
        features: Tensor = self.body(1 - images)
        return features

    def _parts(self, images: Tensor) -> Iterator[Tensor]:
        if tuple(images.shape[1:]) != self.image_shape:
            raise ShapeError(
                f"The classifier {self.name!r} is for images of shape {list(self.image_shape)}; "
                f"these have {list(images.shape[1:])}. Train one for them by inpaint "
                "train-classifier."
            )
        with torch.no_grad():
            yield from images.to(self.head.weight).split(MAX_BATCH)
