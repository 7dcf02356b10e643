"""What is kept of a posterior: posterior.npz, run.json, and their parts beside a restoration."""

from __future__ import annotations

import io
import json
import math
import os
import shlex
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint.files.problem import Problem
from inpaint.files.record import finite, machine, versions, write_files
from inpaint.plots.columns import to_png
from inpaint.plots.posterior import draw_posterior
from inpaint.posterior import Posterior, PosteriorMode, PosteriorSummary
from inpaint.posterior.estimates import ESTIMATES, estimate_images
from inpaint.posterior.sampled import Sampled

FORMAT = "posterior 1"
"""Version of the `run.json` of a posterior; that of a restoration is a plain number."""

PARTICLE_ARRAYS = (
    "latents", "costs", "pooled_latents", "pooled_costs", "noise_levels", "log_evidence",
    "inverse_temperature", "acceptance", "gradients", "temperatures", "step_lengths",
)  # fmt: skip
"""Of `Posterior`."""

SUMMARY_ARRAYS = ("mean", "std", "median", "samples", "sample_latents")
"""Of `PosteriorSummary`, one row per image."""


def write_posterior(
    directory: str | os.PathLike[str],
    problem: Problem,
    sampled: Sampled,
    *,
    words: tuple[str, ...],
    level: float,
) -> Path:
    """Write figure.png, posterior.npz and run.json: all of them or none.

    Args:
        directory: Made if it is not there; results of an earlier run in it are replaced.
        problem: What was sampled.
        sampled: Its posterior.
        words: The command that repeats it.
        level: Probability of the intervals.

    Returns:
        The path of run.json.

    Raises:
        FileError: If the directory cannot be written; what was in it stays as it was.
    """
    record = describe(problem, sampled, words=words, level=level)
    content = {
        "figure.png": to_png(draw_posterior(problem.measurement, sampled)),
        "posterior.npz": pack(problem, sampled),
        "run.json": json.dumps(record, indent=2, allow_nan=False).encode() + b"\n",
    }
    write_files(directory, content)
    return Path(directory) / "run.json"


def describe(
    problem: Problem, sampled: Sampled, *, words: tuple[str, ...], level: float
) -> dict[str, Any]:
    """What the `run.json` of a posterior holds."""
    run, measurement = problem.run, problem.measurement
    rows = []
    for index, number in enumerate(measurement.numbers):
        row = {"number": number} | describe_summary(sampled.summaries[index])
        row["estimate"] = sampled.estimates[index]
        if measurement.ideal is not None:
            row["errors"] = _errors(problem, sampled, index)
        rows.append(row)
    return {
        "format": FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(words),
        "source": run.source,
        "source_description": problem.image_set.source,
        "source_notes": list(problem.image_set.notes),
        "generator": run.generator,
        "keep": run.keep,
        "mask": run.mask,
        "operator": run.operator,
        "noise": run.noise,
        "numbers": list(measurement.numbers),
        "level": level,
        "sha256": problem.digests(),
        "versions": versions(),
        "machine": machine(),
        "posterior": describe_posterior(sampled.posterior),
        "images": rows,
    }


def describe_posterior(posterior: Posterior) -> dict[str, Any]:
    """How all images were sampled."""
    return {
        "config": asdict(posterior.config),
        "backend": posterior.backend,
        "reasons": list(posterior.reasons),
        "seconds": posterior.seconds,
        "gradients": int(posterior.gradients.sum()),
        "cancelled": posterior.cancelled,
    }


def describe_summary(summary: PosteriorSummary) -> dict[str, Any]:
    """One image's diagnostics; what is not finite is None."""
    return {
        "converged": summary.converged,
        "sentence": summary.sentence,
        "r_hat": finite(summary.r_hat),
        "r_hat_high": finite(summary.r_hat_high),
        "ess": finite(summary.ess),
        "acceptance": finite(summary.acceptance),
        "gradients": summary.gradients,
        "log_evidence": finite(summary.log_evidence),
        "log_evidence_spread": finite(summary.log_evidence_spread),
        "noise_level": finite(summary.noise_level),
        # An interval that may be wrong is not written down as one.
        "noise_interval": list(summary.noise_interval) if summary.converged else None,
        "expected_error": finite(summary.expected_error),
        "modes": [_describe_mode(mode) for mode in summary.modes],
    }


def _describe_mode(mode: PosteriorMode) -> dict[str, Any]:
    return {"cost": finite(mode.cost), "weight": mode.weight, "particles": mode.particles}


def _errors(problem: Problem, sampled: Sampled, index: int) -> dict[str, float]:
    """L2 error of each estimate of an image, by its name."""
    ideal = problem.measurement.ideal
    assert ideal is not None
    found = {}
    for name in ESTIMATES:
        images = estimate_images(
            [name],
            problem.generator,
            sampled.posterior,
            sampled.summaries[index : index + 1],
            image=index,
        )
        found[name] = float((images[0].double() - ideal[index].double().cpu()).norm())
    return found


def pack(problem: Problem, sampled: Sampled) -> bytes:
    """What `posterior.npz` holds."""
    measurement = problem.measurement
    arrays = posterior_arrays(sampled)
    arrays["measurement"] = _array(measurement.values)
    arrays["numbers"] = np.array(measurement.numbers)
    if measurement.operator.observed is not None:
        arrays["mask"] = _array(measurement.operator.observed)
    if measurement.ideal is not None:
        arrays["ideal"] = _array(measurement.ideal)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def posterior_arrays(sampled: Sampled, *, prefix: str = "") -> dict[str, NDArray[Any]]:
    """The arrays of a posterior by the names of `Posterior` and `PosteriorSummary`.

    `lower` and `upper` are NaN in an image whose sampling did not converge. Modes stand in rows
    as many as the image with the most of them has; the others are filled up with NaN, and with
    weight 0.

    Args:
        sampled: What was sampled.
        prefix: Put before each name.
    """
    posterior, summaries = sampled.posterior, sampled.summaries
    arrays = {name: _array(getattr(posterior, name)) for name in PARTICLE_ARRAYS}
    for name in SUMMARY_ARRAYS:
        arrays[name] = _array(torch.stack([getattr(summary, name) for summary in summaries]))
    for name in ("lower", "upper"):
        ends = [getattr(s, name) if s.converged else s.mean * math.nan for s in summaries]
        arrays[name] = _array(torch.stack(ends))
    arrays["converged"] = np.array([summary.converged for summary in summaries])
    arrays |= _mode_arrays(summaries)
    arrays["estimate"] = _array(sampled.images)
    return {prefix + name: array for name, array in arrays.items()}


def _mode_arrays(summaries: tuple[PosteriorSummary, ...]) -> dict[str, NDArray[Any]]:
    most = max(len(summary.modes) for summary in summaries)
    shape, size = summaries[0].mean.shape, summaries[0].sample_latents.shape[1]
    images = np.full((len(summaries), most, *shape), np.nan, np.float32)
    latents = np.full((len(summaries), most, size), np.nan)
    costs, weights = np.full(latents.shape[:2], np.nan), np.zeros(latents.shape[:2])
    for row, summary in enumerate(summaries):
        for place, mode in enumerate(summary.modes):
            images[row, place] = _array(mode.image)
            latents[row, place] = _array(mode.latent)
            costs[row, place], weights[row, place] = mode.cost, mode.weight
    return {
        "modes": images, "mode_latents": latents, "mode_costs": costs, "mode_weights": weights,
    }  # fmt: skip


def beside(sampled: Sampled, images: list[dict[str, Any]], asked: str | None) -> dict[str, Any]:
    """What the `run.json` of a restoration holds besides, its images' posteriors included.

    Args:
        sampled: The posterior.
        images: What it holds of each image already.
        asked: The estimate that was asked for, if any.
    """
    rows = [
        row | {"estimate": name, "posterior": describe_summary(summary)}
        for row, summary, name in zip(images, sampled.summaries, sampled.estimates, strict=True)
    ]
    if sampled.misfit is not None:
        levels = sampled.misfit.noise_level.tolist()
        rows = [row | {"noise_alone": level} for row, level in zip(rows, levels, strict=True)]
    network = {} if sampled.network is None else {"network_sha256": sampled.network}
    return {
        "posterior": describe_posterior(sampled.posterior),
        "estimate": asked,
        "images": rows,
        **network,
    }


def _array(tensor: Tensor) -> NDArray[Any]:
    found: NDArray[Any] = tensor.detach().cpu().numpy()
    return found
