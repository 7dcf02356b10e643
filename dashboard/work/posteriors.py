"""Posteriors: what is asked, how they are sampled, and how to repeat that elsewhere."""

from __future__ import annotations

import io
import math
import shlex
import time
from dataclasses import dataclass, replace

import numpy as np
from forms.sources import Source
from forms.widgets import Request

from inpaint.config import RestoreConfig
from inpaint.operators import Mask
from inpaint.posterior import (
    Posterior,
    PosteriorConfig,
    PosteriorProgress,
    PosteriorSummary,
    sample_posterior,
    summarise,
    views,
)
from inpaint.posterior.config import SHARED
from inpaint.posterior.sampled import LEVEL, command_of
from inpaint.posterior.views import Finding
from inpaint.search.restore import restore
from inpaint.search.verdict import Check, judge
from inpaint.types import Measurement, Restoration
from work.repeat import inputs, keywords
from work.runner import WORKER_THREADS, Report

QUICK_PARTICLES = 2048
"""Particles of all runs of all images up to which a result follows the sliders."""

USUAL_STAGES = 12
"""Temperatures that are thought to be needed before two of them are known."""

Revealed = tuple[tuple[int, tuple[tuple[int, int], ...]], ...]
"""The place of an image, and (row, column) of the pixels that were accepted for it."""


@dataclass(frozen=True)
class Question:
    """What the page asks for.

    Attributes:
        base: Images, generator and damage.
        sampling: How to sample.
        revealed: Pixels that are measured besides.
    """

    base: Request
    sampling: PosteriorConfig
    revealed: Revealed = ()

    @property
    def quick(self) -> bool:
        """Whether the answer comes soon enough to follow the sliders."""
        numbers = self.base.run.numbers
        count = len(self.base.images.content if numbers is None else numbers)
        config = self.sampling
        usual = PosteriorConfig()
        work = (config.moves * config.leapfrog) / (usual.moves * usual.leapfrog)
        return count * config.runs * config.particles * work <= QUICK_PARTICLES

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
        mask = views.mask_with(measurement.operator, len(measurement), self.revealed)
        token = f"{self.base.mask} {self.base.run.keep} {self.revealed}"
        made = Source("revealed.npz", token, mask, made=lambda: _mask_file(mask))
        return replace(self.base, run=replace(self.base.run, mask=made.name), mask=made)

    @property
    def command(self) -> str:
        """The same as a command for a shell."""
        return shlex.join(command_of(self.request.run, self.sampling))

    @property
    def changed(self) -> dict[str, object]:
        """The settings that are not the usual ones."""
        return self.sampling.changed


@dataclass(frozen=True)
class Step:
    """Pixels that were accepted, and what came of it.

    Attributes:
        pixels: How many.
        before: Root mean square of all pixels' deviations before.
        expected: The same as it was expected to become.
    """

    pixels: int
    before: float
    expected: float


@dataclass(frozen=True)
class Found:
    """One image's posterior.

    Attributes:
        number: The image's number in its source.
        measurement: What was known of it.
        posterior: The particles.
        summary: What they say.
        finding: The same in words.
        spread: Root mean square of all pixels' deviations.
        steps: What was accepted so far, each with the spread that it reached.
    """

    number: int
    measurement: Measurement
    posterior: Posterior
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
        return len(self.found) < self.count or any(one.posterior.cancelled for one in self.found)

    @property
    def summary(self) -> str:
        """What was done, in a line."""
        count = self.count
        images = "1 image" if count == 1 else f"{count} images"
        done = f"Sampled {images}"
        if self.stopped:
            done = f"Stopped: {len(self.found)} of {images} begun"
        backend = f" on {self.found[0].posterior.backend}" if self.found else ""
        return f"**{self.title}.** {done} in {self.seconds:.1f} s{backend}."


def compute(
    question: Question,
    report: Report,
    *,
    earlier: Answer | None = None,
    step: tuple[int, Step] | None = None,
) -> Answer:
    """Sample the posterior of each image, one after the other. Runs in a worker.

    An image's posterior does not depend on those beside it, so a sampling that is stopped has
    whole answers for the images before.

    Args:
        question: What is asked.
        report: Hears how far it is.
        earlier: An answer from which all images but one can be taken over.
        step: The place of that one, and what was accepted for it.

    Raises:
        InpaintError: If the question breaks a rule.
    """
    began = time.monotonic()
    problem = question.request.problem()
    whole, generator = problem.measurement, problem.generator
    settings = question.sampling
    config = replace(settings, threads=settings.threads or WORKER_THREADS)
    watch = Watch(config, len(whole), report, began)
    found: list[Found] = []
    for place in range(len(whole)):
        if earlier is not None and step is not None and place != step[0]:
            found.append(earlier.found[place])
            continue
        measurement = whole[place : place + 1]
        watch.begin(place)
        if not watch.say(0.0, "looking for the best image"):
            break
        search = _search(question, measurement, config)
        posterior = sample_posterior(measurement, generator, config, on_progress=watch.note)
        watch.say(1.0, "looking at what was found")
        summary = summarise(measurement, generator, posterior, level=LEVEL)[0]
        # The number of threads is this server's affair, and changes no result.
        posterior = replace(posterior, config=settings)
        lost = views.lost_pixels(measurement)
        finding = views.find(
            generator, posterior, summary, lost, _doubts(question, measurement, search)
        )
        spread = views.overall_spread(summary)
        steps: tuple[tuple[Step, float], ...] = ()
        if earlier is not None and step is not None:
            steps = (*earlier.found[place].steps, (step[1], spread))
        number = whole.numbers[place]
        found.append(Found(number, measurement, posterior, summary, finding, spread, steps))
        if posterior.cancelled:
            break
    return Answer(
        question, tuple(found), whole.operator.title, len(whole), time.monotonic() - began
    )


def _search(question: Question, measurement: Measurement, config: PosteriorConfig) -> Restoration:
    """The best image that a quick search finds, to be doubted."""
    search = RestoreConfig.preset("fast", **{name: getattr(config, name) for name in SHARED})
    return restore(measurement, question.base.generator.content, search)


def _doubts(question: Question, measurement: Measurement, search: Restoration) -> tuple[Check, ...]:
    """What speaks against the generator's being able to draw the image."""
    if not isinstance(measurement.operator, Mask):
        return ()
    verdict = judge(measurement, question.base.generator.content, search)[0]
    return tuple(check for check in verdict.checks if check.name in ("residual", "prior"))


class Watch:
    """How far a sampling of several images is, and whether it shall go on.

    Args:
        config: How each image is sampled.
        count: How many there are.
        report: Hears of it.
        began: When it began.
    """

    def __init__(self, config: PosteriorConfig, count: int, report: Report, began: float) -> None:
        self._config, self._count, self._report, self._began = config, count, report, began
        self._place = 0
        self._reached: list[float] = []

    def begin(self, place: int) -> None:
        """The next image."""
        self._place, self._reached = place, []

    def note(self, progress: PosteriorProgress) -> bool:
        """Hear of a stage."""
        if progress.stage == 0:
            return self.say(0.0, f"looking for what fits, {int(progress.gradients[0]):,} gradients")
        self._reached.append(float(progress.inverse_temperature[0]))
        end = self._config.misfit_weight
        share = share_done(self._reached, end, self._config.final_stages)
        reached = self._reached[-1]
        where = (
            "the posterior is reached"
            if reached == end
            else f"temperature {1 / reached:,.3g}, to fall to {1 / end:.3g}"
        )
        return self.say(share, f"{where}, {int(progress.gradients[0]):,} gradients")

    def say(self, share: float, text: str) -> bool:
        """Report, and tell whether to go on."""
        done = (self._place + share) / self._count
        left = ""
        if share > 0 and done < 1:
            seconds = (time.monotonic() - self._began) * (1 - done) / done
            left = f", about {seconds:.0f} s left"
        image = f"Image {self._place + 1} of {self._count}: " if self._count > 1 else ""
        text = f"{image}{text}{left}"
        return self._report(done, text[0].upper() + text[1:])


def share_done(reached: list[float], end: float, final_stages: int) -> float:
    """How much of a sampling is done, by the inverse temperatures reached so far.

    They rise by about the same factor from stage to stage, up to the end.
    """
    stages = len(reached)
    if reached[-1] >= end:
        left = float(final_stages - reached.count(end) + 1)
    elif stages < 2 or reached[-1] <= reached[0]:
        left = float(max(USUAL_STAGES - stages, 1) + final_stages)
    else:
        factor = math.log(reached[-1] / reached[0]) / (stages - 1)
        left = math.log(end / reached[-1]) / factor + final_stages
    return stages / (stages + max(0.0, left))


def _mask_file(mask: Mask) -> bytes:
    """A mask of each image, as an .npz that the readers take."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, mask=mask.observed.numpy())
    return buffer.getvalue()


def as_python(question: Question) -> str:
    """A program that samples the same and prints what was found."""
    arguments = keywords(inputs(question.request.run))
    return f"""\
from inpaint.config import RestoreConfig
from inpaint.posterior import PosteriorConfig, sample_posterior, summarise
from inpaint.files.problem import load
from inpaint.files.job import Run

run = Run({arguments}, config=RestoreConfig(seed={question.sampling.seed}))
problem = load(run)
config = PosteriorConfig({keywords(question.changed)})
posterior = sample_posterior(problem.measurement, problem.generator, config)
for summary in summarise(problem.measurement, problem.generator, posterior, level={LEVEL}):
    print(summary.sentence)
"""
