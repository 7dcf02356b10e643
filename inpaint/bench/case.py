"""What every variant computes: one plain gradient descent, and how it is checked."""

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
"""Error of a cost, relative to |J| + N: float32 leaves 1e-7 to 4e-6."""

LATENT_TOLERANCE = 1e-4
"""Error of a latent vector, relative to the longest way gone: float32 leaves up to 6e-6."""


class AgreementError(InpaintError):
    """A variant computes something else than the objective, so timing it would mean nothing."""


class Trace(NamedTuple):
    """What a descent of R restarts leaves behind.

    Attributes:
        latents: The iterates after the last step. [R, D]
        costs: J at the beginning of each step. [S, R]
    """

    latents: NDArray[np.floating]
    costs: NDArray[np.floating]


Descent = Callable[[int], Trace]
"""Takes so many steps from the problem's starting points; the same ones at every call."""


@dataclass(frozen=True)
class Variant:
    """One way to compute the descent.

    Attributes:
        name: What to call it in tables.
        prepare: Makes the descent of a problem on a number of threads, with all that can be
            done ahead of the first step. Raises BackendError, with the reason, where it
            cannot run.
    """

    name: str
    prepare: Callable[[Problem, int], Descent]


@dataclass(frozen=True)
class Problem:
    """A damaged image, and the starting points from which it is restored.

    Attributes:
        generator: float64.
        measurement: One image: the generator's own, with noise, the first `keep` pixels kept.
        keep: N.
        starts: float64 [R, D]
        learning_rate: Of plain gradient descent.
    """

    generator: Generator
    measurement: Measurement
    keep: int
    starts: Tensor
    learning_rate: float = LEARNING_RATE


def make_problem(generator: Generator, keep: int, count: int, *, seed: int = 0) -> Problem:
    """The bench's problem with the first `keep` pixels observed and `count` restarts."""
    generator = generator.to(dtype=torch.float64)
    random = np.random.default_rng(seed)
    mask = Mask.leading(keep, generator.image_shape)
    ideal = generator(torch.from_numpy(random.standard_normal((1, generator.latent_size))))
    noise = torch.from_numpy(random.normal(0, NOISE, ideal.shape))
    starts = torch.from_numpy(random.standard_normal((count, generator.latent_size)))
    return Problem(generator, Measurement(mask.apply(ideal + noise), mask, ideal), keep, starts)


def reference_descent(problem: Problem, starts: Tensor, steps: int) -> Trace:
    """The descent as the objective defines it, in float64."""
    objective = make_objective(problem.measurement, problem.generator, dtype=torch.float64)
    latents, costs = starts[None], []
    for _ in range(steps):
        cost, gradient = objective.cost_and_gradient(latents)
        latents = latents - problem.learning_rate * gradient
        costs.append(cost[0])
    return Trace(latents[0].numpy(), torch.stack(costs).numpy())


def check_agreement(problem: Problem, name: str, descent: Descent) -> None:
    """Compare a variant with the objective over a few steps.

    Up to `CHECK_RESTARTS` restarts are compared, spread over those that the variant ran.

    Args:
        problem: What is computed.
        name: The variant's.
        descent: The variant's.

    Raises:
        AgreementError: If a cost or a latent vector is off by more than its tolerance.
    """
    trace = descent(CHECK_STEPS)
    ran = len(trace.latents)
    picks = np.unique(np.linspace(0, ran - 1, min(ran, CHECK_RESTARTS)).round().astype(int))
    starts = problem.starts[torch.from_numpy(picks)]
    reference = reference_descent(problem, starts, CHECK_STEPS)

    way = np.linalg.norm(reference.latents - starts.numpy(), axis=1).max()
    latent_error = np.abs(trace.latents[picks] - reference.latents).max() / way
    scale = np.abs(reference.costs) + problem.keep
    cost_error = (np.abs(trace.costs[:, picks] - reference.costs) / scale).max()
    for what, error, tolerance in (
        ("costs", cost_error, COST_TOLERANCE),
        ("latent vectors", latent_error, LATENT_TOLERANCE),
    ):
        # Written so that NaN fails too.
        if not error <= tolerance:
            raise AgreementError(
                f"{name} at N={problem.keep}, R={len(problem.starts)}: its {what} are off by "
                f"{error:.1e} (relative) after {CHECK_STEPS} steps; at most {tolerance:.0e} is "
                "rounding. Mend the variant before timing it."
            )


def active_share(generator: Generator, latents: NDArray[np.floating]) -> float:
    """Mean share of hidden units that are not zero: what a sparse kernel cannot skip."""
    values = torch.from_numpy(np.asarray(latents, dtype=np.float64))
    shares = []
    for layer in generator.layers[:-1]:
        values = layer.forward(values)
        shares.append((values != 0).double().mean())
    return float(torch.stack(shares).mean()) if shares else 1.0
