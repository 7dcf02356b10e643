r"""Which weight the network's image deserves in the estimate `combined`.

    python -m benchmarks.shares train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz \
        --skip 600 --limit 80

Images of a digit are damaged in several ways and restored by `combined` with several shares of the
network. Prints PSNR in dB and SSIM of the lost pixels for each damage, and their means. The last
column has the shares that the package uses, which are larger next to observed pixels.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from inpaint import RestoreConfig
from inpaint.files.job import EvaluateJob
from inpaint.metrics import compare_images
from inpaint.posterior.estimator import network_share
from inpaint.studies.evaluate.evaluation import evaluate
from inpaint.studies.evaluate.inputs import Damage, EvaluationInputs, damage, load_inputs
from inpaint.studies.evaluate.report import summarize

SHARES = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)
KEEPS = (504, 392, 308)
MASKS = ("box:12", "random:0.5", "rows:4", "checkerboard:4", "strokes:3", "top", "bottom", "left")
NOISES = (0.02, 0.2)
"""Noise levels at which the left half is lost as well."""


def main() -> None:
    """Print a line for each damage and share."""
    parser = argparse.ArgumentParser()
    parser.add_argument("images", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--generator", default="eights")
    parser.add_argument("--digit", type=int, default=8)
    parser.add_argument("--skip", type=int, default=600)
    parser.add_argument("--limit", type=int, default=80)
    options = parser.parse_args()
    job = EvaluateJob(
        images=options.images,
        labels=options.labels,
        digits=(options.digit,),
        skip=options.skip,
        limit=options.limit,
        generator=options.generator,
        config=RestoreConfig.preset("fast"),
    )
    jobs = [replace(job, keep=keep) for keep in KEEPS]
    jobs += [replace(job, mask=mask) for mask in MASKS]
    jobs += [replace(job, mask="left", noise=noise) for noise in NOISES]
    inputs = load_inputs(job)
    print(f"{'PSNR / SSIM, share':22}" + "".join(f"{share:>14}" for share in (*SHARES, "chosen")))
    found = []
    for each in [damaged for job in jobs for damaged in damage(job, inputs)]:
        figures = measure_shares(each, inputs)
        found.append(figures)
        _print(f"{each.title}, noise {each.job.noise}", figures)
    means = [
        tuple(map(statistics.fmean, zip(*column, strict=True)))
        for column in zip(*found, strict=True)
    ]
    _print("mean", means)


def measure_shares(damaged: Damage, inputs: EvaluationInputs) -> list[tuple[float, float]]:
    """Mean PSNR and SSIM of the lost pixels for each share."""
    measurement, job = damaged.measurement, damaged.job
    found = evaluate(
        measurement,
        inputs.generator,
        network=inputs.network,
        noise=job.noise,
        config=job.config,
        methods=("combined", "network"),
    )
    ideal, observed = measurement.ideal, measurement.operator.observed
    combined, network = (result.images for result in found.results)
    assert combined is not None
    assert network is not None
    assert ideal is not None
    assert observed is not None
    # The generator's part: the estimate without the network's share.
    chosen = network_share(measurement)
    generated = network + (combined - network) / (1 - chosen)
    figures = []
    for share in (*map(torch.tensor, SHARES), chosen):
        metrics = tuple(
            compare_images(output, truth, observed)
            for output, truth in zip(generated + share * (network - generated), ideal, strict=True)
        )
        means = summarize(replace(found.results[0], metrics=metrics))
        psnr, ssim = means["psnr_missing"], means["ssim_missing"]
        assert psnr is not None
        assert ssim is not None
        figures.append((psnr[0], ssim[0]))
    return figures


def _print(name: str, figures: Sequence[tuple[float, ...]]) -> None:
    cells = "".join(f"{psnr:>7.2f} {ssim:.4f}" for psnr, ssim in figures)
    print(f"{name:22}{cells}", flush=True)


if __name__ == "__main__":
    main()
