"""What a restoration found, drawn: five columns, table of figures, downloads, how to repeat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import streamlit as st
from forms.sources import Source
from forms.widgets import Request
from streamlit.delta_generator import DeltaGenerator
from work import estimates, repeat
from work.runner import WORKER_THREADS, Report

from inpaint.files.problem import Problem
from inpaint.plots import sheet
from inpaint.plots.comparison import CAPTIONS, COLUMNS, MARKS, Comparison, Row, mode_lines
from inpaint.posterior.sampled import Sampled, Wish, compare_sampled
from inpaint.search.restore import restore
from inpaint.search.verdict import Flag
from inpaint.types import Progress, Restoration, Status
from parts import curves, strips, tables
from parts.strips import Picture
from parts.tables import Column

VERDICTS: dict[Flag, tuple[str, str]] = {
    "good": (":material/check_circle:", "green"),
    "ambiguous": (":material/help:", "orange"),
    "doubtful": (":material/warning:", "red"),
}
"""Icon and colour of each flag: no flag is told by its colour alone."""
BYTES = "application/octet-stream"
MODE_WIDTH = 100
SCALE = 5
GAP = 4

FIGURES = {
    "Image": Column("The image's number in its source."),
    "Cost J": Column("What the search made small; lower fits better.", ".2f"),
    "Noise": Column("Noise level estimated from the misfit; pixels go from 0 to 1.", ".3f"),
    "Status": Column("How the best restart ended."),
    "Verdict": Column("Whether the image may be trusted; the reasons are in a box below."),
    "Error": Column("L2 norm of ideal - output over the whole image.", ".2f"),
    "PSNR observed": Column(
        "Peak signal-to-noise ratio of the pixels that were kept.", ".1f", " dB"
    ),
    "PSNR missing": Column("The same of the lost pixels: what the method is for.", ".1f", " dB"),
    "SSIM": Column("Structural similarity; 1 for equal images.", ".3f"),
    "SSIM missing": Column("The same over the lost part.", ".3f"),
}
"""Of each image; those against the ideal are split into its two parts."""

JUDGED = {
    "Image": FIGURES["Image"],
    "Noise, 95 %": Column("95 % interval of the noise level."),
    "Expected error": Column(
        "L2 error to be expected from what the observed pixels leave open.", ".2f"
    ),
    "Reached": Column("Restarts that ended at the image of lowest cost."),
    "For 99 %": Column(
        "Restarts of which at least one reaches the lowest cost found, with 99 % probability.",
        ",.0f",
    ),
    "Modes": Column("Distinct images at which restarts ended."),
}
"""What is known of each image's search."""


@dataclass(frozen=True)
class Result:
    """A finished restoration with all that its page shows of it."""

    request: Request
    problem: Problem
    restoration: Restoration
    comparison: Comparison
    sampled: Sampled | None = None
    wish: Wish | None = None

    @property
    def stopped(self) -> bool:
        """Whether the run was cut short."""
        unsampled = self.wish is not None and self.sampled is None
        return unsampled or bool((self.restoration.status == Status.CANCELLED).any())

    @property
    def seconds(self) -> float:
        """How long the search took, and the sampling where there was one."""
        sampling = 0.0 if self.sampled is None else self.sampled.posterior.seconds
        return self.restoration.seconds + sampling

    @property
    def words(self) -> str:
        """The options that ask for what was sampled."""
        return "" if self.sampled is None or self.wish is None else self.wish.words

    @property
    def summary(self) -> str:
        """What was done, in a line."""
        count, seconds = len(self.problem.measurement), self.seconds
        images = "1 image" if count == 1 else f"{count} images"
        done = "Stopped: best so far of" if self.stopped else "Restored"
        where = f"in {seconds:.2f} s on {self.restoration.backend}"
        return f"**{self.comparison.title}.** {done} {images} {where}."


def compute(request: Request, report: Report) -> Result:
    """Restore what a request asks for. Runs in a worker.

    Raises:
        InpaintError: If the request breaks a rule.
    """
    problem = request.problem()
    wish = estimates.wish_of(problem, request.estimate)
    restoration = restore(
        problem.measurement,
        problem.generator,
        threaded(problem, WORKER_THREADS).run.config,
        on_progress=lambda progress: report(*describe(progress)),
    )
    # The number of threads is this server's affair, and changes no result.
    settled = replace(restoration.config, threads=request.run.config.threads)
    restoration = replace(restoration, config=settled)
    sampled = None
    if wish is not None and not (restoration.status == Status.CANCELLED).any():
        sampled = estimates.find(problem, restoration, wish, report)
    comparison = compare_sampled(problem, restoration, sampled)
    return Result(request, problem, restoration, comparison, sampled, wish)


def threaded(problem: Problem, threads: int) -> Problem:
    """A problem with its number of threads, where the form leaves that to the server."""
    config = problem.run.config
    config = replace(config, threads=config.threads or threads)
    return replace(problem, run=replace(problem.run, config=config))


def describe(progress: Progress) -> tuple[float, str]:
    """How far a restoration is: the share of its stage, and a line of words."""
    share = progress.step / max(1, progress.steps)
    text = f"{progress.stage.capitalize()}: step {progress.step:,} of {progress.steps:,}"
    if progress.step > 0:
        text += f", {_duration(progress.seconds * (1 - share) / share)} left at most"
    return share, text


def _duration(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def draw_columns(comparison: Comparison, *, key: str = "sheet", scale: int = SCALE) -> None:
    """The five columns, each one picture, so that rows stay level and pixels sharp."""
    pictures = []
    for column in COLUMNS:
        alt = f"{column}: {CAPTIONS[column]}"
        if column == "Cost J":
            picture = Picture.of_svg(
                *curves.draw_column(comparison, scale=scale, gap=GAP), alt, title=column
            )
        else:
            pixels = sheet.compose(comparison, columns=(column,), scale=scale, gap=GAP)
            picture = Picture.of_pixels(pixels, alt, title=column)
        pictures.append(picture)
    strips.draw(pictures, key=key)


def draw_captions() -> None:
    """What dark and bright mean in the five columns."""
    st.caption(CAPTIONS["Difference"])
    st.caption(f"Corrupted: {CAPTIONS['Corrupted']} Cost J: {CAPTIONS['Cost J']}")


def draw_estimate(result: Result) -> None:
    """What the outputs are, where they are not simply the images of lowest cost."""
    if result.wish is not None and result.sampled is None:
        st.caption("Output: The minimum of J, for the sampling was stopped before its end.")
    if result.sampled is not None:
        st.caption(f"Output: {result.comparison.captions['Output']} Cost J is the minimum's.")
        sampled = zip(result.comparison.rows, result.sampled.summaries, strict=True)
        unsure = [str(row.number) for row, summary in sampled if not summary.converged]
        if unsure:
            # What the summary says of intervals and particles means nothing on this page.
            st.warning(
                f"The runs behind this estimate of {_images(unsure)} do not agree: another seed "
                "may give another image. The page Uncertainty can sample with more particles.",
                icon=":material/warning:",
            )


def draw_table(comparison: Comparison) -> None:
    """Figures of each image; those against the ideal are split into its two parts."""
    rows = []
    for row in comparison.rows:
        figures_of = {
            "Image": row.number,
            "Cost J": row.cost,
            "Noise": row.noise_level,
            "Status": row.status.label,
        }
        if row.verdict is not None:
            figures_of["Verdict"] = f"{MARKS[row.verdict.flag]} {row.verdict.flag}"
        if row.metrics is not None:
            figures_of |= {
                "Error": row.metrics.error,
                "PSNR observed": row.metrics.psnr_observed,
                "PSNR missing": row.metrics.psnr_missing,
                "SSIM": row.metrics.ssim,
                "SSIM missing": row.metrics.ssim_missing,
            }
        rows.append(figures_of)
    tables.draw(rows, FIGURES)
    if comparison.rows[0].metrics is None:
        st.caption("The ideal images are not known, so no errors can be given.")


def draw_downloads(result: Result) -> None:
    """The files that the command line would write; each is made when it is asked for."""
    found = (result.problem, result.restoration, result.comparison)
    arrays = partial(repeat.arrays_file, *found, result.sampled)
    files = (
        ("Figure (PNG)", "figure.png", "image/png", partial(repeat.figure_file, *found)),
        ("Arrays (npz)", "restoration.npz", BYTES, arrays),
        ("Record (run.json)", "run.json", "application/json", partial(record, result)),
    )
    with st.container(horizontal=True):
        for label, name, mime, make in files:
            st.download_button(
                label, make, name, mime, icon=":material/download:", on_click="ignore"
            )


def record(result: Result) -> bytes:
    """run.json"""
    made = {name: source.made() for name, source in _made(result).items() if source.made}
    found = (result.problem, result.restoration, result.comparison)
    return repeat.record_file(*found, made, sampled=result.sampled, wish=result.wish)


def _made(result: Result) -> dict[str, Source[Any]]:
    """What was made on the page, by the input of the run that it is."""
    inputs = {"images": result.request.images, "mask": result.request.mask}
    return {name: source for name, source in inputs.items() if source is not None and source.made}


def draw_curves(result: Result) -> None:
    """Every restart's curve of one image, to look into."""
    comparison = result.comparison
    numbers = [str(row.number) for row in comparison.rows]
    chosen = st.segmented_control(
        "Image", numbers, default=numbers[0], required=True, key="curves of"
    )
    row = comparison.rows[numbers.index(chosen) if chosen in numbers else 0]
    st.altair_chart(curves.draw_curves(row))
    st.caption(f"{CAPTIONS['Cost J']} Point at a curve to read it.")


def draw_verdicts(result: Result) -> None:
    """Whether each restoration may be trusted, the images that fit, how reliable the search was."""
    judged = [(row, row.verdict) for row in result.comparison.rows if row.verdict is not None]
    if not judged:
        st.markdown("Verdicts are given where pixels are observed; here other values were.")
        return
    for row, verdict in judged:
        icon, colour = VERDICTS[verdict.flag]
        st.markdown(f":{colour}[{icon}] **Image {row.number}.** {verdict.sentence}")
        if len(row.shown_modes) > 1:
            draw_modes(row, verdict.search.starts)
    _offer_estimates(result)
    st.caption(CAPTIONS["Modes"])
    lines = []
    for row, verdict in judged:
        low, high = verdict.noise_interval
        search = verdict.search
        lines.append(
            {
                "Image": row.number,
                "Noise, 95 %": f"{low:.3f} to {high:.3f}",
                "Expected error": verdict.expected_error,
                "Reached": f"{search.reached} of {search.starts}",
                "For 99 %": search.restarts_for_99,
                "Modes": len(search.modes),
            }
        )
    tables.draw(lines, JUDGED)


def _offer_estimates(result: Result) -> None:
    """Where to go with images that the generator cannot draw."""
    misfits = [
        str(row.number)
        for row in result.comparison.rows
        if row.verdict is not None
        and any(check.name == "residual" and check.fired for check in row.verdict.checks)
    ]
    if misfits and result.wish is None:
        st.info(
            f"The generator cannot draw {_images(misfits)} exactly. For real images such as "
            "handwriting the estimates accurate and sharp come nearer on average: choose one "
            "under Show, in the sidebar.",
            icon=":material/lightbulb:",
        )


def _images(numbers: Sequence[str]) -> str:
    """Images by their numbers, in a sentence."""
    return f"image{'' if len(numbers) == 1 else 's'} {', '.join(numbers)}"


def draw_modes(row: Row, starts: int) -> None:
    """An image's modes as a strip, with a caption under each."""
    pictures = [
        Picture.of_pixels(
            sheet.strip(mode.image[None], scale=SCALE, gap=GAP),
            f"Mode {index + 1}",
            captions=mode_lines(mode, starts),
        )
        for index, mode in enumerate(row.shown_modes)
    ]
    strips.draw(pictures, key=f"sheet modes {row.number}", width=MODE_WIDTH)


def draw_repeat(result: Result, *, key: str = "") -> None:
    """The same run outside the dashboard; `key` tells several of them apart."""
    run = repeat.settled(result.problem.run, result.restoration)
    estimate = None if result.sampled is None else result.request.estimate
    draw_recipe(
        list(_made(result).values()),
        run.command + result.words,
        repeat.as_python(run, estimate),
        key=key,
    )


def repeat_box() -> DeltaGenerator:
    """The box of the same run outside; what is inside is made only while it is open."""
    return st.expander(
        "The same run as a command or in Python",
        icon=":material/terminal:",
        key="repeat",
        on_change="rerun",
    )


def draw_recipe(
    sources: Sequence[Source[Any]], command: str | None, program: str, *, key: str = ""
) -> None:
    """How to do the same outside the dashboard.

    Args:
        sources: What the command reads; those that were made here are offered as files.
        command: For a terminal; None where there is none.
        program: In Python.
        key: Tells several of them apart.
    """
    made = [(source.name, source.made) for source in sources if source.made is not None]
    if made:
        st.markdown("What was made here is read from these files:")
    with st.container(horizontal=True):
        for name, write in made:
            st.download_button(
                name,
                write,
                name,
                icon=":material/download:",
                on_click="ignore",
                key=f"made {name} {key}".strip(),
            )
    if command is not None:
        st.markdown("In a terminal:")
        st.code(command, language="bash", wrap_lines=True)
    st.markdown("In Python:")
    st.code(program, language="python", wrap_lines=True)
