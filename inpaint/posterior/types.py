"""What sampling returns: the draws, and what they say about each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from torch import Tensor

from inpaint.posterior.config import PosteriorConfig
from inpaint.types import ShortRepr

HEAVY = 0.05
"""A mode of at least this weight is one of the images that fit."""


@dataclass(frozen=True, eq=False, repr=False)
class PosteriorDraws(ShortRepr):
    """Draws for B images from K independent chains of P draws each, with latent size D.

    P is the settings' `draws`. The chains are kept apart to tell whether they agree. The posterior
    itself is in the pooled draws, all of equal weight (`inpaint.posterior.pooling`). A chain that
    max_gradients or a cancellation ended before the last inverse temperature holds draws of a
    distribution wider than the posterior.

    Attributes:
        latents: Draws of each chain; draws of one particle are adjacent. [B, K, P, D]
        costs: J there, in nats x 2. [B, K, P]
        pooled_latents: One sample from what all chains found. [B, K P, D]
        pooled_costs: J there, in nats x 2. [B, K P]
        noise_levels: A draw of the noise standard deviation for each pooled draw, in units of the
            pixels; `known_noise` where that is given. [B, K P]
        log_evidence: Natural logarithm of the integral over the prior of S^(-N/2), or of
            exp(-S / (2 sigma^2)) where the noise is known, as each chain estimated it. The factor
            left out depends on the measurement alone, so generators can be compared on one
            measurement. For an unfinished chain, or a misfit weight below 1, it is the integral at
            the inverse temperature b that was reached: of S^(-b N/2). [B, K]
        inverse_temperature: Where each chain ended; `misfit_weight` is the posterior. [B, K]
        acceptance: Share of accepted moves in each chain's last stage. [B, K]
        gradients: Evaluations of J spent on each image, with or without gradient. [B]
        temperatures: Inverse temperature after each stage; NaN after a chain's end. [B, K, S]
        step_lengths: Leapfrog step length of each stage, for particles of unit covariance; NaN
            after a chain's end. [B, K, S]
        backend: What ran, such as "cpp (avx512)" or "torch (cpu)".
        reasons: Why the backend was chosen, for the record.
        seconds: Wall time of the whole call.
        config: The settings, which repeat this result unless it was cancelled.
        known_noise: The noise standard deviation where the measurement states it.
        cancelled: Whether the caller ended the sampling early; images may then be missing.
    """

    latents: Tensor
    costs: Tensor
    pooled_latents: Tensor
    pooled_costs: Tensor
    noise_levels: Tensor
    log_evidence: Tensor
    inverse_temperature: Tensor
    acceptance: Tensor
    gradients: Tensor
    temperatures: Tensor
    step_lengths: Tensor
    backend: str
    reasons: tuple[str, ...]
    seconds: float
    config: PosteriorConfig
    known_noise: float | None = None
    cancelled: bool = False

    def __len__(self) -> int:
        return len(self.latents)

    def __getitem__(self, images: slice | list[int]) -> PosteriorDraws:
        pairs = ((each.name, getattr(self, each.name)) for each in fields(self))
        chosen: dict[str, Any] = {n: t[images] for n, t in pairs if isinstance(t, Tensor)}
        return replace(self, **chosen)

    @property
    def finished(self) -> Tensor:
        """Whether all chains of an image reached the posterior. [B]"""
        return (self.inverse_temperature == self.config.misfit_weight).all(1)


@dataclass(frozen=True, eq=False, repr=False)
class PosteriorMode(ShortRepr):
    """One of the images that fit: a local minimum of J that draws descend to.

    Attributes:
        image: The generator's output at the minimum. [C, H, W]
        latent: The minimum. [D]
        cost: J there.
        weight: Share of the posterior probability around it.
        particles: How many of the draws that were followed down ended there.
    """

    image: Tensor
    latent: Tensor
    cost: float
    weight: float
    particles: int


def heavy(modes: Sequence[PosteriorMode]) -> tuple[PosteriorMode, ...]:
    """The modes of at least the weight `HEAVY`."""
    return tuple(mode for mode in modes if mode.weight >= HEAVY)


@dataclass(frozen=True, eq=False, repr=False)
class PosteriorSummary(ShortRepr):
    """What the draws say about one image, and whether they can be trusted.

    Attributes:
        mean: Posterior mean of each pixel. [C, H, W]
        std: Posterior standard deviation of each pixel. [C, H, W]
        median: Posterior median of each pixel. [C, H, W]
        lower: Lower end of each pixel's interval. [C, H, W]
        upper: Upper end of each pixel's interval. [C, H, W]
        level: Probability that a pixel's true value lies in its interval.
        samples: A few draws. [M, C, H, W]
        sample_latents: Their latent vectors. [M, D]
        modes: The images that fit, heaviest first.
        noise_level: Posterior median of the noise standard deviation, in units of the pixels.
        noise_interval: Interval of the noise standard deviation, of the same level.
        log_evidence: Logarithm of the mean of the chains' evidences; see `PosteriorDraws`.
        log_evidence_spread: Standard deviation of the chains' logarithms; NaN for one chain.
        r_hat: Largest rank-normalised split R-hat over chains among pixels that vary; NaN for one
            chain.
        r_hat_high: 95 % quantile of R-hat among them.
        ess: Smallest effective sample size among those pixels.
        acceptance: Share of accepted moves in the last stage, mean over chains.
        gradients: Evaluations of J spent.
        converged: Whether all chains reached the posterior and agree; only then can the intervals
            be trusted.
        sentence: All of this in plain words.
    """

    mean: Tensor
    std: Tensor
    median: Tensor
    lower: Tensor
    upper: Tensor
    level: float
    samples: Tensor
    sample_latents: Tensor
    modes: tuple[PosteriorMode, ...]
    noise_level: float
    noise_interval: tuple[float, float]
    log_evidence: float
    log_evidence_spread: float
    r_hat: float
    r_hat_high: float
    ess: float
    acceptance: float
    gradients: int
    converged: bool
    sentence: str

    @property
    def heavy_modes(self) -> tuple[PosteriorMode, ...]:
        """The modes that count as images that fit: those of at least the weight `HEAVY`."""
        return heavy(self.modes)

    @property
    def expected_error(self) -> float:
        """Expected L2 error of the mean: the square root of the total variance."""
        return float(self.std.double().square().sum().sqrt())

    @property
    def intervals(self) -> tuple[Tensor, Tensor] | None:
        """Lower and upper ends of the pixels' intervals; None where they must not be trusted."""
        return (self.lower, self.upper) if self.converged else None
