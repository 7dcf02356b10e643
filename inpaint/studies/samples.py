"""How well a generator draws: its samples beside real images, as a classifier sees them.

J, the posterior and its intervals all suppose that an image is G(z) of a standard normal z. So G of
random z should be what real images are. Four figures say how far that holds, and the same figures
of other real images say what is the best that can be hoped for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint.classifier.files import load_classifier
from inpaint.classifier.model import FEATURES, Classifier
from inpaint.classifier.training import accuracy
from inpaint.errors import ArgumentError
from inpaint.files.job import EvaluateJob
from inpaint.files.reading import read_generator
from inpaint.generators import AnyGenerator
from inpaint.generators.samples import sample_images
from inpaint.training.data import count_shared, digest_images, read_digits, read_labelled

SAMPLES = 4000
"""Samples, and the most other real images, that are judged."""

CONFIDENT = 0.9
"""An image counts as recognised where the classifier gives its class more than this probability."""

NEIGHBOURS = 5
"""The nearest real images that set the radius of a real image's neighbourhood."""

NEIGHBOURHOODS = 1000
"""Most images on either side when neighbourhoods are counted."""

FEWEST = 2 * FEATURES
"""Fewest real images: a covariance of the features from fewer says little."""

TRUSTED = 0.9
"""Lowest accuracy on the real images with which a classifier may judge samples of them."""

_CARD = "samples"


@dataclass(frozen=True)
class SampleFigures:
    """How near some images are to real ones, in the classifier's features.

    Attributes:
        right: Share that the classifier takes for one of the real images' classes with a
            probability above `CONFIDENT`.
        frechet: Frechet distance of the features' normal approximations; 0 for equal ones.
        density: How many neighbourhoods of real images hold a sample, relative to what is
            expected of real images; about 1 for those, less for samples that look like none.
        coverage: Share of the real images whose neighbourhood holds a sample; less than for
            other real images if the samples lack variety.

    Source: Heusel et al. 2017, "GANs trained by a two time-scale update rule" (Frechet distance);
    Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models".
    """

    right: float
    frechet: float
    density: float
    coverage: float


@dataclass(frozen=True)
class Figure:
    """One of the figures in words.

    Attributes:
        name: The field of `SampleFigures`.
        title: Its name in tables.
        meaning: What it says.
    """

    name: str
    title: str
    meaning: str


FIGURES = (
    Figure(
        "right",
        "right class",
        "The share of the samples that a classifier takes for the right class, and is at least "
        f"{CONFIDENT:.0%} sure of. The others can hardly be read.",
    ),
    Figure(
        "frechet",
        "Frechet distance",
        "How far the samples as a whole are from real images. Lower is better.",
    ),
    Figure(
        "density",
        "density",
        "How many real images a sample resembles, where 1 is usual for real images. Well below 1, "
        "many samples look like no real image; above 1, they keep to the most usual ones.",
    ),
    Figure(
        "coverage",
        "coverage",
        "The share of the real images that some sample resembles. Well below that of real images, "
        "the generator leaves out some ways of writing.",
    ),
)
"""The fields of `SampleFigures` in words."""


@dataclass(frozen=True, eq=False)
class SampleInputs:
    """What a study of samples reads.

    Attributes:
        generator: What draws.
        classifier: What sees the images.
        real: Real images that samples are compared with. [K, C, H, W]
        labels: Their classes. int64 [K]
        others: Other real images, to be compared with the same; None if there are none.
            [M, C, H, W]
    """

    generator: AnyGenerator
    classifier: Classifier
    real: Tensor
    labels: Tensor
    others: Tensor | None = None


@dataclass(frozen=True)
class SampleStudy:
    """The figures of a generator's samples, and those of other real images.

    Attributes:
        generator: Name of the generator.
        classifier: Name of the classifier.
        accuracy: Share of the reference images that the classifier takes for their label.
        classes: The reference images' classes.
        references: Number of reference images.
        count: Number of samples.
        samples: The samples' figures.
        real: Those of other real images; None if there are too few.
        reals: Number of the other real images.
    """

    generator: str
    classifier: str
    accuracy: float
    classes: tuple[int, ...]
    references: int
    count: int
    samples: SampleFigures
    real: SampleFigures | None
    reals: int

    def card(self) -> dict[str, str]:
        """The figures as entries of a generator's card; `read_card` finds them there."""
        entries = {}
        for figure in FIGURES:
            text = show(getattr(self.samples, figure.name))
            if self.real is not None:
                text += f" (real images: {show(getattr(self.real, figure.name))})"
            entries[f"{_CARD}: {figure.title}"] = text
        classes = ", ".join(map(str, self.classes))
        entries[f"{_CARD}: measured"] = (
            f"{self.count} samples against {self.references} held-out images of class {classes}, "
            f"by the classifier {self.classifier}"
        )
        return entries


def show(value: float) -> str:
    """A figure with three digits."""
    return f"{value:.3g}"


def read_card(card: Mapping[str, str]) -> dict[str, str]:
    """The entries of `SampleStudy.card`, by the figures' titles; empty if there are none."""
    start = f"{_CARD}: "
    return {key.removeprefix(start): text for key, text in card.items() if key.startswith(start)}


def load_sample_inputs(job: EvaluateJob, generator: AnyGenerator | None = None) -> SampleInputs:
    """Read the inputs of a study: the held-out images, and other real images from the rest.

    Args:
        job: What is asked for.
        generator: What draws, if not the one that the job names.

    Raises:
        FileError: If a file cannot be read.
        ArgumentError: If no image is left.
    """
    if generator is None:
        generator = read_generator(job.generator)
    held_out, rest = slice(-job.hold_out or None, None), slice(None, -job.hold_out or None)
    real, labels = read_labelled(job.images, job.labels, digits=job.digits, part=held_out)
    others = None
    if job.train is not None and job.train_labels is not None:
        others = read_digits(job.train, job.train_labels, digits=job.digits, part=rest)
    elif job.hold_out:
        others = read_digits(job.images, job.labels, digits=job.digits, part=rest)
    return SampleInputs(generator, load_classifier(job.classifier), real, labels, others)


def digest_inputs(job: EvaluateJob, inputs: SampleInputs) -> dict[str, str | None]:
    """Hashes of what was read, by the field of the job that names it."""
    digests: dict[str, str | None] = {
        "images": digest_images(inputs.real),
        "generator": inputs.generator.digest(),
        "classifier": inputs.classifier.digest(),
    }
    if inputs.others is None:
        return digests
    if job.train is not None:
        return digests | {"train": digest_images(inputs.others)}
    return digests | {"images": digest_images(torch.cat([inputs.others, inputs.real]))}


def judge_samples(inputs: SampleInputs, *, count: int = SAMPLES, seed: int = 0) -> SampleStudy:
    """Compare a generator's samples with real images, and other real images with the same.

    Args:
        inputs: The generator, the real images and what sees them.
        count: Number of samples, and the most other real images.
        seed: Determines the samples.

    Raises:
        ShapeError: If the classifier is for images of another shape.
        ArgumentError: If there are too few images, the classifier does not know their classes, or
            the other real images are not others.
    """
    _check(inputs, count)
    classifier = inputs.classifier
    share = accuracy(classifier, inputs.real, inputs.labels)
    if share < TRUSTED:
        raise ArgumentError(
            f"The classifier {classifier.name!r} takes {share:.0%} of the real images for their "
            f"label; it must be at least {TRUSTED:.0%} to judge samples of them. Train one on such "
            "images by inpaint train-classifier, and name it with --classifier."
        )
    classes = inputs.labels.unique().tolist()
    reference = classifier.features(inputs.real)

    def judge(images: Tensor) -> SampleFigures:
        probability = classifier.probabilities(images)[:, classes].max(1).values
        features = classifier.features(images)
        size = min(NEIGHBOURHOODS, len(features), len(reference))
        density, coverage = density_and_coverage(features[:size], reference[:size])
        return SampleFigures(
            right=float((probability > CONFIDENT).double().mean()),
            frechet=frechet_distance(features, reference),
            density=density,
            coverage=coverage,
        )

    others = inputs.others if inputs.others is None else inputs.others[:count]
    if others is not None and len(others) < FEWEST:
        others = None
    return SampleStudy(
        generator=inputs.generator.name,
        classifier=classifier.name,
        accuracy=share,
        classes=tuple(classes),
        references=len(inputs.real),
        count=count,
        samples=judge(sample_images(inputs.generator, count, seed=seed)),
        real=None if others is None else judge(others),
        reals=0 if others is None else len(others),
    )


def _check(inputs: SampleInputs, count: int) -> None:
    """Require enough images, of known classes, and no image on both sides."""
    for name, number in (("real images", len(inputs.real)), ("samples", count)):
        if number < FEWEST:
            raise ArgumentError(
                f"There are {number} {name}; figures of samples need at least {FEWEST} of them."
            )
    largest = int(inputs.labels.max())
    if largest >= inputs.classifier.classes:
        raise ArgumentError(
            f"A real image has the label {largest}; the classifier {inputs.classifier.name!r} "
            f"knows 0 to {inputs.classifier.classes - 1}. Choose others with --digit, or train one "
            "by inpaint train-classifier and name it with --classifier."
        )
    if inputs.others is not None and (shared := count_shared(inputs.others, inputs.real)):
        raise ArgumentError(
            f"{shared} of the {len(inputs.real)} real images are among those that they are "
            "compared with as well; keep them apart, such as with --hold-out."
        )


def frechet_distance(first: Tensor, second: Tensor) -> float:
    """Squared Frechet distance of two normal distributions, fitted to features [K, F], [M, F].

    Source: Dowson and Landau 1982; Heusel et al. 2017, equation 6.
    """
    shift = (first.mean(0) - second.mean(0)).square().sum()
    root = _square_root(first.T.cov())
    other = second.T.cov()
    # tr (A B)^(1/2) by the symmetric matrix A^(1/2) B A^(1/2), which has the same eigenvalues.
    mixed = torch.linalg.eigvalsh(root @ other @ root).clamp(min=0).sqrt().sum()
    return float((shift + root.square().sum() + other.trace() - 2 * mixed).clamp(min=0))


def density_and_coverage(samples: Tensor, real: Tensor) -> tuple[float, float]:
    """Density and coverage of samples [K, F] among real images [M, F], M > `NEIGHBOURS`.

    Source: Naeem et al. 2020, equations 3 and 4.
    """
    # The nearest of an image's neighbours is the image itself.
    radius = torch.cdist(real, real).kthvalue(NEIGHBOURS + 1, dim=1).values
    inside = torch.cdist(real, samples) <= radius[:, None]
    density = inside.double().sum() / (NEIGHBOURS * len(samples))
    return float(density), float(inside.any(1).double().mean())


def _square_root(matrix: Tensor) -> Tensor:
    """The symmetric root of a symmetric matrix without negative eigenvalues. [F, F]"""
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T
