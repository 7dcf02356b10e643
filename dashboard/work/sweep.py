"""A sweep: what is asked, and how it is computed."""

from __future__ import annotations

from dataclasses import dataclass, fields

from forms.request import Request

from inpaint.files.job import ImagesJob, SweepJob
from inpaint.studies.sweep import Sweep, sweep
from work.restore import with_threads
from work.runner import Report, Reporter


@dataclass(frozen=True)
class Question:
    """What the page asks for.

    Attributes:
        request: Images, generator and settings.
        keeps: The numbers N.
        counts: Numbers of restarts.
        repeats: Seeds.
    """

    request: Request
    keeps: tuple[int, ...]
    counts: tuple[int, ...]
    repeats: int
    quick: bool = False

    @property
    def job(self) -> SweepJob:
        """The same as a job of `inpaint sweep`."""
        job = self.request.restoration
        shared = {each.name: getattr(job, each.name) for each in fields(ImagesJob)}
        return SweepJob(
            keeps=self.keeps,
            restart_counts=self.counts,
            repeats=self.repeats,
            config=job.config,
            **shared,
        )


@dataclass(frozen=True)
class Answer:
    """A sweep that was done."""

    request: Question
    sweep: Sweep

    @property
    def stopped(self) -> bool:
        """Whether it was cut short."""
        return self.sweep.cancelled

    @property
    def summary(self) -> str:
        """What was done, in a line."""
        seconds = sum(point.search.seconds for point in self.sweep.points)
        keeps = ", ".join(str(point.keep) for point in self.sweep.points)
        done = "Stopped early: swept" if self.stopped else "Swept"
        seeds = f", {self.request.repeats} seeds" if self.request.repeats > 1 else ""
        return f"**{done} N = {keeps}**{seeds}, {seconds:.1f} s for each seed."


def compute(question: Question, report: Report) -> Answer:
    """Restore at every N with every seed. Runs in a worker.

    Raises:
        InpaintError: If the question breaks a rule.
    """
    request = question.request
    found = sweep(
        request.with_job(config=with_threads(request.restoration.config)).problem(),
        question.keeps,
        restart_counts=question.counts,
        repeats=question.repeats,
        on_progress=Reporter(report),
    )
    return Answer(question, found)
