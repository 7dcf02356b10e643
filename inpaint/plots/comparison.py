"""The five-column comparison as data: `columns` and `sheet` draw it, records keep its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inpaint.config import AUTO, RestoreConfig
from inpaint.errors import ShapeError
from inpaint.generators import AnyGenerator
from inpaint.metrics import Metrics, compare_images
from inpaint.operators import Mask
from inpaint.posterior.estimates import ESTIMATES
from inpaint.posterior.estimator import Estimated
from inpaint.posterior.types import PosteriorSummary
from inpaint.search.modes import Mode
from inpaint.search.restore import describe_starts
from inpaint.search.verdict import Check, Flag, Verdict, judge
from inpaint.types import Measurement, OnProgress, SearchResult, ShortRepr, Status

COLUMNS = ("Ideal", "Corrupted", "Cost J", "Output", "Difference")

POSTERIOR_COLUMNS = ("Mean", "Deviation")
"""Columns that follow where the posterior was sampled."""

CAPTIONS = {
    "Ideal": "The undamaged image.",
    "Corrupted": "What was measured; lost pixels are dark.",
    "Cost J": "The cost over the iterations: every restart faint, the best one bold.",
    "Output": "The generator's image at the lowest cost.",
    "Difference": (
        "Difference = ideal - output. Mid-grey: equal. Dark: the output is brighter than the "
        "ideal (with dark ink: ink is missing). Bright: the output is darker than the ideal "
        "(ink was added)."
    ),
    "Mean": "The posterior mean: all images that fit, by their probability.",
    "Deviation": (
        "Posterior standard deviation of each pixel. Black: the pixel is certain. "
        "White: it is {bound:g} or more."
    ),
    "Modes": (
        "Distinct images at which the restarts ended, best first: share of the posterior density "
        "(the width of a valley is not counted), cost above the lowest, starts that ended there."
    ),
}

MARKS: dict[Flag, str] = {"good": "\u25cf", "ambiguous": "\u25c6", "doubtful": "\u25b2"}
"""A shape for each flag (disc, diamond, triangle), so that flags differ in more than colour."""

DEVIATIONS = (0.1, 0.25, 0.5)
"""Standard deviations that a map may show as white; a pixel between 0 and 1 has .5 at most."""

MOST_MODES = 8
"""Most modes of an image that are shown."""
FAINT_MODE = 1e-3
"""A mode of less weight is not shown: restarts got stuck there, and its image does not fit."""


@dataclass(frozen=True, eq=False, repr=False)
class ComparisonRow(ShortRepr):
    """One image's row of the comparison.

    Attributes:
        number: The image's number in its source.
        name: Its file, if it has its own.
        ideal: The undamaged image where it is known. [C, H, W]
        corrupted: What was measured, as an image; lost pixels are 0. [C, H, W]
        observed: True where a pixel was observed. [C, H, W]
        curves: J after each step, the start included, of the restarts whose history was kept; NaN
            where it was not finite. [S + 1, F]
        best: The curve of lowest cost.
        output: The restored image. [C, H, W]
        cost: J of the best restart.
        noise_level: Estimated noise standard deviation, in units of the pixels.
        status: How the best restart ended.
        metrics: How far the output is from the ideal, where that is known.
        verdict: Whether the output can be trusted; None where the judging was cancelled.
        estimate: Which estimate the output is: a key of `ESTIMATES`.
        posterior: What the posterior says, where it was sampled.
    """

    number: int
    name: str
    ideal: Tensor | None
    corrupted: Tensor
    observed: Tensor
    curves: Tensor
    best: int
    output: Tensor
    cost: float
    noise_level: float
    status: Status
    metrics: Metrics | None
    verdict: Verdict | None
    estimate: str = "minimum"
    posterior: PosteriorSummary | None = None

    @property
    def label(self) -> str:
        """What to call the image: its number, and its file if it has its own."""
        return f"{self.number} {self.name}".rstrip()

    @property
    def best_curve(self) -> Tensor:
        """Cost of the best restart after each step. [S + 1]"""
        return self.curves[:, self.best]

    @property
    def difference(self) -> Tensor | None:
        """Ideal - output, in -1 to 1, the mean over the channels. [H, W]"""
        return None if self.ideal is None else (self.ideal - self.output).mean(0)

    @property
    def lines(self) -> tuple[str, ...]:
        """The row's figures in words, one short line each."""
        lines = [f"J {self.cost:.2f}", f"noise {self.noise_level:.3f}"]
        if self.metrics is not None:
            lines.append(f"error {self.metrics.error:.2f}")
            lines.append(f"PSNR {self.metrics.psnr:.1f} dB")
            if self.metrics.psnr_missing is not None and self.metrics.psnr_observed is not None:
                lines.append(f"missing {self.metrics.psnr_missing:.1f} dB")
        if self.posterior is not None:
            lines.append(f"R-hat {self.posterior.r_hat:.2f}")
        return (*lines, self.status.label)

    @property
    def verdict_lines(self) -> tuple[str, ...]:
        """The verdict in a few words: its flag with a mark, then its first one or two reasons."""
        if self.verdict is None:
            return ()
        fired = [check for check in self.verdict.checks if check.fired]
        flag = self.verdict.flag
        return (f"{MARKS[flag]} {flag}", *(_in_brief(check) for check in fired[:2]))

    @property
    def search_lines(self) -> tuple[str, ...]:
        """How reliable the search was, one short line each."""
        if self.verdict is None:
            return ()
        search = self.verdict.search
        if search.starts == 1 or search.restarts_for_99 is None:
            return (_plural(search.starts, "start"),)
        needed = _plural(search.restarts_for_99, "start")
        return (f"success {percent(search.rate)}", f"{needed} for 99 %")

    @property
    def shown_modes(self) -> tuple[Mode, ...]:
        """The modes worth showing, lowest cost first; none without a verdict."""
        modes = () if self.verdict is None else self.verdict.search.modes
        return tuple(mode for mode in modes if mode.weight >= FAINT_MODE)[:MOST_MODES]


@dataclass(frozen=True)
class Comparison:
    """The five columns of a batch of images: one row per image.

    Attributes:
        rows: In the order of the measurement.
        title: What was observed, such as "N = 350 of 784 pixels observed".
        settings: How it was restored, in words.
    """

    rows: tuple[ComparisonRow, ...]
    title: str
    settings: str

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the figure, from left to right."""
        sampled = any(row.posterior is not None for row in self.rows)
        return COLUMNS + POSTERIOR_COLUMNS if sampled else COLUMNS

    @property
    def captions(self) -> dict[str, str]:
        """What each of `columns` shows."""
        found = {column: CAPTIONS[column] for column in self.columns}
        shown = list(dict.fromkeys(row.estimate for row in self.rows))
        if shown != ["minimum"]:
            found["Output"] = f"The {' or the '.join(ESTIMATES[name].title for name in shown)}."
        if "Deviation" in found:
            summaries = [row.posterior for row in self.rows if row.posterior is not None]
            found["Deviation"] = found["Deviation"].format(bound=deviation_bound(summaries))
        return found


def compare(
    measurement: Measurement,
    generator: AnyGenerator,
    restoration: SearchResult,
    *,
    config: RestoreConfig | None = None,
    estimated: Estimated | None = None,
    on_progress: OnProgress | None = None,
) -> Comparison:
    """Put a restoration next to its measurement, and next to the ideal where known.

    Args:
        measurement: What was restored. B images
        generator: What restored it.
        restoration: What the restarts found for the same B images.
        config: Settings named in the heading; None names those that repeat the restoration.
        estimated: The estimate of each image to show; None shows the minimum of J.
        on_progress: Called while images are judged; if it returns False, the others have no
            verdict.

    Raises:
        ShapeError: If measurement and restoration differ in their number of images.
    """
    if len(measurement) != len(restoration.images):
        raise ShapeError(
            f"The measurement has {len(measurement)} images and the restoration "
            f"{len(restoration.images)}; give the two that belong together."
        )
    verdicts: tuple[Verdict | None, ...] = judge(
        measurement, generator, restoration, on_progress=on_progress
    )
    verdicts += (None,) * (len(measurement) - len(verdicts))
    pictures = measurement.operator.picture(measurement.values)
    rows = tuple(
        _row(
            measurement,
            restoration,
            pictures[index],
            verdict,
            index,
            estimated=estimated,
        )
        for index, verdict in enumerate(verdicts)
    )
    settings = _settings(generator, restoration, config or restoration.config)
    return Comparison(rows, measurement.operator.title, settings)


def deviation_bound(summaries: Sequence[PosteriorSummary]) -> float:
    """The standard deviation that maps of several images show as white, one of `DEVIATIONS`."""
    most = max((float(summary.std.max()) for summary in summaries), default=0.0)
    return next((bound for bound in DEVIATIONS if most <= bound), DEVIATIONS[-1])


def mode_lines(mode: Mode, starts: int) -> tuple[str, ...]:
    """A mode's weight, cost and share of the starts, one short line each."""
    cost = f"J + {mode.gap:.2f}" if mode.gap else f"J {mode.cost:.2f}"
    return (percent(mode.weight), cost, f"{mode.starts} of {_plural(starts, 'start')}")


def percent(share: float) -> str:
    """A share as text: 0.123 is 12 %; one below `FAINT_MODE` is given as less than that."""
    if 0 < share < FAINT_MODE:
        return f"< {FAINT_MODE:.1%}".replace("%", " %")
    return f"{100 * share:.{0 if share >= 0.095 else 1}f} %"


def _row(
    measurement: Measurement,
    restoration: SearchResult,
    corrupted: Tensor,
    verdict: Verdict | None,
    index: int,
    *,
    estimated: Estimated | None,
) -> ComparisonRow:
    output, estimate, posterior = restoration.images[index], "minimum", None
    if estimated is not None:
        output, estimate = estimated.images[index], estimated.names[index]
        posterior = estimated.summaries[index] if estimated.summaries else None
    ideal = None if measurement.ideal is None else _picture(measurement.ideal[index])
    observed = _mask(measurement)[index].cpu()
    output = _picture(output)
    curves = restoration.history[:, index].cpu().float()
    return ComparisonRow(
        number=measurement.numbers[index],
        name=measurement.names[index] if measurement.names else "",
        ideal=ideal,
        corrupted=_picture(corrupted),
        observed=observed,
        curves=torch.where(curves.isfinite(), curves, torch.nan),
        best=int((restoration.followed[index] == restoration.best[index]).int().argmax()),
        output=output,
        cost=float(restoration.best_costs[index]),
        noise_level=float(restoration.noise_level[index]),
        status=restoration.best_status()[index],
        metrics=None if ideal is None else compare_images(output, ideal, observed),
        verdict=verdict,
        estimate=estimate,
        posterior=posterior,
    )


def _in_brief(check: Check) -> str:
    """A check that fired, in two or three words."""
    if check.name == "modes":
        return f"{int(check.value) + 1} images fit"
    words = {
        "search": "no finite result",
        "pixels": "lost pixels open",
        "residual": "residual not noise",
        "noise": "noise is too strong",
        "prior": "outside the prior",
    }
    return words[check.name]


def _picture(image: Tensor) -> Tensor:
    return image.detach().cpu().float()


def _mask(measurement: Measurement) -> Tensor:
    """Which pixels were observed directly; none if values are not pixels. [B, C, H, W]"""
    operator = measurement.operator
    if isinstance(operator, Mask):
        return operator.batch(len(measurement))
    return torch.zeros(len(measurement), *operator.image_shape, dtype=torch.bool)


def _settings(generator: AnyGenerator, restoration: SearchResult, config: RestoreConfig) -> str:
    config = config.resolved()
    drawn = 0 if config.restarts == AUTO else config.screen * config.rounds
    screened = f" screened from {drawn}" if drawn > restoration.costs.shape[1] else ""
    rounds = f" in {config.rounds} rounds" if config.rounds > 1 else ""
    parts = [
        describe_starts(restoration) + screened + rounds,
        config.solver,
        f"at most {_plural(config.stop_after or config.steps or 0, 'step')}",
        f"seed {config.seed}",
        f"generator {generator.name}",
        restoration.backend,
    ]
    if config.solver != "lbfgs":
        parts.insert(2, f"learning rate {config.learning_rate:g} {config.schedule}")
    return ", ".join(parts)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
