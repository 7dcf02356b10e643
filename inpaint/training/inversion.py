"""The second stage: images restored through the decoder should be close to the undamaged ones.

A training image is damaged, a search finds its latent vector z* = argmin J(z), and the loss is
the error of G(z*): the mean over images of the logarithm of the mean squared error. That is what
PSNR measures, and it keeps hard images from outweighing the others. The decoder's weights w act
on that loss directly and through z*: at the minimum grad_z J(z*, w) = 0, so by the implicit
function theorem

    dL/dw = dL/dw |z*  -  v' d(grad_z J)/dw   with   H v = dL/dz,   H = Hessian of J at z*.

H is approximated by Gauss-Newton, which is positive definite. The formula holds only at a minimum,
so the search ends with Levenberg-Marquardt steps.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from inpaint.config import RestoreConfig
from inpaint.generators import Generator
from inpaint.operators import Mask
from inpaint.search.restore import restore
from inpaint.training.augmentation import Damaged
from inpaint.training.randomness import RandomStream
from inpaint.types import Measurement

CANDIDATES = 1000
"""Random latent vectors from which the search takes its starts."""

SEARCH = RestoreConfig(
    screen=0,
    solver="adam",
    steps=12,
    learning_rate=0.3,
    schedule="cosine",
    tolerance=0.0,
    backend="torch",
)
"""A short descent from the best candidates, to choose the valley."""

REFINE_STEPS = 3
"""Levenberg-Marquardt steps after it; five times as many Adam steps would gain less."""

DAMPING = 0.1
"""Initial damping, as a share of the Hessian's diagonal."""

OBSERVED_WEIGHT = 0.3
"""Weight of the observed pixels' error, relative to that of the lost ones."""

ERROR_FLOOR = 2e-3
"""Added to mean squared errors before the logarithm, so images better than 27 dB gain little."""


def search(generator: Generator, damaged: Damaged, rng: RandomStream, restarts: int) -> Tensor:
    """The latent vector of lowest J that a short search finds for each image. [B, D]"""
    candidates = rng.normal(CANDIDATES, generator.latent_size)
    pixels = generator.pixels(candidates)
    values, observed = damaged.values, damaged.observed
    # ||values - pixels||^2 over the observed pixels, for all pairs at once.
    misfit = values.square().sum(1, keepdim=True) - 2 * values @ pixels.T
    misfit = (misfit + observed @ pixels.square().T).clamp(min=1e-6)
    costs = observed.sum(1, keepdim=True) * misfit.log() + candidates.square().sum(1)
    starts = candidates[costs.topk(restarts, dim=1, largest=False).indices]
    shape = (len(values), *generator.image_shape)
    mask = Mask(observed.view(shape).bool())
    config = replace(SEARCH, device=str(values.device))
    found = restore(Measurement(values.view(shape), mask), generator, config, latents=starts)
    return found.best_latents.to(values)


def refine(
    decoder: nn.Sequential, latents: Tensor, damaged: Damaged, steps: int = REFINE_STEPS
) -> Tensor:
    """Bring latent vectors close to the minimum of J by damped Gauss-Newton steps.

    Args:
        decoder: Maps latent vectors to pixels.
        latents: Where `search` ended. [B, D]
        damaged: The images.
        steps: Steps to try. One that would raise an image's J is rejected, and that image's next
            step is shorter.

    Returns:
        [B, D]

    Source: Levenberg 1944; Marquardt 1963.
    """
    with torch.no_grad():
        damping = latents.new_full((len(latents), 1, 1), DAMPING)
        pixels = decoder(latents)
        costs = _cost(latents, pixels, damaged)
        for _ in range(steps):
            jacobian, hessian = _gauss_newton(decoder, latents, pixels, damaged)
            residual = damaged.observed * (pixels - damaged.values)
            pulled_back = (jacobian.mT @ residual[..., None])[..., 0]
            gradient = _misfit_scale(pixels, damaged) * pulled_back + 2 * latents
            diagonal = torch.diag_embed(hessian.diagonal(dim1=1, dim2=2))
            new_latents = latents - torch.linalg.solve(hessian + damping * diagonal, gradient)
            new_pixels = decoder(new_latents)
            new_costs = _cost(new_latents, new_pixels, damaged)
            better = new_costs < costs
            latents = torch.where(better[:, None], new_latents, latents)
            pixels = torch.where(better[:, None], new_pixels, pixels)
            costs = torch.where(better, new_costs, costs)
            damping = damping * torch.where(better, 0.2, 5.0)[:, None, None]
        return latents


def loss(decoder: nn.Sequential, latents: Tensor, damaged: Damaged) -> tuple[Tensor, Tensor]:
    """The restoration error, with a gradient that includes how the latent vectors react.

    Args:
        decoder: Maps latent vectors to pixels.
        latents: Where the search ended. [B, D]
        damaged: The images.

    Returns:
        Weighted logarithm of the mean squared error, averaged over the images, with a gradient for
        the decoder's weights []; mean squared error of the lost pixels [].
    """
    latents = latents.detach().requires_grad_()
    pixels = decoder(latents)
    errors, lost = restoration_errors(pixels, damaged, observed_weight=OBSERVED_WEIGHT)
    error = errors.mean()
    (error_gradient,) = torch.autograd.grad(error, latents, retain_graph=True)
    (cost_gradient,) = torch.autograd.grad(
        _cost(latents, pixels, damaged).sum(), latents, create_graph=True
    )
    with torch.no_grad():
        _, hessian = _gauss_newton(decoder, latents, pixels, damaged)
        direction = torch.linalg.solve(hessian, error_gradient)
    return error - (direction * cost_gradient).sum(), lost.detach().mean()


def restoration_errors(
    pixels: Tensor, damaged: Damaged, *, observed_weight: float
) -> tuple[Tensor, Tensor]:
    """How far restored images are from the undamaged ones.

    Args:
        pixels: The restored images. [B, P]
        damaged: What they were restored from.
        observed_weight: Weight of the observed pixels' error, relative to that of the lost ones.

    Returns:
        Weighted sum of the logarithms of the mean squared errors [B]; mean squared error of the
        lost pixels [B].
    """
    observed, squares = damaged.observed, (pixels - damaged.ideal).square()
    of_lost = _mean(squares, 1 - observed)
    of_observed = _mean(squares, observed)
    errors = (of_lost + ERROR_FLOOR).log() + observed_weight * (of_observed + ERROR_FLOOR).log()
    return errors, of_lost


def _mean(squares: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of each row; 0 where nothing has weight. [B, P] -> [B]"""
    mean: Tensor = (squares * weights).sum(1) / weights.sum(1).clamp(min=1)
    return mean


def _misfit(pixels: Tensor, damaged: Damaged) -> Tensor:
    """Squared residual over the observed pixels. [B]"""
    return (damaged.observed * (pixels - damaged.values).square()).sum(1)


def _cost(latents: Tensor, pixels: Tensor, damaged: Damaged) -> Tensor:
    """J of `pixels` = G(latents). [B]"""
    num_observed = damaged.observed.sum(1)
    return num_observed * _misfit(pixels, damaged).log() + latents.square().sum(1)


def _misfit_scale(pixels: Tensor, damaged: Damaged) -> Tensor:
    """Twice the derivative of J with respect to the misfit. [B, 1]"""
    return (2 * damaged.observed.sum(1) / _misfit(pixels, damaged))[:, None]


def _gauss_newton(
    decoder: nn.Sequential, latents: Tensor, pixels: Tensor, damaged: Damaged
) -> tuple[Tensor, Tensor]:
    """The decoder's Jacobian A [B, P, D] and the Hessian of J, scale A'A + 2 I [B, D, D]."""
    transposed = _transposed_jacobian(decoder, latents)
    weights = damaged.observed * _misfit_scale(pixels, damaged)
    hessian = (transposed * weights[:, None]) @ transposed.mT
    return transposed.mT, hessian + 2 * torch.eye(latents.shape[1]).to(latents)


def _transposed_jacobian(decoder: nn.Sequential, latents: Tensor) -> Tensor:
    """The Jacobian's transpose, layer by layer, which is faster than jacfwd. [B, D, P]"""
    values = latents.detach()
    tangents = torch.eye(latents.shape[1]).to(latents)
    for layer in decoder:
        if isinstance(layer, nn.Linear):
            values, tangents = layer(values), tangents @ layer.weight.mT
            continue
        with torch.enable_grad():
            before = values.requires_grad_()
            after = layer(before)
            (derivative,) = torch.autograd.grad(after.sum(), before)
        values, tangents = after.detach(), tangents * derivative[:, None]
    return tangents
