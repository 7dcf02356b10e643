"""The settings of a restoration: the only home of their defaults, and of the presets."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from inpaint.checks import check_choice, check_integer, check_number

SolverName = Literal["gradient-descent", "rmsprop", "adam", "lbfgs"]
ScheduleName = Literal["constant", "cosine"]
BackendName = Literal["auto", "cpp", "torch"]
DtypeName = Literal["float32", "float64"]

SOLVERS: tuple[str, ...] = get_args(SolverName)
SCHEDULES: tuple[str, ...] = get_args(ScheduleName)
BACKENDS: tuple[str, ...] = get_args(BackendName)
DTYPES: tuple[str, ...] = get_args(DtypeName)


@dataclass(frozen=True)
class SolverDefaults:
    """What a solver uses where the configuration leaves it open."""

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


OPTIONAL = ("steps", "patience", "learning_rate", "schedule", "budget", "stop_after", "noise_level")
"""Fields that may be None."""


@dataclass(frozen=True, kw_only=True)
class RestoreConfig:
    """How to search for the latent vector of an image.

    Attributes:
        restarts: Starting points that are followed down, per image (R).
        screen: Latent vectors drawn per image, of which the `restarts` of lowest cost are
            followed; 0 follows the first ones drawn, without screening.
        solver: What follows a starting point down.
        steps: Steps of the solver at most, each of one gradient; None takes the solver's own
            number.
        learning_rate: Step size; None takes the solver's own. L-BFGS finds its own steps.
        schedule: Learning rate over the steps: constant, or a cosine down to 1 %; None takes
            the solver's own.
        tolerance: A restart has converged when its lowest cost fell by no more than this
            over `patience` steps; 0 always takes all steps.
        patience: See `tolerance`; None takes the solver's own. L-BFGS counts the steps that
            its line search accepts.
        polish: Restarts of lowest cost that L-BFGS follows further at the end; 0 polishes none.
        rounds: How often all of this is done, each time with the next latent vectors of the
            seed's stream.
        budget: Seconds that the search may take; it then does as many rounds as fit, and
            `rounds` is ignored. None does `rounds` rounds.
        stop_after: Steps after which the search is cut short, as a time budget or a
            cancellation did; None lets it end by itself.
        noise_level: Standard deviation of the measurement's noise where it is known, in units
            of the pixels; None leaves it unknown, which J then integrates out.
        seed: All randomness follows from it.
        backend: "cpp", "torch", or "auto" for the first of them that can serve.
        dtype: Precision of the computation.
        device: Where torch computes: "cpu", "cuda", "cuda:1".
        threads: Threads to compute with; 0 takes all cores in C++, and torch's own number in
            torch, where 1 is best for small generators on a busy machine.
    """

    restarts: int = 384
    screen: int = 4000
    solver: SolverName = "lbfgs"
    steps: int | None = None
    learning_rate: float | None = None
    schedule: ScheduleName | None = None
    tolerance: float = 1e-3
    patience: int | None = None
    polish: int = 0
    rounds: int = 1
    budget: float | None = None
    stop_after: int | None = None
    noise_level: float | None = None
    seed: int = 0
    backend: BackendName = "auto"
    dtype: DtypeName = "float32"
    device: str = "cpu"
    threads: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("restarts", 1, 1_000_000),
            ("screen", 0, 100_000_000),
            ("steps", 1, 10_000_000),
            ("patience", 1, 10_000_000),
            ("polish", 0, 1_000_000),
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
        for name in ("learning_rate", "budget", "noise_level"):
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


# "best" is what `RestoreConfig()` is: docs/search.md has the figures that chose it.
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
