"""A posterior, drawn: findings, pictures, modes, one pixel, diagnostics."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import altair as alt
import pandas as pd
import streamlit as st
from components import pixels
from forms.sources import escape
from streamlit.delta_generator import DeltaGenerator
from work.posterior import Answer, Found

from inpaint.plots import posterior_views as views
from inpaint.plots import sheet
from inpaint.plots.comparison import CAPTIONS, deviation_bound, percent
from inpaint.plots.posterior_views import PixelPosterior
from inpaint.posterior.estimates import LEVEL
from inpaint.posterior.finding import lost_pixels
from parts.elements import Column, Picture, draw_box, draw_pictures, draw_table
from parts.restoration import GAP, MODE_WIDTH, SCALE, VERDICTS

SURE = f"{100 * LEVEL:.0f} %"
"""The intervals' probability in words."""

PICTURE_WIDTH = 364
WORDS_WIDTH = 440
"""Widths of an enlarged picture and of the words next to it, in pixels of the page."""

MOST_MODES = 8
"""Most modes shown; after the first, only those with a weight of at least 0.01."""

BAR = "#2a7de1"
INTERVAL = "#d97706"
TRUTH = "#2f9e63"
"""All are visible on a light and on a dark page."""

MISFIT = (
    "No intervals are shown, for the generator cannot draw this image: they would say where "
    "the pixels of its nearest images lie, and not where the true ones do. On the page "
    "Restore, the estimates for real images allow for that."
)

NEAREST = (
    "Each is an image of the generator that comes as near as it can. The true one is none of them, "
    "and may differ from them also where all of them agree."
)
SCATTERED = "The chains do not agree, so that images that fit as well may be missing among these."
"""Said of samples where intervals cannot be trusted."""

DIAGNOSTICS = {
    "Image": Column("The image's number in its source."),
    "Converged": Column("Whether all chains reached the posterior and agree."),
    "R-hat": Column(
        "How far independent chains disagree, at the worst pixel; 1 is agreement, above 1.05 they "
        "have not converged.",
        ".3f",
    ),
    "ESS": Column(
        "Effective sample size: as many independent draws would be as informative, at the worst "
        "pixel. 100 are needed.",
        ",.0f",
    ),
    "Acceptance": Column("Share of moves accepted at the end; about 80 % is right.", ".0f", " %"),
    "Gradients": Column("Evaluations of the cost J spent.", ","),
    "log Z": Column(
        "Logarithm of the evidence: of two generators the one of higher log Z explains the same "
        "measurement better.",
        ".2f",
    ),
    "log Z \u00b1": Column("Standard deviation of log Z among the chains.", ".2f"),
    "Noise": Column("Noise level, 0 to 1: its posterior median.", ".3f"),
    f"Noise, {SURE}": Column("The interval that holds it with this probability."),
    "Open by": Column("Root mean square of the lost pixels' standard deviations.", ".3f"),
    "Truth inside": Column(
        f"Lost pixels whose true value lies in its {SURE} interval. Pixels of one image are right "
        "or wrong together, so it scatters widely.",
        ".0f",
        " %",
    ),
}
"""How good the sampling of each image was, and what it says of noise and generator."""

UNSHOWN = (
    "No intervals are shown, for they could be wrong: choose the preset thorough, or more "
    "particles in the sampling settings, and run again."
)


def draw_findings(answer: Answer) -> None:
    """The verdict on each image, in words."""
    for one in answer.found:
        icon, colour = VERDICTS[one.finding.flag]
        st.markdown(f":{colour}[{icon}] **Image {escape(one.label)}.** {one.finding.sentence}")
    missing = answer.count - len(answer.found)
    if missing:
        st.markdown(f":orange[:material/stop:] {missing} of {answer.count} images were not begun.")


def draw_columns(answer: Answer) -> None:
    """Ideal, corrupted, mean and deviation of all images, one picture a column."""
    found = answer.found
    bound = deviation_bound([one.summary for one in found])
    columns = {
        "Corrupted": [one.measurement.operator.picture(one.measurement.values)[0] for one in found],
        "Mean": [one.summary.mean for one in found],
        "Std": [views.std_picture(one.summary.std, bound) for one in found],
    }
    captions = {
        "Ideal": CAPTIONS["Ideal"],
        "Corrupted": CAPTIONS["Corrupted"],
        "Mean": "The mean of all images that fit, by their probability: sharp where they agree.",
        "Std": (
            "How far each pixel is open (posterior standard deviation). Black: all agree, 0. "
            f"White: open by {bound:g} or more, where ink is 0 and paper 1. One scale for all."
        ),
    }
    ideals = [one.measurement.ideal[0] for one in found if one.measurement.ideal is not None]
    if len(ideals) == len(found):
        columns = {"Ideal": ideals, **columns}
    pictures = [
        Picture.of_pixels(
            sheet.grid(views.stack_images(images), columns=1, scale=SCALE, gap=GAP),
            f"{name}: {captions[name]}",
            title=name,
        )
        for name, images in columns.items()
    ]
    draw_pictures(pictures, key="sheet posterior")
    st.caption("  \n".join(f"{name}: {captions[name]}" for name in columns if name != "Ideal"))


def draw_diagnostics(answer: Answer) -> None:
    """How good the sampling was, and what it says of noise and generator."""
    rows = []
    for one in answer.found:
        summary, lost = one.summary, lost_pixels(one.measurement)
        low, high = summary.noise_interval
        interval = f"{low:.3f} to {high:.3f}" if one.trusted else "not shown"
        row = {
            "Image": one.label,
            "Converged": "\u2713 yes" if summary.converged else "\u2717 no",
            "R-hat": summary.r_hat,
            "ESS": summary.ess,
            "Acceptance": 100 * summary.acceptance,
            "Gradients": summary.gradients,
            "log Z": summary.log_evidence,
            "log Z \u00b1": summary.log_evidence_spread,
            "Noise": summary.noise_level,
            f"Noise, {SURE}": interval,
            "Open by": one.finding.spread,
        }
        if one.measurement.ideal is not None and summary.converged:
            row["Truth inside"] = 100 * views.coverage(summary, one.measurement.ideal[0], lost)
        rows.append(row)
    draw_table(rows, DIAGNOSTICS)


def plot_samples(one: Found) -> None:
    """A few draws."""
    images = one.summary.samples
    pictures = [
        Picture.of_pixels(
            sheet.strip(images[place : place + 1], scale=SCALE, gap=GAP), f"Sample {place + 1}"
        )
        for place in range(len(images))
    ]
    st.markdown("**Samples**")
    draw_pictures(pictures, key="sheet samples", width=MODE_WIDTH)
    if one.trusted:
        st.caption(
            "Each is an image that the true one may be. What all of them share is known; where "
            "they differ, nobody knows."
        )
    else:
        st.caption(NEAREST if one.summary.converged else SCATTERED)


def plot_modes(one: Found) -> None:
    """The images that fit, each with a bar for its probability."""
    modes = [
        mode
        for place, mode in enumerate(one.summary.modes[:MOST_MODES])
        if place == 0 or mode.weight >= 0.01
    ]
    figures = []
    for place, mode in enumerate(modes):
        drawn = sheet.strip(mode.image[None], scale=SCALE, gap=GAP)
        picture = Picture.of_pixels(drawn, f"Mode {place + 1}: {percent(mode.weight)}")
        figures.append(_weighed(picture, mode.weight, (percent(mode.weight), f"J {mode.cost:.1f}")))
    hidden = len(one.summary.modes) - len(modes)
    st.markdown("**Modes**")
    with st.container(key="sheet posterior modes"):
        columns = f"repeat(auto-fill, {MODE_WIDTH}px)"
        st.html(
            f'<div class="strip" style="grid-template-columns: {columns}">{"".join(figures)}</div>'
        )
    st.caption(
        "Distinct images that fit, heaviest first. The bar is the probability around each, and J "
        "its cost: the lowest cost need not have the largest share."
        + (f" {hidden} more of little weight are not shown." if hidden else "")
    )


def _weighed(picture: Picture, share: float, lines: Sequence[str]) -> str:
    """A picture with a bar under it."""
    words = "<br>".join(html.escape(line) for line in lines)
    bar = (
        f'<div style="height: 6px; margin-top: 4px; background: rgba(128, 128, 128, 0.3)">'
        f'<div style="height: 6px; width: {100 * share:.1f}%; background: {BAR}"></div></div>'
    )
    return (
        f'<figure><img src="{picture.data}" width="{picture.width}" height="{picture.height}" '
        f'alt="{html.escape(picture.alt)}" decoding="sync">{bar}'
        f"<figcaption>{words}</figcaption></figure>"
    )


def draw_intervals(one: Found) -> None:
    """Both ends of the pixels' intervals as pictures; a sentence where they may be wrong."""
    summary = one.summary
    st.markdown(f"**Intervals of {SURE}**")
    if summary.intervals is None:
        st.warning(f"{summary.sentence} {UNSHOWN}", icon=":material/warning:")
    elif one.trusted:
        _draw_ends(one)
    else:
        st.warning(MISFIT, icon=":material/warning:")
        title = "Intervals among the generator's images"
        draw_box(title, "misfit", lambda: _draw_ends(one))


def _draw_ends(one: Found) -> None:
    """Both ends, the median between them, and how many true values lie inside."""
    summary = one.summary
    assert summary.intervals is not None
    lower, upper = summary.intervals
    named = {"Lower end": lower, "Median": summary.median, "Upper end": upper}
    pictures = [
        Picture.of_pixels(sheet.strip(image[None], scale=SCALE, gap=GAP), name, title=name)
        for name, image in named.items()
    ]
    draw_pictures(pictures, key="sheet intervals", width=130)
    if one.trusted:
        st.caption(
            f"Each pixel lies between its value in the first and in the last picture with "
            f"{SURE} probability. Ink that stays in all three is certain; ink of the first alone "
            "is possible, and paper in the last alone too. Neither end is an image by itself."
        )
    else:
        st.caption(
            f"Of the generator's nearest images {SURE} have each pixel between its value in the "
            "first and in the last picture. Of the true image that says nothing. Neither end is "
            "an image by itself."
        )
    ideal = one.measurement.ideal
    share = math.nan
    if ideal is not None:
        share = views.coverage(summary, ideal[0], lost_pixels(one.measurement))
    if not math.isnan(share):  # It is NaN where no pixel is lost, too.
        st.markdown(
            f"The true image is known here: {100 * share:.0f} % of its lost pixels lie in their "
            "intervals. The pixels of one image miss together, so that the share promised is kept "
            "over many images only; next to none means that the generator cannot draw this one."
        )


def draw_pixel(one: Found, answer: Answer) -> None:
    """The posterior of a pixel chosen on the enlarged mean."""
    st.markdown("**One pixel**")
    left, right = side_by_side()
    with left:
        row, column = pixels.ask(
            sheet.to_pixels(one.summary.mean),
            views.widest_pixel(one.summary.std),
            label="Posterior mean: click a pixel, or move with the arrow keys",
            key="pixel",
        )
    found = views.pixel_posterior(
        one.measurement,
        answer.request.base.generator.content,
        one.draws,
        row=row,
        column=column,
        level=LEVEL,
    )
    with right:
        st.markdown(describe_pixel(found, one))
        st.altair_chart(_histogram(found, trusted=one.trusted))
        st.caption(
            "Click a pixel of the mean, or move with the arrow keys. Bars: probability of each "
            "value. "
            + (f"Orange: the {SURE} interval. " if one.trusted else "")
            + ("Green, dashed: the true value." if found.ideal is not None else "")
        )


def side_by_side() -> tuple[DeltaGenerator, DeltaGenerator]:
    """Room for an enlarged picture and for words next to it, or below it in a narrow window."""
    row = st.container(horizontal=True, gap="medium")
    return row.container(width=PICTURE_WIDTH), row.container(width=WORDS_WIDTH)


def describe_pixel(found: PixelPosterior, one: Found) -> str:
    """A pixel's posterior in a sentence."""
    seen = "lost" if found.measured is None else f"observed as {found.measured:.2f}"
    known = "no interval is shown, for the sampling did not converge"
    if one.trusted:
        known = (
            f"between **{found.lower:.2f} and {found.upper:.2f}** with {SURE} probability, "
            f"median {found.median:.2f}"
        )
    elif one.summary.converged:
        known = "no interval is shown, for the generator cannot draw this image"
    truth = "" if found.ideal is None else f" The true value is {found.ideal:.2f}."
    return f"Row {found.row}, column {found.column}, {seen}: {known}.{truth} 0 is ink, 1 is paper."


def _histogram(found: PixelPosterior, *, trusted: bool) -> alt.LayerChart | alt.FacetChart:
    count = len(found.shares)
    bins = pd.DataFrame(
        {
            "low": [place / count for place in range(count)],
            "high": [(place + 1) / count for place in range(count)],
            "share": found.shares,
        }
    )
    axis = alt.X("low:Q", scale=alt.Scale(domain=[0, 1]), title="Value: 0 is ink, 1 is paper")
    layers = [
        alt.Chart(bins)
        .mark_bar(color=BAR)
        .encode(
            x=axis,
            x2="high:Q",
            y=alt.Y("share:Q", title="Probability", axis=alt.Axis(format="%")),
            y2=alt.datum(0),
            tooltip=[
                alt.Tooltip("low:Q", title="from", format=".2f"),
                alt.Tooltip("high:Q", title="to", format=".2f"),
                alt.Tooltip("share:Q", title="probability", format=".1%"),
            ],
        )
    ]
    if trusted:
        ends = pd.DataFrame({"from": [found.lower], "to": [found.upper]})
        band = alt.Chart(ends).mark_rect(color=INTERVAL, opacity=0.22)
        layers.insert(0, band.encode(x="from:Q", x2="to:Q"))
        edges = pd.DataFrame({"at": [found.lower, found.upper]})
        layers.append(alt.Chart(edges).mark_rule(color=INTERVAL, size=2).encode(x="at:Q"))
    if found.ideal is not None:
        truth = pd.DataFrame({"at": [found.ideal]})
        rule = alt.Chart(truth).mark_rule(color=TRUTH, size=2.5, strokeDash=[6, 4])
        layers.append(rule.encode(x="at:Q"))
    return alt.layer(*layers).properties(height=240)
