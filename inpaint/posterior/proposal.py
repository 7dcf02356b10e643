"""Where particles begin if a search has found the modes.

They are drawn from the mixture

    q(z) = a N(z; 0, I) + (1 - a) sum_m w_m t(z; z_m, C_m)

over the minima z_m of J that the search found: multivariate t distributions of few degrees of
freedom, C_m being the inverse curvature there at the last inverse temperature, and a share a of
the prior, which keeps the weights p(z) exp(-b (J - z'z) / 2) / q(z) bounded wherever the
modes do not reach. These weights make the particles, and the evidence, exact at the inverse
temperature b they begin at: the highest at which enough of them stay effective, the last one
where the mixture is good.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from inpaint.errors import ArgumentError, ShapeError
from inpaint.generator import AnyGenerator
from inpaint.modes import find_modes
from inpaint.objective import Objective
from inpaint.posterior.mixture import Mixture
from inpaint.posterior.resampling import Array
from inpaint.types import Restoration

PRIOR_SHARE = 0.2
"""a: the share of particles from the prior, which may find what the search missed."""

MOST_MODES = 64
"""Minima that the mixture takes, lowest first; what lies above hardly weighs."""

EVEN_SHARE = 0.2
"""Share of the weights w that all minima have alike, for the curvature may mislead."""

STEP = 1e-2
"""Half width of the differences for the curvature: J has kinks, which a small step misses."""


@dataclass(frozen=True)
class Proposal:
    """The mixture q of one image.

    Attributes:
        mixture: The t distributions around the minima.
    """

    mixture: Mixture

    def draw(self, count: int, stream: np.random.Generator) -> Array:
        """Independent draws from q. [count, D]"""
        from_prior = stream.random(count) < PRIOR_SHARE
        normal = stream.standard_normal((count, self.mixture.centres.shape[1]))
        return np.where(from_prior[:, None], normal, self.mixture.draw(count, stream))

    def log_ratio(self, latents: Array) -> Array:
        """Logarithm of prior density over q. [P, D] -> [P]"""
        size = latents.shape[1]
        prior = -np.square(latents).sum(1) / 2 - size / 2 * math.log(2 * math.pi)
        around = math.log(1 - PRIOR_SHARE) + self.mixture.log_density(latents)
        found: Array = prior - np.logaddexp(math.log(PRIOR_SHARE) + prior, around)
        return found


def make_proposals(
    objective: Objective,
    generator: AnyGenerator,
    restoration: Restoration | None,
    weight: float,
) -> list[Proposal]:
    """The mixture of each image, at the weight of its misfit.

    Raises:
        ArgumentError: If there is no restoration, or one of its images has no restart that ended.
        ShapeError: If it is one of other images or another generator.
    """
    if restoration is None:
        raise ArgumentError(
            "start is 'modes', which needs a restoration; give one, or start from the prior."
        )
    images, size = len(objective.target), generator.latent_size
    if len(restoration.latents) != images or restoration.latents.shape[2] != size:
        raise ShapeError(
            f"The restoration has {len(restoration.latents)} images and latent size "
            f"{restoration.latents.shape[2]}; the measurement has {images}, the generator {size}."
        )
    lowest = []
    for costs, latents in zip(restoration.costs, restoration.latents, strict=True):
        found = find_modes(costs, latents, generator)[:MOST_MODES]
        if not found:
            raise ArgumentError("No restart of an image ended; start from the prior.")
        lowest.append(latents[[mode.restart for mode in found]])
    most = max(map(len, lowest))
    padded = torch.stack([torch.cat([z, z[:1].expand(most - len(z), -1)]) for z in lowest])
    costs, precision = _curvature(objective, padded)
    return [_make(padded[b], costs[b], precision[b], len(z), weight) for b, z in enumerate(lowest)]


def _curvature(objective: Objective, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """J and half its second derivatives, by differences of gradients. [B, M], [B, M, D, D]"""
    size = latents.shape[2]
    z = latents.to(objective.target)
    steps = STEP * torch.eye(size).to(z)
    around = torch.cat([z[:, :, None] + steps, z[:, :, None] - steps], dim=2)
    _, slopes = objective.cost_and_gradient(around.flatten(1, 2))
    up, down = slopes.unflatten(1, around.shape[1:3]).chunk(2, dim=2)
    half = ((up - down) / (4 * STEP)).cpu().double()
    return objective.cost(z).cpu().double(), (half + half.mT) / 2


def _make(
    latents: torch.Tensor,
    costs: torch.Tensor,
    precision: torch.Tensor,
    count: int,
    weight: float,
) -> Proposal:
    # No direction is wider than the prior, for J holds z'z.
    values, axes = torch.linalg.eigh(precision[:count])
    values = 1 + weight * (values - 1).clamp(min=0)
    covariance = axes @ torch.diag_embed(1 / values) @ axes.mT
    prior = latents[:count].double().cpu().square().sum(1)
    energy = weight * (costs[:count] - prior) + prior
    mass = torch.softmax(-energy / 2 - values.log().sum(1) / 2, dim=0)
    return Proposal(
        Mixture(
            ((1 - EVEN_SHARE) * mass + EVEN_SHARE / count).numpy(),
            latents[:count].double().cpu().numpy(),
            torch.linalg.cholesky(covariance).numpy(),
        )
    )
