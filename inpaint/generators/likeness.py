"""Does a picture look like what a generator draws? Asked at once, before any search.

The generator's images are taken for a Gaussian cloud around their mean. A picture is unlike them if
what is observed of it lies further from that cloud than handwriting ever does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from inpaint.generators.kind import typical_images
from inpaint.generators.module import AnyGenerator
from inpaint.noise import estimate_noise

SAMPLES = 600
"""Images drawn; half of them make the cloud, and the others show how far its own images lie."""
FEW_SAMPLES = 200
"""The same for images of more than `MANY_PIXELS` values."""
MANY_PIXELS = 4096
DIRECTIONS = 64
"""Directions of the cloud that are used, those of largest variance."""
GRAIN = 0.15
"""Deviation of a pixel that the cloud leaves open."""

UNLIKE = 0.26
"""Root mean square distance per pixel from which a picture is unlike.

Measured with the shipped generators on held-out digits of MNIST, whole and at N = 350: at most .25;
photographs: at least .27; digits in negative: .7.
"""
BEYOND = 1.5
"""A picture is unlike only if it also lies this many times as far as the generator's own images."""


@dataclass(frozen=True, eq=False)
class _Cloud:
    """A generator's images as a Gaussian.

    Attributes:
        mean: [P]
        directions: Orthonormal. [K, P]
        variances: Along the directions. [K]
        others: Images that are not part of it. [S, P]
    """

    mean: Tensor
    directions: Tensor
    variances: Tensor
    others: Tensor

    def distances(self, pixels: Tensor, observed: Tensor) -> Tensor:
        """Root mean square distance of images, by their observed pixels. [B, P], [P] -> [B]"""
        parts = self.directions[:, observed]
        apart = (pixels - self.mean)[:, observed]
        precision = parts @ parts.T / GRAIN**2 + torch.diag(1 / self.variances)
        places = torch.linalg.solve(precision, parts @ apart.T / GRAIN**2)
        return (apart - (parts.T @ places).T).square().mean(1).sqrt()


_CLOUDS: WeakKeyDictionary[AnyGenerator, _Cloud] = WeakKeyDictionary()


def unlike(generator: AnyGenerator, images: Tensor, observed: Tensor) -> list[bool]:
    """Whether images look unlike anything that a generator draws.

    Args:
        generator: Any generator.
        images: Values of 0 to 1. [B, C, H, W]
        observed: True where a pixel is observed. [C, H, W] or [B, C, H, W]
    """
    images, observed = images.double().cpu(), observed.cpu()
    if observed.ndim == images.ndim:
        pairs = zip(images, observed, strict=True)
        return [unlike(generator, image[None], mask)[0] for image, mask in pairs]
    cloud, seen = _cloud(generator), observed.flatten()
    own = float(cloud.distances(cloud.others, seen).max())
    distances = cloud.distances(images.flatten(1), seen)
    shown = torch.where(observed, images, torch.nan).numpy()
    noise = torch.tensor([estimate_noise(image) for image in shown])
    # What is left of the distance without the noise.
    distances = (distances.square() - noise.square()).clamp(min=0).sqrt()
    return (distances > max(UNLIKE, BEYOND * own)).tolist()


def _cloud(generator: AnyGenerator) -> _Cloud:
    if generator not in _CLOUDS:
        count = SAMPLES if math.prod(generator.image_shape) <= MANY_PIXELS else FEW_SAMPLES
        pixels = typical_images(generator, count).flatten(1)
        drawn, others = pixels[: count // 2], pixels[count // 2 :]
        mean = drawn.mean(0)
        _, spread, directions = torch.linalg.svd(drawn - mean, full_matrices=False)
        variances = (spread[:DIRECTIONS].square() / len(drawn)).clamp(min=1e-12)
        _CLOUDS[generator] = _Cloud(mean, directions[:DIRECTIONS], variances, others)
    return _CLOUDS[generator]
