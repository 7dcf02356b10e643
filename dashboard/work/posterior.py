"""Posteriors: what is asked, and how they are sampled."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, replace

import numpy as np
from forms.request import Request
from forms.sources import Source

from inpaint.files.job import PosteriorJob
from inpaint.operators import Mask
from inpaint.plots.posterior_views import add_pixels, overall_spread
from inpaint.posterior.config import PosteriorConfig
from inpaint.posterior.examine import sample_estimated
from inpaint.posterior.finding import Finding
from inpaint.posterior.types import PosteriorDraws, PosteriorSummary
from inpaint.types import Measurement, Progress
from work.runner import WORKER_THREADS, Report, Reporter

QUICK_PARTICLES = 2048
"""Most particles, over all chains and images, for a result to follow the sliders."""

Revealed = tuple[tuple[int, tuple[tuple[int, int], ...]], ...]
"""The place of an image, and (row, column) of the pixels that were accepted for it."""


@dataclass(frozen=True)
class Question:
    """What the page asks for.

    Attributes:
        base: Images, generator, damage and how to sample; its job is a `PosteriorJob`.
        revealed: Pixels that are measured in addition.
    """

    base: Request
    revealed: Revealed = ()

    @property
    def job(self) -> PosteriorJob:
        """What is sampled, without the pixels that are measured in addition."""
        assert isinstance(self.base.job, PosteriorJob)
        return self.base.job

    @property
    def quick(self) -> bool:
        """Whether the answer comes soon enough to follow the sliders."""
        config, usual = self.job.config, PosteriorConfig()
        work = (config.moves * config.leapfrog) / (usual.moves * usual.leapfrog)
        return self.base.count * config.chains * config.particles * work <= QUICK_PARTICLES

    @property
    def request(self) -> Request:
        """The base with the mask that observes the accepted pixels as well.

        Raises:
            InpaintError: If the base breaks a rule.
        """
        if not self.revealed:
            return self.base
        measurement = self.base.problem().measurement
        assert isinstance(measurement.operator, Mask)
        mask = add_pixels(measurement.operator, len(measurement), self.revealed)
        token = f"{self.base.mask} {self.base.job.keep} {self.revealed}"
        numbers = measurement.numbers
        made = Source("revealed.npz", token, mask, made=lambda: _mask_file(mask, numbers))
        return replace(self.base.with_job(mask=made.name, mask_white=None), mask=made)


@dataclass(frozen=True)
class Step:
    """Pixels that were accepted, and what came of it.

    Attributes:
        pixels: Number of pixels.
        before: Root mean square of all pixels' deviations before.
        expected: What `before` was expected to become.
    """

    pixels: int
    before: float
    expected: float


@dataclass(frozen=True)
class Found:
    """One image's posterior.

    Attributes:
        label: What to call the image: its number, and its file if it has its own.
        measurement: What was known of it.
        draws: Draws from the posterior.
        summary: What they say.
        finding: The same in words.
        spread: Root mean square of all pixels' deviations.
        steps: What was accepted so far, each with the spread that it reached.
    """

    label: str
    measurement: Measurement
    draws: PosteriorDraws
    summary: PosteriorSummary
    finding: Finding
    spread: float
    steps: tuple[tuple[Step, float], ...] = ()

    @property
    def trusted(self) -> bool:
        """Whether intervals may be shown: it converged, and the generator can draw the image."""
        return self.summary.converged and self.finding.flag != "doubtful"


@dataclass(frozen=True)
class Answer:
    """What was found.

    Attributes:
        request: What was asked.
        found: Each image that was sampled.
        title: What was observed, in words.
        count: How many images were asked for.
        seconds: How long it took.
    """

    request: Question
    found: tuple[Found, ...]
    title: str
    count: int
    seconds: float

    @property
    def stopped(self) -> bool:
        """Whether the work was cut short."""
        return len(self.found) < self.count or any(one.draws.cancelled for one in self.found)

    @property
    def summary(self) -> str:
        """What was done, in a line."""
        count = self.count
        images = "1 image" if count == 1 else f"{count} images"
        done = f"Sampled {images}"
        if self.stopped:
            done = f"Stopped: {len(self.found)} of {images} begun"
        backend = f" on {self.found[0].draws.backend}" if self.found else ""
        return f"**{self.title}.** {done} in {self.seconds:.1f} s{backend}."


def compute(
    question: Question,
    report: Report,
    *,
    earlier: Answer | None = None,
    step: tuple[int, Step] | None = None,
) -> Answer:
    """Sample the posterior of each image in turn. Runs in a worker.

    Images do not depend on each other, so a sampling that is stopped has complete answers for
    the images before.

    Args:
        question: What is asked.
        report: Called with the progress.
        earlier: An answer from which all images but one can be taken over.
        step: The place of that one, and what was accepted for it.

    Raises:
        InpaintError: If the question breaks a rule.
    """
    began = time.monotonic()
    problem, settings = question.request.problem(), question.job.config
    whole, generator = problem.measurement, problem.generator
    config = replace(settings, threads=settings.threads or WORKER_THREADS)
    reporter = Reporter(report, len(whole))
    found: list[Found] = []
    for place in range(len(whole)):
        if earlier is not None and step is not None and place != step[0]:
            found.append(earlier.found[place])
            continue
        reporter.place = place
        if not reporter(Progress("looking for modes", 0.0, 1.0)):
            break
        measurement = whole[place : place + 1]
        estimated, findings = sample_estimated(
            measurement, generator, config, level=question.job.level, on_progress=reporter
        )
        assert estimated.draws is not None
        # The number of threads is the server's choice, and changes no result.
        draws = replace(estimated.draws, config=settings)
        summary = estimated.summaries[0]
        spread = overall_spread(summary)
        steps: tuple[tuple[Step, float], ...] = ()
        if earlier is not None and step is not None:
            steps = (*earlier.found[place].steps, (step[1], spread))
        label = whole.labels[place]
        found.append(Found(label, measurement, draws, summary, findings[0], spread, steps))
        if draws.cancelled:
            break
    return Answer(
        question, tuple(found), whole.operator.title, len(whole), time.monotonic() - began
    )


def _mask_file(mask: Mask, numbers: tuple[int, ...]) -> bytes:
    """A mask of each image, with the images' numbers, as an .npz that the readers take."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, mask=mask.observed.numpy(), numbers=np.array(numbers))
    return buffer.getvalue()
