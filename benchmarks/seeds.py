"""How far the posterior means of two seeds differ, and what sampling costs.

    python -m benchmarks.seeds --keep 300 --seeds 6
    python -m benchmarks.seeds --keep 300 --images 1,2 --seeds 6 --particles 512 --jumps 48

Reads data21.mat and data22.mat from INPAINT_DATA_DIR. Each image is sampled alone on one thread.
Prints processor seconds of the sampling and of its summary; with OMP_NUM_THREADS=1 they are those
of one core.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from pathlib import Path

import torch

from inpaint import Mask, read_generator, read_images
from inpaint.operators import measure
from inpaint.posterior.config import PosteriorConfig
from inpaint.posterior.plain import pooled_pixels
from inpaint.posterior.sampler import sample_posterior
from inpaint.posterior.summary import summarise

SETTINGS = ("particles", "ess_target", "moves", "jumps", "final_stages", "leapfrog", "start")


def main() -> None:
    """Print a line for each image."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", type=int, default=300)
    parser.add_argument("--images", default="0,1,2,3")
    parser.add_argument("--seeds", type=int, default=6)
    for name in SETTINGS:
        default = getattr(PosteriorConfig, name)
        parser.add_argument(f"--{name}", type=type(default), default=default)
    options = vars(parser.parse_args())
    keep, seeds = options.pop("keep"), options.pop("seeds")
    numbers = [int(part) for part in options.pop("images").split(",")]
    folder = Path(os.environ["INPAINT_DATA_DIR"])
    generator = read_generator(folder / "data21.mat")
    images = read_images(folder / "data22.mat")
    whole = measure(images, Mask.leading(keep, generator.image_shape))
    print(f"N = {keep}, {seeds} seeds, {options}")
    print(
        "image  RMS difference  evaluations  seconds  summary  largest R-hat  median R-hat  "
        "deviation of log Z"
    )
    for number in numbers:
        part = whole[number : number + 1]
        means, seconds, summary_seconds = [], [], []
        ratios, evidence, evaluations = [], [], []
        for seed in range(seeds):
            began = time.process_time()
            posterior = sample_posterior(
                part, generator, PosteriorConfig(threads=1, seed=seed, **options)
            )
            seconds.append(time.process_time() - began)
            evaluations.append(int(posterior.gradients))
            means.append(pooled_pixels(generator, posterior, 0, dtype=torch.float64).mean(0))
            began = time.process_time()
            ratios.append(summarise(part, generator, posterior)[0].r_hat)
            summary_seconds.append(time.process_time() - began)
            evidence.append(posterior.log_evidence[0])
        # The mean squared difference over all pairs is twice the variance.
        difference = float((2 * torch.stack(means).var(0).sum()).sqrt())
        median = statistics.median
        spread = float(torch.cat(evidence).std())
        print(
            f"{number:5}  {difference:14.3f}  {sum(evaluations) // seeds:11}  "
            f"{median(seconds):7.2f}  {median(summary_seconds):7.2f}  {max(ratios):13.3f}  "
            f"{median(ratios):12.3f}  {spread:18.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
