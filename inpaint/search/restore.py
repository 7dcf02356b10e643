"""The search of any number of images, part by part."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from inpaint.config import AUTO, RestoreConfig
from inpaint.errors import ArgumentError, ShapeError
from inpaint.generators import AnyGenerator
from inpaint.search.backends.torch import limited_threads
from inpaint.search.found import lengthened
from inpaint.search.memory import check_memory, most_kept, part_size
from inpaint.search.objective import check_measurement
from inpaint.search.rounds import Search
from inpaint.types import PER_IMAGE, Measurement, OnProgress, Progress, SearchResult, Status

HISTORY_BYTES = 64 * 2**20
"""Largest history of all restarts that a result keeps; above it only the best restarts' remain."""


def restore(
    measurement: Measurement,
    generator: AnyGenerator,
    config: RestoreConfig = RestoreConfig(),  # noqa: B008 (frozen)
    *,
    latents: Tensor | None = None,
    on_progress: OnProgress | None = None,
) -> SearchResult:
    """Restore damaged images: find the latent vector of lowest J for each.

    A large batch is searched part by part, so that memory does not grow with it. The parts do not
    change results: a restart depends only on the seed, its image's number and its own place.

    Args:
        measurement: What is known of B images.
        generator: Where to look for them.
        config: How to search.
        latents: Starting points to use instead of drawing and screening. [B, R, D]
        on_progress: Called between chunks of steps; if it returns False the search ends
            there, as it does on Ctrl-C, and what was reached so far is returned.

    Returns:
        The best image of each, with every restart's latent vector, cost curve and status. A
        search that is cancelled after its first part returns the finished parts, and so fewer
        than B images.

    Raises:
        ShapeError: If measurement, generator and latents do not fit together.
        ArgumentError: If a value is not finite, the device does not exist, or the restarts take
            more memory than is free.
        BackendError: If the requested backend cannot be used.
    """
    began = time.perf_counter()
    config = config.resolved()
    _validate(measurement, generator, latents)
    check_memory(config, measurement, generator.latent_size, latents)
    size = part_size(config, measurement, generator.latent_size)
    parts = [slice(first, first + size) for first in range(0, len(measurement), size)]
    found: list[SearchResult] = []
    with limited_threads(config.threads):
        for number, part in enumerate(parts):
            search = Search(
                config,
                measurement[part],
                generator,
                _reporter(on_progress, number, parts, len(measurement)),
                time_limit=config.time_limit and config.time_limit / len(parts),
                keeps_histories=_fits(config, len(measurement), config.max_restarts),
            )
            try:
                result = search.result(None if latents is None else latents[part])
            except KeyboardInterrupt:
                # The finished parts are kept.
                if not found:
                    raise
                break
            if search.cancelled and found:
                break
            found.append(_trimmed(result, len(measurement)))
            # Later parts use the rounds and steps that the time limit allowed here.
            config = result.config
            if search.cancelled:
                break
    return replace(_join(found), seconds=time.perf_counter() - began)


def describe_starts(result: SearchResult) -> str:
    """How many starts the images took, in words: "48 to 352 restarts"."""
    few, most = int(result.num_starts.min()), int(result.num_starts.max())
    return f"{few} to {most} restarts" if few < most else f"{most} restart{'s' * (most > 1)}"


def stopped_early(result: SearchResult) -> bool:
    """Whether a time limit or a cancellation cut a search short."""
    # The blocks of an automatic search may all have ended when it was cut between them.
    cut = result.config.restarts == AUTO and result.config.stop_after is not None
    return cut or bool((result.status == Status.CANCELLED).any())


def _reporter(
    on_progress: OnProgress | None, number: int, parts: Sequence[slice], images: int
) -> OnProgress | None:
    """A callback that reports the progress of one part as that of the whole search."""
    if on_progress is None or len(parts) == 1:
        return on_progress

    def report(progress: Progress) -> bool | None:
        assert progress.total is not None
        share = progress.done / progress.total
        last = min(parts[number].stop, images)
        note = f"images {parts[number].start + 1} to {last} of {images}"
        return on_progress(Progress(progress.stage, number + share, len(parts), note))

    return report


def _fits(config: RestoreConfig, images: int, restarts: int) -> bool:
    """Whether the histories of so many restarts of each image are kept."""
    assert config.steps is not None
    return 4 * images * restarts * (config.steps + 1) <= HISTORY_BYTES


def _trimmed(result: SearchResult, images: int) -> SearchResult:
    """A part's result, without what would be too large if all images had it."""
    restarts = result.costs.shape[1]
    kept = most_kept(images, result.starts.shape[2])
    if result.config.restarts == AUTO and restarts > kept:
        return _with_lowest(_with_best_curves(result), kept)
    if _has_all_curves(result) and _fits(result.config, images, restarts):
        return result
    return _with_best_curves(result)


def _has_all_curves(result: SearchResult) -> bool:
    return result.followed.shape == result.costs.shape


def _with_best_curves(result: SearchResult) -> SearchResult:
    """The same result with the histories of the best restarts only."""
    best_only = result.best_history[..., None].clone()
    return replace(result, history=best_only, followed=result.best[:, None])


def _join(found: Sequence[SearchResult]) -> SearchResult:
    """The parts of a search as one; shorter histories repeat their last costs."""
    if len(found) == 1:
        return found[0]
    if not all(_has_all_curves(part) for part in found):
        found = [_with_best_curves(part) for part in found]
    restarts = max(part.costs.shape[1] for part in found)
    found = [_padded(part, restarts) for part in found]
    steps = max(len(part.history) for part in found)
    joined: dict[str, Any] = {
        name: torch.cat([getattr(part, name) for part in found]) for name in PER_IMAGE
    }
    history = torch.cat([lengthened(part.history, steps) for part in found], dim=1)
    return replace(found[0], **joined, history=history)


PER_RESTART: dict[str, float] = {
    "starts": 0.0,
    "start_costs": math.inf,
    "latents": 0.0,
    "costs": math.inf,
    "status": Status.NOT_STARTED,
    "evaluations": 0,
}
"""Fields of a `SearchResult` over [B, R], and what they hold where a restart was not started."""


def _padded(result: SearchResult, restarts: int) -> SearchResult:
    """The same result with room for so many restarts of each image."""
    images, more = len(result), restarts - result.costs.shape[1]
    if more == 0:
        return result
    padded: dict[str, Any] = {}
    for name, empty in PER_RESTART.items():
        tensor = getattr(result, name)
        rest = tensor.new_full((images, more, *tensor.shape[2:]), empty)
        padded[name] = torch.cat([tensor, rest], dim=1)
    if _has_all_curves(result):
        rest = result.history.new_full((len(result.history), images, more), math.inf)
        padded["history"] = torch.cat([result.history, rest], dim=2)
        padded["followed"] = torch.arange(restarts).expand(images, -1)
    return replace(result, **padded)


def _with_lowest(result: SearchResult, kept: int) -> SearchResult:
    """The same result with the `kept` restarts of lowest cost of each image, in their order."""
    places = result.costs.argsort(dim=1, stable=True)[:, :kept].sort(dim=1).values
    lowest: dict[str, Any] = {}
    for name in PER_RESTART:
        tensor = getattr(result, name)
        index = places.reshape(*places.shape, *[1] * (tensor.ndim - 2))
        lowest[name] = tensor.gather(1, index.expand(*places.shape, *tensor.shape[2:]))
    best = (places == result.best[:, None]).int().argmax(1)
    return replace(result, **lowest, best=best, followed=best[:, None])


def _validate(measurement: Measurement, generator: AnyGenerator, latents: Tensor | None) -> None:
    check_measurement(measurement, generator)
    if latents is None:
        return
    if latents.ndim != 3 or len(latents) != len(measurement) or latents.shape[1] < 1:
        raise ShapeError(
            f"latents has shape {list(latents.shape)}; it must be [{len(measurement)}, R, "
            f"{generator.latent_size}]."
        )
    if latents.shape[2] != generator.latent_size:
        raise ShapeError(
            f"latents has {latents.shape[2]} dimensions; the generator takes "
            f"{generator.latent_size}."
        )
    if not torch.isfinite(latents).all():
        raise ArgumentError("latents holds NaN or infinity; every starting point must be finite.")
