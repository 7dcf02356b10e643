"""What a restoration leaves over of the measured values, and whether that looks like noise.

White noise has neither structure nor a place where it is stronger. Each test gives the probability
of what was found, if the values are those of the generator's image plus white noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy import stats
from torch import Tensor

from inpaint.generators import AnyGenerator
from inpaint.generators.samples import sample_images
from inpaint.operators import Mask
from inpaint.types import Measurement, Operator

HALF_LEVEL = 1 / 510
"""Half a grey level of 8 bits, in units of the pixels: the largest error of rounding."""

LARGEST = 4
"""A single value may be off by this many half grey levels, where the rest is off by less than one:
the fit adds a little to the rounding."""

STRONGER_THAN_STATED = "it is stronger than the stated noise"
"""The finding of the test against a noise level that is known."""

PROBES = 8
"""Random images that show how strongly an operator answers to independent errors of the pixels."""

STEP = 1e-3
"""Half width of the central differences for the slope of the generator."""

PAPER = 0.05
"""A pixel within this distance of the paper's level is paper, in units of the pixels."""

PAPER_BORDER = 0.75
"""An image is drawn on paper if at least this share of its border is paper."""

FEW_VALUES = 10
"""With fewer values on strokes or on paper than this, the two are not compared."""

MOST_MIXED = 64
MIXED_SHARE = 3
"""Images of a mixture: at most so many, and one for so many values at most."""


@dataclass(frozen=True, eq=False)
class Residual:
    """What one image leaves over of its values, where they were measured.

    Attributes:
        values: Measured minus fitted values, times the root of their weights; 0 where nothing was
            observed. [C', H', W']
        weights: How much each value counts; 0 where it was not observed. [C', H', W']
        fitted: The values that a noiseless measurement of the restored image would give; for a mask
            the whole image. [C', H', W']
        slope: Change of the image with each latent number. [D, C, H, W]
        stated: The noise level of values of weight 1, where it is known.
        operator: Of this image alone.
        generator: What restored it.
    """

    values: Tensor
    weights: Tensor
    fitted: Tensor
    slope: Tensor
    stated: float | None
    operator: Operator
    generator: AnyGenerator

    @classmethod
    def of(cls, measurement: Measurement, generator: AnyGenerator, z: Tensor) -> Residual:
        """The residual of an image.

        Args:
            measurement: Of one image, on the CPU and in float64.
            generator: What restored it, likewise.
            z: Its latent vector. [D]
        """
        operator, image = measurement.operator, generator(z)
        weights = torch.ones_like(measurement.values[0])
        if measurement.weights is not None:
            weights = measurement.weights[0]
        if operator.observed is not None:
            weights = weights * operator.observed.expand(1, *weights.shape)[0]
        seen = operator.apply(image[None])[0]
        steps = STEP * torch.eye(len(z), dtype=z.dtype)
        slope = (generator.pixels(z + steps) - generator.pixels(z - steps)) / (2 * STEP)
        return cls(
            values=(measurement.values[0] - seen) * weights.sqrt(),
            weights=weights,
            fitted=image if isinstance(operator, Mask) else seen,
            slope=slope.unflatten(-1, image.shape),
            stated=measurement.noise_level,
            operator=operator,
            generator=generator,
        )

    @property
    def observed(self) -> Tensor:
        """True where a value counts. [C', H', W']"""
        return self.weights > 0

    @property
    def lost(self) -> Tensor:
        """The pixels that were not observed themselves; all unless T is a mask. [C, H, W]"""
        if isinstance(self.operator, Mask):
            return ~self.observed
        return torch.ones(self.operator.image_shape, dtype=torch.bool)

    @property
    def count(self) -> int:
        """Number of observed values N."""
        return int(self.observed.sum())

    @property
    def free(self) -> int:
        """Degrees of freedom N - D that the fit leaves to the noise, at least 1."""
        return max(1, self.count - len(self.slope))

    @property
    def misfit(self) -> float:
        """Weighted sum of squares S."""
        return float(self.values.square().sum())

    @property
    def deviation(self) -> float:
        """Estimated noise standard deviation of a value of weight 1, sqrt(S / N)."""
        return math.sqrt(self.misfit / self.count)

    @property
    def level(self) -> float:
        """Weighted root mean square, in units of the values, whatever the scale of the weights."""
        return math.sqrt(self.misfit / float(self.weights.sum()))

    @property
    def contrast(self) -> float:
        """Standard deviation of the fitted values around the mean of their channel."""
        if isinstance(self.operator, Mask):
            return _deviation(self.fitted, torch.ones_like(self.fitted))
        return _deviation(self.fitted, self.weights)

    @property
    def value_slope(self) -> Tensor:
        """Change of the observed values with each latent number, times the root weights. [N, D]"""
        return self._seen(self.slope)

    def is_finite(self) -> bool:
        """Whether the image, its values and its slope are all finite."""
        return all(bool(x.isfinite().all()) for x in (self.values, self.fitted, self.slope))

    def below_rounding(self) -> bool:
        """Whether it is no larger than what rounding of the image, or of the values, can leave."""
        limit = HALF_LEVEL * self._gain()
        seen = self.observed
        largest = float((self.values[seen] / self.weights[seen].sqrt()).abs().max())
        return self.level <= limit and largest <= LARGEST * limit

    def _seen(self, images: Tensor) -> Tensor:
        """Observed values of images, times the root of their weights. [K, C, H, W] -> [N, K]"""
        values = self.operator.apply(images[None])[0] * self.weights.sqrt()
        return values[:, self.observed].T

    def _gain(self) -> float:
        """How much larger the values are than the pixels: 1 for masks, averages and blurs."""
        shape = self.operator.image_shape
        stream = torch.Generator().manual_seed(0)
        signs = torch.randint(2, (PROBES, *shape), generator=stream).to(self.values) * 2 - 1
        white = torch.ones(1, *shape, dtype=self.values.dtype)
        squares = [self.operator.apply(x[None])[0].square() for x in (white, signs)]
        return math.sqrt(max(float(x[:, self.observed].mean()) for x in squares))

    def tests(self) -> dict[str, float]:
        """The tests for structure that these values allow.

        Returns:
            For each test, in words, what it would find: how probable at least that much of it is.
        """
        seen = "pixels" if isinstance(self.operator, Mask) else "values"
        found = {f"neighbouring {seen} agree": self._neighbours_probability()}
        if None in found.values():
            words = "a mixture of the generator's images explains part of it"
            found = {words: self._mixture_probability()}
        found["strokes fit worse than paper"] = self._strokes_probability()
        found["an even grey fits better"] = self._even_probability()
        if self.stated is not None:
            chance = stats.chi2.sf(self.misfit / self.stated**2, self.free)
            found[STRONGER_THAN_STATED] = float(chance)
        return {words: chance for words, chance in found.items() if chance is not None}

    def _neighbours_probability(self) -> float | None:
        """Do neighbours agree (Moran 1950)? None if no two values are neighbours in a picture."""
        total, pairs = 0.0, 0
        if min(self.values.shape[-2:]) > 1:
            for axis in (-1, -2):
                length = self.values.shape[axis] - 1
                one, two = (self.values.narrow(axis, k, length) for k in (0, 1))
                seen = (self.observed.narrow(axis, k, length) for k in (0, 1))
                total += float((one * two).sum())
                pairs += int(torch.logical_and(*seen).sum())
        scale = self.misfit / self.count * math.sqrt(pairs)
        return float(stats.norm.sf(total / scale)) if pairs else None

    def _strokes_probability(self) -> float | None:
        """Is the variance larger on strokes than on paper (Fisher's F)? None without a paper."""
        paper = _find_paper(self.fitted)
        if paper is None:
            return None
        inside, outside = (self.values[self.observed & part] for part in (~paper, paper))
        if min(len(inside), len(outside)) < FEW_VALUES:
            return None
        ratio = float(inside.square().mean() / outside.square().mean())
        return float(stats.f.sf(ratio, len(inside), len(outside)))

    def _even_probability(self) -> float:
        """Does an even grey, or colour, leave less over than the restored image (Fisher's F)?"""
        channels = self.operator.image_shape[0]
        even = torch.eye(channels, dtype=self.values.dtype)[..., None, None]
        columns = self._seen(even.expand(channels, *self.operator.image_shape))
        measured = self.values + self.fitted * self.weights.sqrt()
        rest, _ = _left_over(columns, measured[self.observed])
        ratio = self.misfit / rest if rest else math.inf
        return float(stats.f.sf(ratio, self.count, self.count))

    def _mixture_probability(self) -> float | None:
        """Does a mixture of the generator's images explain much of it (F test)?

        This suits values without neighbours, as those of any matrix. None if they are too few.
        """
        slope = self.value_slope
        unknowns = slope.shape[1]
        mixed = min(MOST_MIXED, (self.count - unknowns) // MIXED_SHARE)
        if mixed < 1:
            return None
        columns = self._seen(sample_images(self.generator, mixed))
        target = self.values[self.observed]
        # What a change of the latent vector explains is no evidence, so both fits have it.
        before, rank = _left_over(slope, target)
        after, full_rank = _left_over(torch.cat([slope, columns], dim=1), target)
        added, free = full_rank - rank, self.count - full_rank
        if min(added, free) < 1 or after == 0:
            return None
        return float(stats.f.sf((before - after) / added / (after / free), added, free))


def _deviation(values: Tensor, weights: Tensor) -> float:
    """Weighted standard deviation around the weighted mean of each channel. [C', H', W'] each"""
    total = weights.sum((1, 2), keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
    mean = (weights * values).sum((1, 2), keepdim=True) / total
    return math.sqrt(float((weights * (values - mean).square()).sum() / weights.sum()))


def _find_paper(image: Tensor) -> Tensor | None:
    """Where an image is as light or dark as its border; None if the border varies. [C, H, W]"""
    if min(image.shape[-2:]) < 3:
        return None
    rows, columns = image[:, [0, -1], :].flatten(1), image[:, 1:-1, [0, -1]].flatten(1)
    border = torch.cat([rows, columns], dim=1)
    level = border.median(1).values
    if float(((border - level[:, None]).abs() <= PAPER).double().mean()) < PAPER_BORDER:
        return None
    return (image - level[:, None, None]).abs() <= PAPER


def _left_over(columns: Tensor, target: Tensor) -> tuple[float, int]:
    """Sum of squares that no combination of columns explains, and the rank. [N, K], [N]"""
    basis, sizes, _ = torch.linalg.svd(columns, full_matrices=False)
    basis = basis[:, sizes > sizes.max() * max(columns.shape) * torch.finfo(sizes.dtype).eps]
    rest = target - basis @ (basis.T @ target)
    return float(rest.square().sum()), basis.shape[1]
