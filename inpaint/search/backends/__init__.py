"""Two backends that compute the same results, and the choice between them.

Both have `cost`, `cost_and_gradient`, `advance`, `finish` and `move`, called in the same way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Protocol

from torch import Tensor

from inpaint.config import BackendName
from inpaint.errors import BackendError
from inpaint.search.backends import cpp, torch
from inpaint.search.backends.hamiltonian import Moved, Moves
from inpaint.search.objective import Objective
from inpaint.search.solvers import Solver, SolveState
from inpaint.types import Status

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Backend:
    """The chosen backend, as functions.

    Attributes:
        label: Its name and what it computes on, such as "cpp (avx512)".
        reasons: Why it was chosen.
        cost: J of latent vectors, forward only. [B, R, D] -> [B, R]
        advance: Takes steps; returns the new state and the cost at each step. [num_steps, B, R]
        finish: Evaluates the last iterates and sets each restart's final status.
        move: Moves particles by Hamiltonian Monte Carlo. [B, K, P, D]
    """

    label: str
    reasons: tuple[str, ...]
    cost: Callable[[Objective, Tensor], Tensor]
    advance: Callable[[Objective, Solver, SolveState, int], tuple[SolveState, Tensor]]
    finish: Callable[[Objective, Solver, SolveState, Status], SolveState]
    move: Callable[[Objective, Tensor, Moves], Moved]


class Settings(Protocol):
    """The settings of a `RestoreConfig` or a `PosteriorConfig` that the choice depends on."""

    @property
    def backend(self) -> BackendName:
        """The requested backend."""
        ...

    @property
    def threads(self) -> int:
        """Threads to use; 0 uses as many as torch is set to, in both backends."""
        ...


def choose(config: Settings, objective: Objective) -> Backend:
    """Choose the backend that a configuration requests.

    Args:
        config: Requests a backend, or "auto" for C++ if it supports the problem, else torch.
        objective: The problem to solve.

    Raises:
        BackendError: If "cpp" is requested but does not support the problem, or if the extension
            is installed but fails to load. Neither falls back to torch.
    """
    if config.backend == "torch":
        return _torch(objective, "torch was requested.")
    obstacle = cpp.obstacle(objective)
    if obstacle is None:
        reason = "cpp was requested." if config.backend == "cpp" else "C++ supports this problem."
        return Backend(
            label=f"cpp ({cpp.capability(objective.target.dtype)})",
            reasons=(reason,),
            cost=partial(cpp.cost, threads=config.threads),
            advance=partial(cpp.advance, threads=config.threads),
            finish=partial(cpp.finish, threads=config.threads),
            move=partial(cpp.move, threads=config.threads),
        )
    if config.backend == "cpp":
        raise BackendError(f"backend is 'cpp', which cannot serve here: {obstacle}")
    _log_once(obstacle)
    return _torch(objective, obstacle)


def _torch(objective: Objective, reason: str) -> Backend:
    return Backend(
        label=f"torch ({objective.target.device})",
        reasons=(reason,),
        cost=torch.cost,
        advance=torch.advance,
        finish=torch.finish,
        move=torch.move,
    )


@lru_cache(maxsize=64)
def _log_once(obstacle: str) -> None:
    logger.info("Using the torch backend instead of C++: %s", obstacle)
