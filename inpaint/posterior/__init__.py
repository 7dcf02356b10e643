"""The posterior of a restoration: not one image, but all that fit, with their probabilities."""

from inpaint.posterior.config import PosteriorConfig
from inpaint.posterior.sampler import sample_posterior
from inpaint.posterior.summary import summarise
from inpaint.posterior.types import (
    Posterior,
    PosteriorMode,
    PosteriorProgress,
    PosteriorSummary,
)

__all__ = [
    "Posterior",
    "PosteriorConfig",
    "PosteriorMode",
    "PosteriorProgress",
    "PosteriorSummary",
    "sample_posterior",
    "summarise",
]
