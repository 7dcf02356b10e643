"""A calibration study: at several N, with the noise level known and unknown."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from torch import Tensor

from inpaint.checks import check_choice, check_integer, check_number
from inpaint.errors import ArgumentError
from inpaint.files.job import default_generator
from inpaint.files.reading import read_generator
from inpaint.files.record import finite, machine, versions
from inpaint.generators import AnyGenerator
from inpaint.operators import Mask
from inpaint.posterior import PosteriorConfig
from inpaint.posterior.estimates import ESTIMATES
from inpaint.studies.calibrate.calibration import (
    Calibration,
    Truths,
    calibrate,
    rms,
    simulate_truths,
    truths_of,
)
from inpaint.studies.calibrate.ranking import Ranks
from inpaint.training.data import digest_images, read_digits

FORMAT = 1
"""Version of `calibration.json`."""

KNOWLEDGE = ("known", "unknown", "both")

OnStudy = Callable[[int, int, str], bool | None]


@dataclass(frozen=True, kw_only=True)
class Study:
    """Everything that determines a calibration study.

    Attributes:
        generator: Generator file, or name of a shipped one.
        keeps: Numbers N of leading pixels observed, column after column.
        truths: How many truths at each N.
        noise: Standard deviation of the noise added to them, in units of the pixels.
        noise_is: Whether the sampler is told that: "known", "unknown" or "both", one after the
            other. A noise level in `config` is told instead, right or wrong.
        images: IDX file of real images to be the truths; None draws them from the generator.
        labels: IDX file of their labels.
        digits: Labels wanted; none for all.
        hold_out: Only the last so many images of the file are used; 0 takes all.
        config: How to sample; its seed is that of truths and noise as well.
    """

    generator: str = field(default_factory=default_generator)
    keeps: tuple[int, ...] = (500, 400, 300)
    truths: int = 200
    noise: float = 0.1
    noise_is: str = "both"
    images: Path | None = None
    labels: Path | None = None
    digits: tuple[int, ...] = ()
    hold_out: int = 10_000
    config: PosteriorConfig = field(default_factory=PosteriorConfig)

    def __post_init__(self) -> None:
        check_integer("truths", self.truths, 1, 1_000_000)
        check_integer("hold_out", self.hold_out, 0, 2**31)
        check_number("noise", self.noise, positive=True)
        check_choice("noise_is", self.noise_is, KNOWLEDGE)
        if not self.keeps or len(set(self.keeps)) < len(self.keeps):
            raise ArgumentError(f"keep is {self.keeps}; give different numbers of pixels.")
        if (self.images is None) != (self.labels is None):
            raise ArgumentError(
                "Real images and their labels come together; give both, --images and --labels, "
                "or none."
            )

    @property
    def told(self) -> tuple[float | None, ...]:
        """The noise levels that the sampler is told, one after the other; None tells nothing."""
        if self.config.noise_level is not None:
            return (self.config.noise_level,)
        both: dict[str, tuple[float | None, ...]] = {
            "known": (self.noise,),
            "unknown": (None,),
            "both": (self.noise, None),
        }
        return both[self.noise_is]


@dataclass(frozen=True)
class Entry:
    """One row of a study.

    Attributes:
        keep: N.
        told: The noise level that the sampler was told, if any.
        calibration: What came of it.
    """

    keep: int
    told: float | None
    calibration: Calibration

    @property
    def title(self) -> str:
        """The row in words."""
        knowledge = "unknown" if self.told is None else f"{self.told:g}"
        return f"N = {self.keep}, noise {knowledge}"


@dataclass(frozen=True)
class Findings:
    """What a study found.

    Attributes:
        study: What was asked for.
        generator: What it was asked of.
        images: The real images, if any. [B, C, H, W]
        entries: A row for each N and each knowledge of the noise.
        cancelled: Whether the caller ended it.
    """

    study: Study
    generator: AnyGenerator
    images: Tensor | None
    entries: tuple[Entry, ...]
    cancelled: bool


def run_study(study: Study, *, on_progress: OnStudy | None = None) -> Findings:
    """Calibrate at every N.

    Args:
        study: What to do.
        on_progress: Called with truths done, truths to be done, and which row is being done; if
            it returns False, what was done so far is the result.

    Raises:
        FileError: If an input cannot be read.
        ArgumentError: If a number is out of range.
    """
    generator = read_generator(study.generator)
    images = _read(study)
    # All are made first, so that a number out of range is refused before any work.
    cases = [
        (keep, told, _truths(study, generator, images, keep))
        for keep in study.keeps
        for told in study.told
    ]
    entries: list[Entry] = []
    cancelled = False
    for keep, told, truths in cases:
        config = replace(study.config, noise_level=told)
        before = len(entries) * len(truths.measurement)
        title = f"N = {keep}, noise {'unknown' if told is None else format(told, 'g')}"

        def report(done: int, total: int, before: int = before, title: str = title) -> bool | None:
            whole = total * len(cases)
            return None if on_progress is None else on_progress(before + done, whole, title)

        calibration = calibrate(truths, generator, config, on_progress=report)
        entries.append(Entry(keep, told, calibration))
        if calibration.cancelled:
            cancelled = True
            break
    return Findings(study, generator, images, tuple(entries), cancelled)


def describe_study(findings: Findings) -> dict[str, Any]:
    """What `calibration.json` holds: settings, hashes, versions, and all figures."""
    study = findings.study
    settings = asdict(study)
    for name in ("images", "labels"):
        path = getattr(study, name)
        settings[name] = None if path is None else str(path.resolve())
    if Path(study.generator).is_file():
        settings["generator"] = str(Path(study.generator).resolve())
    images = findings.images
    return {
        "format": FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": settings,
        "cancelled": findings.cancelled,
        "sha256": {
            "generator": findings.generator.digest(),
            "images": None if images is None else digest_images(images),
        },
        "versions": versions(),
        "machine": machine(),
        "rows": [describe_entry(entry) for entry in findings.entries],
    }


def describe_entry(entry: Entry) -> dict[str, Any]:
    """One row's figures; what is not finite is None."""
    found = entry.calibration
    return {
        "keep": entry.keep,
        "noise_level": entry.told,
        "count": found.count,
        "converged": sum(found.converged) / found.count,
        "r_hat_median": finite(statistics.median(found.r_hats)),
        "r_hat_largest": finite(max(found.r_hats)),
        "coverage": [
            {"level": part.level, "share": finite(part.share), "error": finite(part.error)}
            for part in found.coverage
        ],
        "ranks": {ranks.name: _describe_ranks(ranks) for ranks in found.ranks},
        "rms_error": {name: found.rms_error(name) for name in ESTIMATES},
        "expected_error": rms(found.spreads),
        "noise_level_mean": statistics.fmean(found.noise_levels),
        "noise_covered": finite(found.noise_covered),
        "noise_covered_level": found.noise_level_stated,
        "gradients": statistics.fmean(found.gradients),
        "seconds": found.seconds,
        "summary_seconds": found.summary_seconds,
        "backend": found.backend,
        "images": {
            "errors": {name: list(values) for name, values in found.errors.items()},
            "expected_error": list(found.spreads),
            "modes": list(found.modes),
            "converged": list(found.converged),
            "r_hat": [finite(value) for value in found.r_hats],
        },
    }


def _describe_ranks(ranks: Ranks) -> dict[str, Any]:
    return {
        "counts": ranks.counts.tolist(),
        "chi_squared": ranks.chi_squared,
        "kolmogorov_smirnov": ranks.kolmogorov_smirnov,
        "ranks": list(ranks.ranks),
        "draws": ranks.draws,
    }


def _read(study: Study) -> Tensor | None:
    """The real images of a study, if it is of such."""
    if study.images is None or study.labels is None:
        return None
    held_out = slice(-study.hold_out or None, None)
    found = read_digits(study.images, study.labels, digits=study.digits, part=held_out)
    return found[: study.truths]


def _truths(study: Study, generator: AnyGenerator, images: Tensor | None, keep: int) -> Truths:
    mask = Mask.leading(keep, generator.image_shape)
    seed = study.config.seed
    if images is not None:
        return truths_of(images, mask, noise=study.noise, seed=seed)
    return simulate_truths(generator, mask, study.truths, noise=study.noise, seed=seed)
