"""What is kept of a restoration and of a posterior: figures, arrays and the record."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint.files.job import PosteriorJob, RestoreJob
from inpaint.files.output import write_files
from inpaint.files.problem import Problem
from inpaint.files.record import make_record, with_record
from inpaint.plots.columns import plot_comparison, plot_modes, to_png
from inpaint.plots.comparison import Comparison
from inpaint.plots.posterior import plot_posterior
from inpaint.posterior.estimates import PLAIN
from inpaint.posterior.estimator import Estimated
from inpaint.posterior.finding import Finding
from inpaint.posterior.plain import posterior_images
from inpaint.posterior.types import PosteriorSummary
from inpaint.types import Measurement, SearchResult

Arrays = dict[str, NDArray[Any]]

COMPRESSED_BYTES = 2**24
"""Arrays of more bytes are not compressed, which takes a second for every 25 MB."""


def describe_restoration(
    problem: Problem,
    search: SearchResult,
    comparison: Comparison,
    estimated: Estimated | None = None,
) -> dict[str, Any]:
    """What the `run.json` of a restoration holds.

    Args:
        problem: What was restored.
        search: What the restarts found.
        comparison: The result with its figures.
        estimated: The estimate shown, if the posterior was sampled for it.
    """
    job = problem.job
    assert isinstance(job, RestoreJob)
    results = {
        **_describe_inputs(problem),
        "observed": comparison.title,
        "backend": search.backend,
        "reasons": search.reasons,
        "seconds": search.seconds,
        "evaluations": int(search.evaluations.sum()),
        "time_limit": job.config.time_limit,
        "images": [
            replace(row, posterior=row.posterior and _trusted(row.posterior))
            for row in comparison.rows
        ],
    }
    if estimated is not None:
        results["sampling"] = _describe_sampling(estimated)
    job = replace(job, numbers=problem.measurement.numbers, config=search.config.resolved())
    return make_record(job, sha256=problem.digests(), results=results)


def describe_posterior(
    problem: Problem, estimated: Estimated, findings: Sequence[Finding]
) -> dict[str, Any]:
    """What the `run.json` of a posterior holds."""
    job = problem.job
    assert isinstance(job, PosteriorJob)
    results = {
        **_describe_inputs(problem),
        "observed": problem.measurement.operator.title,
        "sampling": _describe_sampling(estimated),
        "images": [
            {
                "number": number,
                "name": file,
                "estimate": name,
                "finding": finding,
                "posterior": _trusted(summary),
                "errors": errors,
            }
            for number, file, name, finding, summary, errors in zip(
                problem.measurement.numbers,
                problem.measurement.names or ("",) * len(estimated.names),
                estimated.names,
                findings,
                estimated.summaries,
                _errors(problem, estimated),
                strict=True,
            )
        ],
    }
    job = replace(job, numbers=problem.measurement.numbers)
    return make_record(job, sha256=problem.digests(), results=results)


def write_restoration(
    directory: str | os.PathLike[str],
    problem: Problem,
    search: SearchResult,
    comparison: Comparison,
    estimated: Estimated | None = None,
) -> Path:
    """Write figure.png, modes.png, restoration.npz and run.json: all of them or none.

    Args:
        directory: Made if it does not exist; results of an earlier run in it are replaced.
        problem: What was restored.
        search: What the restarts found.
        comparison: The result with its figures.
        estimated: The estimate shown, if the posterior was sampled for it.

    Returns:
        The path of run.json.

    Raises:
        FileError: If the directory cannot be written; what was in it stays as it was.
    """
    files = restoration_files(problem, search, comparison, estimated)
    write_files(directory, files, record="run.json")
    return Path(directory) / "run.json"


def restoration_files(
    problem: Problem,
    search: SearchResult,
    comparison: Comparison,
    estimated: Estimated | None = None,
) -> dict[str, bytes]:
    """The content of each file that `write_restoration` writes, by its name."""
    content = {
        "figure.png": to_png(plot_comparison(comparison)),
        "restoration.npz": pack_restoration(problem.measurement, search, estimated),
    }
    # A run that is stopped before any image was judged has no modes.
    if any(row.verdict is not None for row in comparison.rows):
        content["modes.png"] = to_png(plot_modes(comparison))
    record = describe_restoration(problem, search, comparison, estimated)
    return with_record(content, "run.json", record)


def write_posterior(
    directory: str | os.PathLike[str],
    problem: Problem,
    estimated: Estimated,
    findings: Sequence[Finding],
) -> Path:
    """Write figure.png, posterior.npz and run.json: all of them or none.

    Args:
        directory: Made if it does not exist; results of an earlier run in it are replaced.
        problem: What was sampled.
        estimated: Its posterior, and the estimate shown.
        findings: What the posterior of each image says, in words.

    Returns:
        The path of run.json.

    Raises:
        FileError: If the directory cannot be written; what was in it stays as it was.
    """
    content = {
        "figure.png": to_png(plot_posterior(problem.measurement, estimated)),
        "posterior.npz": pack_posterior(problem.measurement, estimated),
    }
    record = describe_posterior(problem, estimated, findings)
    write_files(directory, with_record(content, "run.json", record), record="run.json")
    return Path(directory) / "run.json"


def pack_restoration(
    measurement: Measurement,
    search: SearchResult,
    estimated: Estimated | None = None,
    *,
    more: Arrays | None = None,
) -> bytes:
    """What `restoration.npz` holds: the arrays of search and measurement, by their names.

    The names of a posterior's arrays begin with `posterior_`.
    """
    arrays = _tensors_of(search) | _measurement_arrays(measurement)
    if estimated is not None:
        sampled = posterior_arrays(estimated)
        arrays |= {f"posterior_{name}": array for name, array in sampled.items()}
    return _pack(arrays | (more or {}))


def pack_posterior(
    measurement: Measurement, estimated: Estimated, *, more: Arrays | None = None
) -> bytes:
    """What `posterior.npz` holds."""
    arrays = posterior_arrays(estimated) | _measurement_arrays(measurement)
    return _pack(arrays | (more or {}))


def posterior_arrays(estimated: Estimated) -> Arrays:
    """The arrays of a posterior by the names of `PosteriorDraws` and `PosteriorSummary`.

    `lower` and `upper` are NaN in an image whose sampling did not converge. All images
    have as many modes as the one with the most; missing modes are NaN, with weight 0.
    """
    draws, summaries = estimated.draws, estimated.summaries
    assert draws is not None
    arrays = _tensors_of(draws)
    for each in fields(PosteriorSummary):
        if isinstance(getattr(summaries[0], each.name), Tensor):
            arrays[each.name] = _array(torch.stack([getattr(s, each.name) for s in summaries]))
    converged = np.array([summary.converged for summary in summaries])
    for name in ("lower", "upper"):
        arrays[name][~converged] = math.nan
    arrays |= _mode_arrays(summaries)
    return arrays | {"converged": converged, "estimate": _array(estimated.images)}


def _describe_inputs(problem: Problem) -> dict[str, Any]:
    """What was read, and how."""
    images = problem.image_set
    return {
        "source": images.source,
        "read_as": problem.notes,
        "doubts": images.doubts,
        "skipped": images.skipped,
        "numbers": images.numbers,
    }


def _describe_sampling(estimated: Estimated) -> dict[str, Any]:
    """How all images were sampled: the fields of the draws that are not arrays, and more."""
    misfit = estimated.misfit
    return {
        "draws": estimated.draws,
        "network_sha256": estimated.network,
        "noise_alone": None if misfit is None else misfit.noise_level.tolist(),
    }


def _trusted(summary: PosteriorSummary) -> PosteriorSummary:
    """A summary, without its noise interval if the sampling did not converge."""
    return summary if summary.converged else replace(summary, noise_interval=(math.nan, math.nan))


def _errors(problem: Problem, estimated: Estimated) -> list[dict[str, float] | None]:
    """L2 error of each plain estimate of each image, where the ideal is known."""
    ideal = problem.measurement.ideal
    if ideal is None or estimated.draws is None:
        return [None] * len(estimated.summaries)
    found: list[dict[str, float] | None] = []
    for image, summary in enumerate(estimated.summaries):
        errors = {}
        for name in PLAIN:
            images = posterior_images(
                [name], problem.generator, estimated.draws, [summary], image=image
            )
            errors[name] = float((images[0].double() - ideal[image].double().cpu()).norm())
        found.append(errors)
    return found


def _measurement_arrays(measurement: Measurement) -> Arrays:
    found: dict[str, Tensor | None] = {
        "measurement": measurement.values,
        "mask": measurement.operator.observed,
        "weights": measurement.weights,
        "ideal": measurement.ideal,
    }
    arrays = {name: _array(tensor) for name, tensor in found.items() if tensor is not None}
    if measurement.names:
        arrays["names"] = np.array(measurement.names)
    return arrays | {"numbers": np.array(measurement.numbers)}


def _mode_arrays(summaries: tuple[PosteriorSummary, ...]) -> Arrays:
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


def _tensors_of(found: Any) -> Arrays:
    """The tensors among a dataclass's fields."""
    pairs = ((each.name, getattr(found, each.name)) for each in fields(found))
    return {name: _array(value) for name, value in pairs if isinstance(value, Tensor)}


def _array(tensor: Tensor) -> NDArray[Any]:
    found: NDArray[Any] = tensor.detach().cpu().numpy()
    return found


def _pack(arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    size = sum(array.nbytes for array in arrays.values())
    save = np.savez_compressed if size <= COMPRESSED_BYTES else np.savez
    save(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
