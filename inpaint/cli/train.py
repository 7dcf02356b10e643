"""`inpaint train` and `inpaint train-network`: a generator or an inpainting network from images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inpaint.cli import options, terminal
from inpaint.files.job import TrainingImagesJob, TrainJob, TrainNetworkJob

if TYPE_CHECKING:
    from torch import Tensor

    from inpaint.files.record import Record

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
    images, sha256 = _read(job, record, **others)

    from inpaint.files.output import check_writable
    from inpaint.files.safetensors import pack_generator
    from inpaint.generators.samples import sample_images
    from inpaint.plots.columns import plot_samples, to_png
    from inpaint.training.loop import train as fit

    check_writable(output)
    with terminal.Watch("preparing") as watch:
        result = fit(
            images,
            job.config,
            start=start,
            labelled=labelled,
            checkpoint=checkpoint,
            on_progress=watch.report,
        )
    samples = sample_images(result.generator, 100, seed=job.config.seed)
    content = {
        f"{job.config.name}.safetensors": pack_generator(result.generator),
        f"{job.config.name}.png": to_png(plot_samples(samples)),
    }
    _finish(job, output, content, sha256, result.record, len(images))
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
    images, sha256 = _read(job, record)

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


def _read(
    job: TrainingImagesJob, record: Record | None, **others: str | None
) -> tuple[Tensor, dict[str, str | None]]:
    """The images to train on [K, C, H, W], and the hashes of all inputs: theirs and `others`."""
    from inpaint.files.record import check_inputs
    from inpaint.training.data import digest_images, read_digits

    part = slice(None, -job.hold_out or None)
    images = read_digits(job.images, job.labels, digits=job.digits, part=part)
    sha256: dict[str, str | None] = {"images": digest_images(images), **others}
    if record is not None:
        check_inputs(record, job, sha256)
    return images, sha256


def _finish(
    job: TrainJob | TrainNetworkJob,
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
