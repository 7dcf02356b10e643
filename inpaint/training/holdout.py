"""How well a generator restores images that it never saw: the figures of the model cards.

python -m inpaint.training.holdout eights-10 IMAGES LABELS --digit 8
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint.config import RestoreConfig
from inpaint.generator import AnyGenerator, Generator
from inpaint.metrics import compare_images
from inpaint.operators import Mask
from inpaint.readers import read_generator
from inpaint.restore import restore
from inpaint.training.data import read_digits
from inpaint.types import Measurement

KEEPS = (504, 392, 308)
NOISE = 0.0973
BATCH = 20
RANDOM = 10_000
"""Random latent vectors at which the share of active hidden units is taken."""

LAST = 10_000
"""Images at the end of MNIST's training set that no shipped generator was trained on."""


@dataclass(frozen=True)
class HoldoutFigures:
    """Means over the held-out images.

    Attributes:
        keep: Observed pixels N.
        psnr_missing: PSNR of the lost pixels, in dB.
        ssim_missing: SSIM of the lost pixels.
        error: L2 error of the whole image.
        noise_level: Estimated standard deviation of the noise.
        active: Share of active hidden units at the latent vectors found.
        seconds: Time for one image.
    """

    keep: int
    psnr_missing: float
    ssim_missing: float
    error: float
    noise_level: float
    active: float
    seconds: float


def restore_held_out(
    generator: AnyGenerator,
    images: Tensor,
    *,
    keep: int,
    noise: float = NOISE,
    seed: int = 0,
    config: RestoreConfig = RestoreConfig(),  # noqa: B008 (frozen)
) -> HoldoutFigures:
    """Damage images that a generator never saw, restore them, and compare.

    Args:
        generator: What to measure.
        images: Undamaged images, 1 = paper. [B, C, H, W]
        keep: Leading pixels that are observed, column after column.
        noise: Standard deviation of the noise that is added.
        seed: Seed of that noise.
        config: How to restore.

    Raises:
        ShapeError: If the generator makes images of another shape.
    """
    rng = torch.Generator().manual_seed(seed)
    noisy = images + noise * torch.randn(images.shape, generator=rng)
    mask = Mask.leading(keep, generator.image_shape)
    measurement = Measurement(mask.apply(noisy), mask)
    rows, levels, shares, seconds = [], [], [], 0.0
    for first in range(0, len(images), BATCH):
        batch = slice(first, first + BATCH)
        restoration = restore(measurement[batch], generator, config)
        levels += restoration.noise_level.tolist()
        shares.append(active_share(generator, restoration.best_latents))
        seconds += restoration.seconds
        rows += [
            compare_images(output, ideal, mask.observed)
            for output, ideal in zip(restoration.images, images[batch], strict=True)
        ]
    return HoldoutFigures(
        keep=keep,
        psnr_missing=statistics.fmean(row.psnr_missing or 0.0 for row in rows),
        ssim_missing=statistics.fmean(row.ssim_missing or 0.0 for row in rows),
        error=statistics.fmean(row.error for row in rows),
        noise_level=statistics.fmean(levels),
        active=statistics.fmean(shares),
        seconds=seconds / len(images),
    )


def active_share(generator: AnyGenerator, latents: Tensor) -> float:
    """Mean share of the hidden units that are not zero, which no kernel can skip.

    Args:
        generator: 1 is returned for one that is not of dense layers.
        latents: Where to look. [B, D]
    """
    if not isinstance(generator, Generator) or len(generator.layers) < 2:
        return 1.0
    values, hidden = latents, []
    for layer in generator.layers[:-1]:
        values = layer.forward(values)
        hidden.append(values != 0)
    return float(torch.cat(hidden, dim=1).double().mean())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row of figures for each N."""
    parser = argparse.ArgumentParser(prog="python -m inpaint.training.holdout")
    parser.add_argument("generator", help="a shipped name or a file")
    parser.add_argument("images", help="IDX file of images")
    parser.add_argument("labels", help="IDX file of their labels")
    parser.add_argument("--digit", type=int, nargs="*", default=[])
    parser.add_argument("--limit", type=int, default=200, help="images at most")
    parser.add_argument("--backend", default="auto")
    options = parser.parse_args(arguments)
    generator = read_generator(options.generator)
    images = read_digits(
        options.images, options.labels, digits=options.digit, part=slice(-LAST, None)
    )[: options.limit]
    config = RestoreConfig(backend=options.backend)
    rng = torch.Generator().manual_seed(0)
    share = active_share(generator, torch.randn(RANDOM, generator.latent_size, generator=rng))
    print(
        f"{generator.name}: {len(images)} held-out images, noise {NOISE}; {share:.2f} of the "
        "hidden units active at random"
    )
    print("  N  PSNR missing  SSIM missing  L2 error  noise level  active  s/image")
    for keep in KEEPS:
        row = restore_held_out(generator, images, keep=keep, config=config)
        print(
            f"{row.keep:3d}  {row.psnr_missing:9.2f} dB  {row.ssim_missing:12.3f}  "
            f"{row.error:8.2f}  {row.noise_level:11.3f}  {row.active:6.2f}  {row.seconds:7.3f}"
        )


if __name__ == "__main__":
    main()
