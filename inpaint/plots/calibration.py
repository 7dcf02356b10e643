"""The figure of a calibration study: coverage and rank histograms, a row for each N."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy import stats

from inpaint.plots.columns import BEST, DPI, INK, OTHERS, QUIET
from inpaint.studies.calibrate.ranking import Coverage, Ranks
from inpaint.studies.calibrate.study import CalibrationEntry, CalibrationStudy

# Lengths in inches.
LABELS = 1.75
CELL = 1.45
HEIGHT = 1.0
GAP = 0.28
HEAD = 0.95
FOOT = 1.0
NARROWEST = 7.5
LIKELY = 0.99
"""Probability of the band that a bar of equally likely ranks stays in."""

RANKS_NOTE = (
    "Histograms: the rank of the truth among draws from its posterior. All bars are equally high "
    "if the posterior is right; the band holds 99 % of bars then. p: chi-squared. A hill: "
    "intervals too wide; a valley: too narrow."
)
COVERAGE_NOTE = (
    "Coverage: share of the lost pixels that vary whose interval holds the truth, with twice its "
    "standard error, against the probability that the interval states; on the line both agree."
)


def plot_calibration(study: CalibrationStudy) -> Figure:
    """Draw a row for each entry: coverage, then a histogram of each function's ranks.

    Args:
        study: At least one entry.
    """
    entries = study.entries
    names = list(dict.fromkeys(r.name for entry in entries for r in entry.calibration.ranks))
    columns = 1 + len(names)
    width = max(NARROWEST, LABELS + columns * (CELL + GAP) + 0.1)
    note = COVERAGE_NOTE if not names else f"{COVERAGE_NOTE} {RANKS_NOTE}"
    lines = textwrap.wrap(note, int(width * 14.5))
    foot = FOOT + 0.17 * len(lines) - 0.34
    total = HEAD + len(entries) * (HEIGHT + GAP) + foot
    figure = Figure(figsize=(width, total), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(
        0.1 / width, 1 - 0.12 / total, _title(study), va="top", size=13, weight="bold", color=INK
    )
    for place, line in enumerate(lines):
        y = (0.17 * (len(lines) - place) + 0.05) / total
        figure.text(0.1 / width, y, line, va="top", size=8.5, color=QUIET)
    for row, entry in enumerate(entries):
        bottom = total - HEAD - (row + 1) * HEIGHT - row * GAP
        _label(figure, entry, (bottom + HEIGHT) / total)
        for column, name in enumerate(["coverage", *names]):
            left = LABELS + column * (CELL + GAP)
            box = (left / width, bottom / total, CELL / width, HEIGHT / total)
            _cell(figure, box, entry, name, first=row == 0, last=row == len(entries) - 1)
    return figure


def _title(study: CalibrationStudy) -> str:
    counts = sorted({entry.calibration.count for entry in study.entries})
    count = " to ".join(str(number) for number in (counts[0], counts[-1])[: len(counts)])
    kind = "real images" if study.images is not None else "simulated truths"
    return f"{study.generator.name}: {count} {kind}, noise {study.job.noise:g}"


def _label(figure: Figure, entry: CalibrationEntry, top: float) -> None:
    found = entry.calibration
    width, height = figure.get_size_inches()
    share = sum(found.converged) / found.count
    knowledge = "unknown" if entry.noise_level is None else f"{entry.noise_level:g} known"
    lines = [f"N = {entry.keep}", f"noise {knowledge}", f"{100 * share:.0f} % converged"]
    for place, line in enumerate(lines):
        figure.text(
            0.1 / width,
            top - place * 0.2 / height,
            line,
            va="top",
            size=9 if place else 10,
            color=QUIET if place else INK,
            weight="normal" if place else "bold",
        )


def _cell(
    figure: Figure,
    box: tuple[float, float, float, float],
    entry: CalibrationEntry,
    name: str,
    *,
    first: bool,
    last: bool,
) -> None:
    found = {ranks.name: ranks for ranks in entry.calibration.ranks}
    if name != "coverage" and name not in found:
        if first:
            _, height = figure.get_size_inches()
            x, y = box[0] + box[2] / 2, box[1] + box[3] + 0.08 / height
            figure.text(x, y, name, ha="center", va="bottom", size=10, color=INK)
        return
    axes = figure.add_axes(box)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#999999")
    axes.tick_params(labelsize=7, colors=QUIET, length=2)
    if name == "coverage":
        _draw_coverage(axes, entry.calibration.coverage, last=last)
    else:
        _draw_ranks(axes, found[name], last=last)
    if first:
        axes.set_title(name, size=10, color=INK, pad=6)


def _draw_coverage(axes: Axes, coverage: tuple[Coverage, ...], *, last: bool) -> None:
    levels = [part.level for part in coverage]
    shares = [part.share for part in coverage]
    errors = np.nan_to_num([2 * part.error for part in coverage])
    axes.plot([0, 1], [0, 1], color=OTHERS, linewidth=0.8)
    axes.errorbar(levels, shares, yerr=errors, color=BEST, fmt="o", markersize=3.5, linewidth=1)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks([0, 0.5, 0.8, 1])
    axes.set_yticks([0, 0.5, 0.9])
    axes.tick_params(labelbottom=last)
    if last:
        axes.set_xlabel("stated", size=8, color=QUIET, labelpad=2)


def _draw_ranks(axes: Axes, ranks: Ranks, *, last: bool) -> None:
    counts = ranks.counts
    total, bins = int(counts.sum()), len(counts)
    low, high = stats.binom.interval(LIKELY, total, 1 / bins)
    axes.axhspan(low, high, color="#e2e8f0", zorder=0)
    axes.axhline(total / bins, color=OTHERS, linewidth=0.8, zorder=1)
    places = (np.arange(bins) + 0.5) / bins
    axes.bar(places, counts, width=0.86 / bins, color=BEST, zorder=2)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, max(1.25 * high, 1.1 * counts.max()))
    axes.set_xticks([0, 0.5, 1])
    axes.set_yticks([])
    axes.tick_params(labelbottom=last)
    if last:
        axes.set_xlabel("rank / draws", size=8, color=QUIET, labelpad=2)
    text = f"p {ranks.chi_squared:.2f}" if ranks.chi_squared >= 0.005 else "p < .005"
    axes.text(0.98, 0.97, text, ha="right", va="top", size=8, color=INK, transform=axes.transAxes)
