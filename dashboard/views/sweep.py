"""Sweep: the same images at several numbers of pixels kept, and with fewer restarts."""

from functools import partial

import streamlit as st
from forms.damage import Damage, ask_noise, count_pixels
from forms.request import ask_request
from forms.sources import Source
from parts.follow import follow
from parts.restoration import draw_repeat_box
from parts.sweep import draw, draw_repeat
from work.sweep import Question, compute

from inpaint.config import Restarts
from inpaint.errors import InpaintError
from inpaint.files.job import KEEPS
from inpaint.types import ImageSet, Operator

PAGE = "sweep"
REPEATS = 5
"""Default number of seeds."""
COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
USUAL_COUNTS = (1, 4, 16, 64, 256)


def main() -> None:
    """Form, run, results."""
    st.header("Sweep", anchor=False)
    st.caption(
        "How few pixels are enough, and how few restarts? The same images are restored at several "
        "numbers N of pixels kept, with several seeds."
    )
    request, question = None, None
    problem: InpaintError | None = None
    keeps: list[int] = []

    def ask_damage(
        images: ImageSet | None, operator: Source[Operator] | None, total: int
    ) -> Damage:
        left, right = st.columns([3, 1], gap="medium")
        with left:
            keeps.extend(ask_keeps(images))
        with right:
            noise, noise_level = ask_noise(images)
        return Damage(max(keeps, default=1), noise, noise_level=noise_level)

    try:
        request = ask_request(ask_damage, operators=False)
    except InpaintError as error:
        problem = error
    left, right = st.columns([3, 1], gap="medium")
    with left:
        counts = ask_counts(None if request is None else request.restoration.config.restarts)
    with right:
        repeats = st.number_input(
            "Seeds",
            1,
            100,
            REPEATS,
            key="repeats",
            bind="query-params",
            help="Each repeats all with other starts.",
        )
    if request is not None and keeps:
        question = Question(request, tuple(keeps), tuple(counts), repeats)
    answer = follow(
        PAGE,
        question,
        problem,
        compute,
        awaited="Choose files in the sidebar and at least one N.",
        offer="Press Run to restore at every N with every seed.",
    )
    if answer is not None and answer.sweep.points:
        draw(answer)
        draw_repeat_box(partial(draw_repeat, answer))


def ask_keeps(images: ImageSet | None) -> list[int]:
    """The numbers N."""
    pixels = count_pixels(images)
    usual = [keep for keep in KEEPS if keep <= pixels] or [pixels]
    options = sorted({*usual, *range(50, pixels, 50), pixels}, reverse=True)
    return st.multiselect(
        "Pixels kept (N)",
        options,
        usual,
        key="keeps",
        bind="query-params",
        disabled=images is None,
        help="Each of these numbers of pixels, the leftmost columns, is restored from.",
    )


def ask_counts(most: Restarts | None) -> list[int]:
    """The numbers of restarts that are compared, up to those that are followed."""
    fixed = isinstance(most, int)
    chosen = st.multiselect(
        "Restarts compared",
        COUNTS,
        USUAL_COUNTS,
        key="counts",
        bind="query-params",
        disabled=not fixed,
        help=f"Up to the {most} that the settings follow; fewer are a part of them and cost "
        "nothing."
        if fixed
        else "Give a number of restarts in the solver settings to compare fewer with.",
    )
    if not isinstance(most, int) or not chosen:
        return []
    return sorted({count for count in chosen if count <= most} | {most})


main()
