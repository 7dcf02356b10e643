"""Can a restoration be trusted? Checks that can fail, and a sentence that says so.

Two things can be wrong. The observed pixels may not determine the lost ones: the restoration is
then one of several that fit ("ambiguous"). Or the generator may be unable to draw the image: then
the residual does not look like noise ("doubtful"). docs/search.md shows how often each check fires.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from scipy import stats
from torch import Tensor

from inpaint.generators import AnyGenerator
from inpaint.operators.mask import require_mask
from inpaint.search.modes import SearchStatistics, search_statistics
from inpaint.types import Measurement, OnProgress, SearchResult, ShortRepr

Flag = Literal["good", "ambiguous", "doubtful"]

RESIDUAL_LEVEL = 1e-3
"""A residual that is less probable than this for white noise has structure."""

PRIOR_LEVEL = 1e-3
"""A latent vector that is less probable than this under the prior lies outside its bulk."""

FEW_STARTS = 3
"""If fewer starts than this reached the best mode, there may be a better one."""

RIVAL_WEIGHT = 0.05
"""A mode of at least this share of the density is a rival of the best one."""

VISIBLE = 0.1
"""Visible root-mean-square difference over the lost pixels, in units of the pixels."""

STEP = 1e-3
"""Half width of the central differences for the slope of the generator."""


@dataclass(frozen=True)
class Check:
    """One thing that can be wrong with a restoration.

    Attributes:
        name: "modes", "pixels", "residual" or "prior".
        fired: Whether it is wrong for this restoration.
        value: What was measured.
        limit: Value at which the check fires.
        sentence: The finding in plain words.
    """

    name: str
    fired: bool
    value: float
    limit: float
    sentence: str


@dataclass(frozen=True, repr=False)
class Verdict(ShortRepr):
    """What is known of one restoration besides its picture.

    Attributes:
        flag: "good"; "ambiguous" if other images fit as well; "doubtful" if the image is
            probably not one that the generator can draw.
        sentence: The flag and its reasons in words.
        checks: All that was checked, fired or not.
        noise_level: Estimated noise standard deviation, in units of the pixels.
        noise_interval: Its 95 % interval.
        expected_error: Expected L2 error from what the observed pixels leave open, near the best
            mode.
        search: How reliable the search was, and the modes it found.
    """

    flag: Flag
    sentence: str
    checks: tuple[Check, ...]
    noise_level: float
    noise_interval: tuple[float, float]
    expected_error: float
    search: SearchStatistics


def judge(
    measurement: Measurement,
    generator: AnyGenerator,
    restoration: SearchResult,
    *,
    on_progress: OnProgress | None = None,
) -> tuple[Verdict, ...]:
    """Judge whether each restored image can be trusted, and why.

    Args:
        measurement: What was restored. B images
        generator: What restored it.
        restoration: The result.
        on_progress: Called for each image, and while its restarts are grouped; if it returns False,
            no more images are judged.

    Returns:
        One verdict per image, or those of the first images after a cancellation.

    Raises:
        ArgumentError: If the operator is not a mask.
    """
    masks = require_mask(measurement.operator, "a verdict").batch(len(measurement))
    double = generator.to("cpu", torch.float64)
    searches = search_statistics(restoration, generator, on_progress=on_progress)
    latents = restoration.best_latents.double()
    return tuple(
        _judge_image(values.double(), mask, z, double, search)
        for search, values, mask, z in zip(
            searches, measurement.values.cpu(), masks.cpu(), latents, strict=False
        )
    )


def _judge_image(
    values: Tensor, mask: Tensor, z: Tensor, generator: AnyGenerator, search: SearchStatistics
) -> Verdict:
    image = generator(z)
    residual = (values - image) * mask
    count = int(mask.sum())
    misfit = float(residual.square().sum())
    sigma = math.sqrt(misfit / count)
    error, blur = _expected_error(generator, z, mask, sigma)
    checks = (
        _check_residual(residual, mask, image, sigma, found=search.reached >= FEW_STARTS),
        _check_prior(z),
        _check_modes(search, mask),
        _check_pixels(blur),
    )
    doubts = [check for check in checks if check.fired and check.name in ("residual", "prior")]
    rivals = [check for check in checks if check.fired and check.name in ("modes", "pixels")]
    flag: Flag = "doubtful" if doubts else "ambiguous" if rivals else "good"
    reasons = doubts or rivals or [checks[0]]
    return Verdict(
        flag=flag,
        sentence=f"{flag.capitalize()}: {' '.join(check.sentence for check in reasons)}",
        checks=checks,
        noise_level=sigma,
        noise_interval=_noise_interval(misfit, count, len(z)),
        expected_error=error,
        search=search,
    )


def _noise_interval(misfit: float, count: int, latent_size: int) -> tuple[float, float]:
    """95 % interval of the noise level: S / sigma^2 ~ chi-squared with N - D degrees of freedom."""
    freedom = max(1, count - latent_size)
    low, high = stats.chi2.ppf([0.975, 0.025], freedom)
    return math.sqrt(misfit / low), math.sqrt(misfit / high)


def _expected_error(
    generator: AnyGenerator, z: Tensor, mask: Tensor, sigma: float
) -> tuple[float, float]:
    """Expected error of the whole image (L2), and per lost pixel (root mean square).

    From the normal approximation around z: the posterior covariance is the inverse of
    I + A'A / sigma^2, where A is the slope of the observed pixels.
    """
    steps = STEP * torch.eye(len(z), dtype=z.dtype)
    slope = (generator.pixels(z + steps) - generator.pixels(z - steps)).T / (2 * STEP)  # [P, D]
    observed = slope[mask.flatten()]
    floor = torch.finfo(z.dtype).eps
    precision = torch.eye(len(z), dtype=z.dtype) + observed.T @ observed / max(sigma**2, floor)
    variances = (slope @ torch.linalg.inv(precision) * slope).sum(1)  # [P]
    lost = variances[~mask.flatten()]
    blur = math.sqrt(float(lost.mean())) if len(lost) else 0.0
    return math.sqrt(float(variances.sum())), blur


def _check_residual(
    residual: Tensor, mask: Tensor, image: Tensor, sigma: float, *, found: bool
) -> Check:
    """Two tests for structure: neighbours that agree, and strokes that fit worse than paper.

    White noise has independent neighbours (Moran 1950) and the same variance everywhere
    (Fisher's F). The smaller of the two probabilities is doubled (Bonferroni).
    """
    name = "residual"
    if sigma == 0:
        return Check(name, False, 1.0, RESIDUAL_LEVEL, "The observed pixels fit exactly.")
    neighbours = _neighbour_probability(residual / sigma, mask)
    strokes = _stroke_probability(residual, mask, image)
    probability = min(1.0, 2 * min(neighbours, strokes))
    fired = probability < RESIDUAL_LEVEL
    agree = "neighbouring pixels agree" if neighbours < strokes else "strokes fit worse than paper"
    doubt = "" if found else "the search failed, or "
    sentence = (
        f"What is left over does not look like noise: {agree} ({_chance(probability)}); {doubt}"
        "the generator cannot draw this image."
        if fired
        else "What is left over looks like noise."
    )
    return Check(name, fired, probability, RESIDUAL_LEVEL, sentence)


def _neighbour_probability(residual: Tensor, mask: Tensor) -> float:
    """Probability of neighbours that agree at least this well, if the residual is white noise."""
    total, pairs = 0.0, 0
    for axis in (-1, -2):
        length = residual.shape[axis]
        one, two = (residual.narrow(axis, k, length - 1) for k in (0, 1))
        both = mask.narrow(axis, 0, length - 1) & mask.narrow(axis, 1, length - 1)
        total += float((one * two)[both].sum())
        pairs += int(both.sum())
    return float(stats.norm.sf(total / math.sqrt(pairs))) if pairs else 1.0


def _stroke_probability(residual: Tensor, mask: Tensor, image: Tensor) -> float:
    """Probability of a variance this much larger around strokes than on paper."""
    stroke = mask & (image < 0.95)
    paper = mask & ~stroke
    inside, outside = int(stroke.sum()), int(paper.sum())
    if min(inside, outside) < 10:
        return 1.0
    ratio = float(residual[stroke].square().mean() / residual[paper].square().mean())
    return float(stats.f.sf(ratio, inside, outside))


def _check_prior(z: Tensor) -> Check:
    square = float(z.square().sum())
    limit = float(stats.chi2.isf(PRIOR_LEVEL, len(z)))
    fired = square > limit
    sentence = (
        f"The latent vector lies far outside the prior ({square:.0f}, expected {len(z)})."
        if fired
        else "The latent vector lies where the prior expects it."
    )
    return Check("prior", fired, square, limit, sentence)


def _check_modes(search: SearchStatistics, mask: Tensor) -> Check:
    # A mode draws its image each time it is asked, so the best one is drawn once.
    best = search.modes[0].image if search.modes else None
    lost = ~mask
    rivals = [
        mode
        for mode in search.modes[1:]
        if best is not None
        and mode.weight >= RIVAL_WEIGHT
        and bool(lost.any())
        and float((mode.image - best)[lost].square().mean().sqrt()) > VISIBLE
    ]
    sentence = (
        f"{len(rivals) + 1} visibly different images fit the observed pixels almost equally well."
        if rivals
        else "No other image that was found fits nearly as well."
    )
    return Check("modes", bool(rivals), float(len(rivals)), 0.0, sentence)


def _check_pixels(blur: float) -> Check:
    sentence = (
        f"The observed pixels leave each lost one open by {blur:.2f} on average."
        if blur > VISIBLE
        else "The observed pixels determine the lost ones."
    )
    return Check("pixels", blur > VISIBLE, blur, VISIBLE, sentence)


def _chance(probability: float) -> str:
    return "p < 1e-9" if probability < 1e-9 else f"p = {probability:.1g}"
