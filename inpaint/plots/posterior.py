"""The figure of a posterior: mean, standard deviation, both ends of the intervals, samples."""

from __future__ import annotations

import textwrap

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from inpaint.plots import sheet
from inpaint.plots.columns import DPI, FLAGS, INK, MAX_ROWS, QUIET, shortened
from inpaint.plots.comparison import CAPTIONS, MARKS, deviation_bound
from inpaint.posterior.estimator import Estimated
from inpaint.posterior.types import PosteriorSummary
from inpaint.search.verdict import Flag
from inpaint.types import Measurement

COLUMNS = ("Ideal", "Corrupted", "Mean", "Deviation", "Lower", "Upper")
SAMPLES = 4
"""Samples after these columns, each in its own column."""

SIDE = 112
"""Largest width of a picture, in pixels of the figure; each image pixel is a whole square."""
LABELS = 162
GAP = 8
HEAD = 84
LINE = 19
FEWEST = 7
"""Fewest lines beside a row, including its number."""


def plot_posterior(measurement: Measurement, estimated: Estimated) -> Figure:
    """Draw what is known of each image, a row for each.

    If an image's sampling did not converge, only ideal, corrupted and samples are drawn.

    Args:
        measurement: What was sampled. B images
        estimated: Its posterior; the first `MAX_ROWS` images are drawn.
    """
    summaries = estimated.summaries[:MAX_ROWS]
    height, width = summaries[0].mean.shape[1:]
    scale = max(1, SIDE // width)
    cell = max(scale * height, (FEWEST + bool(measurement.names)) * LINE)
    names = [*COLUMNS, *(f"Sample {number + 1}" for number in range(SAMPLES))]
    bound = deviation_bound(summaries)
    whole = LABELS + len(names) * (scale * width + GAP) + GAP
    caption = textwrap.wrap(_caption(summaries, bound), int(whole / 6.5))
    foot = LINE * len(caption) + 16
    total = HEAD + len(summaries) * (cell + GAP) + foot
    figure = Figure(figsize=(whole / DPI, total / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    title = f"Posterior, {measurement.operator.title}"
    if len(estimated.summaries) > len(summaries):
        title += f" (the first {len(summaries)} of {len(estimated.summaries)} images)"
    _text(figure, 12, 10, title, size=14, weight="bold")
    _text(figure, 12, 36, _settings(estimated), colour=QUIET)
    for place, line in enumerate(caption):
        _text(figure, 12, total - foot + 8 + place * LINE, line, colour=QUIET)
    pictures = measurement.operator.picture(measurement.values)
    for row, summary in enumerate(summaries):
        top = HEAD + row * (cell + GAP)
        name = shortened(measurement.names[row]) if measurement.names else ""
        _label(figure, summary, f"image {measurement.numbers[row]}", name, top)
        ideal = None if measurement.ideal is None else measurement.ideal[row]
        images = _pictures(summary, ideal, pictures[row], bound)
        for column, name in enumerate(names):
            left = LABELS + column * (scale * width + GAP)
            if row == 0:
                _text(figure, left + scale * width / 2, HEAD - 22, name, align="center", size=10)
            _draw(figure, images.get(name), left, top, (scale * width, scale * height), name)
    return figure


def _caption(summaries: tuple[PosteriorSummary, ...], bound: float) -> str:
    level = f"{100 * summaries[0].level:g} %"
    return (
        f"Mean: {CAPTIONS['Mean']}  Deviation: {CAPTIONS['Deviation'].format(bound=bound)}  "
        f"Lower, Upper: the ends of each pixel's {level} interval, the darkest and the brightest "
        "it may well be; where both look alike the pixel is known.  Samples: images drawn with "
        "their probability; what differs between them is not known."
    )


def _settings(estimated: Estimated) -> str:
    draws = estimated.draws
    assert draws is not None
    config = draws.config
    known = draws.known_noise
    noise = "unknown" if known is None else f"{known:g}"
    return (
        f"{config.chains} runs of {config.particles} particles from the "
        f"{'prior' if config.start == 'prior' else 'modes that each finds'}, noise level {noise}, "
        f"seed {config.seed}, {draws.backend}"
    )


def _pictures(
    summary: PosteriorSummary, ideal: Tensor | None, corrupted: Tensor, bound: float
) -> dict[str, Tensor]:
    """The pictures to draw, by column."""
    found = {"Corrupted": corrupted}
    if ideal is not None:
        found["Ideal"] = ideal
    ends = summary.intervals
    if ends is not None:
        lower, upper = ends
        found |= {"Mean": summary.mean, "Deviation": summary.std / bound}
        found |= {"Lower": lower, "Upper": upper}
    step = max(1, len(summary.samples) // SAMPLES)
    for number, image in enumerate(summary.samples[::step][:SAMPLES]):
        found[f"Sample {number + 1}"] = image
    return found


def _label(figure: Figure, summary: PosteriorSummary, title: str, name: str, top: int) -> None:
    flag: Flag = "good" if summary.converged else "doubtful"
    several = len(summary.heavy_modes)
    lines = [name] if name else []
    lines += [f"R-hat {summary.r_hat:.2f}", f"effective {summary.ess:.0f}"]
    if summary.converged:
        low, high = summary.noise_interval
        lines.append(f"noise {low:.3f} to {high:.3f}")
        lines.append("1 image fits" if several == 1 else f"{several} images of 5 %")
        lines.append(f"error {summary.expected_error:.2f} expected")
    right = LABELS - 12
    _text(figure, right, top, title, align="right", weight="bold", size=10)
    word = "converged" if summary.converged else "not converged"
    ink = FLAGS[flag]
    _text(
        figure, right, top + LINE, f"{MARKS[flag]} {word}", align="right", weight="bold", colour=ink
    )
    for place, line in enumerate(lines):
        _text(figure, right, top + (place + 2) * LINE, line, align="right", colour=QUIET)


def _draw(
    figure: Figure, image: Tensor | None, left: int, top: int, size: tuple[int, int], name: str
) -> None:
    """Draw one picture; each of its pixels is a whole square of the figure."""
    whole, total = (float(side) * DPI for side in figure.get_size_inches())
    width, height = size
    if image is None:
        text = "not known" if name == "Ideal" else "not\nconverged"
        place = (left + width / 2, top + height / 2 - 14)
        _text(figure, *place, text, align="center", colour=QUIET)
        return
    axes = figure.add_axes(
        (left / whole, 1 - (top + height) / total, width / whole, height / total)
    )
    axes.imshow(sheet.to_pixels(image), interpolation="nearest", aspect="auto")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color("#cccccc")


def _text(
    figure: Figure,
    x: float,
    y: float,
    text: str,
    *,
    size: float = 9,
    weight: str = "normal",
    colour: str = INK,
    align: str = "left",
) -> None:
    """Draw text with its upper edge at y, in pixels from the upper left."""
    whole, total = (float(side) * DPI for side in figure.get_size_inches())
    figure.text(
        x / whole, 1 - y / total, text, size=size, weight=weight, color=colour, ha=align, va="top"
    )
