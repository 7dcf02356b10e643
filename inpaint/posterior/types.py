"""What sampling gives: the particles, and what they say of each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from inpaint.posterior.config import PosteriorConfig

HEAVY = 0.05
"""A mode of at least this weight is one of the images that fit."""


@dataclass(frozen=True)
class PosteriorProgress:
    """How far a sampling is; handed to `on_progress` after each stage, and during the pilots.

    Attributes:
        stage: Stages done; 0 while the pilots explore.
        inverse_temperature: The lowest among each image's runs, `misfit_weight` where all
            arrived. [B]
        gradients: Gradients spent on each image so far. [B]
        seconds: Time since the sampling began.
    """

    stage: int
    inverse_temperature: Tensor
    gradients: Tensor
    seconds: float


@dataclass(frozen=True)
class Posterior:
    """Draws for B images from K independent runs of P draws each, with latent size D.

    P is the settings' `draws`; what follows calls a draw a particle, too. Runs are kept apart to
    tell whether they agree; what the posterior is, the pooled draws say, all of equal weight
    (`inpaint.posterior.pooling`). A run that its budget or a cancellation ended before the last
    inverse temperature holds draws of a wider distribution than the posterior.

    Attributes:
        latents: Particles of each run; relatives stand next to each other. [B, K, P, D]
        costs: J there, in nats x 2. [B, K, P]
        pooled_latents: One sample from what all runs found. [B, K P, D]
        pooled_costs: J there, in nats x 2. [B, K P]
        noise_levels: A draw of the noise standard deviation for each pooled one, in units of the
            pixels; where it is known, that. [B, K P]
        log_evidence: Natural logarithm of the integral over the prior of S^(-N/2), or of
            exp(-S / (2 sigma^2)) where the noise is known, as each run estimated it. What is
            left out depends on the measurement alone, so generators can be compared on one
            measurement. Of an unfinished run, or a misfit weight below 1, it is that of the
            inverse temperature reached: of S^(-b N/2). [B, K]
        inverse_temperature: Where each run ended; `misfit_weight` is the posterior. [B, K]
        acceptance: Share of accepted moves in each run's last stage. [B, K]
        gradients: Evaluations of J spent on each image, the forward ones at the start included.
            [B]
        temperatures: Inverse temperature after each stage; NaN after a run's end. [B, K, S]
        step_lengths: Leapfrog step length of each stage, for particles of unit covariance; NaN
            after a run's end. [B, K, S]
        backend: What ran, such as "cpp (avx512)" or "torch (cpu)".
        reasons: Why the backend was chosen, for the record.
        seconds: Wall time of the whole call.
        config: The settings, which repeat this result unless it was cancelled.
        cancelled: Whether the caller ended it.
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
    cancelled: bool = False

    @property
    def finished(self) -> Tensor:
        """Whether all runs of an image reached the posterior. [B]"""
        return (self.inverse_temperature == self.config.misfit_weight).all(1)


@dataclass(frozen=True)
class PosteriorMode:
    """One of the images that fit: a local minimum of J that particles descend to.

    Attributes:
        image: The generator's output at the minimum. [C, H, W]
        latent: The minimum. [D]
        cost: Its J.
        weight: Share of the posterior probability around it.
        particles: How many of the particles that were followed down ended there.
    """

    image: Tensor
    latent: Tensor
    cost: float
    weight: float
    particles: int


def heavy(modes: Sequence[PosteriorMode]) -> tuple[PosteriorMode, ...]:
    """Those of at least the weight `HEAVY`."""
    return tuple(mode for mode in modes if mode.weight >= HEAVY)


@dataclass(frozen=True)
class PosteriorSummary:
    """What the particles say of one image, and whether they may be believed.

    Attributes:
        mean: Posterior mean of each pixel. [C, H, W]
        std: Posterior standard deviation of each pixel. [C, H, W]
        median: Posterior median of each pixel. [C, H, W]
        lower: Lower end of each pixel's interval. [C, H, W]
        upper: Upper end of each pixel's interval. [C, H, W]
        level: Probability that the intervals hold.
        samples: A few draws. [M, C, H, W]
        sample_latents: Their latent vectors. [M, D]
        modes: The images that fit, heaviest first.
        noise_level: Posterior median of the noise standard deviation, in units of the pixels.
        noise_interval: Its interval of the same level.
        log_evidence: Logarithm of the mean of the runs' evidences; see `Posterior`.
        log_evidence_spread: Standard deviation of the runs' logarithms; NaN of one run.
        r_hat: Largest rank-normalised split R-hat over runs among pixels that vary; NaN of
            one run.
        r_hat_high: Its 95 % quantile among them.
        ess: Smallest effective sample size among those pixels.
        acceptance: Share of accepted moves in the last stage, mean over runs.
        gradients: Evaluations of J spent.
        converged: Whether all runs reached the posterior and agree; only then do the
            intervals mean what they say.
        sentence: The finding in plain words.
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
        """L2 error to be expected of the mean: the root of the total variance."""
        return float(self.std.double().square().sum().sqrt())

    @property
    def intervals(self) -> tuple[Tensor, Tensor] | None:
        """Both ends of the pixels' intervals; None where they must not be shown as good."""
        return (self.lower, self.upper) if self.converged else None
