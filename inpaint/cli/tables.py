"""Tables that several commands print."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

from inpaint.cli import terminal
from inpaint.posterior.estimates import ESTIMATES

if TYPE_CHECKING:
    from inpaint.plots.comparison import Comparison
    from inpaint.posterior.estimator import Estimated
    from inpaint.studies.samples import SampleFigures, SampleStudy
    from inpaint.types import Measurement


def print_search(comparison: Comparison) -> None:
    """Print what the search found for each image, and how far to trust it."""
    # Imported here because it loads matplotlib, which the command line's help does not need.
    from inpaint.plots.comparison import percent

    number = terminal.number
    rows = []
    for row in comparison.rows:
        cells = [row.label, number(row.cost, 3), row.status.label, number(row.noise_level, 4)]
        if row.verdict is not None:
            low, high = row.verdict.noise_interval
            search = row.verdict.search
            cells += [
                f"{low:.4f} to {high:.4f}" if isfinite(high) else "-",
                f"{search.reached} of {search.starts}",
                percent(search.missed),
                str(search.distinct),
                row.verdict.flag,
            ]
        rows.append(cells)
    headings = ["image", "cost J", "status", "noise level"]
    if len(rows[0]) > len(headings):
        headings += ["95 % interval", "success", "missed", "modes", "verdict"]
    terminal.table(headings, rows, title=comparison.title, words=("status", "verdict"))


def print_metrics(comparison: Comparison) -> None:
    """Print how far each output is from the ideal, where that is known."""
    number = terminal.number
    rows = [
        [
            row.label,
            number(row.metrics.error, 3),
            number(row.metrics.psnr, 2),
            number(row.metrics.psnr_observed, 2),
            number(row.metrics.psnr_missing, 2),
            number(row.metrics.ssim, 3),
            number(row.metrics.ssim_missing, 3),
        ]
        for row in comparison.rows
        if row.metrics is not None
    ]
    if rows:
        headings = ["image", "L2 error", "PSNR dB", "observed", "missing", "SSIM", "missing"]
        terminal.table(headings, rows, title="Against the ideal image")


def print_posterior(measurement: Measurement, estimated: Estimated) -> None:
    """Print whether each image's posterior converged, and what it says."""
    number = terminal.number
    names = measurement.labels
    terminal.table(
        ["image", "converged", "R-hat", "ESS", "accepted", "gradients", "log Z", "its spread"],
        [
            [
                name,
                "yes" if summary.converged else "no",
                number(summary.r_hat, 3),
                number(summary.ess, 0),
                f"{summary.acceptance:.0%}",
                str(summary.gradients),
                number(summary.log_evidence, 2),
                number(summary.log_evidence_spread, 2),
            ]
            for name, summary in zip(names, estimated.summaries, strict=False)
        ],
        title=f"Posterior, {measurement.operator.title}",
    )
    headings = ["image", "noise level", "its interval", "modes of 5 %", "expected error", "shown"]
    rows = []
    for index, summary in enumerate(estimated.summaries):
        low, high = summary.noise_interval
        row = [
            names[index],
            number(summary.noise_level, 4),
            f"{low:.4f} to {high:.4f}" if summary.converged else "-",
            str(len(summary.heavy_modes)),
            number(summary.expected_error, 2),
            ESTIMATES[estimated.names[index]].title,
        ]
        if measurement.ideal is not None:
            shown, ideal = estimated.images[index], measurement.ideal[index]
            row.append(number(float((shown.double().cpu() - ideal.double().cpu()).norm()), 2))
        rows.append(row)
    if measurement.ideal is not None:
        headings.append("its L2 error")
    level = f"{100 * estimated.summaries[0].level:g} %"
    terminal.table(headings, rows, title=f"What it says, intervals of {level}", words=("shown",))


def warn_of_posterior(measurement: Measurement, estimated: Estimated) -> None:
    """Warn of images whose posterior did not converge."""
    for label, summary in zip(measurement.labels, estimated.summaries, strict=False):
        if not summary.converged:
            terminal.warn(f"Image {label}. {summary.sentence}")


def print_samples(study: SampleStudy) -> None:
    """Print how near a generator's samples, and other real images, are to the real ones."""
    from inpaint.studies.samples import FIGURES, show

    def row(name: str, found: SampleFigures) -> list[str]:
        return [name, *(show(getattr(found, figure.name)) for figure in FIGURES)]

    rows = [row(f"{study.count} samples of {study.generator}", study.samples)]
    if study.real is not None:
        rows.append(row(f"{study.reals} other real images", study.real))
    classes = ", ".join(map(str, study.classes))
    terminal.table(
        ["images", *(figure.title for figure in FIGURES)],
        rows,
        title=f"Against {study.references} real images of class {classes}",
        words=("images",),
    )
    for figure in FIGURES:
        terminal.say(f"{figure.title}: {figure.meaning}")
    terminal.say(
        f"The classifier {study.classifier} takes {study.accuracy:.1%} of the real images for "
        "their label."
    )
    if study.real is None:
        terminal.say(
            "There are too few other real images to compare with; give some by --train and "
            "--train-labels."
        )
