"""The plain gradient descent that every variant computes, and the check that it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint.config import SOLVER_DEFAULTS
from inpaint.errors import InpaintError
from inpaint.generators import Generator
from inpaint.operators import Mask
from inpaint.search.objective import make_objective
from inpaint.types import Measurement

LEARNING_RATE = SOLVER_DEFAULTS["gradient-descent"].learning_rate
NOISE = 0.1
CHECK_STEPS = 5
CHECK_RESTARTS = 16

COST_TOLERANCE = 1e-5
"""Allowed error of a cost, relative to |J| + N; float32 causes 1e-7 to 4e-6."""

LATENT_TOLERANCE = 1e-4
"""Allowed error of a latent vector, relative to the longest path; float32 causes up to 6e-6."""


class AgreementError(InpaintError):
    """A variant does not compute the objective, so its rate would mean nothing."""


class DescentResult(NamedTuple):
    """Where a descent of R restarts ended, and its costs.

    Attributes:
        latents: Latent vectors after the last step. [R, D]
        costs: J at the beginning of each step. [S, R]
    """

    latents: NDArray[np.floating]
    costs: NDArray[np.floating]


Descent = Callable[[int], DescentResult]
"""Takes a number of steps from the case's starting points; every call starts again."""


@dataclass(frozen=True)
class Variant:
    """One way to compute the descent.

    Attributes:
        name: Its name in tables.
        prepare: Makes the descent of a case on a number of threads, and does all work that comes
            before the first step. Raises BackendError, with the reason, where it cannot run.
    """

    name: str
    prepare: Callable[[BenchCase, int], Descent]


@dataclass(frozen=True)
class BenchCase:
    """A damaged image and the starting points of its restoration.

    Attributes:
        generator: In float64.
        measurement: The first `keep` pixels of one image that the generator drew, with noise.
        keep: Number of observed pixels N.
        starts: Starting points, in float64. [R, D]
        learning_rate: Learning rate of gradient descent.
    """

    generator: Generator
    measurement: Measurement
    keep: int
    starts: Tensor
    learning_rate: float = LEARNING_RATE


def make_case(generator: Generator, keep: int, count: int, *, seed: int = 0) -> BenchCase:
    """Make a case with the first `keep` pixels observed and `count` restarts."""
    generator = generator.to(dtype=torch.float64)
    random = np.random.default_rng(seed)
    mask = Mask.leading(keep, generator.image_shape)
    ideal = generator(torch.from_numpy(random.standard_normal((1, generator.latent_size))))
    noise = torch.from_numpy(random.normal(0, NOISE, ideal.shape))
    starts = torch.from_numpy(random.standard_normal((count, generator.latent_size)))
    return BenchCase(generator, Measurement(mask.apply(ideal + noise), mask, ideal), keep, starts)


def reference_descent(case: BenchCase, starts: Tensor, steps: int) -> DescentResult:
    """The descent as the objective defines it, in float64."""
    objective = make_objective(case.measurement, case.generator, dtype=torch.float64)
    latents, costs = starts[None], []
    for _ in range(steps):
        cost, gradient = objective.cost_and_gradient(latents)
        latents = latents - case.learning_rate * gradient
        costs.append(cost[0])
    return DescentResult(latents[0].numpy(), torch.stack(costs).numpy())


def check_agreement(case: BenchCase, name: str, descent: Descent) -> None:
    """Compare a variant with the objective over a few steps.

    Up to `CHECK_RESTARTS` restarts are compared, spread evenly over all.

    Args:
        case: What the variant computes.
        name: Name of the variant.
        descent: Descent of the variant.

    Raises:
        AgreementError: If a cost or a latent vector is off by more than its tolerance.
    """
    found = descent(CHECK_STEPS)
    count = len(found.latents)
    picks = np.unique(np.linspace(0, count - 1, min(count, CHECK_RESTARTS)).round().astype(int))
    starts = case.starts[torch.from_numpy(picks)]
    reference = reference_descent(case, starts, CHECK_STEPS)

    path = np.linalg.norm(reference.latents - starts.numpy(), axis=1).max()
    latent_error = np.abs(found.latents[picks] - reference.latents).max() / path
    scale = np.abs(reference.costs) + case.keep
    cost_error = (np.abs(found.costs[:, picks] - reference.costs) / scale).max()
    for what, error, tolerance in (
        ("costs", cost_error, COST_TOLERANCE),
        ("latent vectors", latent_error, LATENT_TOLERANCE),
    ):
        # Written so that NaN fails too.
        if not error <= tolerance:
            raise AgreementError(
                f"{name} at N={case.keep}, R={len(case.starts)}: its {what} are off by "
                f"{error:.1e} (relative) after {CHECK_STEPS} steps; at most {tolerance:.0e} is "
                "rounding. Fix the variant before timing it."
            )


def active_share(generator: Generator, latents: NDArray[np.floating]) -> float:
    """Mean share of hidden units that are not zero, which a sparse kernel cannot skip."""
    values = torch.from_numpy(np.asarray(latents, dtype=np.float64))
    shares = []
    for layer in generator.layers[:-1]:
        values = layer.forward(values)
        shares.append((values != 0).double().mean())
    return float(torch.stack(shares).mean()) if shares else 1.0
