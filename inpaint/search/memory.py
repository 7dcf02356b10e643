"""How many images are searched together, and whether a search fits into the memory."""

from __future__ import annotations

import math

from torch import Tensor

from inpaint.checks import check_fits
from inpaint.config import RestoreConfig
from inpaint.search.evidence import FEWEST
from inpaint.search.rounds import GROWTH
from inpaint.search.solvers import make_solver
from inpaint.types import Measurement

PART_BYTES = 16 * 2**20
"""Memory for the starting points and histories of the images that are searched together."""

FEWEST_TOGETHER = 4
"""Images that are always searched together, so that a small batch is cancelled as a whole."""

RESTART_BYTES = 512 * 2**20
"""Memory for the restarts of an automatic search of a large batch; above it, only those of lowest
cost remain of each image."""

STATES = 4
"""Copies of the state of a descent: before and after a step, its parts, and the result."""

HISTORIES = 4
"""Copies of the costs of all steps: as they come, joined, as curves, and as they are written."""

COPIES = 3
"""Copies of the restarts of an automatic search: its blocks, joined, and as the result."""

GROUPING_BYTES = 400
"""Memory of a restart while those of an image are grouped."""


def part_size(config: RestoreConfig, measurement: Measurement, latent_size: int) -> int:
    """How many images are searched together."""
    assert config.steps is not None
    if isinstance(config.restarts, str):
        pixels = math.prod(measurement.operator.image_shape)
        numbers = 2 * config.max_restarts * latent_size + FEWEST * (pixels + config.steps + 1)
    else:
        drawn = max(config.restarts, config.screen)
        numbers = 4 * drawn * latent_size + config.restarts * (config.steps + 1)
    return max(FEWEST_TOGETHER, PART_BYTES // (4 * numbers))


def most_kept(images: int, latent_size: int) -> int:
    """Most restarts of each of some images that the result of an automatic search keeps."""
    return max(1, RESTART_BYTES // (4 * images * (2 * latent_size + 6)))


def check_memory(
    config: RestoreConfig, measurement: Measurement, latent_size: int, latents: Tensor | None
) -> None:
    """Require that a search on the CPU fits into the memory that is free.

    Args:
        config: How to search, resolved.
        measurement: What is known of the images.
        latent_size: Latent numbers of the generator.
        latents: Starting points, if they are given. [B, R, D]

    Raises:
        ArgumentError: If it does not.
    """
    if config.device != "cpu":
        return
    images = len(measurement)
    together = min(images, part_size(config, measurement, latent_size))
    needed: float = restart_bytes(config, latent_size, together)
    rounds = 1 if config.time_limit is not None else config.rounds
    if latents is None and isinstance(config.restarts, str):
        # Only a block of the restarts is followed at a time.
        name, restarts = "max_restarts", config.max_restarts
        needed *= max(1 / GROWTH, min(1.0, FEWEST / restarts))
        kept = images * min(1.0, most_kept(images, latent_size) / restarts)
        needed += (COPIES * together + kept) * _result_bytes(latent_size)
    else:
        given = config.restarts if latents is None else latents.shape[1]
        assert not isinstance(given, str)
        name, restarts = "restarts", given
        needed += images * _result_bytes(latent_size)
    check_fits(name, restarts, int(needed * rounds), "Choose fewer restarts, rounds or steps.")


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
