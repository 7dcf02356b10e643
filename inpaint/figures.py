"""The figures that are kept: the five-column comparison and the grid of samples (matplotlib)."""

from __future__ import annotations

import io
import textwrap

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from inpaint import sheet
from inpaint.comparison import CAPTIONS, COLUMNS, Comparison, Row

MAX_ROWS = 12
"""Images that one figure shows; the heading says so where there are more."""
MAX_CURVES = 256
"""Restarts whose curves are drawn beside the best one's; more would only be a blot."""

# Lengths in inches; the figure is 1280 pixels wide.
DPI = 100
WIDTH = 12.8
LABELS = 1.4
CELL = 1.96
GAP = 0.2
COST_GAP = 0.7
LINE = 0.2

INK = "#1a1a1a"
QUIET = "#666666"
BEST = "#c2410c"
OTHERS = "#64748b"


def draw_comparison(comparison: Comparison) -> Figure:
    """Draw the five columns, a row per image: ideal, corrupted, cost, output, difference.

    The axes come row by row and within a row in the order of `COLUMNS`.

    Args:
        comparison: At least one image; the first `MAX_ROWS` are drawn.
    """
    rows = comparison.rows[:MAX_ROWS]
    height, width = rows[0].output.shape[1:]
    cell = min(max(CELL * height / width, 1.45), 3.0)
    title = comparison.title
    if len(comparison) > len(rows):
        title += f" (the first {len(rows)} of {len(comparison)} images)"
    settings = textwrap.wrap(comparison.settings, 150)
    captions = [f"{column}: {CAPTIONS[column]}" for column in COLUMNS[1:4]]
    caption = [*textwrap.wrap("  ".join(captions), 190), CAPTIONS["Difference"]]

    head = 0.55 + LINE * len(settings) + 0.35
    foot = 0.45 + LINE * len(caption) + 0.1
    total = head + len(rows) * (cell + GAP) - GAP + foot
    figure = _blank(WIDTH, total)
    figure.text(0.15 / WIDTH, 1 - 0.2 / total, title, va="top", size=15, weight="bold", color=INK)
    _paragraph(figure, settings, top=1 - 0.55 / total, size=10)
    _paragraph(figure, caption, top=(foot - 0.45) / total, size=9)

    for index, row in enumerate(rows):
        bottom = (foot + (len(rows) - 1 - index) * (cell + GAP)) / total
        left = LABELS
        for column in COLUMNS:
            left += COST_GAP - GAP if column == "Cost J" else 0
            axes = figure.add_axes((left / WIDTH, bottom, CELL / WIDTH, cell / total))
            left += CELL + GAP
            if index == 0:
                axes.set_title(column, size=12, color=INK, pad=7)
            if column == "Cost J":
                _draw_curves(axes, row, last=index == len(rows) - 1)
            else:
                _draw_picture(axes, row, column)
        _label(figure, row, x=(LABELS - 0.12) / WIDTH, y=bottom + cell / total)
    return figure


def draw_samples(images: Tensor, *, columns: int = 10, title: str = "") -> Figure:
    """Draw images as a grid.

    Args:
        images: Values in 0 to 1. [B, C, H, W]
        columns: Images in a row.
        title: Heading; none if empty.
    """
    pixels = sheet.grid(images, columns=columns, scale=4, gap=4)
    head = 0.5 if title else 0.0
    # One pixel of the sheet is one of the file, so no square is wider than another.
    height, width = pixels.shape[0] / DPI, pixels.shape[1] / DPI
    figure = _blank(width, height + head)
    axes = figure.add_axes((0, 0, 1, height / (height + head)))
    axes.imshow(pixels, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    if title:
        heading = "\n".join(textwrap.wrap(title, 100))
        figure.text(0.5, 1 - 0.25 / (height + head), heading, ha="center", va="center", size=12)
    return figure


def to_png(figure: Figure) -> bytes:
    """A figure as the content of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _blank(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def _paragraph(figure: Figure, lines: list[str], *, top: float, size: int) -> None:
    total = figure.get_size_inches()[1]
    for index, line in enumerate(lines):
        y = top - index * LINE / total
        figure.text(0.15 / WIDTH, y, line, va="top", size=size, color=QUIET)


def _label(figure: Figure, row: Row, *, x: float, y: float) -> None:
    """The row's figures, right-aligned beside its first picture, its number in bold."""
    step = 0.185 / figure.get_size_inches()[1]
    first, *others = row.lines
    figure.text(x, y, first, ha="right", va="top", size=10, weight="bold", color=INK)
    for index, line in enumerate(others, start=1):
        y_line = y - index * step - 0.2 * step
        figure.text(x, y_line, line, ha="right", va="top", size=9, color=QUIET)


def _draw_picture(axes: Axes, row: Row, column: str) -> None:
    """One picture; grey runs from 0 to 1, or from -1 to 1 for the difference, in every row."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_anchor("N")
    axes.spines[:].set_color("#cccccc")
    images = {"Ideal": row.ideal, "Corrupted": row.corrupted, "Output": row.output}
    image = row.difference if column == "Difference" else images[column]
    if image is None:
        axes.spines[:].set_visible(False)
        axes.text(
            0.5,
            0.5,
            "the ideal image\nis not known",
            ha="center",
            va="center",
            size=10,
            color=QUIET,
            transform=axes.transAxes,
        )
        return
    low = -1.0 if column == "Difference" else 0.0
    if image.ndim == 3 and len(image) == 3:
        axes.imshow(image.permute(1, 2, 0).clamp(0, 1).numpy(), interpolation="nearest")
        return
    grey = image if image.ndim == 2 else image.mean(0)
    axes.imshow(grey.numpy(), cmap="gray", vmin=low, vmax=1.0, interpolation="nearest")


def _draw_curves(axes: Axes, row: Row, *, last: bool) -> None:
    """Every restart's cost faint, the best one's on top; only the last row numbers the steps."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#999999")
    axes.tick_params(labelsize=8, colors=QUIET, labelbottom=last)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    if last:
        axes.set_xlabel("iteration", size=9, color=QUIET, labelpad=2)
    steps = np.arange(len(row.curves))
    axes.set_xlim(0, max(1, len(steps) - 1))
    if not row.curves.isfinite().any():
        axes.text(0.5, 0.5, "no finite cost", ha="center", size=10, transform=axes.transAxes)
        return
    others = row.curves[:, :MAX_CURVES].numpy()
    axes.add_collection(
        LineCollection(
            [np.column_stack([steps, curve]) for curve in others.T],
            colors=OTHERS,
            linewidths=0.6,
            alpha=max(0.1, min(0.6, 16 / others.shape[1])),
        ),
        autolim=False,
    )
    axes.plot(steps, row.best_curve.numpy(), color=BEST, linewidth=1.6)
    axes.set_ylim(*_limits(row))


def _limits(row: Row) -> tuple[float, float]:
    """From the lowest cost to where half of the restarts began, and all of the best curve."""
    best = row.best_curve[row.best_curve.isfinite()]
    starts = row.curves[0][row.curves[0].isfinite()]
    low = float(row.curves[row.curves.isfinite()].min())
    high = float(torch.cat([best, starts.median()[None]]).max()) if len(starts) else low
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin
