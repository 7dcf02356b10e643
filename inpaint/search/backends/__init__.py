"""Two backends that do the same: choose one of them, and say why.

Each has `cost`, `cost_and_gradient`, `advance`, `finish` and `move` with equal signatures.
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
    """What a restoration runs on.

    Attributes:
        label: Its name and what it computes with, such as "cpp (avx512)".
        reasons: Why it was chosen.
        cost: J of latent vectors, forward only. [B, R, D] -> [B, R]
        advance: Takes steps; returns the new state and the costs met. [num_steps, B, R]
        finish: Evaluates the last iterates and settles each restart's status.
        move: Moves particles by Hamiltonian Monte Carlo. [B, K, P, D]
    """

    label: str
    reasons: tuple[str, ...]
    cost: Callable[[Objective, Tensor], Tensor]
    advance: Callable[[Objective, Solver, SolveState, int], tuple[SolveState, Tensor]]
    finish: Callable[[Objective, Solver, SolveState, Status], SolveState]
    move: Callable[[Objective, Tensor, Moves], Moved]


class Settings(Protocol):
    """What the choice needs to know, of a restoration's settings or a sampling's."""

    @property
    def backend(self) -> BackendName:
        """The backend that was asked for."""
        ...

    @property
    def threads(self) -> int:
        """Threads to compute with."""
        ...


def choose(config: Settings, objective: Objective) -> Backend:
    """Pick the backend that the configuration asks for, or the first that can serve.

    Args:
        config: Names a backend, or "auto": C++ where it can, else torch.
        objective: What shall be minimised.

    Raises:
        BackendError: If "cpp" is asked for and cannot serve; it never falls back. Also if
            the extension is there and fails to load, which no fallback shall hide.
    """
    if config.backend == "torch":
        return _torch(objective, "torch was asked for.")
    obstacle = cpp.obstacle(objective)
    if obstacle is None:
        reason = "cpp was asked for." if config.backend == "cpp" else "C++ serves this problem."
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
    logger.info("The torch backend serves instead of C++: %s", obstacle)
