"""The settings of a sampling run: the only home of their defaults."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, get_args

from inpaint.checks import check_choice, check_integer, check_number
from inpaint.config import BACKENDS, DTYPES, BackendName, DtypeName
from inpaint.errors import ArgumentError

StartName = Literal["prior", "modes"]

STARTS: tuple[str, ...] = get_args(StartName)

SHARED = ("noise_level", "seed", "backend", "dtype", "device", "threads")
"""Settings that a sampling and a search (`RestoreConfig`) have in common."""

PARTICLES_PER_LATENT = 4
"""Particles per latent number that a run needs at least, for their covariance to be one."""

DRAWS_PER_PARTICLE = 4
"""States of a particle that are kept as draws; more of them say the same again."""


@dataclass(frozen=True, kw_only=True)
class PosteriorConfig:
    """How to sample the posterior of an image.

    Attributes:
        particles: Particles of each run (P).
        runs: Independent runs per image (K); their agreement is the test of convergence.
        start: "modes" lets each run search for minima first; it begins around these where they
            show what the posterior is, and jumps to them. "prior" starts from the prior alone.
        ess_target: Share of the states that shall stay effective from one temperature to the
            next; a higher one takes more stages.
        moves: HMC moves of each particle in a stage (M); each new temperature begins one. All
            states on the way take part in what follows.
        final_stages: Stages that follow at the last temperature.
        leapfrog: Leapfrog steps of a move, each of one gradient.
        jumps: Proposals for a jump of each particle at the beginning of each stage at the last
            temperature (J), from a mixture fitted to the run's states, so that particles pass
            between modes; 0 makes no jumps.
        acceptance: Share of the moves that the step length is adapted to.
        noise_level: Standard deviation of the measurement's noise where it is known, in units
            of the pixels; None leaves it unknown, which J then integrates out.
        misfit_weight: Power w that the likelihood is raised to (0 < w <= 1): N values count as w N
            independent ones, as those of real images do whose misfits are correlated (the
            coarsened posterior of Miller and Dunson 2019). 1 is the posterior itself.
        budget: Evaluations of J per image at most, all runs together; None takes what is needed.
        seed: All randomness follows from it.
        backend: "cpp", "torch", or "auto" for the first of them that can serve.
        dtype: Precision of the moves.
        device: Where torch computes: "cpu", "cuda", "cuda:1".
        threads: Threads to compute with; 0 takes all cores in C++, and torch's own number in
            torch.
    """

    particles: int = 256
    runs: int = 4
    start: StartName = "modes"
    ess_target: float = 0.4
    moves: int = 6
    final_stages: int = 1
    leapfrog: int = 5
    jumps: int = 32
    acceptance: float = 0.8
    noise_level: float | None = None
    misfit_weight: float = 1.0
    budget: int | None = None
    seed: int = 0
    backend: BackendName = "auto"
    dtype: DtypeName = "float32"
    device: str = "cpu"
    threads: int = 0

    @property
    def changed(self) -> dict[str, object]:
        """The settings that are not the usual ones, by name."""
        values = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: value for name, (value, usual) in values.items() if value != usual}

    @property
    def draws(self) -> int:
        """Draws that a run gives: up to two states of each particle."""
        return self.particles * min(DRAWS_PER_PARTICLE, self.moves)

    def __post_init__(self) -> None:
        for name, low, high in (
            ("particles", 2 * PARTICLES_PER_LATENT, 1_000_000),
            ("runs", 1, 1000),
            ("moves", 1, 10_000),
            ("final_stages", 0, 1_000_000),
            ("leapfrog", 1, 10_000),
            ("jumps", 0, 10_000),
            ("seed", 0, 2**63 - 1),
            ("threads", 0, 1024),
        ):
            check_integer(name, getattr(self, name), low, high)
        if self.budget is not None:
            check_integer("budget", self.budget, 1, 2**63 - 1)
        check_choice("start", self.start, STARTS)
        check_choice("backend", self.backend, BACKENDS)
        check_choice("dtype", self.dtype, DTYPES)
        if self.noise_level is not None:
            check_number("noise_level", self.noise_level, positive=True)
        check_number("misfit_weight", self.misfit_weight, positive=True)
        if self.misfit_weight > 1:
            raise ArgumentError(
                f"misfit_weight is {self.misfit_weight!r}; no value counts as more than one. "
                "Choose 1, or less where misfits are correlated."
            )
        for name in ("ess_target", "acceptance"):
            value = getattr(self, name)
            check_number(name, value, positive=True)
            if value >= 1:
                raise ArgumentError(f"{name} is {value!r}; it is a share. Choose .1 to .95.")
