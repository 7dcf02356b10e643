"""The figures that are kept: the five columns, the modes, a grid of samples (matplotlib)."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from inpaint.errors import ArgumentError
from inpaint.plots import sheet
from inpaint.plots.comparison import (
    CAPTIONS,
    COLUMNS,
    POSTERIOR_COLUMNS,
    Comparison,
    ComparisonRow,
    deviation_bound,
    mode_lines,
    percent,
)

MAX_ROWS = 12
"""Most images in one figure; the heading says so if there are more."""
MOST_LETTERS = 18
"""Most letters of a file's name beside its row."""
MAX_CURVES = 256
"""Most restarts whose curves are drawn in addition to the best; more would only blur together."""

# Lengths in inches; the figure is 1280 pixels wide.
DPI = 100
WIDTH = 12.8
LABELS = 1.4
CELL = 1.96
GAP = 0.2
COST_GAP = 0.7
LINE = 0.2
LABEL_LINE = 0.185
MODE_CELL = 1.12
MODE_TEXT = 0.72

INK = "#1a1a1a"
QUIET = "#666666"
BEST = "#c2410c"
OTHERS = "#64748b"
# Okabe and Ito's colours (2002), darkened so that text is readable; each flag also has a shape.
FLAGS = {"good": "#00694d", "ambiguous": "#8a5a00", "doubtful": "#b03a00"}


def plot_comparison(comparison: Comparison) -> Figure:
    """Draw the five columns, a row per image: ideal, corrupted, cost, output, difference.

    Where the posterior was sampled, its mean and its standard deviation follow. The axes come
    row by row and within a row in the order of `Comparison.columns`.

    Args:
        comparison: At least one image; the first `MAX_ROWS` are drawn.
    """
    rows = comparison.rows[:MAX_ROWS]
    height, width = rows[0].output.shape[1:]
    lines = 1 + max(len(row.lines) + len(row.verdict_lines) + bool(row.name) for row in rows)
    cell = min(max(CELL * height / width, LABEL_LINE * lines), 3.0)
    columns, captions = comparison.columns, comparison.captions
    width_all = WIDTH + (len(columns) - len(COLUMNS)) * (CELL + GAP)
    settings = textwrap.wrap(comparison.settings, 150)
    named = [f"{column}: {captions[column]}" for column in (*COLUMNS[1:4], *columns[5:])]
    letters = int(190 * width_all / WIDTH)
    caption = [*textwrap.wrap("  ".join(named), letters), captions["Difference"]]
    sampled = [row.posterior for row in rows if row.posterior is not None]
    bound = deviation_bound(sampled)

    head = 0.55 + LINE * len(settings) + 0.35
    foot = 0.45 + LINE * len(caption) + 0.1
    total = head + len(rows) * (cell + GAP) - GAP + foot
    figure = _blank(width_all, total)
    _heading(figure, _title(comparison, len(rows)), settings)
    _paragraph(figure, caption, top=(foot - 0.45) / total, size=9)

    steps = max(_steps_of_interest(row) for row in rows)
    for index, row in enumerate(rows):
        bottom = (foot + (len(rows) - 1 - index) * (cell + GAP)) / total
        left = LABELS
        for column in columns:
            left += COST_GAP - GAP if column == "Cost J" else 0
            axes = figure.add_axes((left / width_all, bottom, CELL / width_all, cell / total))
            left += CELL + GAP
            if index == 0:
                axes.set_title(column, size=12, color=INK, pad=7)
            if column == "Cost J":
                _draw_curves(axes, row, steps=steps, last=index == len(rows) - 1)
            else:
                _draw_picture(axes, row, column, bound=bound)
        _label(figure, row, row.lines, x=(LABELS - 0.12) / width_all, y=bottom + cell / total)
    return figure


def plot_modes(comparison: Comparison) -> Figure:
    """Draw the distinct images at which the restarts of each image ended, best first.

    One strip per image, with each mode's weight, its cost above the lowest and the number of
    restarts that ended there. The axes are the strips.

    Args:
        comparison: At least one image with a verdict; the first `MAX_ROWS` are drawn.

    Raises:
        ArgumentError: If no image has a verdict.
    """
    rows = [row for row in comparison.rows if row.verdict is not None][:MAX_ROWS]
    if not rows:
        raise ArgumentError("The comparison holds no verdict, so there are no modes to draw.")
    height, width = rows[0].output.shape[1:]
    cell = min(MODE_CELL * height / width, 3.0)
    step = cell + MODE_TEXT
    settings = textwrap.wrap(comparison.settings, 150)
    head, foot = 0.55 + LINE * len(settings) + 0.2, 0.5
    total = head + len(rows) * step + foot
    figure = _blank(WIDTH, total)
    _heading(figure, f"Modes, {_title(comparison, len(rows))}", settings)
    _paragraph(figure, textwrap.wrap(CAPTIONS["Modes"], 180), top=(foot - 0.05) / total, size=9)
    for index, row in enumerate(rows):
        top = 1 - (head + index * step) / total
        _label(figure, row, row.search_lines, x=(LABELS - 0.12) / WIDTH, y=top)
        _draw_strip(figure, row, top=top, cell=cell)
    return figure


def plot_samples(images: Tensor, *, columns: int = 10, title: str = "") -> Figure:
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


def _title(comparison: Comparison, shown: int) -> str:
    title = comparison.title
    if len(comparison) > shown:
        title += f" (the first {shown} of {len(comparison)} images)"
    return title


def _heading(figure: Figure, title: str, settings: list[str]) -> None:
    width, total = figure.get_size_inches()
    figure.text(0.15 / width, 1 - 0.2 / total, title, va="top", size=15, weight="bold", color=INK)
    _paragraph(figure, settings, top=1 - 0.55 / total, size=10)


def _paragraph(figure: Figure, lines: list[str], *, top: float, size: int) -> None:
    width, total = figure.get_size_inches()
    for index, line in enumerate(lines):
        y = top - index * LINE / total
        figure.text(0.15 / width, y, line, va="top", size=size, color=QUIET)


def _label(figure: Figure, row: ComparisonRow, lines: Sequence[str], *, x: float, y: float) -> None:
    """The image's number, its verdict and what else is known, right-aligned beside its row."""
    step = LABEL_LINE / figure.get_size_inches()[1]
    flag, reasons = row.verdict_lines[:1], row.verdict_lines[1:]
    colour = INK if row.verdict is None else FLAGS[row.verdict.flag]
    styled = [(shortened(row.name), QUIET, "normal")] if row.name else []
    styled += [(line, colour, "bold") for line in flag]
    styled += [(line, QUIET, "normal") for line in (*reasons, *lines)]
    figure.text(x, y, f"image {row.number}", ha="right", va="top", size=10, weight="bold")
    for index, (line, ink, weight) in enumerate(styled):
        y_line = y - (index + 1.2) * step
        figure.text(x, y_line, line, ha="right", va="top", size=9, color=ink, weight=weight)


def shortened(name: str) -> str:
    """A file's name that fits beside a row."""
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 7]}…{name[-6:]}"


def _draw_strip(figure: Figure, row: ComparisonRow, *, top: float, cell: float) -> None:
    """The modes of one image in one picture, a caption under each, and how many are left out."""
    total = figure.get_size_inches()[1]
    modes = row.shown_modes
    if row.verdict is None or not modes:
        figure.text(LABELS / WIDTH, top, "no restart ended anywhere", va="top", size=10)
        return
    height, width = row.output.shape[1:]
    scale = max(1, round(MODE_CELL * DPI / width))
    pixels = sheet.modes_strip(row, scale=scale)
    unit = cell / (scale * height)  # inches of a pixel of the strip
    size = (pixels.shape[1] * unit / WIDTH, pixels.shape[0] * unit / total)
    axes = figure.add_axes((LABELS / WIDTH, top - size[1], *size))
    axes.imshow(pixels, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    below = top - size[1] - 0.06 / total
    for index, mode in enumerate(modes):
        centre = LABELS / WIDTH + size[0] * (index + 0.5) / len(modes)
        for place, line in enumerate(mode_lines(mode, row.verdict.search.starts)):
            ink, weight = (QUIET, "normal") if place else (INK, "bold")
            y = below - place * 0.17 / total
            figure.text(centre, y, line, ha="center", va="top", size=8, color=ink, weight=weight)
    hidden = row.verdict.search.distinct - len(modes)
    if hidden:
        rest = max(0.0, 1 - sum(mode.weight for mode in modes))
        text = f"and {hidden} more\n({percent(rest)})"
        x, y = LABELS / WIDTH + size[0] + 0.1 / WIDTH, top - size[1] / 2
        figure.text(x, y, text, va="center", size=9, color=QUIET, linespacing=1.4)


def _draw_picture(axes: Axes, row: ComparisonRow, column: str, *, bound: float) -> None:
    """One picture; grey runs from 0 to 1, or from -1 to 1 for the difference, in every row."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_anchor("N")
    axes.spines[:].set_color("#cccccc")
    images = {"Ideal": row.ideal, "Corrupted": row.corrupted, "Output": row.output}
    if row.posterior is not None and row.posterior.converged:
        images |= {"Mean": row.posterior.mean, "Deviation": row.posterior.std / bound}
    image = row.difference if column == "Difference" else images.get(column)
    if image is None:
        unsure = column in POSTERIOR_COLUMNS
        axes.spines[:].set_visible(False)
        axes.text(
            0.5,
            0.5,
            "the sampling did\nnot converge" if unsure else "the ideal image\nis not known",
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


def _draw_curves(axes: Axes, row: ComparisonRow, *, steps: int, last: bool) -> None:
    """Every restart's cost faint, the best one's on top; only the last row numbers the steps."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#999999")
    axes.tick_params(labelsize=8, colors=QUIET, labelbottom=last)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    if last:
        axes.set_xlabel("iteration", size=9, color=QUIET, labelpad=2)
    axes.set_xlim(0, steps)
    places = np.arange(len(row.curves))
    if not row.curves.isfinite().any():
        axes.text(0.5, 0.5, "no finite cost", ha="center", size=10, transform=axes.transAxes)
        return
    others = row.curves[:, :MAX_CURVES].numpy()
    axes.add_collection(
        LineCollection(
            [np.column_stack([places, curve]) for curve in others.T],
            colors=OTHERS,
            linewidths=0.6,
            alpha=max(0.1, min(0.6, 16 / others.shape[1])),
        ),
        autolim=False,
    )
    axes.plot(places, row.best_curve.numpy(), color=BEST, linewidth=1.6)
    axes.set_ylim(*_limits(row))


def _steps_of_interest(row: ComparisonRow) -> int:
    """The step by which the best restart and 95 % of all have stopped moving."""
    curves = row.curves.nan_to_num()
    moving = (curves[1:] != curves[:-1]).flip(0)  # [S, R]
    if not len(moving):
        return 1
    stopped = len(moving) - moving.int().argmax(0)
    stopped = torch.where(moving.any(0), stopped, 1)
    return max(int(stopped[row.best]), math.ceil(stopped.double().quantile(0.95)))


def _limits(row: ComparisonRow) -> tuple[float, float]:
    """From the lowest cost to the median cost at the start, because a few restarts begin far above.

    A best restart that rose above its start stays visible, except for peaks.
    """
    starts = row.curves[0][row.curves[0].isfinite()]
    best = row.best_curve[row.best_curve.isfinite()]
    low = float(row.curves[row.curves.isfinite()].min())
    levels = [part.quantile(share) for part, share in ((starts, 0.5), (best, 0.75)) if len(part)]
    high = float(max(levels, default=torch.tensor(low)))
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin
