"""Reveal next: which lost pixels to measure, and what measuring them gained."""

from __future__ import annotations

from functools import partial

import streamlit as st
from components import data_url
from work import runner
from work.posterior import Answer, Found, Question, Revealed, Step, compute

from inpaint.errors import InpaintError
from inpaint.operators import Mask
from inpaint.plots import posterior_views as views
from inpaint.plots import sheet
from inpaint.posterior.reveal import Reveal, reveal_next
from parts.elements import Column, Picture, draw_pictures, draw_table
from parts.posterior import side_by_side

PAGE = "uncertainty"
"""Key under which the session keeps a posterior."""

ACCEPTED = "accepted pixels"
CELL = 10
"""Side of the square that shows one pixel."""


def accepted(base: Question) -> Revealed:
    """The pixels that were accepted for this question; none once the question changes."""
    kept = st.session_state.get(ACCEPTED)
    return kept[1] if kept is not None and kept[0] == base else ()


def draw(answer: Answer, place: int, base: Question) -> None:
    """Propose squares for one image, and let them be accepted step by step.

    Args:
        answer: What is shown.
        place: The image's place in it.
        base: What the form asks for, without what was accepted.
    """
    one = answer.found[place]
    if not isinstance(one.measurement.operator, Mask):
        st.info("What is observed here are no pixels, so none can be revealed.")
        return
    if not one.summary.converged:
        st.warning(
            f"{one.summary.sentence} What to reveal next is known once it has converged.",
            icon=":material/warning:",
        )
        _draw_steps(one)
        return
    cells = st.columns(2)
    count = cells[0].number_input("How many", 1, 32, 8, key="reveal count")
    tile = cells[1].number_input(
        "Side of a square", 1, 8, 1, key="reveal tile", help="In pixels; 1 proposes single pixels."
    )
    try:
        plan = _plan(answer, one, count, tile)
    except InpaintError as error:
        st.info(str(error), icon=":material/info:")
        _draw_steps(one)
        return
    left, right = side_by_side()
    with left:
        draw_pictures([_overlay(one, plan)], key="sheet reveal")
    with right:
        _draw_offer(answer, place, base, plan)
        _draw_steps(one)


def _plan(answer: Answer, one: Found, count: int, tile: int) -> Reveal:
    """The proposal; it is computed again only if what it depends on changes.

    Raises:
        InpaintError: If there is nothing to reveal.
    """
    token = f"{id(one)} {count} {tile}"
    kept = st.session_state.get("reveal plan")
    if kept is None or kept[0] != token:
        plan = reveal_next(
            one.measurement,
            answer.request.base.generator.content,
            one.draws,
            count=count,
            tile=tile,
        )
        # The image is kept too, so that its id is not given to another one.
        st.session_state["reveal plan"] = kept = (token, plan, one)
    found: Reveal = kept[1]
    return found


def _overlay(one: Found, plan: Reveal) -> Picture:
    """The mean under the gain of each pixel, with the proposed squares in their order."""
    picture = data_url(sheet.to_pixels(views.gain_picture(one.summary.mean, plan.gain)))
    rows, columns = plan.gain.shape
    width, height, side = CELL * columns, CELL * rows, CELL * plan.tile
    marks = []
    for order, (row, column) in enumerate(plan.corners.tolist(), start=1):
        x, y = CELL * column, CELL * row
        marks.append(
            f'<rect x="{x}" y="{y}" width="{side}" height="{side}" fill="#ffffff" '
            f'fill-opacity="0.75" stroke="#7a2e00" stroke-width="1"/>'
            f'<text x="{x + side / 2}" y="{y + side / 2 + 2.8}" font-size="8" '
            f'text-anchor="middle" fill="#3a1600">{order}</text>'
        )
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif">'
        f'<image href="{picture}" width="{width}" height="{height}" '
        f'style="image-rendering: pixelated"/>{"".join(marks)}</svg>'
    )
    return Picture.of_svg(drawing, width, height, "Gain of each pixel, and the proposed ones")


def _draw_offer(answer: Answer, place: int, base: Question, plan: Reveal) -> None:
    """What the proposal promises, and the buttons that accept it."""
    one, squares = answer.found[place], len(plan.corners)
    after = views.expected_spread(plan, squares)
    noun = "pixel" if plan.tile == 1 else "square"
    st.markdown(
        f"Measuring the {squares} numbered {noun}s is expected to lower the deviation from "
        f"**{one.spread:.3f} to {after:.3f}**, the first one alone to "
        f"{views.expected_spread(plan, 1):.3f}."
    )
    st.caption(
        "The stronger the orange, the more measuring that pixel alone would lower the deviation. "
        "The numbers are an order in which each is the best one once those before it are known. "
        "Deviation: root mean square over all pixels of the image."
    )
    if one.measurement.ideal is None:
        st.info(
            "The whole image is not known here, so this page cannot measure them: measure them "
            "yourself, and give the data with a mask that observes them too.",
            icon=":material/info:",
        )
        return
    current = answer.request == Question(base.base, accepted(base))
    with st.container(horizontal=True):
        for label, number in (("Accept the first", 1), (f"Accept all {squares}", squares)):
            if number == 1 or squares > 1:
                st.button(
                    label,
                    key=f"accept {'first' if number == 1 else 'all'}",
                    icon=":material/add:",
                    disabled=not current or answer.stopped,
                    on_click=partial(_accept, answer, place, base, plan, number),
                )
        if accepted(base):
            st.button(
                "Take all back",
                key="take back",
                icon=":material/undo:",
                on_click=lambda: st.session_state.pop(ACCEPTED, None),
            )


def _accept(answer: Answer, place: int, base: Question, plan: Reveal, squares: int) -> None:
    """Measure the first squares, and sample that image again."""
    before = dict(accepted(base))
    pixels = views.square_pixels(plan, squares)
    before[place] = (*before.get(place, ()), *pixels)
    revealed = tuple(sorted(before.items()))
    st.session_state[ACCEPTED] = (base, revealed)
    question = Question(base.base, revealed)
    spread = answer.found[place].spread
    step = Step(len(pixels), spread, views.expected_spread(plan, squares))
    runner.begin(
        PAGE,
        partial(compute, question, earlier=answer, step=(place, step)),
        quick=question.quick,
        about=question,
    )


def _draw_steps(one: Found) -> None:
    """What was accepted, what was expected of it, and what it gained."""
    if not one.steps:
        return
    last, reached = one.steps[-1]
    cells = st.columns(2)
    cells[0].metric("Expected drop", f"{1 - last.expected / last.before:.0%}")
    cells[1].metric("Reached drop", f"{1 - reached / last.before:.0%}")
    deviation = Column("Root mean square of all pixels' deviations.", ".3f")
    draw_table(
        [
            {
                "Step": place,
                "Pixels": step.pixels,
                "Before": step.before,
                "Expected": step.expected,
                "Reached": reached,
            }
            for place, (step, reached) in enumerate(one.steps, start=1)
        ],
        dict.fromkeys(("Before", "Expected", "Reached"), deviation),
    )
