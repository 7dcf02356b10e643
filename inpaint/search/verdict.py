"""Can a restoration be trusted? Checks that can fail, and a sentence that says so.

Two things can be wrong. The observed values may not determine the image, or noise may hide it: the
restoration is then one of several that fit ("ambiguous"). Or the restoration is probably not the
image that was measured ("doubtful"): the search failed, or the generator cannot draw the image.
docs/search.md shows how often each verdict is given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from scipy import stats
from torch import Tensor

from inpaint.generators import AnyGenerator
from inpaint.operators import Mask
from inpaint.search.modes import SearchStatistics, search_statistics
from inpaint.search.residuals import STRONGER_THAN_STATED, Residual
from inpaint.types import Measurement, OnProgress, SearchResult, ShortRepr

Flag = Literal["good", "ambiguous", "doubtful"]

DOUBTS = ("search", "residual", "prior")
"""Checks that make a restoration doubtful; the others make it ambiguous."""

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


@dataclass(frozen=True)
class Check:
    """One thing that can be wrong with a restoration.

    Attributes:
        name: "search", "residual", "noise", "prior", "modes" or "pixels".
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
        flag: "good"; "ambiguous" if other images fit as well; "doubtful" if the restoration is
            probably not the image that was measured.
        sentence: The flag and its reasons in words.
        checks: All that was checked, fired or not; only "search" if it found nothing.
        noise_level: Estimated noise standard deviation, in units of the values.
        noise_interval: Its 95 % interval.
        expected_error: Expected L2 error from what the observed values leave open, near the best
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

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why the restoration is doubtful, a sentence for each reason; none if it is not."""
        fired = (check for check in self.checks if check.fired)
        return tuple(check.sentence for check in fired if check.name in DOUBTS)


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
    """
    measurement = measurement.to("cpu", torch.float64)
    double = generator.to("cpu", torch.float64)
    searches = search_statistics(restoration, generator, on_progress=on_progress)
    latents = restoration.best_latents.double()
    costs = restoration.best_costs.tolist()
    return tuple(
        _judge_image(measurement[[b]], double, latents[b], costs[b], search)
        for b, search in enumerate(searches)
    )


def _judge_image(
    measurement: Measurement,
    generator: AnyGenerator,
    z: Tensor,
    cost: float,
    search: SearchStatistics,
) -> Verdict:
    if not math.isfinite(cost):
        return _without_result("No start reached a finite cost, so nothing was restored.", search)
    residual = Residual.of(measurement, generator, z)
    if not residual.is_finite():
        reason = "The generator has no finite image or no finite slope where the search ended."
        return _without_result(reason, search)
    known = measurement.noise_level
    # The D latent numbers were fitted to the noise as well.
    noise = math.sqrt(residual.misfit / residual.free) if known is None else known
    error, blur = _expected_error(residual, noise)
    checks = (
        _check_search(search),
        _check_residual(residual, found=search.reached >= FEW_STARTS),
        _check_noise(residual),
        _check_prior(z),
        _check_modes(search, residual.lost),
        _check_pixels(residual, blur, len(z) if known is None else 0),
    )
    fired = [check for check in checks if check.fired]
    doubts = [check for check in fired if check.name in DOUBTS]
    flag: Flag = "doubtful" if doubts else "ambiguous" if fired else "good"
    reasons = doubts or fired or [checks[1]]
    return Verdict(
        flag=flag,
        sentence=_sentence(flag, reasons),
        checks=checks,
        noise_level=residual.deviation,
        noise_interval=_noise_interval(residual.misfit, residual.free),
        expected_error=error,
        search=search,
    )


def _without_result(reason: str, search: SearchStatistics) -> Verdict:
    """The verdict on an image of which there is nothing to check."""
    checks = (Check("search", True, float(search.reached), 1.0, reason),)
    nan = math.nan
    return Verdict("doubtful", _sentence("doubtful", checks), checks, nan, (nan, nan), nan, search)


def _sentence(flag: Flag, reasons: Sequence[Check]) -> str:
    return f"{flag.capitalize()}: {' '.join(check.sentence for check in reasons)}"


def _noise_interval(misfit: float, free: int) -> tuple[float, float]:
    """95 % interval of the noise level: S / sigma^2 ~ chi-squared with N - D degrees of freedom."""
    low, high = stats.chi2.ppf([0.975, 0.025], free)
    return math.sqrt(misfit / low), math.sqrt(misfit / high)


def _expected_error(residual: Residual, sigma: float) -> tuple[float, float]:
    """Expected error of the whole image (L2), and per lost pixel (root mean square).

    From the normal approximation around the latent vector: the posterior covariance is the inverse
    of I + A'A / sigma^2, where A is the slope of the observed values.
    """
    slope, observed = residual.slope.flatten(1).T, residual.value_slope  # [P, D], [N, D]
    unit = torch.eye(slope.shape[1], dtype=slope.dtype)
    floor = torch.finfo(slope.dtype).eps
    precision = unit + observed.T @ observed / max(sigma**2, floor)
    variances = (slope @ torch.linalg.inv(precision) * slope).sum(1)  # [P]
    lost = variances[residual.lost.flatten()]
    blur = math.sqrt(float(lost.mean())) if len(lost) else 0.0
    return math.sqrt(float(variances.sum())), blur


def _check_search(search: SearchStatistics) -> Check:
    sentence = "At least one start reached a finite cost."
    return Check("search", False, float(search.reached), 1.0, sentence)


def _check_residual(residual: Residual, *, found: bool) -> Check:
    """Tests for structure; the least probability is multiplied by their number (Bonferroni)."""
    name = "residual"
    if residual.below_rounding():
        sentence = "What is left over is smaller than half a grey level of 8 bits."
        return Check(name, False, 1.0, RESIDUAL_LEVEL, sentence)
    tests = residual.tests()
    strongest = min(tests, key=lambda words: tests[words])
    probability = min(1.0, len(tests) * tests[strongest])
    fired = probability < RESIDUAL_LEVEL
    causes = ["the generator cannot draw this image"]
    if strongest == STRONGER_THAN_STATED:
        causes.insert(0, "the stated noise level is too low")
    if not found:
        causes.insert(0, "the search failed")
    sentence = (
        f"What is left over does not look like noise: {strongest} ({_chance(probability)}); "
        f"{', or '.join(causes)}."
        if fired
        else "What is left over looks like noise."
    )
    return Check(name, fired, probability, RESIDUAL_LEVEL, sentence)


def _check_noise(residual: Residual) -> Check:
    level, contrast = residual.level, residual.contrast
    fired = level >= contrast and not residual.below_rounding()
    sentence = (
        f"What is left over ({level:.2g}) is as strong as the contrast of the restored image "
        f"({contrast:.2g}), so other images may fit as well."
        if fired
        else "The restored image stands out from what is left over."
    )
    return Check("noise", fired, level, contrast, sentence)


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


def _check_modes(search: SearchStatistics, lost: Tensor) -> Check:
    # A mode draws its image each time it is asked, so the best one is drawn once.
    best = search.modes[0].image
    rivals = [
        mode
        for mode in search.modes[1:]
        if mode.weight >= RIVAL_WEIGHT
        and bool(lost.any())
        and float((mode.image - best)[lost].square().mean().sqrt()) > VISIBLE
    ]
    sentence = (
        f"{len(rivals) + 1} visibly different images fit the observed values almost equally well."
        if rivals
        else "No other image that was found fits nearly as well."
    )
    return Check("modes", bool(rivals), float(len(rivals)), 0.0, sentence)


def _check_pixels(residual: Residual, blur: float, unknowns: int) -> Check:
    seen, lost = (
        ("pixels", "lost pixel")
        if isinstance(residual.operator, Mask)
        else ("values", "pixel of the image")
    )
    if residual.count <= unknowns and bool(residual.lost.any()):
        # Nothing is left over that could show how strong the noise is.
        sentence = (
            f"Only {residual.count} {seen} were observed for {unknowns} latent numbers, so many "
            "images may fit exactly."
        )
        return Check("pixels", True, blur, VISIBLE, sentence)
    fired = blur > VISIBLE
    sentence = (
        f"The observed {seen} leave each {lost} open by {blur:.2f} on average."
        if fired
        else f"The observed {seen} determine each {lost}."
    )
    return Check("pixels", fired, blur, VISIBLE, sentence)


def _chance(probability: float) -> str:
    return "p < 1e-9" if probability < 1e-9 else f"p = {probability:.1g}"
