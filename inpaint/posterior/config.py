"""The settings of a sampling, and their defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from inpaint.checks import check_choice, check_integer, check_number
from inpaint.config import BACKENDS, DTYPES, BackendName, DtypeName
from inpaint.errors import ArgumentError

StartName = Literal["prior", "modes"]

STARTS: tuple[str, ...] = get_args(StartName)

SHARED = ("seed", "backend", "dtype", "device", "threads")
"""Settings that a sampling and a search (`RestoreConfig`) have in common."""

PARTICLES_PER_LATENT = 4
"""Fewest particles per latent number with which a chain can estimate its covariance."""

FEWEST_PARTICLES = 2 * PARTICLES_PER_LATENT
"""Fewest particles of any chain."""

DRAWS_PER_PARTICLE = 4
"""Most states of a particle that are kept as draws; more of them add next to nothing."""


@dataclass(frozen=True, kw_only=True)
class PosteriorConfig:
    """How to sample the posterior of an image.

    Attributes:
        particles: Particles of each chain (P).
        chains: Independent chains per image (K). Their agreement is the test of convergence.
        start: "modes" lets each chain search for minima first, begin around them where that is
            accurate enough, and jump to them. "prior" begins with draws from the prior.
        ess_target: Share of the states that stays effective from one temperature to the next; a
            higher share takes more stages.
        moves: HMC moves of each particle in a stage (M). The temperature changes between stages.
            The next stage uses the states after all moves.
        final_stages: Further stages at the last temperature.
        leapfrog: Leapfrog steps of a move, each of one gradient.
        jumps: Proposals for each particle's jump at the beginning of each stage at the last
            temperature (J). They come from a mixture fitted to the chain's states, and let
            particles pass between modes; 0 makes no jumps.
        acceptance: Share of accepted moves that the step length is adapted to.
        misfit_weight: Power w that the likelihood is raised to (0 < w <= 1): N values count as w N
            independent ones, which suits the correlated misfits of real images (the coarsened
            posterior of Miller and Dunson 2019). 1 is the posterior itself.
        max_gradients: Most evaluations of J per image, all chains together; None sets no limit.
        seed: All randomness follows from it.
        backend: "cpp", "torch", or "auto" for the first of them that can run.
        dtype: Precision of the moves.
        device: Where torch computes: "cpu", "cuda", "cuda:1".
        threads: Threads to compute with; 0 uses all cores in C++, and torch's default in torch.
    """

    particles: int = 256
    chains: int = 4
    start: StartName = "modes"
    ess_target: float = 0.4
    moves: int = 6
    final_stages: int = 1
    leapfrog: int = 5
    jumps: int = 32
    acceptance: float = 0.8
    misfit_weight: float = 1.0
    max_gradients: int | None = None
    seed: int = 0
    backend: BackendName = "auto"
    dtype: DtypeName = "float32"
    device: str = "cpu"
    threads: int = 0

    @property
    def draws(self) -> int:
        """Draws of a chain: a few states of each particle."""
        return self.particles * min(DRAWS_PER_PARTICLE, self.moves)

    def __post_init__(self) -> None:
        for name, low, high in (
            ("particles", FEWEST_PARTICLES, 1_000_000),
            ("chains", 1, 1000),
            ("moves", 1, 10_000),
            ("final_stages", 0, 1_000_000),
            ("leapfrog", 1, 10_000),
            ("jumps", 0, 10_000),
            ("seed", 0, 2**63 - 1),
            ("threads", 0, 1024),
        ):
            check_integer(name, getattr(self, name), low, high)
        if self.max_gradients is not None:
            check_integer("max_gradients", self.max_gradients, 1, 2**63 - 1)
        check_choice("start", self.start, STARTS)
        check_choice("backend", self.backend, BACKENDS)
        check_choice("dtype", self.dtype, DTYPES)
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
