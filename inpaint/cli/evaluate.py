"""`inpaint evaluate`: all methods on images that none of them was trained on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inpaint.cli import options
from inpaint.config import PRESETS, RestoreConfig
from inpaint.errors import ArgumentError
from inpaint.studies.evaluate.job import Trial

if TYPE_CHECKING:
    from inpaint.studies.evaluate.evaluation import Evaluation
    from inpaint.studies.evaluate.inputs import Inputs

FILES = "evaluation.json and figure.png"


@options.settings_of(RestoreConfig)
def evaluate(
    images: Annotated[Path, typer.Argument(help="IDX file of images, gz or not.")],
    labels: Annotated[Path, typer.Option(help="IDX file of their labels.")],
    digit: Annotated[
        str | None, typer.Option(metavar="NUMBERS", help="Labels wanted.", show_default="all")
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBERS",
            help="Numbers N of observed pixels.",
            show_default=str(Trial.keep),
        ),
    ] = None,
    mask: Annotated[
        str | None,
        typer.Option(
            metavar="PRESETS|FILE",
            help="What is lost, instead of --keep: one or more of what `inpaint restore --mask` "
            "takes, such as box:12,left,random:0.5.",
            show_default=False,
        ),
    ] = None,
    noise: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER",
            help="Standard deviation of the noise added to the images, in units of the pixels.",
            show_default=str(Trial.noise),
        ),
    ] = None,
    limit: Annotated[
        str | None,
        typer.Option(
            metavar="INTEGER",
            help="Images evaluated at most: the first ones after those skipped.",
            show_default=str(Trial.limit),
        ),
    ] = None,
    skip: Annotated[
        str | None,
        typer.Option(
            metavar="INTEGER",
            help="Images that are left out before the first one evaluated.",
            show_default=str(Trial.skip),
        ),
    ] = None,
    hold_out: Annotated[
        str | None,
        typer.Option(
            metavar="INTEGER",
            help="Only the last so many images of IMAGES are evaluated, and the last so many of "
            "--train are not trained on; 0 takes all of both.",
            show_default=str(Trial.hold_out),
        ),
    ] = None,
    generator: options.GeneratorName = None,
    network: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Inpainting network: a shipped one, or a .safetensors file.",
            show_default="the shipped one of the generator's name, if there is one",
        ),
    ] = None,
    train: Annotated[
        Path | None,
        typer.Option(
            help="IDX file of images that the baselines learn from: those of the generator.",
            show_default="baselines that learn do not run",
        ),
    ] = None,
    train_labels: Annotated[
        Path | None, typer.Option(help="IDX file of their labels.", show_default=False)
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Methods, such as minimum,pca.", show_default="all"),
    ] = None,
    preset: Annotated[
        str,
        typer.Option(
            metavar="|".join(PRESETS),
            help="Settings of the search to begin with; for many images and a large generator "
            "the options' own defaults, best, take long.",
        ),
    ] = "fast",
    output: options.Output = options.OUTPUT / "evaluation",
    *,
    settings: dict[str, Any],
) -> None:
    """Restore held-out images by all methods; print the table, write figures and record."""
    given = {"hold_out": hold_out, "limit": limit, "skip": skip}
    changes: dict[str, Any] = {
        name: options.whole_number(name, text) for name, text in given.items() if text is not None
    }
    if digit is not None:
        changes["digits"] = options.whole_numbers("digit", digit)
    if noise is not None:
        changes["noise"] = options.real_number("noise", noise)
    if generator is not None:
        changes["generator"] = generator
    if network is not None:
        changes["network"] = network
    if methods is not None:
        changes["methods"] = tuple(methods.split(","))
    changes["config"] = replace(RestoreConfig.preset(preset), **settings)
    trial = Trial(images=images, labels=labels, train=train, train_labels=train_labels, **changes)
    _perform(_damaged(trial, keep, mask), output)


def _damaged(trial: Trial, keep: str | None, mask: str | None) -> list[Trial]:
    """The trial with each damage asked for."""
    if mask is None:
        keeps = (trial.keep,) if keep is None else options.whole_numbers("keep", keep)
        if len(set(keeps)) < len(keeps):
            raise ArgumentError(f"keep is {keep}; give different numbers of pixels.")
        return [replace(trial, keep=number) for number in keeps]
    if keep is not None:
        options.refuse_both("keep", "mask")
    trials = [replace(trial, mask=name.strip()) for name in mask.split(",")]
    if len({_folder(trial) for trial in trials}) < len(trials):
        raise ArgumentError(f"mask is {mask}; give masks of different names.")
    return trials


def _folder(trial: Trial) -> str:
    """Where a trial's files go where there are several."""
    return f"N{trial.keep}" if trial.mask is None else re.sub(r"[^\w.]+", "-", trial.damage)


def _perform(trials: Sequence[Trial], output: Path) -> None:
    """Evaluate with each damage, and write what was reached."""
    from inpaint.files.record import check_writable
    from inpaint.plots.evaluation import title_of
    from inpaint.studies.evaluate.evaluation import METHODS, evaluate
    from inpaint.studies.evaluate.inputs import damage, load_trial

    inputs = load_trial(trials[0])
    # All are made first, so that a damage that cannot be is refused before any work.
    measurements = [damage(trial, inputs) for trial in trials]
    check_writable(output)
    folders = []
    with terminal.Watch("preparing") as watch:
        for trial, measurement in zip(trials, measurements, strict=True):
            evaluation = evaluate(
                measurement,
                inputs.generator,
                network=inputs.network,
                training=inputs.training,
                noise=trial.noise,
                config=trial.config,
                methods=trial.methods or METHODS,
                on_progress=_report(watch, f"{trial.damage}: "),
            )
            if len(evaluation.measurement):
                folder = output if len(trials) == 1 else output / _folder(trial)
                _write(folder, trial, inputs, evaluation)
                _print(title_of(trial, inputs, evaluation), evaluation)
                folders.append(str(folder))
            if evaluation.cancelled:
                break
    if folders:
        terminal.say(f"Wrote {FILES} to {', '.join(folders)}.")
    if watch.stopped:
        reached = "what was reached so far was written" if folders else "there is no result yet"
        terminal.warn(f"Stopped by Ctrl-C; {reached}.")
        raise typer.Exit(130)


def _write(folder: Path, trial: Trial, inputs: Inputs, evaluation: Evaluation) -> None:
    from inpaint.files.record import write_files
    from inpaint.plots.columns import to_png
    from inpaint.plots.evaluation import describe_evaluation, draw_evaluation, title_of

    record = describe_evaluation(trial, inputs, evaluation)
    figure = draw_evaluation(evaluation, title=title_of(trial, inputs, evaluation))
    write_files(
        folder,
        {
            "evaluation.json": json.dumps(record, indent=1, allow_nan=False).encode() + b"\n",
            "figure.png": to_png(figure),
        },
    )


def _report(watch: terminal.Watch, prefix: str) -> Callable[[int, int, str], bool]:
    """Progress of an evaluation for `Watch`."""
    return lambda done, total, task: watch.show(done, total, task=prefix + task)


def _print(title: str, evaluation: Evaluation) -> None:
    """Print a table of means, and why a method did not run."""
    from inpaint.plots.evaluation import summarize

    number = terminal.number
    rows = []
    for result in evaluation.results:
        means = {name: pair and pair[0] for name, pair in summarize(result).items()}
        rows.append(
            [
                result.name,
                number(means["psnr"], 2),
                number(means["psnr_missing"], 2),
                number(means["ssim"], 3),
                number(means["ssim_missing"], 3),
                number(means["error"], 2),
                number(result.seconds, 3),
            ]
        )
    terminal.table(
        ["method", "PSNR dB", "missing", "SSIM", "missing", "L2 error", "s/image"],
        rows,
        title=title,
        words=("method",),
    )
    terminal.say(f"Means over {len(evaluation.measurement)} images.")
    for result in evaluation.results:
        if result.not_run is not None:
            terminal.say(f"{result.name} did not run. {result.not_run}")
