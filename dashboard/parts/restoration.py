"""A restoration, drawn: five columns, table of figures, verdicts, downloads, how to repeat it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st
from forms.open_run import get_opened
from forms.sources import Source, escape
from work import restore
from work.programs import restore_program
from work.restore import Result

from inpaint.files.job import RestoreJob
from inpaint.plots import sheet
from inpaint.plots.columns import plot_comparison, to_png
from inpaint.plots.comparison import (
    CAPTIONS,
    COLUMNS,
    MARKS,
    Comparison,
    ComparisonRow,
    mode_lines,
    percent,
)
from inpaint.search.verdict import Flag
from parts import cost_curves, elements
from parts.elements import Column, Picture, draw_pictures

VERDICTS: dict[Flag, tuple[str, str]] = {
    "good": (":material/check_circle:", "green"),
    "ambiguous": (":material/help:", "orange"),
    "doubtful": (":material/warning:", "red"),
}
"""Icon and colour of each flag; no flag depends on its colour alone."""
BYTES = "application/octet-stream"
MODE_WIDTH = 100
SCALE = 5
GAP = 4

FIGURES = {
    "Image": Column("The image's number in its source."),
    "Cost J": Column("What the search minimises; lower fits better.", ".2f"),
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
"""Figures of each image; some are split into observed and lost pixels."""

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
    "Missed": Column("Estimated chance that there is a lower minimum that no start found."),
    "Modes": Column("Distinct images at which restarts ended."),
}
"""What is known of each image's search."""


def draw_columns(comparison: Comparison, *, key: str = "sheet", scale: int = SCALE) -> None:
    """The five columns, each one picture, so that rows stay level and pixels sharp."""
    pictures = []
    for column in COLUMNS:
        alt = f"{column}: {CAPTIONS[column]}"
        if column == "Cost J":
            picture = Picture.of_svg(
                *cost_curves.draw_column(comparison, scale=scale, gap=GAP), alt, title=column
            )
        else:
            pixels = sheet.compose(comparison, columns=(column,), scale=scale, gap=GAP)
            picture = Picture.of_pixels(pixels, alt, title=column)
        pictures.append(picture)
    draw_pictures(pictures, key=key)


def draw_captions() -> None:
    """What dark and bright mean in the five columns."""
    st.caption(CAPTIONS["Difference"])
    st.caption(f"Corrupted: {CAPTIONS['Corrupted']} Cost J: {CAPTIONS['Cost J']}")


def draw_estimate(result: Result) -> None:
    """What the outputs are, where they are not simply the images of lowest cost."""
    if result.unsampled:
        st.caption("Output: The minimum of J, for the sampling was stopped before its end.")
    if result.estimated is not None:
        st.caption(f"Output: {result.comparison.captions['Output']} Cost J is the minimum's.")
        sampled = zip(result.comparison.rows, result.estimated.summaries, strict=True)
        unsure = [row.label for row, summary in sampled if not summary.converged]
        if unsure:
            # What the summary says of intervals and particles means nothing on this page.
            st.warning(
                f"The chains behind this estimate of {_images(unsure)} do not agree: another seed "
                "may give another image. The page Uncertainty can sample with more particles.",
                icon=":material/warning:",
            )


def draw_table(comparison: Comparison) -> None:
    """Figures of each image; some are split into observed and lost pixels."""
    rows = []
    for row in comparison.rows:
        figures_of = {
            "Image": row.label,
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
    elements.draw_table(rows, FIGURES)
    if comparison.rows[0].metrics is None:
        st.caption("The ideal images are not known, so no errors can be given.")


def draw_downloads(result: Result) -> None:
    """The files that the command line would write; each is made when it is asked for."""
    files = (
        ("Figure (PNG)", "figure.png", "image/png", partial(figure_file, result.comparison)),
        ("Arrays (npz)", "restoration.npz", BYTES, partial(restore.arrays_file, result)),
        (
            "Record (run.json)",
            "run.json",
            "application/json",
            partial(restore.record_file, result),
        ),
    )
    with st.container(horizontal=True):
        for label, name, mime, make in files:
            st.download_button(
                label, make, name, mime, icon=":material/download:", on_click="ignore"
            )


def figure_file(comparison: Comparison) -> bytes:
    """figure.png"""
    return to_png(plot_comparison(comparison))


def draw_curves(result: Result) -> None:
    """Every restart's curve of one image, to look into."""
    comparison = result.comparison
    numbers = [row.label for row in comparison.rows]
    chosen = st.segmented_control(
        "Image", numbers, default=numbers[0], required=True, key="curves of"
    )
    row = comparison.rows[numbers.index(chosen) if chosen in numbers else 0]
    st.altair_chart(cost_curves.draw_curves(row))
    st.caption(f"{CAPTIONS['Cost J']} Point at a curve to read it.")


def draw_verdicts(result: Result) -> None:
    """Whether each restoration may be trusted, the images that fit, how reliable the search was."""
    judged = [(row, row.verdict) for row in result.comparison.rows if row.verdict is not None]
    for row, verdict in judged:
        icon, colour = VERDICTS[verdict.flag]
        st.markdown(f":{colour}[{icon}] **Image {escape(row.label)}.** {verdict.sentence}")
        if len(row.shown_modes) > 1:
            plot_modes(row, verdict.search.starts)
    _offer_estimates(result)
    st.caption(CAPTIONS["Modes"])
    lines = []
    for row, verdict in judged:
        low, high = verdict.noise_interval
        search = verdict.search
        lines.append(
            {
                "Image": row.label,
                "Noise, 95 %": f"{low:.3f} to {high:.3f}" if math.isfinite(high) else "-",
                "Expected error": verdict.expected_error,
                "Reached": f"{search.reached} of {search.starts}",
                "For 99 %": search.restarts_for_99,
                "Missed": percent(search.missed),
                "Modes": search.distinct,
            }
        )
    elements.draw_table(lines, JUDGED)


def _offer_estimates(result: Result) -> None:
    """Where to go with images that the generator cannot draw."""
    misfits = [
        row.label
        for row in result.comparison.rows
        if row.verdict is not None
        # The estimates need pixels that were observed.
        and bool(row.observed.any())
        and any(check.name == "residual" and check.fired for check in row.verdict.checks)
    ]
    if misfits and not result.request.restoration.samples:
        st.info(
            f"The generator cannot draw {_images(misfits)} exactly. For real images such as "
            "handwriting the estimates accurate and sharp come nearer on average: choose one "
            "under Show, in the sidebar.",
            icon=":material/lightbulb:",
        )


def _images(numbers: Sequence[str]) -> str:
    """Images by their numbers, in a sentence."""
    return f"image{'' if len(numbers) == 1 else 's'} {', '.join(numbers)}"


def plot_modes(row: ComparisonRow, starts: int) -> None:
    """An image's modes as a strip, with a caption under each."""
    pictures = [
        Picture.of_pixels(
            sheet.strip(mode.image[None], scale=SCALE, gap=GAP),
            f"Mode {index + 1}",
            captions=mode_lines(mode, starts),
        )
        for index, mode in enumerate(row.shown_modes)
    ]
    draw_pictures(pictures, key=f"sheet modes {row.number}", width=MODE_WIDTH)


def draw_repeat(result: Result, *, key: str = "") -> None:
    """The same job outside the dashboard; `key` tells several of them apart."""
    job, known = result.job, result.problem.measurement.ideal is not None
    program = restore_program(job, ideal=known)
    draw_recipe(list(result.made.values()), job.command_line, program, key=key)


def draw_repeat_box(draw: Callable[[], None]) -> None:
    """The box of the same run outside the dashboard."""
    elements.draw_box("The same run as a command or in Python", "repeat", draw, icon="terminal")


def draw_recipe(
    sources: Sequence[Source[Any]], command: str, program: str, *, key: str = ""
) -> None:
    """How to do the same outside the dashboard.

    Args:
        sources: What the command reads; those that were made here are offered as files.
        command: For a terminal.
        program: In Python.
        key: Tells the widgets of several of them apart.
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
    st.markdown("In a terminal:")
    st.code(command, language="bash", wrap_lines=True)
    st.markdown("In Python:")
    st.code(program, language="python", wrap_lines=True)


def compare_with_opened(shown: Result) -> None:
    """Show whether a result equals that of the opened run."""
    opened = get_opened()
    if opened is None or not _is_same(shown.request.restoration, opened.job):
        return
    digests = shown.problem.digests()
    changed = [name for name, digest in digests.items() if digest != opened.digests.get(name)]
    costs = tuple(row.cost if math.isfinite(row.cost) else None for row in shown.comparison.rows)
    if changed:
        names = " and ".join("images" if name == "source" else name for name in changed)
        st.warning(
            f"This is not the run that was opened: its files held other {names}.",
            icon=":material/warning:",
        )
    elif costs == opened.costs:
        st.caption(":material/task_alt: The costs are equal to those of the opened run.")
    else:
        st.warning(
            f"The costs differ from those of the opened run, which ran on {opened.backend}.",
            icon=":material/warning:",
        )


def _is_same(job: RestoreJob, other: RestoreJob) -> bool:
    """Whether two jobs do the same search, whichever estimate they show."""

    def reduced(one: RestoreJob) -> RestoreJob:
        keep = 0 if one.ignored_fields() else one.keep
        config = replace(one.config.resolved(), threads=0)
        return replace(one, keep=keep, numbers=None, posterior=False, estimate=None, config=config)

    return reduced(job) == reduced(other)
