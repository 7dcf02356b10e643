"""The Bayes risk of restoring simulated truths: the smallest mean error that is possible.

    python -m benchmarks.risk data21.mat --keep 500,400,350,300,250 --truths 500

Truths are drawn from the generator's prior. No estimator has a smaller mean squared error than the
posterior mean, and the posteriors expect that error to be their mean total variance. Prints the
roots of both with standard errors bootstrapped over truths, and how often a set of 24 truths, drawn
from these, has an RMS error at or below the targets of .78, 2.3 and 4.1 at N = 400, 300 and 250.
One chain for each truth is enough.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from numpy.typing import NDArray

from inpaint import Mask, read_generator
from inpaint.posterior.config import PosteriorConfig
from inpaint.posterior.plain import pooled_pixels
from inpaint.posterior.sampler import sample_posterior
from inpaint.studies.calibrate.calibration import simulate_truths

TARGETS = {400: 0.78, 300: 2.3, 250: 4.1}
SET_SIZE = 24
SETS = 20_000
BATCH = 20
CONFIG = PosteriorConfig(chains=1, threads=1, seed=20)


def main() -> None:
    """Print a line for each N."""
    parser = argparse.ArgumentParser()
    parser.add_argument("generator")
    parser.add_argument("--keep", default="500,400,350,300,250")
    parser.add_argument("--truths", type=int, default=500)
    parser.add_argument("--noise", type=float, default=0.1)
    options = parser.parse_args()
    print("N    RMS error      expected       ratio          target  sets of 24 at or below it")
    for keep in map(int, options.keep.split(",")):
        errors, variances = measure_risk(options.generator, keep, options.truths, options.noise)
        random = np.random.default_rng(0)
        resampled = random.integers(len(errors), size=(2000, len(errors)))
        roots = np.sqrt(errors[resampled].mean(1)), np.sqrt(variances[resampled].mean(1))
        cells = [
            (np.sqrt(errors.mean()), roots[0].std()),
            (np.sqrt(variances.mean()), roots[1].std()),
            (np.sqrt(errors.mean() / variances.mean()), (roots[0] / roots[1]).std()),
        ]
        line = "  ".join(f"{value:.3f} ± {error:.3f}" for value, error in cells)
        if keep in TARGETS:
            sets = errors[random.integers(len(errors), size=(SETS, SET_SIZE))].mean(1)
            line += f"  {TARGETS[keep]:6}  {(sets <= TARGETS[keep] ** 2).mean():.1%}"
        print(f"{keep}  {line}", flush=True)


def measure_risk(
    name: str, keep: int, count: int, noise: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Squared L2 error of the posterior mean and total variance of each truth. [count] each"""
    generator = read_generator(name)
    mask = Mask.leading(keep, generator.image_shape)
    truths = simulate_truths(generator, mask, count, noise=noise, seed=CONFIG.seed).measurement
    errors, variances = [], []
    for first in range(0, count, BATCH):
        part = truths[first : first + BATCH]
        posterior = sample_posterior(part, generator, CONFIG)
        assert part.ideal is not None
        for b, ideal in enumerate(part.ideal):
            drawn = pooled_pixels(generator, posterior, b, dtype=torch.float64)
            errors.append(float((drawn.mean(0) - ideal.flatten()).square().sum()))
            variances.append(float(drawn.var(0).sum()))
    return np.array(errors), np.array(variances)


if __name__ == "__main__":
    main()
