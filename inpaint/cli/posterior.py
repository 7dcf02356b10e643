"""`inpaint posterior`: all images that fit, with their probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from inpaint.cli import options, terminal
from inpaint.cli.loading import end, load_problem, report_doubts
from inpaint.cli.tables import print_posterior, warn_of_posterior
from inpaint.files.job import PosteriorJob

if TYPE_CHECKING:
    from inpaint.files.record import Record

FILES = "figure.png, posterior.npz and run.json"
NOT_CONVERGED = 3
"""Exit status if a posterior was written but did not converge."""


@options.command_of(PosteriorJob, output=options.OUTPUT / "posterior")
def posterior(job: PosteriorJob, *, output: Path, record: Record | None) -> None:
    """Sample the posterior of damaged images; write its figure, arrays and diagnostics."""
    from inpaint.files.output import check_writable
    from inpaint.files.results import write_posterior
    from inpaint.posterior.examine import sample_estimated
    from inpaint.posterior.sampler import check_fit
    from inpaint.types import Progress

    problem = load_problem(job, record)
    check_fit(problem.measurement, problem.generator, job.config)
    check_writable(output)
    report_doubts(problem)
    with terminal.Watch("preparing") as watch:
        estimated, findings = sample_estimated(
            problem.measurement,
            problem.generator,
            job.config,
            estimate=job.estimate,
            level=job.level,
            on_progress=watch.report,
        )
        problem = problem.first(len(estimated.images))
        watch.report_last(Progress("drawing", 0, None))
        write_posterior(output, problem, estimated, findings)
    print_posterior(problem.measurement, estimated)
    for label, finding in zip(problem.measurement.labels, findings, strict=True):
        terminal.say(f"Image {label}. {finding.flag.capitalize()}: {finding.sentence}")
    if problem.notes:
        terminal.say(f"Read as: {'; '.join(problem.notes)}.")
    draws = estimated.draws
    assert draws is not None
    terminal.say(
        f"{problem.image_set.source}: sampled in {draws.seconds:.2f} s with {draws.backend}. "
        f"{' '.join(draws.reasons)}"
    )
    terminal.say(f"Wrote {FILES} to {output}.")
    watch.leave_if_stopped()
    warn_of_posterior(problem.measurement, estimated)
    if not all(summary.converged for summary in estimated.summaries):
        raise typer.Exit(NOT_CONVERGED)
    end(problem)
