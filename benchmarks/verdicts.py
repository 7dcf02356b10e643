"""How often each verdict is given to images that the generator can draw, and to others.

    python -m benchmarks.verdicts --images 200 --part masks --output verdicts.json

Reads data21.mat and MNIST from INPAINT_DATA_DIR. Images in range are drawn from the generator;
digits are the eights and the others of MNIST's last 10,000 training images; inverted images are
negatives of those in range. Parts: "masks", the first N pixels with noise .1; "operators", other
values with noise; "own", images in range without noise, as they are and in 8 bits.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inpaint import (
    BlockAverage,
    Blur,
    Composition,
    Generator,
    ImageSet,
    LinearOperator,
    Mask,
    read_generator,
    read_images,
)
from inpaint.files.idx import read_idx
from inpaint.operators import measure
from inpaint.search.restore import restore
from inpaint.search.verdict import judge
from inpaint.types import ImageShape

NOISE = 0.1
KEEPS = (500, 400, 350, 300, 250, 200)
FLAGS = ("good", "ambiguous", "doubtful")
PARTS = ("masks", "operators", "own")


def image_sets(folder: Path, generator: Generator, count: int) -> dict[str, Tensor]:
    """Images of each kind. [count, 1, 28, 28]"""
    digits = read_images(folder / "train-images-idx3-ubyte.gz").images[-10_000:]
    labels = torch.from_numpy(read_idx(folder / "train-labels-idx1-ubyte.gz"))[-10_000:]
    truths = images_in_range(generator, count)
    return {
        "in range": truths,
        "real eights": digits[labels == 8][:count],
        "other digits": digits[labels != 8][:count],
        "inverted": 1 - truths,
    }


def images_in_range(generator: Generator, count: int) -> Tensor:
    """Images drawn from the generator. [count, 1, 28, 28]"""
    stream = torch.Generator().manual_seed(5)
    z = torch.randn(count, generator.latent_size, generator=stream, dtype=torch.float64)
    return generator(z)


def operators(shape: ImageShape) -> dict[str, tuple[Any, float]]:
    """What is observed if not pixels alone, and with what noise."""
    stream = torch.Generator().manual_seed(0)
    pixels = math.prod(shape)
    matrix = torch.randn(200, pixels, generator=stream, dtype=torch.float64) / math.sqrt(pixels)
    half_blurred = Composition((Blur.gaussian(1, shape), Mask.leading(450, shape)))
    return {
        "averages of 4x4": (BlockAverage(4), 0.03),
        "averages of 2x2": (BlockAverage(2), NOISE),
        "blur of 1.5": (Blur.gaussian(1.5), NOISE),
        "blur of 1, N = 450": (half_blurred, NOISE),
        "checkerboard": (Mask.checkerboard(1), NOISE),
        "random matrix, 200 values": (LinearOperator(matrix, shape), NOISE),
    }


def cases(
    part: str, generator: Generator, folder: Path, count: int
) -> Iterator[tuple[str, str, Tensor, Any, float]]:
    """What is observed, the kind of the images, the images, the operator and the noise."""
    if part == "own":
        truths = images_in_range(generator, count)
        rounded = (255 * truths).round() / 255
        for keep in KEEPS[:3]:
            yield f"N = {keep}", "noiseless", truths, Mask.leading(keep), 0.0
            yield f"N = {keep}", "8 bits", rounded, Mask.leading(keep), 0.0
        return
    observed: dict[str, tuple[Any, float]] = {
        f"N = {keep}": (Mask.leading(keep), NOISE) for keep in KEEPS
    }
    if part == "operators":
        observed = operators(generator.image_shape)
    for name, (operator, noise) in observed.items():
        for kind, images in image_sets(folder, generator, count).items():
            yield name, kind, images, operator, noise


def study(part: str, count: int) -> list[dict[str, Any]]:
    """Judge the images of a part, and print a row of the table for each kind."""
    folder = Path(os.environ["INPAINT_DATA_DIR"])
    generator = read_generator(folder / "data21.mat")
    rows = []
    for name, kind, images, operator, noise in cases(part, generator, folder, count):
        measurement = measure(ImageSet(images), operator, noise=noise, seed=1)
        result = restore(measurement, generator)
        verdicts = judge(measurement, generator, result)
        errors = (result.images - images).flatten(1).norm(dim=1)
        expected = torch.tensor([verdict.expected_error for verdict in verdicts])
        inside = [v.noise_interval[0] <= noise <= v.noise_interval[1] for v in verdicts]
        shares = {f: sum(v.flag == f for v in verdicts) / len(verdicts) for f in FLAGS}
        row = {
            "observed": name,
            "images": kind,
            "noise": noise,
            "count": len(verdicts),
            **shares,
            "noise_interval_covers": sum(inside) / len(inside) if noise else None,
            "error_rms": float(errors.square().mean().sqrt()),
            "expected_error_rms": float(expected.square().mean().sqrt()),
        }
        rows.append(row)
        covers = f"{row['noise_interval_covers']:.2f}" if noise else "-"
        print(
            f"| {name} | {kind} | "
            + " | ".join(f"{shares[flag]:.2f}" for flag in FLAGS)
            + f" | {covers} | {row['error_rms']:.2f} | {row['expected_error_rms']:.2f} |",
            flush=True,
        )
    return rows


def main() -> None:
    """Run the study, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--part", choices=PARTS, default="masks")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rows = study(options.part, options.images)
    if options.output:
        options.output.write_text(json.dumps({"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
