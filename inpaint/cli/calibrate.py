"""`inpaint calibrate`: do the intervals of the posterior hold what they say?"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inpaint.cli import options
from inpaint.posterior.config import PosteriorConfig

if TYPE_CHECKING:
    from inpaint.studies.calibrate.study import Findings, Study

FILES = "calibration.json and calibration.png"


@options.settings_of(PosteriorConfig)
def calibrate(
    generator: options.GeneratorName = None,
    keep: Annotated[
        str, typer.Option(metavar="NUMBERS", help="Numbers N of observed pixels.")
    ] = "500,400,300",
    truths: Annotated[
        str, typer.Option(metavar="INTEGER", help="How many truths at each N.")
    ] = "200",
    noise: Annotated[
        str,
        typer.Option(
            metavar="NUMBER",
            help="Standard deviation of the noise added to them, in units of the pixels.",
        ),
    ] = "0.1",
    noise_is: Annotated[
        str,
        typer.Option(
            metavar="known|unknown|both",
            help="Whether the sampler is told that; --noise-level tells it another one.",
        ),
    ] = "both",
    images: Annotated[
        Path | None,
        typer.Option(
            help="IDX file of real images to be the truths.",
            show_default="drawn from the generator",
        ),
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="IDX file of their labels.", show_default=False)
    ] = None,
    digit: Annotated[
        str | None, typer.Option(metavar="NUMBERS", help="Labels wanted.", show_default="all")
    ] = None,
    hold_out: Annotated[
        str,
        typer.Option(
            metavar="INTEGER",
            help="Only the last so many images of --images are used; 0 takes all.",
        ),
    ] = "10000",
    output: options.Output = options.OUTPUT / "calibration",
    *,
    settings: dict[str, Any],
) -> None:
    """Restore known truths and count how often their posteriors held them; write a figure."""
    from inpaint.studies.calibrate.study import Study

    changes: dict[str, Any] = {} if generator is None else {"generator": generator}
    study = Study(
        keeps=options.whole_numbers("keep", keep),
        truths=options.whole_number("truths", truths),
        noise=options.real_number("noise", noise),
        noise_is=noise_is,
        images=images,
        labels=labels,
        digits=() if digit is None else options.whole_numbers("digit", digit),
        hold_out=options.whole_number("hold_out", hold_out),
        config=PosteriorConfig(**settings),
        **changes,
    )
    _perform(study, output)


def _perform(study: Study, output: Path) -> None:
    """Calibrate, print the table and write what was reached."""
    from inpaint.files.record import check_writable, write_files
    from inpaint.plots.calibration import draw_study
    from inpaint.plots.columns import to_png
    from inpaint.studies.calibrate.study import describe_study, run_study

    check_writable(output)
    with terminal.Watch("preparing") as watch:
        findings = run_study(study, on_progress=_report(watch))
    record = json.dumps(describe_study(findings), indent=1, allow_nan=False)
    write_files(
        output,
        {
            "calibration.json": record.encode() + b"\n",
            "calibration.png": to_png(draw_study(findings)),
        },
    )
    _print(findings)
    terminal.say(f"Wrote {FILES} to {output}.")
    if findings.cancelled:
        terminal.warn("Stopped by Ctrl-C; what was reached so far was written.")
        raise typer.Exit(130)


def _report(watch: terminal.Watch) -> Callable[[int, int, str], bool]:
    """Progress of a study for `Watch`."""
    return lambda done, total, task: watch.show(done, total, task=task)


def _print(findings: Findings) -> None:
    """Print coverage, ranks and errors."""
    from inpaint.studies.calibrate.study import describe_entry

    number = terminal.number
    rows = [describe_entry(entry) for entry in findings.entries]
    first = findings.entries[0].calibration
    names = [str(row["keep"]) for row in rows]
    told = ["unknown" if row["noise_level"] is None else f"{row['noise_level']:g}" for row in rows]
    heads = list(zip(names, told, strict=True))
    terminal.table(
        ["N", "noise", *(f"{part.level:.0%}" for part in first.coverage), "converged", "R-hat",
         "noise level", "gradients", "s/image"],
        [
            [
                *head,
                *(number(part["share"], 3) for part in row["coverage"]),
                f"{row['converged']:.0%}",
                number(row["r_hat_median"], 3),
                number(row["noise_level_mean"], 4),
                f"{row['gradients']:.0f}",
                number(row["seconds"], 2),
            ]
            for head, row in zip(heads, rows, strict=True)
        ],
        title=f"Share of the lost pixels that vary whose interval holds the truth, {first.count} "
        "truths",
        words=("noise",),
    )  # fmt: skip
    terminal.table(
        ["N", "noise", *first.errors, "expected of the mean"],
        [
            [
                *head,
                *(number(value, 2) for value in row["rms_error"].values()),
                number(row["expected_error"], 2),
            ]
            for head, row in zip(heads, rows, strict=True)
        ],
        title="RMS of the L2 error of each estimate",
        words=("noise",),
    )
    ranked = list(dict.fromkeys(name for row in rows for name in row["ranks"]))
    if ranked:
        cells = [[row["ranks"].get(name) for name in ranked] for row in rows]
        terminal.table(
            ["N", "noise", *ranked],
            [
                [*head, *(number(cell and cell["chi_squared"], 3) for cell in line)]
                for head, line in zip(heads, cells, strict=True)
            ],
            title="Probability of ranks as uneven as these, were all equally likely (chi-squared)",
            words=("noise",),
        )
