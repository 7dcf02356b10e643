"""`inpaint train-network`: an inpainting network from images."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import typer

from inpaint.cli import options
from inpaint.network.config import NetworkConfig


@options.settings_of(NetworkConfig)
def train_network(
    images: options.TrainingImages,
    labels: options.TrainingLabels,
    digits: options.TrainingDigits = None,
    hold_out: options.TrainingHoldOut = options.HOLD_OUT,
    checkpoint: options.Checkpoint = None,
    output: options.Output = options.OUTPUT / "network",
    *,
    settings: dict[str, Any],
) -> None:
    """Train a network that fills in lost pixels; write it as safetensors, with its record."""
    config = NetworkConfig(**settings)
    pictures = options.training_images(images, labels, digits, hold_out)

    from inpaint import network
    from inpaint.files.record import check_writable, write_files

    check_writable(output)
    with terminal.Watch("preparing") as watch:
        result = network.train_network(
            pictures,
            config,
            checkpoint=checkpoint,
            on_progress=lambda progress: watch.show(
                progress.step, progress.steps, task="training", note=f"loss {progress.loss:.4g}"
            ),
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        network.write_network(result.network, path)
        weights = path.read_bytes()
    content = {
        f"{config.name}.safetensors": weights,
        f"{config.name}.json": json.dumps(result.record, indent=2).encode() + b"\n",
    }
    write_files(output, content)
    terminal.say(f"Trained on {len(pictures)} images; wrote {', '.join(content)} to {output}.")
    if watch.stopped:
        terminal.warn("Stopped by Ctrl-C; the network as it stood was written.")
        raise typer.Exit(130)
