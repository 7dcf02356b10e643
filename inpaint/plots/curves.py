"""A sweep as a figure to keep: error, cost and success against N and against restarts."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from inpaint.studies.sweep import Figure as Kind
from inpaint.studies.sweep import Sweep, TrendPoint

COLOURS = ("#2a5db0", "#d9822b", "#3a8f6b", "#8a5bb5", "#b8405e", "#6b7280")
TITLES: dict[Kind, str] = {
    "error": "L2 error against the ideal",
    "cost": "Lowest cost J",
    "success": "Success",
}


def plot_sweep(sweep: Sweep) -> Figure:
    """Draw what a sweep found, a line per image, with bands.

    The first row is against N, and there is one more for each N at which several numbers of
    restarts were compared. Bands of error and cost go from the lowest to the highest of the seeds,
    those of success are 95 % intervals.

    Args:
        sweep: At least one finished N.
    """
    varied = len({each.restarts for each in sweep.partial_searches}) > 1
    keeps = [point.keep for point in sweep.points] if varied else []
    places: list[int | None] = [None, *keeps]
    figure = Figure(figsize=(12.8, 0.5 + 3.4 * len(places)), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"Sweep: {sweep.points[0].comparison.settings}", size=10)
    for axes_row, keep in zip(figure.subplots(len(places), 3, squeeze=False), places, strict=True):
        for axes, (kind, title) in zip(axes_row, TITLES.items(), strict=True):
            _draw(axes, sweep.trend(kind, keep=keep))
            one = kind == "success" and keep is None
            where = "" if keep is None else f", N = {keep}"
            axes.set_title(f"{title}{' of one start' if one else ''}{where}", size=11)
            axes.set_xlabel("pixels kept (N)" if keep is None else "restarts", size=9)
            if keep is not None:
                counts = sorted({each.restarts for each in sweep.partial_searches})
                axes.set_xscale("log", base=2)
                axes.set_xticks(counts, labels=[str(count) for count in counts], minor=False)
                axes.minorticks_off()
            if kind == "success":
                axes.set_ylim(-0.03, 1.03)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if not labels:
        handles, labels = figure.axes[1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False)
    return figure


def _draw(axes: Axes, points: tuple[TrendPoint, ...]) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    if not points:
        axes.text(0.5, 0.5, "not known", ha="center", transform=axes.transAxes, color="#666666")
        return
    for index, number in enumerate(sorted({point.number for point in points})):
        mine = [point for point in points if point.number == number]
        colour = COLOURS[index % len(COLOURS)]
        x = [point.place for point in mine]
        low, high = [point.low for point in mine], [point.high for point in mine]
        axes.fill_between(x, low, high, color=colour, alpha=0.12, linewidth=0)
        middle = [point.middle for point in mine]
        axes.plot(x, middle, "o-", color=colour, markersize=3.5, label=f"image {number}")
