"""How far a generator's samples are from the training images, as a loss.

The energy distance of two sets of vectors, 2 E|a - b| - E|a - a'| - E|b - b'|, is zero only if
both have the same distribution (Szekely and Rizzo 2013, "Energy statistics"). It is taken of
pixels, of whitened principal components and of the features of a small classifier, each divided by
the images' mean distance, and of the classifier's probabilities: these see what lies between two
digits, which is close to both by any distance of images.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from inpaint.training.augmentation import augment
from inpaint.training.randomness import RandomStream

BATCH = 500
"""Samples, and as many images, in a step's estimate of their distance."""

AUGMENTATION = 0.3
"""Share of the augmentation that these images get. All of it would widen what is drawn: eights
augmented in full are further from held-out ones than samples should be."""

COMPONENTS = 60
"""Most principal components."""

FIT_IMAGES = 2000
"""Most images from which components and scales are taken."""

CLASSIFIER_HIDDEN = (256, 128)
CLASSIFIER_STEPS = 2400
CLASSIFIER_BATCH = 128
CLASSIFIER_RATE = 1e-3
CLASSIFIER_AUGMENTATION = 0.5


class SampleDistance(nn.Module):
    """The energy distance of samples and images.

    It can be used once `fit` was called, or once its state was loaded.

    Args:
        image_shape: Shape of one image. (C, H, W)
        num_images: Number of training images K.
        num_classes: Number of classes that the classifier tells apart; 0 does without one.
    """

    mean: Tensor
    components: Tensor
    scales: Tensor

    def __init__(
        self, image_shape: tuple[int, int, int], num_images: int, num_classes: int
    ) -> None:
        super().__init__()
        pixels = image_shape[0] * image_shape[1] * image_shape[2]
        count = min(COMPONENTS, pixels, num_images, FIT_IMAGES)
        self.register_buffer("mean", torch.zeros(pixels))
        self.register_buffer("components", torch.zeros(pixels, count))
        self.register_buffer("scales", torch.ones(3 if num_classes else 2))
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise([pixels, *CLASSIFIER_HIDDEN]):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        self.body = nn.Sequential(*layers) if num_classes else None
        self.head = nn.Linear(CLASSIFIER_HIDDEN[-1], num_classes) if num_classes else None
        self.requires_grad_(requires_grad=False)

    def fit(
        self, images: Tensor, labelled: tuple[Tensor, Tensor] | None, rng: RandomStream
    ) -> None:
        """Take components and scales from images, and train the classifier.

        Args:
            images: Training images, 1 = paper. [K, C, H, W]
            labelled: Images [L, C, H, W] and their classes [L] for the classifier, if there is one.
            rng: Random numbers.
        """
        if labelled is not None:
            self._train_classifier(*labelled, rng)
        picked = images[rng.permutation(len(images))[:FIT_IMAGES]].flatten(1)
        self.mean.copy_(picked.mean(0))
        centred = picked - self.mean
        _, singular, directions = torch.linalg.svd(centred, full_matrices=False)
        count = self.components.shape[1]
        # Directions without variance count for nothing.
        deviations = singular[:count].clamp(min=1e-3 * float(singular[0])) / len(picked) ** 0.5
        self.components.copy_(directions[:count].T / deviations.clamp(min=1e-9))
        self.scales.fill_(1.0)
        features = self._features(picked[:500])[: len(self.scales)]
        self.scales.copy_(torch.stack([_mean_distance(x).clamp(min=1e-6) for x in features]))

    def forward(self, samples: Tensor, images: Tensor) -> Tensor:
        """The energy distance, summed over the kinds of features.

        Args:
            samples: Pixels of generated images. [B, P]
            images: Pixels of training images. [B, P]

        Returns:
            An unbiased estimate, which can be slightly negative. []
        """
        total = torch.zeros((), device=samples.device)
        for drawn, real in zip(self._features(samples), self._features(images), strict=True):
            within = _mean_distance(drawn) + _mean_distance(real)
            total = total + 2 * _distances(drawn, real).mean() - within
        return total

    def _features(self, pixels: Tensor) -> list[Tensor]:
        """All kinds of features of images [B, P]. [B, F] each"""
        centred = pixels - self.mean
        features = [centred, centred @ self.components]
        if self.body is None or self.head is None:
            return [x / scale for x, scale in zip(features, self.scales, strict=True)]
        hidden = self.body(1 - pixels)
        scaled = [x / scale for x, scale in zip([*features, hidden], self.scales, strict=True)]
        # Not scaled: images of one class all have the same probabilities.
        return [*scaled, self.head(hidden).softmax(1)]

    def _train_classifier(self, images: Tensor, classes: Tensor, rng: RandomStream) -> None:
        assert self.body is not None
        assert self.head is not None
        images, classes = images.to(self.mean), classes.to(self.mean.device)
        self.requires_grad_()
        optimizer = torch.optim.Adam(self.parameters(), lr=CLASSIFIER_RATE)
        for _ in range(CLASSIFIER_STEPS):
            numbers = rng.integers(0, len(images), CLASSIFIER_BATCH)
            batch = augment(images[numbers], rng, CLASSIFIER_AUGMENTATION)
            scores = self.head(self.body(1 - batch.flatten(1)))
            optimizer.zero_grad()
            torch.autograd.backward(functional.cross_entropy(scores, classes[numbers]))
            optimizer.step()
        self.requires_grad_(requires_grad=False)


def _distances(one: Tensor, other: Tensor) -> Tensor:
    """Distances of all pairs. [B, F], [C, F] -> [B, C]"""
    squares = one.square().sum(1)[:, None] + other.square().sum(1) - 2 * one @ other.T
    # The square root has no gradient at zero, where a vector meets itself.
    return squares.clamp(min=1e-6).sqrt()


def _mean_distance(vectors: Tensor) -> Tensor:
    """Mean distance of two different vectors. [B, F] -> []"""
    count = len(vectors)
    distances = _distances(vectors, vectors)
    return (distances.sum() - distances.diagonal().sum()) / max(count * (count - 1), 1)
