"""When a restart stops: the rule of all solvers of the torch backend.

`update_convergence` in csrc/solvers.h is the same rule in C++. The numbers are `tolerance` and
`patience` of `RestoreConfig`.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from inpaint.search.solvers import Solver, SolveState
from inpaint.types import Status


def update_convergence(solver: Solver, state: SolveState, counted: Tensor) -> SolveState:
    """Stop the restarts whose lowest cost has not fallen by `tolerance` in `patience` iterates.

    Args:
        solver: Has the two numbers; a tolerance of 0 never stops a restart.
        state: The state after the cost of an iterate was taken into account.
        counted: The restarts that have a new iterate. [B, R]
    """
    fell = counted & (state.best_costs < state.anchor - solver.tolerance)
    stale = torch.where(fell, 0, state.stale + counted.int()).int()
    converged = counted & (stale >= solver.patience) & (solver.tolerance > 0)
    return replace(
        state,
        anchor=torch.where(fell, state.best_costs, state.anchor),
        stale=stale,
        status=torch.where(converged, int(Status.CONVERGED), state.status).to(torch.uint8),
    )
