"""The second stage: images restored through the decoder shall be near the undamaged ones.

A training image is damaged, its latent vector z* = argmin J(z) is searched as `restore` does
it, and the loss is the absolute error of G(z*). (The best guess of a doubtful pixel is then its
median, ink or paper, where the squared error would make it grey.) The decoder's weights w act
on that loss directly, and through z*: at the minimum grad_z J(z*, w) = 0, so by the implicit
function theorem

    dL/dw = dL/dw |z*  -  v' d(grad_z J)/dw   with   H v = dL/dz,   H = Hessian of J at z*.

H is taken as Gauss-Newton's, which is positive definite. The masks are of many kinds, so that
the generator learns no single one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from inpaint.config import RestoreConfig
from inpaint.generator import Generator
from inpaint.operators import Mask
from inpaint.restore import restore
from inpaint.training.randomness import Draws
from inpaint.types import Measurement

CANDIDATES = 1000
SEARCH = RestoreConfig(
    screen=0,
    solver="adam",
    steps=30,
    learning_rate=0.3,
    schedule="cosine",
    tolerance=0.0,
    backend="torch",
)
"""A short search from the best of a few candidates: enough to be near the minimum."""

NOISE = (0.07, 0.13)
"""Lowest and highest standard deviation of the noise on the damaged images."""

KEPT = (0.32, 0.9)
"""Lowest and highest share of the pixels that is observed."""

LEFT = 5
"""Of 8 masks this many keep the left side; the others the right, the upper or the lower one."""

MISSING_WEIGHT = 1.5
"""Weight of a lost pixel's error; an observed one weighs 1."""


@dataclass(frozen=True)
class Damaged:
    """Damaged images, and what they were.

    Attributes:
        ideal: 1 = paper. [B, P]
        values: With noise; lost pixels are zero. [B, P]
        observed: 1 where a pixel is observed, else 0. [B, P]
    """

    ideal: Tensor
    values: Tensor
    observed: Tensor


def damage(images: Tensor, draws: Draws) -> Damaged:
    """Add noise, and lose the pixels beyond a straight edge of images [B, C, H, W]."""
    count, channels, height, width = images.shape
    pixels = height * width
    kept = (KEPT[0] + (KEPT[1] - KEPT[0]) * draws.uniform(count, 1)) * pixels
    order = torch.arange(pixels, device=images.device)
    by_rows = (order < kept).view(count, 1, height, width)
    by_columns = (order < kept).view(count, 1, width, height).transpose(2, 3)
    side = draws.integers(0, 8, count).view(count, 1, 1, 1)
    observed = torch.where(side < LEFT, by_columns, by_columns.flip(3))
    observed = torch.where(side == LEFT + 1, by_rows, observed)
    observed = torch.where(side == LEFT + 2, by_rows.flip(2), observed)
    mask = observed.expand(-1, channels, -1, -1).flatten(1).to(images)
    level = NOISE[0] + (NOISE[1] - NOISE[0]) * draws.uniform(count, 1)
    ideal = images.flatten(1)
    return Damaged(ideal, (ideal + level * draws.normal(*ideal.shape)) * mask, mask)


def search(generator: Generator, damaged: Damaged, draws: Draws, restarts: int) -> Tensor:
    """The latent vector of lowest J that a short search finds for each image, [B, D]."""
    candidates = draws.normal(CANDIDATES, generator.latent_size)
    pixels = generator.pixels(candidates)
    values, observed = damaged.values, damaged.observed
    # ||values - pixels||^2 over the observed pixels, of all pairs at once.
    misfit = values.square().sum(1, keepdim=True) - 2 * values @ pixels.T
    misfit = (misfit + observed @ pixels.square().T).clamp(min=1e-6)
    costs = observed.sum(1, keepdim=True) * misfit.log() + candidates.square().sum(1)
    starts = candidates[costs.topk(restarts, dim=1, largest=False).indices]
    shape = (len(values), *generator.image_shape)
    mask = Mask(observed.view(shape).bool())
    config = replace(SEARCH, device=str(values.device))
    found = restore(Measurement(values.view(shape), mask), generator, config, latents=starts)
    return found.best_latents.to(values)


def loss(decoder: nn.Module, latents: Tensor, damaged: Damaged) -> tuple[Tensor, Tensor]:
    """The restoration error, with a gradient that knows how the latent vectors follow.

    Args:
        decoder: Maps latent vectors to pixels.
        latents: Where `search` ended. [B, D]
        damaged: The images.

    Returns:
        Weighted absolute error, mean over the images, to be differentiated by the decoder's
        weights []; mean squared error of the lost pixels [].
    """
    latents = latents.detach().requires_grad_()
    observed, count = damaged.observed, damaged.observed.sum(1)
    pixels = decoder(latents)
    difference = pixels - damaged.ideal
    weight = observed + MISSING_WEIGHT * (1 - observed)
    error = (difference.abs() * weight).sum(1).mean()
    (slope,) = torch.autograd.grad(error, latents, retain_graph=True)

    misfit = (observed * (pixels - damaged.values).square()).sum(1)
    cost = (count * misfit.log()).sum()
    (cost_slope,) = torch.autograd.grad(cost, latents, create_graph=True)
    direction = _solve(decoder, latents.detach(), observed, 2 * count / misfit.detach(), slope)
    lost = 1 - observed
    figure = (difference.detach().square() * lost).sum(1) / lost.sum(1).clamp(min=1)
    return error - (direction * cost_slope).sum(), figure.mean()


def _solve(
    decoder: nn.Module, latents: Tensor, observed: Tensor, scale: Tensor, slope: Tensor
) -> Tensor:
    """H^-1 slope with Gauss-Newton's H = scale Jac' Jac + 2 I of J, [B, D]."""
    with torch.no_grad():
        jacobian = torch.func.vmap(torch.func.jacfwd(decoder))(latents)
        scaled = jacobian * (observed * scale[:, None])[..., None]
        identity = torch.eye(latents.shape[1]).to(latents)
        solved: Tensor = torch.linalg.solve(jacobian.mT @ scaled + 2 * identity, slope)
        return solved
