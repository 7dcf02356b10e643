"""The C++ backend: many steps of every restart in one call, on several CPU cores.

It does what `inpaint.search.backends.torch` does, one restart at a time, and is tested against
it. An `Objective` is packed for the processor's instruction set when it is first used. `csrc/`
holds the C++ side; docs/kernels.md explains it. `csrc/boundary.h` checks all that is passed, and
raises this package's errors.
"""

from __future__ import annotations

import weakref
from dataclasses import fields
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from inpaint.errors import BackendError
from inpaint.generators import Generator
from inpaint.search.backends.hamiltonian import Moved, Moves
from inpaint.search.objective import Objective, Observation
from inpaint.search.solvers import (
    LBFGS,
    Adam,
    FirstOrder,
    GradientDescent,
    RMSprop,
    Solver,
    SolveState,
)
from inpaint.types import Status


def available() -> tuple[bool, str]:
    """Whether the extension is installed, and a sentence that says so.

    Raises:
        BackendError: If the extension is installed but fails to load.
    """
    if find_spec("inpaint._C") is None:
        return False, (
            "The extension inpaint._C was not built; install a C++ compiler and run "
            "`pip install --no-build-isolation .` again."
        )
    _extension()
    return True, "The extension inpaint._C is built and loads."


def obstacle(objective: Objective) -> str | None:
    """Why this backend does not support a problem; None if it does.

    Raises:
        BackendError: If the extension is installed but fails to load.
    """
    built, reason = available()
    if not built:
        return reason
    generator = objective.generator
    if isinstance(generator, Observation) and isinstance(generator.generator, Generator):
        return "C++ supports dense layers only; this operator's matrix is too large to be one."
    if not isinstance(generator, Generator):
        return "C++ supports dense layers only; this generator is a torch module."
    if not generator.dense:
        return "C++ supports dense layers only; this generator has convolutions."
    if objective.target.device.type != "cpu":
        return f"C++ computes on the CPU; the problem is on {objective.target.device}."
    if objective.target.dtype not in (torch.float32, torch.float64):
        return f"C++ computes in float32 or float64, not in {objective.target.dtype}."
    return None


def capability(dtype: torch.dtype = torch.float32) -> str:
    """The instruction set in use: "avx512", "avx2" or "portable".

    It is the best one that the processor has and the environment variable ATEN_CPU_CAPABILITY
    ("avx512", "avx2" or "default") allows; in float64 it is always "portable".

    Raises:
        BackendError: If the extension fails to load.
    """
    if dtype == torch.float64:
        return "portable"
    name: str = _extension().capability()
    return name


def cost(
    objective: Objective, latents: Tensor, *, threads: int = 0, capability: str | None = None
) -> Tensor:
    """J of latent vectors, forward only.

    Args:
        objective: J of B images.
        latents: [B, R, D]
        threads: 0 uses as many as torch does: see `torch.set_num_threads`.
        capability: Instruction set to use; None uses the best one.

    Returns:
        [B, R]
    """
    packed = _pack(objective, capability)
    costs: Tensor = _extension().cost(packed, _fit(objective, latents), threads=threads)
    return costs


def cost_and_gradient(
    objective: Objective, latents: Tensor, *, threads: int = 0, capability: str | None = None
) -> tuple[Tensor, Tensor]:
    """J and its gradient; see `cost`. [B, R, D] -> [B, R], [B, R, D]"""
    packed = _pack(objective, capability)
    both: tuple[Tensor, Tensor] = _extension().cost_and_gradient(
        packed, _fit(objective, latents), threads=threads
    )
    return both


def advance(
    objective: Objective,
    solver: Solver,
    state: SolveState,
    num_steps: int,
    *,
    threads: int = 0,
    capability: str | None = None,
) -> tuple[SolveState, Tensor]:
    """Take up to `num_steps` steps with every running restart.

    The result of a restart is bit-equal for any number of threads, however its steps are divided
    into calls, and whatever other restarts and images are in the call.

    Args:
        objective: J of B images.
        solver: The solver and its settings.
        state: The state to advance; it is not changed.
        num_steps: Steps to take.
        threads: 0 uses as many as torch does: see `torch.set_num_threads`.
        capability: Instruction set to use; None uses the best one.

    Returns:
        The new state and the cost of each restart at each step. [num_steps, B, R]
    """
    tensors = _writable(state)
    rates = solver.learning_rates(state.step, num_steps) if isinstance(solver, FirstOrder) else []
    history: Tensor = _extension().advance(
        _pack(objective, capability),
        _native(solver),
        tolerance=solver.tolerance,
        patience=solver.patience,
        first_step=state.step,
        num_steps=num_steps,
        rates=rates,
        state=tensors,
        threads=threads,
    )
    return SolveState(state.step + num_steps, *tensors), history.permute(2, 0, 1)


def finish(
    objective: Objective,
    solver: Solver,
    state: SolveState,
    status: Status,
    *,
    threads: int = 0,
    capability: str | None = None,
) -> SolveState:
    """Evaluate the last iterates and set the final status of restarts that still run.

    Args:
        objective: J of B images.
        solver: The solver.
        state: The state after the last step; it is not changed.
        status: Status for restarts that still run: MAX_STEPS or CANCELLED.
        threads: 0 uses as many as torch does: see `torch.set_num_threads`.
        capability: Instruction set to use; None uses the best one.
    """
    tensors = _writable(state)
    _extension().finish(
        _pack(objective, capability),
        _native(solver),
        status=int(status),
        state=tensors,
        threads=threads,
    )
    return SolveState(state.step, *tensors)


def move(
    objective: Objective,
    latents: Tensor,
    moves: Moves,
    *,
    threads: int = 0,
    capability: str | None = None,
) -> Moved:
    """Move particles by Hamiltonian Monte Carlo; see `Moves`.

    The result of a particle is bit-equal for any number of threads and whatever other particles,
    chains and images are in the call.

    Args:
        objective: J of B images.
        latents: [B, K, P, D]
        moves: The moves, with all their random numbers.
        threads: 0 uses as many as torch does: see `torch.set_num_threads`.
        capability: Instruction set to use; None uses the best one.
    """
    states, costs, accepted, gradients = _extension().move(
        _pack(objective, capability),
        _fit(objective, latents),
        momenta=_fit(objective, moves.momenta),
        thresholds=_fit(objective, moves.thresholds),
        inverse_temperatures=_fit(objective, moves.inverse_temperatures),
        lengths=_fit(objective, moves.lengths),
        factors=_fit(objective, moves.factors),
        leapfrog=moves.leapfrog,
        threads=threads,
    )
    return Moved(states, costs, accepted, gradients)


@lru_cache(maxsize=1)
def _extension() -> ModuleType:
    try:
        return import_module("inpaint._C")
    except ImportError as error:
        raise BackendError(
            f"The extension inpaint._C cannot be loaded: {error}. Build it against the installed "
            "torch: `pip install --no-build-isolation .`"
        ) from error


_packed: dict[tuple[int, str], Any] = {}
"""Packed problems by the `id` of their objective and by instruction set."""


def _pack(objective: Objective, capability: str | None) -> Any:
    """An objective packed for C++, cached as long as the objective lives."""
    name = capability or _extension().capability()
    key = id(objective), name
    if key not in _packed:
        reason = obstacle(objective)
        if reason is not None:
            raise BackendError(f"The cpp backend does not support this problem: {reason}")
        if not _extension().supports(name):
            raise BackendError(
                f"capability is {name!r}, which this processor does not support; choose 'avx512', "
                "'avx2' or 'portable', or None for the best one."
            )
        _packed[key] = _make_problem(objective, name)
        weakref.finalize(objective, _packed.pop, key, None)
    return _packed[key]


def _make_problem(objective: Objective, capability: str) -> Any:
    extension = _extension()
    assert isinstance(objective.generator, Generator)
    target = objective.target.contiguous()
    layers = [
        extension.Layer(
            weight=layer.weight.contiguous(),
            bias=layer.bias.contiguous(),
            activation=getattr(extension.Activation, layer.activation),
            negative_slope=layer.negative_slope,
        )
        for layer in objective.generator.layers
    ]
    weight = target.new_empty(0) if objective.weight is None else objective.weight.contiguous()
    return extension.Problem(
        layers=layers,
        target=target,
        weight=weight,
        num_observed=objective.num_observed.to(target),
        known_noise=objective.known_noise or 0.0,
        capability=capability,
    )


def _native(solver: Solver) -> Any:
    """The extension's solver with the same settings."""
    extension = _extension()
    match solver:
        case GradientDescent():
            return extension.GradientDescent()
        case RMSprop(decay=decay, epsilon=epsilon):
            return extension.RMSprop(decay=decay, epsilon=epsilon)
        case Adam(beta1=beta1, beta2=beta2, epsilon=epsilon):
            return extension.Adam(beta1=beta1, beta2=beta2, epsilon=epsilon)
        case LBFGS():
            return extension.LBFGS(
                max_pairs=solver.max_pairs,
                armijo=solver.armijo,
                curvature=solver.curvature,
                max_trials=solver.max_trials,
                curvature_floor=solver.curvature_floor,
                first_step_length=solver.first_step_length,
            )
    raise BackendError(f"The cpp backend has no solver {type(solver).__name__}.")


def _fit(objective: Objective, tensor: Tensor) -> Tensor:
    """The tensor in the objective's precision, contiguous as C++ requires."""
    return tensor.to(objective.target).contiguous()


def _writable(state: SolveState) -> list[Tensor]:
    """Copies of the state's tensors, in the order of its fields, that C++ may overwrite."""
    tensors = (getattr(state, field.name) for field in fields(state) if field.name != "step")
    return [tensor.clone(memory_format=torch.contiguous_format) for tensor in tensors]
