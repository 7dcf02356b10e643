"""`inpaint train`: a generator from images."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from inpaint.cli import options, screen
from inpaint.errors import ArgumentError
from inpaint.training.config import TrainConfig


@options.settings_of(TrainConfig)
def train(
    images: Annotated[Path, typer.Argument(help="IDX file of the training images, gz or not.")],
    labels: Annotated[Path, typer.Option(help="IDX file of their labels.")],
    digits: Annotated[
        str | None, typer.Option(metavar="NUMBERS", help="Labels to train on.", show_default="all")
    ] = None,
    hold_out: Annotated[
        str,
        typer.Option(metavar="INTEGER", help="Images at the end of the file that are left out."),
    ] = "10000",
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="File to go on from if it exists, and to save the training in."),
    ] = None,
    output: options.Output = options.OUTPUT / "training",
    *,
    settings: dict[str, Any],
) -> None:
    """Train a generator; write it as safetensors, with its record and a grid of samples."""
    config = TrainConfig(**settings)
    held_out = options.whole_number("hold_out", hold_out)
    if held_out < 0:
        raise ArgumentError(f"hold_out is {held_out}; choose a number of images, 0 or above.")

    import torch

    from inpaint import training
    from inpaint.figures import draw_samples, to_png
    from inpaint.readers import write_generator
    from inpaint.record import check_writable, write_files
    from inpaint.restarts import draw_latents

    chosen = () if digits is None else options.whole_numbers("digits", digits)
    part = slice(None, -held_out or None)
    pictures = training.read_digits(images, labels, digits=chosen, part=part)
    check_writable(output)
    with screen.Watch("preparing") as watch:
        result = training.train(
            pictures,
            config,
            checkpoint=checkpoint,
            on_progress=lambda progress: watch.show(
                progress.step,
                progress.steps,
                task=progress.stage,
                note=" ".join(f"{name} {loss:.4g}" for name, loss in progress.losses.items()),
            ),
        )
    latents = draw_latents(config.seed, [0], 100, config.latent_size)[0].to(torch.float32)
    with tempfile.TemporaryDirectory() as folder:
        weights = write_generator(result.generator, Path(folder) / "weights").read_bytes()
    content = {
        f"{config.name}.safetensors": weights,
        f"{config.name}.json": json.dumps(result.record, indent=2).encode() + b"\n",
        f"{config.name}.png": to_png(draw_samples(result.generator(latents))),
    }
    write_files(output, content)
    screen.say(f"Trained on {len(pictures)} images; wrote {', '.join(content)} to {output}.")
    if watch.stopped:
        screen.warn("Stopped by Ctrl-C; the generator as it stood was written.")
        raise typer.Exit(130)
