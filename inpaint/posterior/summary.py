"""What the draws say about each image, and whether they can be trusted."""

from __future__ import annotations

import contextlib
import math
from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from inpaint.checks import check_between, check_device
from inpaint.config import RestoreConfig
from inpaint.generators import AnyGenerator
from inpaint.posterior.config import SHARED
from inpaint.posterior.diagnostics import effective_size, rank_diagnostics
from inpaint.posterior.evaluator import MayContinue, Stopped, descend, select_images
from inpaint.posterior.mixture import Array
from inpaint.posterior.sampler import chunks
from inpaint.posterior.types import PosteriorDraws, PosteriorMode, PosteriorSummary, heavy
from inpaint.search.backends import choose
from inpaint.search.backends.torch import limited_threads
from inpaint.search.modes import find_modes
from inpaint.search.objective import make_objective
from inpaint.search.solvers import make_solver
from inpaint.types import Measurement, OnProgress, Progress, asks_to_stop

Record = TypeVar("Record", PosteriorMode, PosteriorSummary)

R_HAT_LIMIT = 1.05
"""Chains agree if R-hat exceeds this at no pixel."""

ESS_LIMIT = 100
"""Effective draws of all chains together that the quantiles of a pixel need."""

VARIES = 0.01
"""A pixel varies where its posterior standard deviation is above this, in units of the pixels."""

RANKED = 512
"""Most draws of each chain that R-hat and ESS are computed from; sorting them is slow."""

SAMPLES = 16
"""Draws that a summary shows."""

CUT_DRAWS = 1024
"""Draws of an image that are looked at where its sampling was stopped."""

QUANTILE_VALUES = 2**23
"""Values whose quantiles are computed together."""

FOLLOWED = 256
"""Draws of an image that are followed down to their minima."""


def summarise(
    measurement: Measurement,
    generator: AnyGenerator,
    posterior: PosteriorDraws,
    *,
    level: float = 0.9,
    follow: bool = True,
    on_progress: OnProgress | None = None,
) -> tuple[PosteriorSummary, ...]:
    """Mean, intervals, samples, modes and diagnostics of each image.

    Memory does not grow with the number of images, apart from what is returned. Of an image whose
    sampling was stopped only a few draws are looked at, and no modes.

    Args:
        measurement: What was sampled.
        generator: What it was sampled with.
        posterior: The draws of the measurement's first B images.
        level: Probability that a pixel's true value lies in its interval.
        follow: Whether draws are followed down to their modes; without that, the images count as
            stopped.
        on_progress: Called after each image and during descents; if it returns False, no more
            images are summarised.

    Returns:
        One record per image, or those of the first images after a cancellation.

    Raises:
        ArgumentError: If `level` is not a probability.
    """
    check_between("level", level, 0, 1)
    images = len(posterior)
    shared = {name: getattr(posterior.config, name) for name in SHARED}
    search = RestoreConfig(**shared).resolved()
    objective = make_objective(
        measurement[:images],
        generator,
        dtype=torch.float32 if search.dtype == "float32" else torch.float64,
        device=check_device(search.device),
    )
    backend = choose(search, objective)
    # Of each draw that is followed: its pixels, and what the solver remembers.
    numbers = objective.width + make_solver(search).memory_size(generator.latent_size)
    summaries: list[PosteriorSummary] = []

    def may_continue() -> bool:
        progress = Progress("summarising", len(summaries), images)
        return on_progress is None or not asks_to_stop(on_progress(progress))

    cut = torch.full((images,), not follow) | (posterior.cancelled & ~posterior.finished)
    for part in chunks(images, FOLLOWED * numbers * objective.target.element_size()):
        found = None
        if not cut[part].all():
            followed = [evenly(latents, FOLLOWED) for latents in posterior.pooled_latents[part]]
            some, starts = select_images(objective, part), torch.stack(followed)
            with limited_threads(search.threads), contextlib.suppress(Stopped):
                found = descend(some, backend, starts, search, may_continue)
            if found is None:
                break
        for b in range(images)[part]:
            modes: tuple[PosteriorMode, ...] = ()
            if found is not None and not cut[b]:
                places, levels = (each[b - part.start].cpu() for each in found[:2])
                modes = _find_modes(levels, places, generator)
            try:
                summary = _summarise_image(
                    generator, posterior, b, modes, level, bool(cut[b]), may_continue
                )
            except Stopped:
                return tuple(summaries)
            # Copied after the large arrays are freed: results that lie among them would keep their
            # memory from being reused.
            modes = tuple(_copied(mode) for mode in modes)
            summaries.append(replace(_copied(summary), modes=modes))
            # Those of a sampling that was stopped take no time.
            if not cut[b] and not may_continue():
                return tuple(summaries)
    return tuple(summaries)


def _summarise_image(
    generator: AnyGenerator,
    posterior: PosteriorDraws,
    image: int,
    modes: tuple[PosteriorMode, ...],
    level: float,
    cut: bool,
    may_continue: MayContinue,
) -> PosteriorSummary:
    latents = posterior.pooled_latents[image]
    latents = evenly(latents, CUT_DRAWS) if cut else latents
    shape = generator.image_shape
    generator = generator.to(dtype=latents.dtype)
    pixels = generator.pixels(latents)
    lower, median, upper = _quantiles(pixels, level, may_continue)
    std = pixels.std(0)
    noise = _quantiles(posterior.noise_levels[image][:, None], level)[:, 0].tolist()
    shown = evenly(latents, SAMPLES)
    chains = posterior.latents[image]  # [K, P, D]
    ranked = evenly(torch.arange(chains.shape[1]), RANKED // 8 if cut else RANKED)
    r_hat, r_hat_high, ess = _diagnose(generator.pixels(chains[:, ranked])[..., std > VARIES])
    evidence = posterior.log_evidence[image]
    finished = bool(posterior.finished[image])
    converged = finished and not cut and r_hat <= R_HAT_LIMIT and ess >= ESS_LIMIT
    return PosteriorSummary(
        mean=pixels.mean(0).unflatten(0, shape),
        std=std.unflatten(0, shape),
        median=median.unflatten(0, shape),
        lower=lower.unflatten(0, shape),
        upper=upper.unflatten(0, shape),
        level=level,
        samples=generator(shown),
        sample_latents=shown,
        modes=modes,
        noise_level=noise[1],
        noise_interval=(noise[0], noise[2]),
        log_evidence=float(evidence.logsumexp(0)) - math.log(len(evidence)),
        log_evidence_spread=float(evidence.std()) if len(evidence) > 1 else math.nan,
        r_hat=r_hat,
        r_hat_high=r_hat_high,
        ess=ess,
        acceptance=float(posterior.acceptance[image].mean()),
        gradients=int(posterior.gradients[image]),
        converged=converged,
        sentence=_sentence(posterior, image, converged, r_hat, ess, modes, cut=cut),
    )


def _copied(record: Record) -> Record:
    """The same record with its own tensors, not views of larger ones."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    tensors: dict[str, Any] = {k: v.clone() for k, v in values.items() if isinstance(v, Tensor)}
    return replace(record, **tensors)


def evenly(rows: Tensor, count: int) -> Tensor:
    """At most `count` of the rows, evenly spaced."""
    count = min(count, len(rows))
    return rows[((torch.arange(count) + 0.5) * len(rows) / count).long()]


def interval_of(
    posterior: PosteriorDraws, generator: AnyGenerator, image: int, level: float
) -> tuple[Tensor, Tensor]:
    """Both ends of each pixel's interval. [C, H, W] each

    Args:
        posterior: The draws.
        generator: What they were sampled with.
        image: Its place in the draws.
        level: Probability that a pixel's true value lies in its interval.

    Raises:
        ArgumentError: If `level` is not a probability.
    """
    check_between("level", level, 0, 1)
    latents = posterior.pooled_latents[image]
    lower, _, upper = _quantiles(generator.to(latents).pixels(latents), level)
    shape = generator.image_shape
    return lower.unflatten(0, shape), upper.unflatten(0, shape)


def _quantiles(draws: Tensor, level: float, may_continue: MayContinue | None = None) -> Tensor:
    """Lower end, median and upper end of each quantity's interval. [n, Q] -> [3, Q]

    Raises:
        Stopped: If there are many draws, and the caller wants to stop.
    """
    tail = (1 - level) / 2
    found: list[Array] = []
    for part in draws.split(max(1, QUANTILE_VALUES // len(draws)), dim=1):
        if found and may_continue is not None and not may_continue():
            raise Stopped
        # numpy selects where torch would sort, and takes a third of the time.
        found.append(np.quantile(part.numpy(), (tail, 0.5, 1 - tail), axis=0))
    return torch.from_numpy(np.concatenate(found, axis=1)).to(draws.dtype)


def _diagnose(varying: Tensor) -> tuple[float, float, float]:
    """Largest R-hat, its 95 % quantile, and smallest ESS over pixels that vary. [K, P, Q]"""
    if varying.shape[2] == 0:
        return 1.0, 1.0, float(varying.shape[0] * varying.shape[1])
    if len(varying) == 1:
        return math.nan, math.nan, float(effective_size(varying).min())
    ratios, sizes = rank_diagnostics(varying)
    return float(ratios.max()), float(ratios.quantile(0.95)), float(sizes.min())


def _find_modes(
    costs: Tensor, minima: Tensor, generator: AnyGenerator
) -> tuple[PosteriorMode, ...]:
    """Group the minima of one image by what they look like, heaviest group first.

    Args:
        costs: J at each; infinite where a descent failed. [R]
        minima: Where the descents ended. [R, D]
        generator: Draws their images.
    """
    found = find_modes(costs, minima, generator)
    total = max(1, sum(mode.starts for mode in found))
    modes = [
        PosteriorMode(
            image=mode.image,
            latent=minima[mode.restart],
            cost=mode.cost,
            weight=mode.starts / total,
            particles=mode.starts,
        )
        for mode in found
    ]
    return tuple(sorted(modes, key=lambda mode: -mode.weight))


def _sentence(
    posterior: PosteriorDraws,
    image: int,
    converged: bool,
    r_hat: float,
    ess: float,
    modes: tuple[PosteriorMode, ...],
    *,
    cut: bool,
) -> str:
    """Whether the draws can be trusted and how many images fit, in plain words."""
    if not bool(posterior.finished[image]):
        reached = float(posterior.inverse_temperature[image].min())
        last = posterior.config.misfit_weight
        ended, advice = "used up its gradients", "Raise max_gradients, and do not"
        if posterior.cancelled:
            ended, advice = "was stopped", "Do not"
        return (
            f"Not converged: the sampling {ended} at inverse temperature {reached:.2g} of "
            f"{last:g}. {advice} use its intervals."
        )
    if cut:
        return (
            "Not converged: the work was stopped before the draws were examined. Do not use their "
            "intervals."
        )
    if math.isnan(r_hat):
        return "Not checked: a single chain cannot show convergence. Sample with 4 chains."
    if not converged:
        return (
            f"Not converged: independent chains disagree (R-hat {r_hat:.2f}, effective draws "
            f"{ess:.0f}), so its intervals may be wrong. Sample with more particles."
        )
    chains = posterior.latents.shape[1]
    count = len(heavy(modes))
    shapes = {0: "Many images fit, none with 5 % or more.", 1: "One image fits."}
    shape = shapes.get(count, f"{count} different images fit, each with 5 % or more.")
    return f"Converged: {chains} independent chains agree (R-hat {r_hat:.2f}). {shape}"
