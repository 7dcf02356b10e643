"""One pipeline: command line, evaluation, dashboard and Python give the same image to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

import inpaint
from inpaint.files.job import RestoreJob
from inpaint.files.problem import load
from inpaint.network.files import load_network, network_names
from inpaint.posterior.estimates import ESTIMATES
from inpaint.studies.evaluate.evaluation import evaluate
from tests.helpers import inpaint as run_inpaint

CONFIG = inpaint.RestoreConfig(restarts=16, screen=64, seed=3, threads=1)
JOB = RestoreJob(generator="eights-10", mask="box:8", noise=0.05, numbers=(1,), config=CONFIG)


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_four_callers_give_the_same_image(estimate: str, tmp_path: Path) -> None:
    job = replace(JOB, estimate=estimate)
    if ESTIMATES[estimate].network:
        # The generator to which a network belongs.
        job = replace(job, generator="eights")
    shown = {
        "Python": in_python(job),
        "evaluation": in_an_evaluation(job),
        "dashboard": on_the_dashboard(job),
        "command line": on_the_command_line(job, tmp_path),
    }
    for caller, images in shown.items():
        assert torch.equal(images, shown["Python"]), caller


def in_python(job: RestoreJob) -> Tensor:
    """As a program asks for it."""
    images = inpaint.read_images(job.source)[list(job.numbers or ())]
    measurement = inpaint.measure(images, job.mask, noise=job.noise, seed=job.config.seed)
    found = inpaint.restore(measurement, job.generator, job.config, estimate=job.estimate)
    return found.images


def in_an_evaluation(job: RestoreJob) -> Tensor:
    """As a method of `inpaint evaluate`."""
    problem = load(job)
    network = load_network(job.generator) if job.generator in network_names() else None
    found = evaluate(
        problem.measurement,
        problem.generator,
        network=network,
        config=job.config,
        methods=(str(job.estimate),),
    )
    images = found.results[0].images
    assert images is not None
    return images


def on_the_dashboard(job: RestoreJob) -> Tensor:
    """As a worker of the dashboard computes it."""
    from forms.request import Request
    from forms.sources import Source
    from work.restore import compute

    images = Source(job.source, "images", inpaint.read_images(job.source))
    generator = Source(job.generator, "generator", inpaint.read_generator(job.generator))
    problem = load(job)
    mask = Source(str(job.mask), "mask", problem.measurement.operator)
    found = compute(Request(job, images, generator, mask), lambda *_: True)
    return found.search.images if found.estimated is None else found.estimated.images


def on_the_command_line(job: RestoreJob, folder: Path) -> Tensor:
    """As `inpaint restore` writes it."""
    result = run_inpaint(*job.words(), "--output", folder)
    assert result.exit_code == 0, result.output
    with np.load(folder / "restoration.npz") as arrays:
        name = "images" if job.estimate == "minimum" else "posterior_estimate"
        return torch.from_numpy(arrays[name])
