"""`inpaint evaluate`: all methods on images that none of them was trained on."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from inpaint.cli import options, terminal
from inpaint.files.job import EvaluateJob

if TYPE_CHECKING:
    from inpaint.files.record import Record
    from inpaint.studies.evaluate.evaluation import Evaluation
    from inpaint.studies.evaluate.inputs import Damage, EvaluationInputs
    from inpaint.types import Progress

FILES = "evaluation.json and figure.png"


@options.command_of(EvaluateJob, output=options.OUTPUT / "evaluation")
def evaluate(job: EvaluateJob, *, output: Path, record: Record | None) -> None:
    """Restore held-out images by all methods; print the table, write figures and record."""
    if job.samples:
        _judge_samples(job, output, record)
        return
    from inpaint.files.output import check_writable
    from inpaint.files.record import check_inputs
    from inpaint.operators import require_mask
    from inpaint.studies.evaluate.evaluation import USUAL_METHODS, evaluate
    from inpaint.studies.evaluate.inputs import damage, load_inputs
    from inpaint.studies.evaluate.report import title_of

    inputs = load_inputs(job)
    # All damages are made first, so that an impossible one is refused before any work.
    damages = damage(job, inputs)
    if record is not None:
        # A record holds a single damage.
        check_inputs(record, job, inputs.digests() | damages[0].digests())
    check_writable(output)
    folders = []
    with terminal.Watch("preparing") as watch:
        for each in damages:
            evaluation = evaluate(
                each.measurement,
                inputs.generator,
                network=inputs.network,
                training=inputs.training,
                noise=job.noise,
                config=job.config,
                methods=job.methods or USUAL_METHODS,
                on_progress=partial(_report, watch, each.title),
            )
            if len(evaluation.measurement):
                folder = output if len(damages) == 1 else output / each.folder
                _write(folder, each, inputs, evaluation)
                _print(title_of(each, inputs), evaluation)
                for note in require_mask(each.measurement.operator, "an evaluation").notes:
                    terminal.say(f"Read as: {note}.")
                folders.append(str(folder))
            if evaluation.cancelled:
                break
    if folders:
        terminal.say(f"Wrote {FILES} to {', '.join(folders)}.")
    watch.leave_if_stopped(*([] if folders else ["there is no result yet"]))


def _judge_samples(job: EvaluateJob, output: Path, record: Record | None) -> None:
    """Compare the generator's samples with the held-out images."""
    from inpaint.cli.tables import print_samples
    from inpaint.files.output import check_writable, write_files
    from inpaint.files.record import check_inputs, encode_record, make_record
    from inpaint.generators.samples import sample_images
    from inpaint.plots.columns import plot_samples, to_png
    from inpaint.studies.samples import digest_inputs, judge_samples, load_sample_inputs

    inputs = load_sample_inputs(job)
    sha256 = digest_inputs(job, inputs)
    if record is not None:
        check_inputs(record, job, sha256)
    check_writable(output)
    seed = job.config.seed
    study = judge_samples(inputs, seed=seed)
    figure = plot_samples(sample_images(inputs.generator, 100, seed=seed))
    content = encode_record(make_record(job, sha256=sha256, results={"samples": study}))
    write_files(output, {"evaluation.json": content, "figure.png": to_png(figure)})
    print_samples(study)
    terminal.say(f"Wrote {FILES} to {output}.")


def _report(watch: terminal.Watch, title: str, progress: Progress) -> bool:
    """The progress of one damage's evaluation."""
    return watch.report(replace(progress, stage=f"{title}: {progress.stage}"))


def _write(folder: Path, each: Damage, inputs: EvaluationInputs, evaluation: Evaluation) -> None:
    from inpaint.files.record import write_results
    from inpaint.plots.columns import to_png
    from inpaint.plots.evaluation import plot_evaluation
    from inpaint.studies.evaluate.report import record_evaluation, title_of

    figure = plot_evaluation(evaluation, title=title_of(each, inputs))
    record = record_evaluation(each, inputs, evaluation)
    write_results(folder, {"figure.png": to_png(figure)}, "evaluation.json", record)


def _print(title: str, evaluation: Evaluation) -> None:
    """Print a table of means, and why a method did not run."""
    from inpaint.studies.evaluate.report import summarize

    number = terminal.number
    rows = []
    for result in evaluation.results:
        means = {name: pair and pair[0] for name, pair in summarize(result).items()}
        rows.append(
            [
                result.name,
                number(means["psnr"], 2),
                number(means["psnr_missing"], 2),
                number(means["ssim"], 3),
                number(means["ssim_missing"], 3),
                number(means["error"], 2),
                number(result.seconds, 3),
            ]
        )
    terminal.table(
        ["method", "PSNR dB", "missing", "SSIM", "missing", "L2 error", "s/image"],
        rows,
        title=title,
        words=("method",),
    )
    terminal.say(f"Means over {len(evaluation.measurement)} images.")
    for result in evaluation.results:
        if result.not_run is not None:
            terminal.say(f"{result.name} did not run. {result.not_run}")
