"""A restoration: what `inpaint restore` computes, by the same functions, and its files."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import Any

from forms.request import Request
from forms.sources import Source

from inpaint.config import RestoreConfig
from inpaint.files.job import RestoreJob
from inpaint.files.problem import Problem
from inpaint.files.record import encode_record
from inpaint.files.results import describe_restoration, pack_restoration
from inpaint.plots.comparison import Comparison, compare
from inpaint.posterior.estimator import Estimated, Estimator
from inpaint.search.restore import stopped_early
from inpaint.types import SearchResult
from work.runner import WORKER_THREADS, Report, Reporter


@dataclass(frozen=True)
class Result:
    """A finished restoration with everything that its page shows.

    Attributes:
        request: What was asked for.
        problem: What was restored; its job asks for no estimate where the sampling was stopped.
        search: What the restarts found.
        comparison: The five columns with their figures.
        estimated: The estimate shown, if the posterior was sampled for it.
    """

    request: Request
    problem: Problem
    search: SearchResult
    comparison: Comparison
    estimated: Estimated | None = None

    @property
    def unsampled(self) -> bool:
        """Whether an estimate was asked for, but its sampling did not finish."""
        return self.request.restoration.samples and self.estimated is None

    @property
    def stopped(self) -> bool:
        """Whether the work was cut short."""
        # A search of many steps takes image after image, and keeps those that it has finished.
        missing = len(self.search) < self.request.count
        return self.unsampled or missing or stopped_early(self.search)

    @property
    def seconds(self) -> float:
        """How long the search took, and the sampling if there was one."""
        draws = None if self.estimated is None else self.estimated.draws
        return self.search.seconds + (0.0 if draws is None else draws.seconds)

    @property
    def summary(self) -> str:
        """What was done, in a line."""
        count, asked = len(self.problem.measurement), self.request.count
        images = "1 image" if asked == 1 else f"{asked} images"
        if count < asked:
            images = f"{count} of {images}"
        done = "Stopped: best so far of" if self.stopped else "Restored"
        where = f"in {self.seconds:.2f} s on {self.search.backend}"
        return f"**{self.comparison.title}.** {done} {images} {where}."

    @property
    def job(self) -> RestoreJob:
        """The job that repeats this: a time limit or a stop is replaced by what it allowed."""
        job = self.problem.job
        assert isinstance(job, RestoreJob)
        numbers = job.numbers
        if len(self.search) < self.request.count:
            numbers = self.problem.measurement.numbers
        return replace(job, numbers=numbers, config=self.search.config.resolved())

    def first(self, count: int) -> Result:
        """The result of the first images."""
        return replace(
            self,
            problem=self.problem.first(count),
            search=self.search[:count],
            comparison=replace(self.comparison, rows=self.comparison.rows[:count]),
            estimated=None if self.estimated is None else self.estimated[:count],
        )

    @property
    def made(self) -> dict[str, Source[Any]]:
        """What was made on the page, by the field of the job that names it."""
        inputs = {"source": self.request.images, "mask": self.request.mask}
        return {name: each for name, each in inputs.items() if each is not None and each.made}


def compute(request: Request, report: Report) -> Result:
    """Restore what a request asks for. Runs in a worker.

    Raises:
        InpaintError: If the request breaks a rule.
    """
    problem, job = request.problem(), request.restoration
    reporter = Reporter(report)
    estimator = Estimator(
        problem.measurement, problem.generator, with_threads(job.config), on_progress=reporter
    )
    if job.samples:
        estimator.check(job.estimate)
    # The number of threads is the server's choice, and changes no result.
    search = _with_threads_of(estimator.search, job.config)
    estimated = None
    if job.samples and not reporter.stopped:
        estimated = estimator.estimate(job.estimate)
        # Stopping a sampling leaves draws that cannot be repeated.
        if estimated.draws is not None and estimated.draws.cancelled:
            estimated = None
    if estimated is None:
        problem = replace(problem, job=replace(job, posterior=False, estimate=None))
    elif estimated.draws is not None:
        draws = _with_threads_of(estimated.draws, job.config)
        estimated = replace(estimated, draws=draws)
    problem = problem.first(len(search))
    comparison = compare(problem.measurement, problem.generator, search, estimated=estimated)
    return Result(request, problem, search, comparison, estimated)


def with_threads(config: RestoreConfig) -> RestoreConfig:
    """The settings with a worker's number of threads, where the form leaves that open."""
    return replace(config, threads=config.threads or WORKER_THREADS)


def _with_threads_of(found: Any, config: RestoreConfig) -> Any:
    """A result whose settings have the number of threads that was asked for."""
    return replace(found, config=replace(found.config, threads=config.threads))


def arrays_file(result: Result) -> bytes:
    """restoration.npz"""
    return pack_restoration(result.problem.measurement, result.search, result.estimated)


def record_file(result: Result) -> bytes:
    """run.json as `inpaint restore` writes it.

    What was made on the page is inside, so that it can be opened there again.
    """
    record = describe_restoration(
        result.problem, result.search, result.comparison, result.estimated
    )
    made = {
        name: base64.b64encode(each.made()).decode()
        for name, each in result.made.items()
        if each.made is not None
    }
    return encode_record(record | ({"made": made} if made else {}))
