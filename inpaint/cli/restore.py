"""`inpaint restore`: the main job."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from inpaint.cli import options, terminal
from inpaint.cli.loading import PREVIEW, end, load_problem, report_doubts, show_preview
from inpaint.cli.tables import print_metrics, print_posterior, print_search, warn_of_posterior
from inpaint.files.job import RestoreJob

if TYPE_CHECKING:
    from inpaint.config import RestoreConfig
    from inpaint.files.record import Record
    from inpaint.plots.comparison import Comparison
    from inpaint.posterior.estimator import Estimated
    from inpaint.types import SearchResult

FILES = "figure.png, modes.png, restoration.npz and run.json"

NOT_RESTORED = 1
"""Exit status if no start of an image reached a finite cost; the results are written all the same.
"""


@options.command_of(RestoreJob, output=options.OUTPUT, extra={"preview": PREVIEW})
def restore(job: RestoreJob, *, output: Path, record: Record | None, preview: Path | None) -> None:
    """Restore damaged images; write figure.png, restoration.npz, run.json and more."""
    from inpaint.files.output import check_writable
    from inpaint.files.results import write_restoration
    from inpaint.plots.comparison import compare
    from inpaint.posterior.estimator import Estimator
    from inpaint.types import Progress

    problem = load_problem(job, record)
    if preview is not None:
        show_preview(problem, preview)
    with terminal.Watch("preparing") as watch:
        estimator = Estimator(
            problem.measurement, problem.generator, job.config, on_progress=watch.report
        )
        if job.samples:
            estimator.check(job.estimate)
        check_writable(output)
        report_doubts(problem)
        search, estimated = estimator.search, None
        if job.samples and not watch.stopped:
            estimated = estimator.estimate(job.estimate)
            if len(estimated.images) < len(search):
                estimated = None
        problem = problem.first(len(search))
        comparison = compare(
            problem.measurement,
            problem.generator,
            search,
            estimated=estimated,
            on_progress=watch.report_last,
        )
        watch.report_last(Progress("drawing", 0, None))
        write_restoration(output, problem, search, comparison, estimated)
    if record is not None:
        _compare_with(record, search, comparison, estimated)
    print_search(comparison)
    print_metrics(comparison)
    if estimated is not None and estimated.summaries:
        print_posterior(problem.measurement, estimated)
        warn_of_posterior(problem.measurement, estimated)
    for row in comparison.rows:
        if row.verdict is not None and row.verdict.flag != "good":
            terminal.say(f"Image {row.label}. {row.verdict.sentence}")
    if problem.notes:
        terminal.say(f"Read as: {'; '.join(problem.notes)}.")
    terminal.say(
        f"{problem.image_set.source}: restored in {search.seconds:.2f} s with {search.backend}. "
        f"{' '.join(search.reasons)}{_within_limit(job.config, search.config)}"
    )
    terminal.say(f"Wrote {FILES} to {output}.")
    watch.leave_if_stopped()
    if not bool(search.best_costs.isfinite().all()):
        raise typer.Exit(NOT_RESTORED)
    end(problem)


def _compare_with(
    record: Record, search: SearchResult, comparison: Comparison, estimated: Estimated | None
) -> None:
    """Say whether a repeated run gave what was recorded."""
    results = record.results
    network = (results.get("sampling") or {}).get("network_sha256")
    if estimated is not None and estimated.network != network:
        terminal.warn(
            "The run was recorded with other weights of the inpainting network; the estimates "
            "differ."
        )
    if search.backend != results.get("backend"):
        terminal.warn(
            f"The run was recorded with {results.get('backend')} and now ran on {search.backend}; "
            "costs can differ in the last digits."
        )
    before = [image.get("cost") for image in results.get("images", [])]
    now = [row.cost if math.isfinite(row.cost) else None for row in comparison.rows]
    if now == before:
        terminal.say("The costs are equal to the recorded ones.")
    else:
        terminal.warn("The costs differ from the recorded ones.")


def _within_limit(asked: RestoreConfig, done: RestoreConfig) -> str:
    """What a time limit allowed, if there was one."""
    if asked.time_limit is None:
        return ""
    count, unit = done.rounds, "round"
    if done.stop_after is not None:
        count, unit = done.stop_after, "step"
    plural = "s" * (count > 1)
    return f" The time limit of {asked.time_limit:g} s allowed {count} {unit}{plural}."
