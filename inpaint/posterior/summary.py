"""What the particles say of each image, and whether they may be believed."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from inpaint.checks import check_device
from inpaint.config import RestoreConfig
from inpaint.generators import AnyGenerator
from inpaint.posterior.checks import check_level
from inpaint.posterior.config import SHARED
from inpaint.posterior.descent import descend
from inpaint.posterior.diagnostics import agreement, effective_size
from inpaint.posterior.types import Posterior, PosteriorMode, PosteriorSummary, heavy
from inpaint.search.backends import choose
from inpaint.search.backends.torch import limited_threads
from inpaint.search.modes import find_modes
from inpaint.search.objective import make_objective
from inpaint.types import Measurement

R_HAT_LIMIT = 1.05
"""Runs agree where R-hat of no pixel exceeds this."""

ESS_LIMIT = 100
"""Effective draws of all runs together that the quantiles of a pixel need."""

VARIES = 0.01
"""A pixel varies where its posterior standard deviation is above this, in units of the pixels."""

RANKED = 512
"""Draws of each run, at most, that R-hat and ESS are taken from; sorting all takes long."""

SAMPLES = 16
"""Draws that a summary shows."""

FOLLOWED = 256
"""Particles of an image that are followed down to their minima."""


def summarise(
    measurement: Measurement,
    generator: AnyGenerator,
    posterior: Posterior,
    *,
    level: float = 0.9,
) -> tuple[PosteriorSummary, ...]:
    """Mean, intervals, samples and modes of each image, with what tells how good they are.

    Args:
        measurement: What was sampled. B images
        generator: What it was sampled with.
        posterior: The particles.
        level: Probability that the intervals shall hold.

    Returns:
        One record per image.

    Raises:
        ArgumentError: If `level` is no probability.
    """
    check_level(level)
    modes = _find_modes(measurement, generator, posterior)
    return tuple(
        _summarise_image(generator, posterior, b, modes[b], level)
        for b in range(len(posterior.latents))
    )


def _summarise_image(
    generator: AnyGenerator,
    posterior: Posterior,
    image: int,
    modes: tuple[PosteriorMode, ...],
    level: float,
) -> PosteriorSummary:
    latents = posterior.pooled_latents[image]
    shape = generator.image_shape
    generator = generator.to(dtype=latents.dtype)
    pixels = generator.pixels(latents)
    lower, median, upper = _quantiles(pixels, level)
    std = pixels.std(0)
    noise = _quantiles(posterior.noise_levels[image][:, None], level)[:, 0].tolist()
    shown = evenly(latents, SAMPLES)
    runs = posterior.latents[image]  # [K, P, D]
    ranked = evenly(torch.arange(runs.shape[1]), RANKED)
    worst, high, ess = _agreement(generator.pixels(runs[:, ranked])[..., std > VARIES])
    evidence = posterior.log_evidence[image]
    finished = bool(posterior.finished[image])
    converged = finished and worst <= R_HAT_LIMIT and ess >= ESS_LIMIT
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
        r_hat=worst,
        r_hat_high=high,
        ess=ess,
        acceptance=float(posterior.acceptance[image].mean()),
        gradients=int(posterior.gradients[image]),
        converged=converged,
        sentence=_sentence(posterior, image, converged, worst, ess, modes),
    )


def evenly(places: Tensor, count: int) -> Tensor:
    """At most `count` of the rows, at equal distances."""
    count = min(count, len(places))
    return places[((torch.arange(count) + 0.5) * len(places) / count).long()]


def _quantiles(draws: Tensor, level: float) -> Tensor:
    """Lower end, median and upper end of the interval that holds with `level`. [n, Q] -> [3, Q]"""
    tail = (1 - level) / 2
    # numpy selects what torch would sort, in a third of the time.
    found = np.quantile(draws.numpy(), (tail, 0.5, 1 - tail), axis=0)
    return torch.from_numpy(found).to(draws.dtype)


def _agreement(varying: Tensor) -> tuple[float, float, float]:
    """Largest R-hat, its 95 % quantile, and smallest ESS over pixels. [K, P, Q]"""
    if varying.shape[2] == 0:
        return 1.0, 1.0, float(varying.shape[0] * varying.shape[1])
    if len(varying) == 1:
        return math.nan, math.nan, float(effective_size(varying).min())
    ratios, sizes = agreement(varying)
    return float(ratios.max()), float(ratios.quantile(0.95)), float(sizes.min())


def _find_modes(
    measurement: Measurement, generator: AnyGenerator, posterior: Posterior
) -> list[tuple[PosteriorMode, ...]]:
    """Follow evenly chosen particles down to their minima, and group those by their images."""
    shared = {name: getattr(posterior.config, name) for name in SHARED}
    search = RestoreConfig(**shared).resolved()
    objective = make_objective(
        measurement,
        generator,
        dtype=torch.float32 if search.dtype == "float32" else torch.float64,
        device=check_device(search.device),
        noise_level=search.noise_level,
    )
    followed = torch.stack([evenly(latents, FOLLOWED) for latents in posterior.pooled_latents])
    with limited_threads(search.threads):
        latents, costs, _ = descend(objective, choose(search, objective), followed, search)
    pairs = zip(costs.cpu(), latents.cpu(), strict=True)
    return [_modes_of(levels, minima, generator) for levels, minima in pairs]


def _modes_of(costs: Tensor, latents: Tensor, generator: AnyGenerator) -> tuple[PosteriorMode, ...]:
    found = find_modes(costs, latents, generator)
    total = max(1, sum(mode.starts for mode in found))
    modes = [
        PosteriorMode(
            image=mode.image,
            latent=latents[mode.restart],
            cost=mode.cost,
            weight=mode.starts / total,
            particles=mode.starts,
        )
        for mode in found
    ]
    return tuple(sorted(modes, key=lambda mode: -mode.weight))


def _sentence(
    posterior: Posterior,
    image: int,
    converged: bool,
    worst: float,
    ess: float,
    modes: tuple[PosteriorMode, ...],
) -> str:
    """The finding in plain words."""
    if not bool(posterior.finished[image]):
        reached = float(posterior.inverse_temperature[image].min())
        ended = "was stopped" if posterior.cancelled else "ran out of its budget"
        return (
            f"Not converged: the sampling {ended} at inverse temperature {reached:.2g} of "
            f"{posterior.config.misfit_weight:g}; give it more gradients. Its intervals mean "
            "nothing."
        )
    if math.isnan(worst):
        return "Not checked: one run alone cannot show that it converged; sample with runs = 4."
    if not converged:
        return (
            f"Not converged: independent runs disagree (R-hat {worst:.2f}, effective draws "
            f"{ess:.0f}); sample with more particles. Its intervals may be wrong."
        )
    runs = posterior.latents.shape[1]
    count = len(heavy(modes))
    shapes = {0: "Many images fit, none of 5 % or more.", 1: "One image fits."}
    shape = shapes.get(count, f"{count} different images fit, of 5 % or more each.")
    return f"Converged: {runs} independent runs agree (R-hat {worst:.2f}). {shape}"
