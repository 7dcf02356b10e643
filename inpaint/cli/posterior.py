"""`inpaint posterior`: not one image but all that fit, with their probabilities."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inpaint.cli import options
from inpaint.files.job import Run
from inpaint.posterior.config import SHARED, PosteriorConfig
from inpaint.posterior.real import title_of
from inpaint.posterior.sampled import LEVEL

if TYPE_CHECKING:
    from inpaint.files.problem import Problem
    from inpaint.posterior import PosteriorProgress
    from inpaint.posterior.sampled import Sampled

FILES = "figure.png, posterior.npz and run.json"
NOT_CONVERGED = 3
"""Exit status where a posterior was written that is not to be believed."""

Estimate = Annotated[
    str | None,
    typer.Option(
        metavar="minimum|mean|median",
        help="Image to show: the minimum of J, the posterior mean, or the median of the best mode.",
        show_default="the mean where the sampling converged",
    ),
]


@options.settings_of(PosteriorConfig)
def posterior(
    source: options.Source = None,
    generator: options.GeneratorName = None,
    keep: options.Keep = None,
    mask: options.MaskName = None,
    operator: options.OperatorName = None,
    orientation: options.Orientation = None,
    ink: options.Ink = None,
    value_range: options.ValueRange = None,
    noise: options.Noise = None,
    images: options.Images = None,
    level: Annotated[
        str, typer.Option(metavar="NUMBER", help="Probability that the intervals shall hold.")
    ] = str(LEVEL),
    estimate: Estimate = None,
    output: options.Output = options.OUTPUT / "posterior",
    *,
    settings: dict[str, Any],
) -> None:
    """Sample the posterior of damaged images; write its figure, arrays and diagnostics."""
    from inpaint.cli.restore import make_run

    config = PosteriorConfig(**settings)
    given = {
        "keep": keep,
        "mask": mask,
        "operator": operator,
        "orientation": orientation,
        "ink": ink,
        "range": value_range,
        "noise": noise,
        "images": images,
        **{name: getattr(config, name) for name in SHARED},
    }
    run = make_run(source, generator, given)
    _perform(run, config, options.real_number("level", level), estimate, output)


def _perform(
    run: Run, config: PosteriorConfig, level: float, estimate: str | None, output: Path
) -> None:
    from inpaint.files.posterior_record import write_posterior
    from inpaint.files.problem import load
    from inpaint.files.record import check_writable
    from inpaint.posterior.checks import check_fit
    from inpaint.posterior.sampled import check_choices, command_of, sample

    check_choices(level, estimate)
    problem = load(run)
    check_fit(problem.measurement, problem.generator, config)
    check_writable(output)
    with terminal.Watch("preparing") as watch:
        sampled = sample(
            problem.measurement,
            problem.generator,
            config,
            estimate=estimate,
            level=level,
            on_progress=report(watch),
        )
    words = tuple(command_of(run, config, level, estimate))
    write_posterior(output, problem, sampled, words=words, level=level)
    print_posterior(problem, sampled)
    found = sampled.posterior
    terminal.say(
        f"{problem.image_set.source}: sampled in {found.seconds:.2f} s with {found.backend}. "
        f"{' '.join(found.reasons)}"
    )
    terminal.say(f"Wrote {FILES} to {output}.")
    if watch.stopped:
        terminal.warn("Stopped by Ctrl-C; what was reached so far was written.")
        raise typer.Exit(130)
    warn_of(problem, sampled)
    if not all(summary.converged for summary in sampled.summaries):
        raise typer.Exit(NOT_CONVERGED)


def report(watch: terminal.Watch) -> Callable[[PosteriorProgress], bool]:
    """Progress of a sampling for `Watch`."""

    def show(progress: PosteriorProgress) -> bool:
        # Inverse temperatures rise by about the same factor from stage to stage.
        reached = float(progress.inverse_temperature.clamp(min=1e-5).log10().mean()) / 5 + 1
        stage = f"stage {progress.stage}" if progress.stage else "looking for what fits"
        note = f"{stage}, {int(progress.gradients.sum()):,} gradients"
        return watch.show(reached, 1.0, task="sampling", note=note)

    return show


def print_posterior(problem: Problem, sampled: Sampled) -> None:
    """Print whether each image's posterior may be believed, and what it says."""
    number = terminal.number
    measurement = problem.measurement
    names = [str(name) for name in measurement.numbers]
    terminal.table(
        ["image", "converged", "R-hat", "ESS", "accepted", "gradients", "log Z", "its spread"],
        [
            [
                name,
                "yes" if summary.converged else "no",
                number(summary.r_hat, 3),
                number(summary.ess, 0),
                f"{summary.acceptance:.0%}",
                str(summary.gradients),
                number(summary.log_evidence, 2),
                number(summary.log_evidence_spread, 2),
            ]
            for name, summary in zip(names, sampled.summaries, strict=True)
        ],
        title=f"Posterior, {measurement.operator.title}",
    )
    headings = ["image", "noise level", "its interval", "modes of 5 %", "expected error", "shown"]
    rows = []
    for index, summary in enumerate(sampled.summaries):
        low, high = summary.noise_interval
        row = [
            names[index],
            number(summary.noise_level, 4),
            f"{low:.4f} to {high:.4f}" if summary.converged else "-",
            str(len(summary.heavy_modes)),
            number(summary.expected_error, 2),
            title_of(sampled.estimates[index]),
        ]
        if measurement.ideal is not None:
            shown, ideal = sampled.images[index], measurement.ideal[index]
            row.append(number(float((shown.double().cpu() - ideal.double().cpu()).norm()), 2))
        rows.append(row)
    if measurement.ideal is not None:
        headings.append("its L2 error")
    level = f"{100 * sampled.summaries[0].level:g} %"
    terminal.table(headings, rows, title=f"What it says, intervals of {level}", words=("shown",))


def warn_of(problem: Problem, sampled: Sampled) -> None:
    """Say of which images the posterior is not to be believed."""
    for number, summary in zip(problem.measurement.numbers, sampled.summaries, strict=True):
        if not summary.converged:
            terminal.warn(f"Image {number}. {summary.sentence}")
