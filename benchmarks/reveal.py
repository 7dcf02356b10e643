"""How much measuring the planned pixels gains over random pixels and over the next ones.

python -m benchmarks.reveal data21.mat --keep 300 --truths 16

Truths are drawn from the generator, and the posterior is sampled again after each reveal. Prints
the roots of the mean total variance and of the mean squared L2 error of the posterior mean.
"""

from __future__ import annotations

import argparse
import math

import torch

from inpaint import Mask, Measurement, read_generator
from inpaint.generators.samples import simulate
from inpaint.operators import measure
from inpaint.posterior.config import PosteriorConfig
from inpaint.posterior.plain import pooled_pixels
from inpaint.posterior.reveal import reveal_next
from inpaint.posterior.sampler import sample_posterior
from inpaint.posterior.types import PosteriorDraws

COUNTS = "1,4,16,64"
PLANS = "planned,random,raster"


def main() -> None:
    """Print a line for each plan and number of pixels."""
    parser = argparse.ArgumentParser()
    parser.add_argument("generator")
    parser.add_argument("--keep", type=int, default=300)
    parser.add_argument("--truths", type=int, default=16)
    parser.add_argument("--noise", type=float, default=0.1)
    parser.add_argument("--particles", type=int, default=PosteriorConfig.particles)
    parser.add_argument("--counts", default=COUNTS, help="numbers of pixels to reveal")
    parser.add_argument("--plans", default=PLANS)
    options = parser.parse_args()
    counts = [int(part) for part in options.counts.split(",")]
    generator = read_generator(options.generator)
    shape, count = generator.image_shape, options.truths
    config = PosteriorConfig(threads=1, particles=options.particles)
    truths = simulate(generator, count, seed=11)
    mask = Mask.leading(options.keep, shape)
    full_mask = Mask.leading(shape[1] * shape[2], shape)
    # All measurements of a pixel have the same noise.
    whole = measure(truths, full_mask, noise=options.noise, seed=3)
    ideal = truths.images.flatten(1)

    def sample(name: str, masks: list[torch.Tensor]) -> tuple[Measurement, PosteriorDraws]:
        operator = Mask(torch.stack(masks))
        measurement = Measurement(operator.apply(whole.values), operator, numbers=whole.numbers)
        posterior = sample_posterior(measurement, generator, config)
        draws = [pooled_pixels(generator, posterior, b) for b in range(count)]
        variance = sum(float(part.var(0).sum()) for part in draws) / count
        errors = [part.double().mean(0) - ideal[b] for b, part in enumerate(draws)]
        squared = sum(float(error.square().sum()) for error in errors) / count
        print(f"{name}: {math.sqrt(variance):.2f} {math.sqrt(squared):.2f}", flush=True)
        return measurement, posterior

    measurement, posterior = sample(f"N = {options.keep}", [mask.observed] * count)
    lost = (~mask.observed.flatten()).nonzero()[:, 0]
    by_column = torch.arange(mask.observed.numel()).reshape(shape[1:]).T.flatten().tolist()
    raster = [pixel for pixel in by_column if not mask.observed.flatten()[pixel]]
    plans: dict[str, list[list[int]]] = {"planned": [], "random": [], "raster": [raster] * count}
    for b in range(count):
        reveal = reveal_next(measurement, generator, posterior, image=b, count=max(counts))
        plans["planned"].append((reveal.corners[:, 0] * shape[2] + reveal.corners[:, 1]).tolist())
        order = torch.randperm(len(lost), generator=torch.Generator().manual_seed(b))
        plans["random"].append(lost[order].tolist())
    for name in options.plans.split(","):
        orders = plans[name]
        for pixels in counts:
            masks = []
            for own in orders:
                observed = mask.observed.flatten().clone()
                observed[own[:pixels]] = True
                masks.append(observed.reshape(shape))
            sample(f"{name} {pixels}", masks)


if __name__ == "__main__":
    main()
