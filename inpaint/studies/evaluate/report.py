"""An evaluation in figures: means for tables, and its record."""

from __future__ import annotations

import math
import statistics
from importlib import metadata
from typing import Any

from inpaint.files.record import make_record
from inpaint.operators import require_mask
from inpaint.studies.baselines.training_set import MIN_RMSE
from inpaint.studies.evaluate.evaluation import Evaluation, Result
from inpaint.studies.evaluate.inputs import Damage, EvaluationInputs

FIGURES = ("psnr", "psnr_observed", "psnr_missing", "ssim", "ssim_missing", "error")
"""What is reported for each method, besides its time."""
HIGHEST = -20 * math.log10(MIN_RMSE)
"""Limit on PSNR, 54.2 dB: a lost part that is empty paper can be restored exactly."""


def summarize(result: Result) -> dict[str, tuple[float, float] | None]:
    """Mean and standard error of each of `FIGURES` over the images.

    A figure is None if the method did not run or the figure is undefined for an image, such as the
    PSNR of lost pixels if no pixel is lost. The standard error of one image is 0. PSNR is limited
    to `HIGHEST`.
    """
    found: dict[str, tuple[float, float] | None] = {}
    for name in FIGURES:
        values = [value for value in figures_of(result, name) if value is not None]
        if not values or len(values) < len(result.metrics):
            found[name] = None
            continue
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        found[name] = (statistics.fmean(values), spread / math.sqrt(len(values)))
    return found


def figures_of(result: Result, name: str) -> list[float | None]:
    """One of `FIGURES` for each image; PSNR is limited to `HIGHEST`."""
    values: list[float | None] = [getattr(row, name) for row in result.metrics]
    if not name.startswith("psnr"):
        return values
    return [None if value is None else min(value, HIGHEST) for value in values]


def record_evaluation(
    damage: Damage, inputs: EvaluationInputs, evaluation: Evaluation
) -> dict[str, Any]:
    """What `evaluation.json` holds: means with their standard errors, and each image's figures."""
    results = {
        "title": title_of(damage, inputs),
        "read_as": require_mask(damage.measurement.operator, "an evaluation").notes,
        "count": len(evaluation.measurement),
        "training_count": None if inputs.training is None else len(inputs.training),
        "cancelled": evaluation.cancelled,
        "backend": evaluation.backend,
        "noise_level": evaluation.noise_level,
        "active_share": evaluation.active_share,
        "methods": {
            result.name: {"means": summarize(result), "result": result}
            for result in evaluation.results
        },
    }
    sha256 = inputs.digests() | damage.digests()
    record = make_record(damage.job, sha256=sha256, results=results)
    record["versions"] |= _opencv_version()
    return record


def title_of(damage: Damage, inputs: EvaluationInputs) -> str:
    """Mask, N, noise and generator, in words."""
    parts = [
        damage.measurement.operator.title,
        f"noise {damage.job.noise:g}",
        f"generator {inputs.generator.name}",
    ]
    return ", ".join([f"mask {damage.title}", *parts] if damage.job.masks else parts)


def _opencv_version() -> dict[str, str]:
    for name in ("opencv-python-headless", "opencv-python"):
        try:
            return {"opencv": metadata.version(name)}
        except metadata.PackageNotFoundError:
            continue
    return {"opencv": "not installed"}
