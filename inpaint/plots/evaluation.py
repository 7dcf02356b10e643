"""The picture of an evaluation: the first images as every method restored them."""

from __future__ import annotations

import textwrap
from typing import Any

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from inpaint.plots import sheet
from inpaint.studies.evaluate.evaluation import Evaluation, Result
from inpaint.studies.evaluate.report import summarize

ROWS = 8
"""Most images that the picture shows."""
DPI = 100
SCALE = 4
GAP = 4
HEAD = 0.95
FOOT = 0.3
TITLE = 14
"""Most letters in a line over a picture."""


def plot_evaluation(evaluation: Evaluation, *, title: str = "") -> Figure:
    """Draw the first images: ideal, corrupted, and a column for each method that ran.

    Above each column are its name and its means over all images: PSNR in dB and SSIM of the lost
    pixels.

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
