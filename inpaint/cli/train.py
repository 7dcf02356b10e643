"""`inpaint train`, `train-network`, `train-classifier`: learn from images of known classes."""

from __future__ import annotations

from collections.abc import Iterable
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
    from inpaint.files.reading import read_generator
    from inpaint.training.data import digest_images, read_labelled

    start = None if job.start is None else read_generator(job.start)
    labelled, others = None, {"start": None if start is None else start.digest()}
    if job.config.sample_weight > 0:
        labelled = read_labelled(job.images, job.labels, part=slice(None, -job.hold_out or None))
        others["labels"] = digest_images(labelled[1])
    images, _, sha256 = _read(job, record, **others)

    from inpaint.cli.tables import print_samples
    from inpaint.files.output import check_writable
    from inpaint.files.safetensors import pack_generator
    from inpaint.generators.samples import sample_images
    from inpaint.plots.columns import plot_samples, to_png
    from inpaint.training.loop import train as fit

    name = job.config.name
    check_writable(output, (f"{name}.{ending}" for ending in ("safetensors", "png", "json")))
    with terminal.Watch("preparing") as watch:
        result = fit(
            images,
            job.config,
            start=start,
            labelled=labelled,
            checkpoint=checkpoint,
            on_progress=watch.report,
        )
        generator, results = result.generator, dict(result.record)
        study = None if watch.stopped else _judge(job, generator)
        if study is not None:
            generator = replace(generator, card={**generator.card, **study.card()})
            results["samples"] = study
        samples = sample_images(generator, 100, seed=job.config.seed)
        content = {
            f"{name}.safetensors": pack_generator(generator),
            f"{name}.png": to_png(plot_samples(samples)),
        }
        _write(job, output, content, sha256, results)
    if study is not None:
        print_samples(study)
    _say(output, (*content, f"{name}.json"), len(images))
    watch.leave_if_stopped("the generator as it stood was written")


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

    name = job.config.name
    check_writable(output, (f"{name}.{ending}" for ending in ("safetensors", "json")))
    with terminal.Watch("preparing") as watch:
        result = fit(images, job.config, checkpoint=checkpoint, on_progress=watch.report)
        content = {f"{name}.safetensors": pack_network(result.network)}
        _write(job, output, content, sha256, result.record)
    _say(output, (*content, f"{name}.json"), len(images))
    watch.leave_if_stopped("the network as it stood was written")


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

    name = job.config.name
    check_writable(output, (f"{name}.{ending}" for ending in ("safetensors", "json")))
    with terminal.Watch("preparing") as watch:
        result = fit(images, labels, job.config, checkpoint=checkpoint, on_progress=watch.report)
        results = dict(result.record)
        if job.hold_out and not watch.stopped:
            held_out = read_labelled(
                job.images, job.labels, digits=job.digits, part=slice(-job.hold_out, None)
            )
            results["accuracy"] = accuracy(result.classifier, *held_out)
        content = {f"{name}.safetensors": pack_classifier(result.classifier)}
        _write(job, output, content, sha256, results)
    if "accuracy" in results:
        terminal.say(
            f"It takes {results['accuracy']:.2%} of the {len(held_out[0])} held-out images for "
            "their label."
        )
    _say(output, (*content, f"{name}.json"), len(images))
    watch.leave_if_stopped("the classifier as it stood was written")


def _judge(job: TrainJob, generator: Generator) -> SampleStudy | None:
    """How well a generator draws what was held out; None, with a reason, if it cannot be said."""
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
        return judge_samples(load_sample_inputs(question, generator))
    except InpaintError as error:
        terminal.say(f"The samples were not judged. {error}")
        return None


def _read(
    job: TrainJob | TrainNetworkJob | TrainClassifierJob,
    record: Record | None,
    **others: str | None,
) -> tuple[Tensor, Tensor, dict[str, str | None]]:
    """The images to train on [K, C, H, W], their labels [K], and a hash of those read."""
    from inpaint.files.record import check_inputs
    from inpaint.training.data import digest_images, read_labelled, with_strokes

    part = slice(None, -job.hold_out or None)
    images, labels = read_labelled(job.images, job.labels, digits=job.digits, part=part)
    sha256: dict[str, str | None] = {"images": digest_images(images), **others}
    if record is not None:
        check_inputs(record, job, sha256)
    images, labels = with_strokes(images, labels, job.strokes, seed=job.config.seed)
    return images, labels, sha256


def _write(
    job: TrainJob | TrainNetworkJob | TrainClassifierJob,
    output: Path,
    content: dict[str, bytes],
    sha256: dict[str, str | None],
    results: dict[str, Any],
) -> None:
    """Write the results of a training, with its record."""
    from inpaint.files.record import make_record, write_results

    record = make_record(job, sha256=sha256, results=results)
    write_results(output, content, f"{job.config.name}.json", record)


def _say(output: Path, names: Iterable[str], count: int) -> None:
    terminal.say(f"Trained on {count} images; wrote {', '.join(names)} to {output}.")
