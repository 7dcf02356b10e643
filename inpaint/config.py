"""The settings of a restoration; their defaults and presets are defined only here."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from inpaint.checks import check_choice, check_integer, check_number

SolverName = Literal["gradient-descent", "rmsprop", "adam", "lbfgs"]
ScheduleName = Literal["constant", "cosine"]
BackendName = Literal["auto", "cpp", "torch"]
DtypeName = Literal["float32", "float64"]
Restarts = int | Literal["auto"]

SOLVERS: tuple[str, ...] = get_args(SolverName)
SCHEDULES: tuple[str, ...] = get_args(ScheduleName)
BACKENDS: tuple[str, ...] = get_args(BackendName)
DTYPES: tuple[str, ...] = get_args(DtypeName)


@dataclass(frozen=True)
class SolverDefaults:
    """A solver's settings where the configuration leaves them open."""

    steps: int
    patience: int
    learning_rate: float
    schedule: ScheduleName


SOLVER_DEFAULTS: dict[str, SolverDefaults] = {
    "gradient-descent": SolverDefaults(500, 100, 5e-4, "constant"),
    "rmsprop": SolverDefaults(1000, 100, 0.008, "constant"),
    "adam": SolverDefaults(500, 100, 0.4, "cosine"),
    "lbfgs": SolverDefaults(300, 3, 1.0, "constant"),
}


AUTO = "auto"
MOST_RESTARTS = 1_000_000

OPTIONAL = ("steps", "patience", "learning_rate", "schedule", "time_limit", "stop_after")
"""Fields that may be None."""


@dataclass(frozen=True, kw_only=True)
class RestoreConfig:
    """How to search for the latent vector of an image.

    Attributes:
        restarts: Starting points that are followed down, per image (R). With "auto", each image
            takes as many as it needs for a lower minimum to be unlikely.
        max_restarts: Most starting points per image with "auto".
        screen: Latent vectors drawn per image; the `restarts` of them with the lowest cost are
            followed. 0 follows the first ones drawn, without screening, as "auto" does.
        solver: What follows a starting point down.
        steps: Most steps of the solver, each of one gradient; None uses the solver's default.
        learning_rate: Step size; None uses the solver's default. L-BFGS finds its own steps.
        schedule: Learning rate over the steps: constant, or a cosine down to 1 %; None uses the
            solver's default.
        tolerance: A restart has converged when its lowest cost fell by no more than this
            over `patience` steps; 0 always takes all steps.
        patience: See `tolerance`; None uses the solver's default. L-BFGS counts the steps that
            its line search accepts.
        rounds: How often the search is repeated, each time with the next latent vectors of the
            seed's stream.
        time_limit: Seconds that the search may take; it then does as many rounds as fit, and
            `rounds` is ignored. With None, `rounds` decides.
        stop_after: Steps after which the search stops, to repeat one that a time limit or a
            cancellation cut short; None lets it end by itself.
        seed: Determines all randomness.
        backend: "cpp", "torch", or "auto" for the first of them that can run.
        dtype: Precision of the computation.
        device: Where torch computes: "cpu", "cuda", "cuda:1".
        threads: Threads to compute with; 0 uses all cores in C++ and torch's default in torch,
            where 1 is best for small generators on a busy machine.
    """

    restarts: Restarts = "auto"
    max_restarts: int = 2048
    screen: int = 4000
    solver: SolverName = "lbfgs"
    steps: int | None = None
    learning_rate: float | None = None
    schedule: ScheduleName | None = None
    tolerance: float = 1e-3
    patience: int | None = None
    rounds: int = 1
    time_limit: float | None = None
    stop_after: int | None = None
    seed: int = 0
    backend: BackendName = "auto"
    dtype: DtypeName = "float32"
    device: str = "cpu"
    threads: int = 0

    def __post_init__(self) -> None:
        check_integer("restarts", self.restarts, 1, MOST_RESTARTS, word=AUTO)
        for name, low, high in (
            ("max_restarts", 1, MOST_RESTARTS),
            ("screen", 0, 100_000_000),
            ("steps", 1, 10_000_000),
            ("patience", 1, 10_000_000),
            ("rounds", 1, 1_000_000),
            ("stop_after", 1, 10_000_000),
            ("seed", 0, 2**63 - 1),
            ("threads", 0, 1024),
        ):
            value = getattr(self, name)
            if value is not None or name not in OPTIONAL:
                check_integer(name, value, low, high)
        check_choice("solver", self.solver, SOLVERS)
        check_choice("backend", self.backend, BACKENDS)
        check_choice("dtype", self.dtype, DTYPES)
        if self.schedule is not None:
            check_choice("schedule", self.schedule, SCHEDULES)
        for name in ("learning_rate", "time_limit"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), positive=True)
        check_number("tolerance", self.tolerance, positive=False)

    @classmethod
    def preset(cls, name: str, **changes: Any) -> RestoreConfig:
        """The settings called `name`, with some fields changed.

        Args:
            name: A key of `PRESETS`.
            changes: Fields that differ from the preset.

        Raises:
            ArgumentError: If there is no such preset or field, or a value breaks its rule.
        """
        check_choice("preset", name, tuple(PRESETS))
        known = {field.name for field in fields(cls)}
        for field_name in changes:
            check_choice("the field", field_name, tuple(sorted(known)))
        return replace(cls(**PRESETS[name]), **changes)

    def resolved(self) -> RestoreConfig:
        """The same settings with nothing left open: what a record keeps."""
        own = SOLVER_DEFAULTS[self.solver]
        return replace(
            self,
            steps=own.steps if self.steps is None else self.steps,
            patience=own.patience if self.patience is None else self.patience,
            learning_rate=own.learning_rate if self.learning_rate is None else self.learning_rate,
            schedule=own.schedule if self.schedule is None else self.schedule,
        )


# "best" equals `RestoreConfig()`; docs/search.md has the figures behind the choice.
PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"restarts": 64, "screen": 2000},
    "best": {},
    "published": {
        "restarts": 1,
        "screen": 0,
        "solver": "gradient-descent",
        "tolerance": 0.0,
    },
}


def changed_settings(settings: Any, usual: Any) -> dict[str, Any]:
    """The settings that differ from the usual ones, by name.

    Args:
        settings: A dataclass of settings.
        usual: Settings of the same class, such as its defaults.
    """
    if isinstance(settings, RestoreConfig):
        # Each solver has its own defaults, so fields left open are compared as they resolve.
        settings, usual = settings.resolved(), replace(usual, solver=settings.solver).resolved()
        solver = {} if settings.solver == RestoreConfig().solver else {"solver": settings.solver}
    else:
        solver = {}
    return solver | {
        field.name: getattr(settings, field.name)
        for field in fields(settings)
        if getattr(settings, field.name) != getattr(usual, field.name)
    }
