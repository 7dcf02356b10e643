"""An evaluation as figures: means for tables and records, and a picture to look at."""

from __future__ import annotations

import math
import statistics
import textwrap
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from inpaint.files.record import machine, versions
from inpaint.operators import Mask
from inpaint.plots import sheet
from inpaint.studies.baselines.training import FINEST
from inpaint.studies.evaluate.evaluation import Evaluation, Result
from inpaint.studies.evaluate.inputs import Inputs
from inpaint.studies.evaluate.job import Trial
from inpaint.training.data import digest_images

FORMAT = 1
"""Version of `evaluation.json`."""
FIGURES = ("psnr", "psnr_observed", "psnr_missing", "ssim", "ssim_missing", "error")
"""What is told of each method, besides its time."""
HIGHEST = -20 * math.log10(FINEST)
"""PSNR counted at most, 54.2 dB: a lost part that is empty paper can be restored exactly."""

ROWS = 8
"""Images that the picture shows."""
DPI = 100
SCALE = 4
GAP = 4
HEAD = 0.95
FOOT = 0.3
TITLE = 14
"""Letters in a line over a picture."""


def summarize(result: Result) -> dict[str, tuple[float, float] | None]:
    """Mean and its standard error of each of `FIGURES`, over the images.

    A figure is None where the method did not run or it is not defined, such as that of the
    lost pixels where none is lost; the error of a mean over one image is 0. PSNR counts up to
    `HIGHEST`.
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
    """One of `FIGURES`, image by image; PSNR counts up to `HIGHEST`."""
    values: list[float | None] = [getattr(row, name) for row in result.metrics]
    if not name.startswith("psnr"):
        return values
    return [None if value is None else min(value, HIGHEST) for value in values]


def describe_evaluation(trial: Trial, inputs: Inputs, evaluation: Evaluation) -> dict[str, Any]:
    """What `evaluation.json` holds: inputs with their hashes, settings, versions, figures."""
    ideal = evaluation.measurement.ideal
    settings = asdict(trial)
    for name in ("images", "labels", "train", "train_labels"):
        path = getattr(trial, name)
        settings[name] = None if path is None else str(path.resolve())
    for name in ("generator", "network", "mask"):
        given = settings[name]
        if given is not None and Path(given).is_file():
            settings[name] = str(Path(given).resolve())
    settings["methods"] = [result.name for result in evaluation.results]
    settings["config"] = asdict(trial.config.resolved())
    mask = evaluation.measurement.operator
    assert isinstance(mask, Mask)
    if trial.mask is not None:
        settings["keep"] = None
    return {
        "format": FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": settings,
        "keep": settings["keep"],
        "mask": settings["mask"],
        "count": len(evaluation.measurement),
        "training_count": None if inputs.training is None else len(inputs.training),
        "cancelled": evaluation.cancelled,
        "sha256": {
            "images": None if ideal is None else digest_images(ideal),
            "training": None if inputs.training is None else digest_images(inputs.training),
            "mask": digest_images(mask.observed),
            "generator": inputs.generator.digest(),
            "network": None if inputs.network is None else inputs.network.digest(),
        },
        "versions": versions() | _opencv_version(),
        "machine": machine(),
        "search": {
            "backend": evaluation.backend,
            "noise_level": evaluation.noise_level,
            "active_share": evaluation.active_share,
        },
        "methods": {result.name: describe_result(result) for result in evaluation.results},
    }


def describe_result(result: Result) -> dict[str, Any]:
    """One method: means, their standard errors, and the figures of each image."""
    means = summarize(result)
    return {
        "title": result.title,
        **{name: None if pair is None else pair[0] for name, pair in means.items()},
        "seconds": result.seconds,
        "fit_seconds": result.fit_seconds,
        "settings": result.settings,
        "not_run": result.not_run,
        "standard_errors": {
            name: None if pair is None else pair[1] for name, pair in means.items()
        },
        "images": {name: figures_of(result, name) for name in FIGURES},
    }


def title_of(trial: Trial, inputs: Inputs, evaluation: Evaluation) -> str:
    """Mask, N, noise and generator, in words."""
    observed = evaluation.measurement.operator.observed
    assert observed is not None
    parts = [f"N = {int(observed.sum())} of {observed.numel()}"]
    parts += [f"noise {trial.noise:g}", f"generator {inputs.generator.name}"]
    if trial.mask is not None:
        parts.insert(0, f"mask {trial.damage}")
    return ", ".join(parts)


def draw_evaluation(evaluation: Evaluation, *, title: str = "") -> Figure:
    """Draw the first images: ideal, corrupted, and a column for each method that ran.

    Over a column stand its name and its means over all images: PSNR in dB and SSIM of the
    lost pixels.

    Args:
        evaluation: At least one image.
        title: Heading.
    """
    measurement = evaluation.measurement
    assert measurement.ideal is not None
    columns = [("ideal", "", measurement.ideal), ("corrupted", "", measurement.values)]
    for result in evaluation.results:
        if result.images is not None:
            columns.append((result.title, _short(result), result.images))
    shown = torch.stack([images[:ROWS].double() for _, _, images in columns], dim=1)
    pixels = sheet.grid(shown.flatten(0, 1), columns=len(columns), scale=SCALE, gap=GAP)
    # One pixel of the sheet is one of the file, so every square is sharp and of one size.
    width, height = pixels.shape[1] / DPI, pixels.shape[0] / DPI
    total = HEAD + height + FOOT
    figure = Figure(figsize=(width, total), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, FOOT / total, 1, height / total))
    axes.imshow(pixels, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    figure.text(0.04 / width, 1 - 0.06 / total, title, va="top", size=11, weight="bold")
    for index, (name, means, _) in enumerate(columns):
        centre = (index + 0.5) / len(columns)
        heading = "\n".join(textwrap.wrap(name, TITLE))
        place: dict[str, Any] = {"ha": "center", "va": "bottom", "linespacing": 1.05}
        bottom = (FOOT + height) / total
        figure.text(centre, bottom + 0.2 / total, heading, size=9, **place)
        figure.text(centre, bottom + 0.04 / total, means, size=8, color="#555555", **place)
    count = len(measurement)
    note = f"Means over {count} images: PSNR in dB and SSIM of the lost pixels."
    if count > ROWS:
        note += f" The first {ROWS} are shown."
    figure.text(0.04 / width, 0.08 / total, note, va="bottom", size=9, color="#555555")
    return figure


def _short(result: Result) -> str:
    means = summarize(result)
    psnr, ssim = means["psnr_missing"], means["ssim_missing"]
    return "" if psnr is None or ssim is None else f"{psnr[0]:.2f} / {ssim[0]:.3f}"


def _opencv_version() -> dict[str, str]:
    for name in ("opencv-python-headless", "opencv-python"):
        try:
            return {"opencv": metadata.version(name)}
        except metadata.PackageNotFoundError:
            continue
    return {"opencv": "not installed"}
