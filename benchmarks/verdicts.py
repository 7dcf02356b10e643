"""How often each verdict is given to images that the generator can draw, and to others.

    python -m benchmarks.verdicts --images 100 --output verdicts.json

Reads data21.mat and MNIST from INPAINT_DATA_DIR. Images in range are drawn from the generator;
digits are the eights and the others of MNIST's last 10,000 training images; inverted images are
negatives of those in range. Noise of standard deviation 0.1 is added to all.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inpaint import Generator, ImageSet, Mask, read_generator, read_images
from inpaint.files.idx import read_idx
from inpaint.operators import measure
from inpaint.search.restore import restore
from inpaint.search.verdict import judge

NOISE = 0.1
KEEPS = (500, 400, 350, 300, 250, 200)
FLAGS = ("good", "ambiguous", "doubtful")


def image_sets(folder: Path, generator: Generator, count: int) -> dict[str, Tensor]:
    """Images of each kind. [count, 1, 28, 28]"""
    stream = torch.Generator().manual_seed(5)
    z = torch.randn(count, generator.latent_size, generator=stream, dtype=torch.float64)
    digits = read_images(folder / "train-images-idx3-ubyte.gz").images[-10_000:]
    labels = torch.from_numpy(read_idx(folder / "train-labels-idx1-ubyte.gz"))[-10_000:]
    truths = generator(z)
    return {
        "in range": truths,
        "real eights": digits[labels == 8][:count],
        "other digits": digits[labels != 8][:count],
        "inverted": 1 - truths,
    }


def study(count: int) -> dict[str, Any]:
    """Judge images of every kind at every N."""
    folder = Path(os.environ["INPAINT_DATA_DIR"])
    generator = read_generator(folder / "data21.mat")
    rows = []
    for keep in KEEPS:
        for kind, images in image_sets(folder, generator, count).items():
            mask = Mask.leading(keep, generator.image_shape)
            measurement = measure(ImageSet(images), mask, noise=NOISE, seed=1)
            result = restore(measurement, generator)
            verdicts = judge(measurement, generator, result)
            errors = (result.images - images).flatten(1).norm(dim=1)
            expected = torch.tensor([verdict.expected_error for verdict in verdicts])
            inside = [v.noise_interval[0] <= NOISE <= v.noise_interval[1] for v in verdicts]
            shares = {f: sum(v.flag == f for v in verdicts) / len(verdicts) for f in FLAGS}
            row = {
                "N": keep,
                "images": kind,
                "count": len(verdicts),
                **shares,
                "noise_interval_covers": sum(inside) / len(inside),
                "error_rms": float(errors.square().mean().sqrt()),
                "expected_error_rms": float(expected.square().mean().sqrt()),
            }
            rows.append(row)
            print(
                f"| {keep} | {kind} | "
                + " | ".join(f"{shares[flag]:.2f}" for flag in FLAGS)
                + f" | {row['noise_interval_covers']:.2f} | {row['error_rms']:.2f} "
                f"| {row['expected_error_rms']:.2f} |",
                flush=True,
            )
    return {"noise": NOISE, "rows": rows}


def main() -> None:
    """Run the study, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    result = study(options.images)
    if options.output:
        options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
