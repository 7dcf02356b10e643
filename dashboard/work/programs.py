"""Python programs that repeat a job of a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from inpaint.config import RestoreConfig, changed_settings
from inpaint.files.examples import bundled_names
from inpaint.files.job import DamageJob, PosteriorJob, RestoreJob, SweepJob
from inpaint.operators import is_mask_name
from inpaint.posterior.config import PosteriorConfig

INPUTS = """\
from inpaint.files.job import RestoreJob
from inpaint.files.problem import load

problem = load({job})
measurement, generator = problem.measurement, problem.generator
"""
"""Reads inputs that `inpaint.restore` does not read in the same way."""


def restore_program(job: RestoreJob, *, ideal: bool) -> str:
    """A program that restores and writes the figure.

    Args:
        job: What is restored.
        ideal: Whether the undamaged images are known.
    """
    changed = changed_settings(job.config, RestoreConfig())
    config = f", inpaint.RestoreConfig({keywords(changed)})" if changed else ""
    estimate = f", estimate={job.estimate!r}" if job.estimate is not None else ""
    return f"""\
import inpaint
{_inputs(job, ideal=ideal)}
result = inpaint.restore(measurement, generator{config}{estimate})
result.plot().savefig("figure.png")
"""


def posterior_program(job: PosteriorJob, *, ideal: bool) -> str:
    """A program that samples the posterior and prints what it says; see `restore_program`."""
    changed = changed_settings(job.config, PosteriorConfig())
    config = f", inpaint.PosteriorConfig({keywords(changed)})" if changed else ""
    return f"""\
import inpaint
{_inputs(job, ideal=ideal)}
posterior = inpaint.sample_posterior(measurement, generator{config})
for verdict in posterior.verdicts:
    print(verdict.sentence)
"""


def sweep_program(job: SweepJob) -> str:
    """A program that does a sweep and prints its table."""
    changed = changed_settings(job.config, RestoreConfig())
    return f"""\
import inpaint
from inpaint.files.job import RestoreJob
from inpaint.files.problem import load
from inpaint.studies.sweep import sweep

config = inpaint.RestoreConfig({keywords(changed)})
problem = load({_restore_job(job.at(job.keeps[0]), "config=config")})
result = sweep(
    problem, {job.keeps}, restart_counts={job.restart_counts}, repeats={job.repeats}
)
print(result.to_long_csv())
"""


def _inputs(job: DamageJob, *, ideal: bool) -> str:
    """The lines that make the measurement and the generator."""
    if job.operator is not None or not ideal:
        seed = f"config=inpaint.RestoreConfig(seed={job.seed})" if job.seed else ""
        return INPUTS.format(job=_restore_job(job, seed))
    reading = {
        name: getattr(job, name)
        for name in ("orientation", "ink", "value_range")
        if getattr(job, name) is not None
    }
    arguments = keywords(reading)
    if job.source not in bundled_names():
        arguments = ", ".join(filter(None, ["image_shape=generator.image_shape", arguments]))
    images = f"inpaint.read_images({', '.join(filter(None, [repr(job.source), arguments]))})"
    if job.numbers is not None:
        images += f"[{list(job.numbers)}]"
    operator = repr(job.mask)
    if job.mask is None:
        operator = f"inpaint.Mask.leading({job.keep}, generator.image_shape)"
    elif not is_mask_name(job.mask):
        settings = {"white": job.mask_white, "numbers": job.numbers}
        given = {name: value for name, value in settings.items() if value is not None}
        words = ", ".join(filter(None, [repr(job.mask), "generator.image_shape", keywords(given)]))
        operator = f"inpaint.read_mask({words})"
    noise: dict[str, object] = {"noise": job.noise, "seed": job.seed} if job.noise else {}
    if job.noise_level is not None:
        noise["noise_level"] = job.noise_level
    rest = f", {keywords(noise)}" if noise else ""
    return f"""
generator = inpaint.read_generator({job.generator!r})
images = {images}
measurement = inpaint.measure(images, {operator}{rest})
"""


def _restore_job(job: DamageJob, config: str) -> str:
    """A `RestoreJob` with the same inputs and damage, defaults left out."""
    own = {each.name for each in fields(DamageJob)} - job.ignored_fields()
    changed = {name: value for name, value in job.changed().items() if name in own}
    return f"RestoreJob({', '.join(filter(None, [keywords(changed), config]))})"


def keywords(values: Mapping[str, object]) -> str:
    """Values as the keyword arguments of a call."""
    return ", ".join(f"{name}={value!r}" for name, value in values.items())
