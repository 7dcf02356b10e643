"""`inpaint train`: a generator from images."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import typer

from inpaint.cli import options
from inpaint.training.config import TrainConfig


@options.settings_of(TrainConfig)
def train(
    images: options.TrainingImages,
    labels: options.TrainingLabels,
    digits: options.TrainingDigits = None,
    hold_out: options.TrainingHoldOut = options.HOLD_OUT,
    checkpoint: options.Checkpoint = None,
    output: options.Output = options.OUTPUT / "training",
    *,
    settings: dict[str, Any],
) -> None:
    """Train a generator; write it as safetensors, with its record and a grid of samples."""
    config = TrainConfig(**settings)
    pictures = options.training_images(images, labels, digits, hold_out)

    import torch

    from inpaint import training
    from inpaint.files.reading import write_generator
    from inpaint.files.record import check_writable, write_files
    from inpaint.generators.samples import draw_latents
    from inpaint.plots.columns import draw_samples, to_png

    check_writable(output)
    with terminal.Watch("preparing") as watch:
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
    terminal.say(f"Trained on {len(pictures)} images; wrote {', '.join(content)} to {output}.")
    if watch.stopped:
        terminal.warn("Stopped by Ctrl-C; the generator as it stood was written.")
        raise typer.Exit(130)
