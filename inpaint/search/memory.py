"""How many images are searched together, and whether a search fits into the memory."""

from __future__ import annotations

from torch import Tensor

from inpaint.checks import check_fits
from inpaint.config import RestoreConfig
from inpaint.search.solvers import make_solver

PART_BYTES = 16 * 2**20
"""Memory for the starting points and histories of the images that are searched together."""

FEWEST_TOGETHER = 4
"""Images that are always searched together, so that a small batch is cancelled as a whole."""

STATES = 4
"""Copies of the state of a descent: before and after a step, its parts, and the result."""

HISTORIES = 4
"""Copies of the costs of all steps: as they come, joined, as curves, and as they are written."""

GROUPING_BYTES = 400
"""Memory of a restart while those of an image are grouped."""


def part_size(config: RestoreConfig, latent_size: int) -> int:
    """How many images are searched together."""
    drawn = max(config.restarts, config.screen)
    assert config.steps is not None
    numbers = 4 * drawn * latent_size + config.restarts * (config.steps + 1)
    return max(FEWEST_TOGETHER, PART_BYTES // (4 * numbers))


def check_memory(
    config: RestoreConfig, images: int, latent_size: int, latents: Tensor | None
) -> None:
    """Require that a search on the CPU fits into the memory that is free.

    Args:
        config: How to search, resolved.
        images: Images to restore.
        latent_size: Latent numbers of the generator.
        latents: Starting points, if they are given. [B, R, D]

    Raises:
        ArgumentError: If it does not.
    """
    if config.device != "cpu":
        return
    restarts = config.restarts if latents is None else latents.shape[1]
    together = min(images, part_size(config, latent_size))
    needed = restart_bytes(config, latent_size, together) + images * _result_bytes(latent_size)
    rounds = 1 if config.time_limit is not None else config.rounds
    check_fits("restarts", restarts, needed * rounds, "Choose fewer restarts, rounds or steps.")


def restart_bytes(config: RestoreConfig, latent_size: int, images: int) -> int:
    """Memory of one restart of each image while they are searched."""
    assert config.steps is not None
    size = 4 if config.dtype == "float32" else 8
    numbers = 2 * latent_size + make_solver(config).memory_size(latent_size) + 6
    drawn = 8 * latent_size
    state = STATES * numbers * size + HISTORIES * (config.steps + 1) * size
    return images * (drawn + state) + GROUPING_BYTES


def _result_bytes(latent_size: int) -> int:
    """Memory of one restart of an image in the result, in float64 at most."""
    return 8 * (2 * latent_size + 5)
