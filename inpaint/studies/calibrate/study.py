"""A calibration study: at several N, with the noise level known and unknown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from inpaint.files.job import CalibrateJob
from inpaint.files.reading import read_generator
from inpaint.files.record import make_record
from inpaint.generators import AnyGenerator
from inpaint.generators.kind import PictureKind, picture_kind, turn_ink
from inpaint.operators import Mask
from inpaint.studies.calibrate.calibration import (
    Calibration,
    Truths,
    calibrate,
    simulate_truths,
    truths_of,
)
from inpaint.training.data import digest_images, read_digits
from inpaint.types import OnProgress, Progress


@dataclass(frozen=True)
class CalibrationEntry:
    """One row of a study.

    Attributes:
        keep: N.
        noise_level: The noise level that the sampler assumed; None where it was unknown.
        calibration: The result.
    """

    keep: int
    noise_level: float | None
    calibration: Calibration

    @property
    def title(self) -> str:
        """The row in words."""
        return _title(self.keep, self.noise_level)


@dataclass(frozen=True, eq=False)
class CalibrationStudy:
    """What a study found.

    Attributes:
        job: What was asked for.
        generator: What was calibrated.
        images: The real images, if any. [B, C, H, W]
        entries: A row for each N and each assumption about the noise.
        cancelled: Whether the caller ended it.
    """

    job: CalibrateJob
    generator: AnyGenerator
    images: Tensor | None
    entries: tuple[CalibrationEntry, ...]
    cancelled: bool

    def digests(self) -> dict[str, str | None]:
        """Hashes of what was read, by the field of the job that names it."""
        return _digests(self.generator, self.images)

    def record(self) -> dict[str, Any]:
        """What `calibration.json` holds."""
        results = {"cancelled": self.cancelled, "entries": self.entries}
        return make_record(self.job, sha256=self.digests(), results=results)


def read_inputs(job: CalibrateJob) -> tuple[AnyGenerator, Tensor | None, dict[str, str | None]]:
    """A study's generator, its real images if it has any, and the hashes of both.

    Raises:
        FileError: If an input cannot be read.
        ArgumentError: If no image is left.
    """
    generator = read_generator(job.generator)
    images = _read_images(job, picture_kind(generator))
    return generator, images, _digests(generator, images)


def run_study(job: CalibrateJob, *, on_progress: OnProgress | None = None) -> CalibrationStudy:
    """Calibrate at every N.

    Args:
        job: What to do.
        on_progress: Called while truths are sampled; if it returns False, the study ends with what
            was done so far.

    Raises:
        FileError: If an input cannot be read.
        ArgumentError: If a number is out of range.
    """
    generator, images, _ = read_inputs(job)
    # All cases are made first, so that a number out of range raises before any work.
    cases = [
        (keep, level, _truths(job, generator, images, keep, level))
        for keep in job.keeps
        for level in job.known_levels
    ]
    entries: list[CalibrationEntry] = []
    cancelled = False
    for number, (keep, level, truths) in enumerate(cases):
        title = _title(keep, level)

        def report(progress: Progress, number: int = number, title: str = title) -> bool | None:
            assert on_progress is not None
            share = progress.done / (progress.total or 1)
            return on_progress(Progress(title, number + share, len(cases), progress.note))

        calibration = calibrate(
            truths, generator, job.config, on_progress=None if on_progress is None else report
        )
        if calibration.count:
            entries.append(CalibrationEntry(keep, level, calibration))
        if calibration.cancelled:
            cancelled = True
            break
    return CalibrationStudy(job, generator, images, tuple(entries), cancelled)


def _title(keep: int, level: float | None) -> str:
    return f"N = {keep}, noise {'unknown' if level is None else format(level, 'g')}"


def _digests(generator: AnyGenerator, images: Tensor | None) -> dict[str, str | None]:
    found: dict[str, str | None] = {"generator": generator.digest()}
    return found if images is None else found | {"images": digest_images(images)}


def _read_images(job: CalibrateJob, kind: PictureKind) -> Tensor | None:
    """The real images of a study, if it has any."""
    if job.images is None or job.labels is None:
        return None
    held_out = slice(-job.hold_out or None, None)
    found = read_digits(job.images, job.labels, digits=job.digits, part=held_out)
    return turn_ink(found[: job.truths], kind)


def _truths(
    job: CalibrateJob,
    generator: AnyGenerator,
    images: Tensor | None,
    keep: int,
    level: float | None,
) -> Truths:
    mask = Mask.leading(keep, generator.image_shape)
    seed = job.config.seed
    if images is None:
        truths = simulate_truths(generator, mask, job.truths, noise=job.noise, seed=seed)
    else:
        truths = truths_of(images, mask, noise=job.noise, seed=seed)
    return replace(truths, measurement=replace(truths.measurement, noise_level=level))
