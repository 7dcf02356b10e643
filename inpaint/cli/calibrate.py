"""`inpaint calibrate`: do the posterior's intervals hold the truth as often as they claim?"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import TYPE_CHECKING

from inpaint.cli import options, terminal
from inpaint.files.job import CalibrateJob

if TYPE_CHECKING:
    from inpaint.files.record import Record
    from inpaint.studies.calibrate.study import CalibrationStudy

FILES = "calibration.json and calibration.png"


@options.command_of(CalibrateJob, output=options.OUTPUT / "calibration")
def calibrate(job: CalibrateJob, *, output: Path, record: Record | None) -> None:
    """Restore known truths and count how often their posteriors held them; write a figure."""
    from inpaint.files.output import check_writable
    from inpaint.files.record import check_inputs, write_results
    from inpaint.plots.calibration import plot_calibration
    from inpaint.plots.columns import to_png
    from inpaint.studies.calibrate.study import read_inputs, run_study

    if record is not None:
        check_inputs(record, job, read_inputs(job)[2])
    check_writable(output)
    with terminal.Watch("preparing") as watch:
        study = run_study(job, on_progress=watch.report)
        if study.entries:
            content = {"calibration.png": to_png(plot_calibration(study))}
            write_results(output, content, "calibration.json", study.record())
    if not study.entries:
        watch.leave_if_stopped("there is no result yet")
    _print(study)
    terminal.say(f"Wrote {FILES} to {output}.")
    watch.leave_if_stopped()


def _print(study: CalibrationStudy) -> None:
    """Print coverage, ranks and errors."""
    from inpaint.studies.calibrate.calibration import rms

    number = terminal.number
    found = [entry.calibration for entry in study.entries]
    heads = [
        [str(entry.keep), "unknown" if entry.noise_level is None else f"{entry.noise_level:g}"]
        for entry in study.entries
    ]
    terminal.table(
        [
            "N",
            "noise",
            *(f"{part.level:.0%}" for part in found[0].coverage),
            "converged",
            "R-hat",
            "noise level",
            "gradients",
            "s/image",
        ],
        [
            [
                *head,
                *(number(part.share, 3) for part in each.coverage),
                f"{sum(each.converged) / each.count:.0%}",
                number(statistics.median(each.r_hats), 3),
                number(statistics.fmean(each.noise_levels), 4),
                f"{statistics.fmean(each.gradients):.0f}",
                number(each.seconds, 2),
            ]
            for head, each in zip(heads, found, strict=True)
        ],
        title="Share of the lost pixels that vary whose interval holds the truth, "
        f"{found[0].count} truths",
        words=("noise",),
    )
    terminal.table(
        ["N", "noise", *found[0].errors, "expected of the mean"],
        [
            [
                *head,
                *(number(each.rms_error(name), 2) for name in each.errors),
                number(rms(each.spreads), 2),
            ]
            for head, each in zip(heads, found, strict=True)
        ],
        title="RMS of the L2 error of each estimate",
        words=("noise",),
    )
    ranked = list(dict.fromkeys(ranks.name for each in found for ranks in each.ranks))
    if ranked:
        rows = []
        for head, each in zip(heads, found, strict=True):
            by_name = {ranks.name: ranks.chi_squared for ranks in each.ranks}
            rows.append([*head, *(number(by_name.get(name), 3) for name in ranked)])
        terminal.table(
            ["N", "noise", *ranked],
            rows,
            title="Probability of ranks as uneven as these, were all equally likely (chi-squared)",
            words=("noise",),
        )
