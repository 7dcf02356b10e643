"""The second stage: images restored through the decoder shall be near the undamaged ones.

A training image is damaged, its latent vector z* = argmin J(z) is searched, and the loss is
the error of G(z*), as the mean over images of the logarithm of the mean squared error: that is
what PSNR counts, and no hard image outweighs the others. The decoder's weights w act on that
loss directly, and through z*: at the minimum grad_z J(z*, w) = 0, so by the implicit function
theorem

    dL/dw = dL/dw |z*  -  v' d(grad_z J)/dw   with   H v = dL/dz,   H = Hessian of J at z*.

H is taken as Gauss-Newton's, which is positive definite. This holds at a minimum only, so the
search ends with steps of Levenberg and Marquardt. The masks are of many kinds
(`inpaint.training.damage`), so that the generator learns no single one.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from inpaint.config import RestoreConfig
from inpaint.generators import Generator
from inpaint.operators import Mask
from inpaint.search.restore import restore
from inpaint.training.damage import Damaged
from inpaint.training.randomness import Draws
from inpaint.types import Measurement

CANDIDATES = 1000
SEARCH = RestoreConfig(
    screen=0,
    solver="adam",
    steps=12,
    learning_rate=0.3,
    schedule="cosine",
    tolerance=0.0,
    backend="torch",
)
"""A short descent from the best of a few candidates, to choose the valley."""

POLISH = 3
"""Steps of Levenberg and Marquardt after it. They gain what five times as many of Adam do not."""

DAMPING = 0.1
"""Share of the Hessian's diagonal that is added to it at first."""

OBSERVED_WEIGHT = 0.3
"""Weight of the observed pixels' error; that of the lost ones weighs 1."""

FLOOR = 2e-3
"""Mean squared error below which an image has nothing more to gain: 27 dB."""


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


def polish(
    decoder: nn.Sequential, latents: Tensor, damaged: Damaged, steps: int = POLISH
) -> Tensor:
    """Follow J down to its minimum (Levenberg 1944, Marquardt 1963).

    Args:
        decoder: Maps latent vectors to pixels.
        latents: Where `search` ended. [B, D]
        damaged: The images.
        steps: A step that would raise an image's J is not taken, and its next one is shorter.

    Returns:
        [B, D]
    """
    with torch.no_grad():
        damping = latents.new_full((len(latents), 1, 1), DAMPING)
        pixels = decoder(latents)
        costs = _cost(latents, pixels, damaged)
        for _ in range(steps):
            jacobian, hessian = _gauss_newton(decoder, latents, pixels, damaged)
            residual = damaged.observed * (pixels - damaged.values)
            pull = (jacobian.mT @ residual[..., None])[..., 0]
            slope = _scale(pixels, damaged) * pull + 2 * latents
            diagonal = torch.diag_embed(hessian.diagonal(dim1=1, dim2=2))
            trial = latents - torch.linalg.solve(hessian + damping * diagonal, slope)
            drawn = decoder(trial)
            reached = _cost(trial, drawn, damaged)
            better = reached < costs
            latents = torch.where(better[:, None], trial, latents)
            pixels = torch.where(better[:, None], drawn, pixels)
            costs = torch.where(better, reached, costs)
            damping = damping * torch.where(better, 0.2, 5.0)[:, None, None]
        return latents


def loss(decoder: nn.Sequential, latents: Tensor, damaged: Damaged) -> tuple[Tensor, Tensor]:
    """The restoration error, with a gradient that knows how the latent vectors follow.

    Args:
        decoder: Maps latent vectors to pixels.
        latents: Where the search ended. [B, D]
        damaged: The images.

    Returns:
        Weighted logarithm of the mean squared error, mean over the images, to be
        differentiated by the decoder's weights []; mean squared error of the lost pixels [].
    """
    latents = latents.detach().requires_grad_()
    pixels = decoder(latents)
    errors, lost = restoration_errors(pixels, damaged, observed_weight=OBSERVED_WEIGHT)
    error = errors.mean()
    (slope,) = torch.autograd.grad(error, latents, retain_graph=True)
    (cost_slope,) = torch.autograd.grad(
        _cost(latents, pixels, damaged).sum(), latents, create_graph=True
    )
    with torch.no_grad():
        _, hessian = _gauss_newton(decoder, latents, pixels, damaged)
        direction = torch.linalg.solve(hessian, slope)
    return error - (direction * cost_slope).sum(), lost.detach().mean()


def restoration_errors(
    pixels: Tensor, damaged: Damaged, *, observed_weight: float
) -> tuple[Tensor, Tensor]:
    """How far restored images are from the undamaged ones.

    Args:
        pixels: Of the restored images. [B, P]
        damaged: What they were restored from.
        observed_weight: Weight of the observed pixels' error; that of the lost ones weighs 1.

    Returns:
        Weighted sum of the logarithms of the mean squared errors [B]; mean squared error of the
        lost pixels [B].
    """
    observed, squares = damaged.observed, (pixels - damaged.ideal).square()
    lost = _mean(squares, 1 - observed)
    seen = _mean(squares, observed)
    return (lost + FLOOR).log() + observed_weight * (seen + FLOOR).log(), lost


def _mean(squares: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of each row; 0 where nothing has weight. [B, P] -> [B]"""
    mean: Tensor = (squares * weights).sum(1) / weights.sum(1).clamp(min=1)
    return mean


def _misfit(pixels: Tensor, damaged: Damaged) -> Tensor:
    """Squared residual over the observed pixels, [B]."""
    return (damaged.observed * (pixels - damaged.values).square()).sum(1)


def _cost(latents: Tensor, pixels: Tensor, damaged: Damaged) -> Tensor:
    """J of `pixels` = G(latents), [B]."""
    count = damaged.observed.sum(1)
    return count * _misfit(pixels, damaged).log() + latents.square().sum(1)


def _scale(pixels: Tensor, damaged: Damaged) -> Tensor:
    """Twice the slope of J in the misfit, [B, 1]."""
    return (2 * damaged.observed.sum(1) / _misfit(pixels, damaged))[:, None]


def _gauss_newton(
    decoder: nn.Sequential, latents: Tensor, pixels: Tensor, damaged: Damaged
) -> tuple[Tensor, Tensor]:
    """The decoder's Jacobian A, [B, P, D], and J's Hessian scale A'A + 2 I, [B, D, D]."""
    pushed = _pushed(decoder, latents)
    weights = damaged.observed * _scale(pixels, damaged)
    hessian = (pushed * weights[:, None]) @ pushed.mT
    return pushed.mT, hessian + 2 * torch.eye(latents.shape[1]).to(latents)


def _pushed(decoder: nn.Sequential, latents: Tensor) -> Tensor:
    """The Jacobian's transpose, pushed through layer by layer: faster than jacfwd. [B, D, P]"""
    values = latents.detach()
    pushed = torch.eye(latents.shape[1]).to(latents)
    for layer in decoder:
        if isinstance(layer, nn.Linear):
            values, pushed = layer(values), pushed @ layer.weight.mT
            continue
        with torch.enable_grad():
            before = values.requires_grad_()
            after = layer(before)
            (slope,) = torch.autograd.grad(after.sum(), before)
        values, pushed = after.detach(), pushed * slope[:, None]
    return pushed
