"""`inpaint sample`: what a generator makes of random latent vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inpaint.cli import options
from inpaint.errors import ArgumentError


def sample(
    generator: options.GeneratorName = None,
    count: Annotated[str, typer.Option(metavar="INTEGER", help="Number of images.")] = "100",
    columns: Annotated[str, typer.Option(metavar="INTEGER", help="Images in a row.")] = "10",
    seed: Annotated[str, typer.Option(metavar="INTEGER", help="The images follow from it.")] = "0",
    output: Annotated[Path, typer.Option(help="PNG file for the grid.")] = (
        options.OUTPUT / "samples.png"
    ),
) -> None:
    """Draw a grid of images that a generator makes of random latent vectors."""
    images = _between("count", count, 1, 10_000)
    width = _between("columns", columns, 1, 100)
    start = _between("seed", seed, 0, 2**63 - 1)
    if output.suffix.lower() != ".png":
        raise ArgumentError(f"output is {str(output)!r}; choose a name that ends in .png.")

    import torch

    from inpaint.files.job import default_generator
    from inpaint.files.reading import read_generator
    from inpaint.files.record import write_files
    from inpaint.generators.samples import draw_latents
    from inpaint.plots.columns import draw_samples, to_png

    source = read_generator(generator or default_generator())
    latents = draw_latents(start, [0], images, source.latent_size)[0]
    pictures = source.to(dtype=torch.float64)(latents)
    figure = draw_samples(pictures, columns=width)
    write_files(output.parent, {output.name: to_png(figure)})
    terminal.say(f"Wrote {images} samples of {source.name} to {output}.")


def _between(name: str, text: str, low: int, high: int) -> int:
    value = options.whole_number(name, text)
    if not low <= value <= high:
        raise ArgumentError(f"{name} is {value}; choose {low} to {high}.")
    return value
