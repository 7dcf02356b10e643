"""`inpaint train`, `train-network`, `train-classifier`: learn from images of known classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inpaint.cli import options, terminal
from inpaint.files.training_job import (
    TrainClassifierJob,
    TrainJob,
    TrainNetworkJob,
)

if TYPE_CHECKING:
    from torch import Tensor

    from inpaint.files.record import Record
    from inpaint.generators import Generator
    from inpaint.studies.samples import SampleStudy

Checkpoint = Annotated[
    Path | None,
    typer.Option(help="File to go on from if it exists, and to save the training in."),
]


@options.command_of(TrainJob, output=options.OUTPUT / "training", extra={"checkpoint": Checkpoint})
def train(job: TrainJob, *, output: Path, record: Record | None, checkpoint: Path | None) -> None:
    """Train a generator; write it as safetensors, with its record and a grid of samples."""
    images, _, sha256 = _read(job, record)

    from inpaint.files.output import check_writable
    from inpaint.files.safetensors import pack_generator
    from inpaint.generators.samples import sample_images
    from inpaint.plots.columns import plot_samples, to_png
    from inpaint.training.loop import train as fit

    check_writable(output)
    with terminal.Watch("preparing") as watch:
        result = fit(images, job.config, checkpoint=checkpoint, on_progress=watch.report)
    generator, results = result.generator, dict(result.record)
    study = _judge(job, generator)
    if study is not None:
        generator = replace(generator, card={**generator.card, **study.card()})
        results["samples"] = study
    samples = sample_images(generator, 100, seed=job.config.seed)
    content = {
        f"{job.config.name}.safetensors": pack_generator(generator),
        f"{job.config.name}.png": to_png(plot_samples(samples)),
    }
    _finish(job, output, content, sha256, results, len(images))
    if watch.stopped:
        terminal.warn("Stopped by Ctrl-C; the generator as it stood was written.")
        raise typer.Exit(terminal.INTERRUPTED)


@options.command_of(
    TrainNetworkJob, output=options.OUTPUT / "network", extra={"checkpoint": Checkpoint}
)
def train_network(
    job: TrainNetworkJob, *, output: Path, record: Record | None, checkpoint: Path | None
) -> None:
    """Train a network that fills in lost pixels; write it as safetensors, with its record."""
    images, _, sha256 = _read(job, record)

    from inpaint.files.output import check_writable
    from inpaint.network.files import pack_network
    from inpaint.network.training import train_network as fit

    check_writable(output)
    with terminal.Watch("preparing") as watch:
        result = fit(images, job.config, checkpoint=checkpoint, on_progress=watch.report)
    content = {f"{job.config.name}.safetensors": pack_network(result.network)}
    _finish(job, output, content, sha256, result.record, len(images))
    if watch.stopped:
        terminal.warn("Stopped by Ctrl-C; the network as it stood was written.")
        raise typer.Exit(terminal.INTERRUPTED)


@options.command_of(
    TrainClassifierJob, output=options.OUTPUT / "classifier", extra={"checkpoint": Checkpoint}
)
def train_classifier(
    job: TrainClassifierJob, *, output: Path, record: Record | None, checkpoint: Path | None
) -> None:
    """Train a classifier, which judges samples; write it as safetensors, with its record."""
    images, labels, sha256 = _read(job, record)

    from inpaint.classifier.files import pack_classifier
    from inpaint.classifier.training import accuracy
    from inpaint.classifier.training import train_classifier as fit
    from inpaint.files.output import check_writable
    from inpaint.training.data import read_labelled

    check_writable(output)
    with terminal.Watch("preparing") as watch:
        result = fit(images, labels, job.config, checkpoint=checkpoint, on_progress=watch.report)
    results = dict(result.record)
    if job.hold_out:
        held_out = read_labelled(
            job.images, job.labels, digits=job.digits, part=slice(-job.hold_out, None)
        )
        results["accuracy"] = accuracy(result.classifier, *held_out)
        terminal.say(
            f"It takes {results['accuracy']:.2%} of the {len(held_out[0])} held-out images for "
            "their label."
        )
    content = {f"{job.config.name}.safetensors": pack_classifier(result.classifier)}
    _finish(job, output, content, sha256, results, len(images))
    if watch.stopped:
        terminal.warn("Stopped by Ctrl-C; the classifier as it stood was written.")
        raise typer.Exit(terminal.INTERRUPTED)


def _judge(job: TrainJob, generator: Generator) -> SampleStudy | None:
    """Print how well a generator draws what was held out; None if that cannot be said."""
    from inpaint.cli.tables import print_samples
    from inpaint.errors import InpaintError
    from inpaint.files.job import EvaluateJob
    from inpaint.studies.samples import judge_samples, load_sample_inputs

    if not job.hold_out:
        terminal.say("No image was held out, so the samples were not judged.")
        return None
    question = EvaluateJob(
        images=job.images,
        labels=job.labels,
        digits=job.digits,
        hold_out=job.hold_out,
        samples=True,
    )
    try:
        study = judge_samples(load_sample_inputs(question, generator))
    except InpaintError as error:
        terminal.say(f"The samples were not judged. {error}")
        return None
    print_samples(study)
    return study


def _read(
    job: TrainJob | TrainNetworkJob | TrainClassifierJob, record: Record | None
) -> tuple[Tensor, Tensor, dict[str, str | None]]:
    """The images to train on [K, C, H, W], their labels [K], and a hash of those read."""
    from inpaint.files.record import check_inputs
    from inpaint.training.data import digest_images, read_labelled, with_strokes

    part = slice(None, -job.hold_out or None)
    images, labels = read_labelled(job.images, job.labels, digits=job.digits, part=part)
    sha256: dict[str, str | None] = {"images": digest_images(images)}
    if record is not None:
        check_inputs(record, job, sha256)
    images, labels = with_strokes(images, labels, job.strokes, seed=job.config.seed)
    return images, labels, sha256


def _finish(
    job: TrainJob | TrainNetworkJob | TrainClassifierJob,
    output: Path,
    content: dict[str, bytes],
    sha256: dict[str, str | None],
    results: dict[str, Any],
    count: int,
) -> None:
    """Write the results of a training, with its record."""
    from inpaint.files.output import write_files
    from inpaint.files.record import encode_record, make_record

    record = make_record(job, sha256=sha256, results=results)
    content |= {f"{job.config.name}.json": encode_record(record)}
    write_files(output, content)
    terminal.say(f"Trained on {count} images; wrote {', '.join(content)} to {output}.")
