"""`inpaint restore`: the main job."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inpaint.cli import options
from inpaint.cli.posterior import print_posterior, warn_of
from inpaint.cli.posterior import report as report_sampling
from inpaint.config import RestoreConfig
from inpaint.errors import ArgumentError, FileError
from inpaint.files.job import Run
from inpaint.posterior.sampled import Wish

if TYPE_CHECKING:
    from inpaint.files.problem import Problem
    from inpaint.plots.comparison import Comparison
    from inpaint.posterior.sampled import Sampled
    from inpaint.types import Progress, Restoration

FILES = "figure.png, modes.png, restoration.npz and run.json"


@options.settings_of(RestoreConfig)
def restore(
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
    preset: options.Preset = None,
    posterior: Annotated[
        bool,
        typer.Option(
            "--posterior",
            help="Sample the posterior too: its mean and deviation in the figure, its arrays and "
            "diagnostics in the files.",
        ),
    ] = False,
    estimate: Annotated[
        str | None,
        typer.Option(
            metavar="minimum|mean|median|accurate|sharp|combined",
            help="Image to show: the minimum of J, the posterior mean, or the median of the best "
            "mode; for images that are not of the generator, such as real handwriting, one of "
            "small error (accurate, or combined with a network's) or clear strokes (sharp).",
            show_default="the minimum; with --posterior the mean where the sampling converged",
        ),
    ] = None,
    output: options.Output = options.OUTPUT,
    from_run: Annotated[
        Path | None,
        typer.Option(
            "--from-run",
            help="Repeat the run of a run.json exactly. SOURCE, --generator, --mask and "
            "--operator then say where their files lie now, if they were moved.",
            show_default=False,
        ),
    ] = None,
    *,
    settings: dict[str, Any],
) -> None:
    """Restore damaged images; write figure.png, restoration.npz, run.json and more."""
    given = {
        "keep": keep,
        "orientation": orientation,
        "ink": ink,
        "range": value_range,
        "noise": noise,
        "images": images,
        "preset": preset,
        **settings,
    }
    if from_run is None:
        run = make_run(source, generator, {"mask": mask, "operator": operator, **given})
        _perform(run, Wish.of(posterior, estimate, run.config), output)
        return
    given |= {"posterior": posterior or None, "estimate": estimate}
    changed = [name for name, value in given.items() if value is not None]
    if changed:
        raise ArgumentError(
            f"--from-run repeats a run as it was, and --{changed[0].replace('_', '-')} would "
            "change it; leave one of the two out."
        )
    _repeat(from_run, _Moved(source, generator, mask, operator), output)


def make_run(source: str | None, generator: str | None, given: dict[str, Any]) -> Run:
    """What was asked for, the defaults filled in.

    Args:
        source: SOURCE, if it was given.
        generator: --generator, if it was given.
        given: The other options; None where one was not given.
    """
    given = {name: value for name, value in given.items() if value is not None}
    changes: dict[str, Any] = {}
    for name in ("mask", "operator"):
        if name not in given:
            continue
        if "keep" in given:
            options.refuse_both("keep", name)
        changes[name] = given.pop(name)
    if "keep" in given:
        changes["keep"] = options.whole_number("keep", given.pop("keep"))
    changes |= {name: given.pop(name) for name in ("orientation", "ink") if name in given}
    if "range" in given:
        changes["value_range"] = options.real_range("range", given.pop("range"))
    if "noise" in given:
        changes["noise"] = options.real_number("noise", given.pop("noise"))
    if "images" in given:
        changes["numbers"] = options.whole_numbers("images", given.pop("images"))
    preset = given.pop("preset", None)
    config = RestoreConfig(**given) if preset is None else RestoreConfig.preset(preset, **given)
    if source is not None:
        changes["source"] = source
    if generator is not None:
        changes["generator"] = generator
    return Run(config=config, **changes)


def _perform(run: Run, wish: Wish | None, output: Path) -> None:
    from inpaint.files.problem import load
    from inpaint.files.record import check_writable

    problem = load(run)
    check_writable(output)
    _finish(_restore(problem, wish), output)


@dataclass(frozen=True)
class _Moved:
    """Where the files of a recorded run lie now; None where they lie as before."""

    source: str | None
    generator: str | None
    mask: str | None
    operator: str | None

    def applied(self, run: Run) -> Run:
        """The run with its files found again."""
        from inpaint.operators import names_operator, names_preset

        for name, is_no_file in (("mask", names_preset), ("operator", names_operator)):
            recorded, now = getattr(run, name), getattr(self, name)
            if now is not None and (recorded is None or is_no_file(recorded)):
                raise ArgumentError(
                    f"--from-run repeats a run as it was, without a file for --{name}; "
                    f"--{name} {now} would change it. Leave one of the two out."
                )
        changes = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(run, **{name: now for name, now in changes.items() if now is not None})


def _repeat(path: Path, moved: _Moved, output: Path) -> None:
    """Run again what a record says, on inputs that are seen to be the same."""
    from inpaint.files.problem import load
    from inpaint.files.record import check_inputs, check_writable, read_run

    run, record = read_run(path)
    run = moved.applied(run)
    try:
        problem = load(run)
    except FileError as error:
        raise FileError(
            f"{error} If an input of {path} was moved, give its new place as SOURCE, "
            "--generator, --mask or --operator."
        ) from error
    check_inputs(problem, record)
    wish = Wish.recorded(record, path)
    check_writable(output)
    found = _restore(problem, wish)
    restoration, comparison = found.restoration, found.comparison
    sampled = found.sampled
    if sampled is not None and sampled.network != record.get("network_sha256"):
        terminal.warn(
            "The run was recorded with other weights of the inpainting network; the estimates "
            "differ."
        )
    if restoration.backend != record.get("backend"):
        terminal.warn(
            f"The run was recorded with {record.get('backend')} and now ran on "
            f"{restoration.backend}; costs can differ in the last digits."
        )
    before = [image["cost"] for image in record["images"]]
    now = [row.cost if math.isfinite(row.cost) else None for row in comparison.rows]
    if now == before:
        terminal.say("The costs are equal to the recorded ones.")
    else:
        terminal.warn("The costs differ from the recorded ones.")
    _finish(found, output)


@dataclass(frozen=True)
class _Found:
    """A restoration, what it is of, and whether Ctrl-C ended it."""

    problem: Problem
    restoration: Restoration
    comparison: Comparison
    stopped: bool
    wish: Wish | None = None
    sampled: Sampled | None = None


def _restore(problem: Problem, wish: Wish | None) -> _Found:
    from inpaint.posterior.sampled import compare_sampled, sample
    from inpaint.search.restore import restore as search

    if wish is not None:
        wish.check(problem.measurement, problem.generator)
    sampled: Sampled | None = None

    with terminal.Watch("preparing") as watch:
        restoration = search(
            problem.measurement,
            problem.generator,
            problem.run.config,
            on_progress=report(watch),
        )
        if wish is not None and not watch.stopped:
            sampled = sample(
                problem.measurement,
                problem.generator,
                wish.config,
                restoration=restoration,
                estimate=wish.estimate,
                on_progress=report_sampling(watch),
            )
    comparison = compare_sampled(problem, restoration, sampled)
    return _Found(problem, restoration, comparison, watch.stopped, wish, sampled)


def report(watch: terminal.Watch, prefix: str = "") -> Callable[[Progress], bool]:
    """Progress of a restoration for `Watch`."""

    def show(progress: Progress) -> bool:
        costs = [f"{cost:.2f}" for cost in progress.best_costs.tolist()[:4]]
        more = " ..." if len(progress.best_costs) > len(costs) else ""
        return watch.show(
            progress.step,
            progress.steps,
            task=f"{prefix}{progress.stage}",
            note=f"J {' '.join(costs)}{more}",
        )

    return show


def _finish(found: _Found, output: Path) -> None:
    from inpaint.files.record import write_run

    restoration, sampled = found.restoration, found.sampled
    more, arrays = _beside(found)
    write_run(output, found.problem, restoration, found.comparison, more=more, arrays=arrays)
    _print_search(found.comparison)
    _print_metrics(found.comparison)
    if sampled is not None:
        print_posterior(found.problem, sampled)
        warn_of(found.problem, sampled)
    for row in found.comparison.rows:
        if row.verdict is not None and row.verdict.flag != "good":
            terminal.say(f"Image {row.number}. {row.verdict.sentence}")
    if found.problem.image_set.notes:
        terminal.say(f"Read as: {'; '.join(found.problem.image_set.notes)}.")
    terminal.say(
        f"{found.problem.image_set.source}: restored in {restoration.seconds:.2f} s with "
        f"{restoration.backend}. {' '.join(restoration.reasons)}{_within_budget(found)}"
    )
    judged = any(row.verdict is not None for row in found.comparison.rows)
    terminal.say(f"Wrote {FILES if judged else FILES.replace('modes.png, ', '')} to {output}.")
    if found.stopped:
        terminal.warn("Stopped by Ctrl-C; what was reached so far was written.")
        raise typer.Exit(130)


def _beside(found: _Found) -> tuple[dict[str, Any], dict[str, Any]]:
    """What run.json and restoration.npz hold of the posterior; nothing if there is none."""
    from inpaint.files.posterior_record import beside, posterior_arrays
    from inpaint.files.record import describe_row

    if found.sampled is None or found.wish is None:
        return {}, {}
    rows = [describe_row(row) for row in found.comparison.rows]
    run = replace(found.problem.run, config=found.restoration.config)
    more = beside(found.sampled, rows, found.wish.estimate)
    more |= {"command": run.command + found.wish.words}
    return more, posterior_arrays(found.sampled, prefix="posterior_")


def _within_budget(found: _Found) -> str:
    """What a time budget allowed, if there was one."""
    budget, done = found.problem.run.config.budget, found.restoration.config
    if budget is None:
        return ""
    count, unit = done.rounds, "round"
    if done.stop_after is not None:
        count, unit = done.stop_after, "step"
    return f" The budget of {budget:g} s allowed {count} {unit}{'s' * (count > 1)}."


def _print_search(comparison: Comparison) -> None:
    """Print what the search found of each image, and how sure that is."""
    number = terminal.number
    rows = []
    for row in comparison.rows:
        cells = [str(row.number), number(row.cost, 3), row.status.label, number(row.noise_level, 4)]
        if row.verdict is not None:
            low, high = row.verdict.noise_interval
            search = row.verdict.search
            cells += [
                f"{low:.4f} to {high:.4f}",
                f"{search.reached} of {search.starts}",
                number(search.restarts_for_99, 0),
                str(len(search.modes)),
                row.verdict.flag,
            ]
        rows.append(cells)
    headings = ["image", "cost J", "status", "noise level"]
    if len(rows[0]) > len(headings):
        headings += ["95 % interval", "success", "for 99 %", "modes", "verdict"]
    terminal.table(headings, rows, title=comparison.title, words=("status", "verdict"))


def _print_metrics(comparison: Comparison) -> None:
    """Print how far each output is from the ideal, where that is known."""
    number = terminal.number
    rows = [
        [
            str(row.number),
            number(row.metrics.error, 3),
            number(row.metrics.psnr, 2),
            number(row.metrics.psnr_observed, 2),
            number(row.metrics.psnr_missing, 2),
            number(row.metrics.ssim, 3),
            number(row.metrics.ssim_missing, 3),
        ]
        for row in comparison.rows
        if row.metrics is not None
    ]
    if rows:
        headings = ["image", "L2 error", "PSNR dB", "observed", "missing", "SSIM", "missing"]
        terminal.table(headings, rows, title="Against the ideal image")
