"""Uncertainty: not one image, but all that fit, with their probabilities."""

from dataclasses import replace
from functools import partial

import streamlit as st
from forms import sampling_settings
from forms.damage import ask_damage
from forms.request import ask_form
from parts import posterior, reveal
from parts.elements import draw_box
from parts.follow import follow
from parts.restoration import draw_recipe, draw_repeat_box
from parts.reveal import PAGE
from work.posterior import Answer, Question, compute
from work.programs import posterior_program

from inpaint.errors import InpaintError
from inpaint.files.job import PosteriorJob


def main() -> None:
    """Form, run, results."""
    st.header("Uncertainty", anchor=False)
    st.caption(
        "How sure can one be of the lost pixels? All images that fit are drawn with their "
        "probabilities, instead of the best one alone."
    )
    base, question = None, None
    problem: InpaintError | None = None
    try:
        base = ask_question()
        if base is not None:
            question = replace(base, revealed=reveal.accepted(base))
    except InpaintError as error:
        problem = error
    answer = follow(
        PAGE,
        question,
        problem,
        compute,
        offer="Press Run to sample the posterior of these images.",
    )
    if answer is not None and answer.found:
        draw(answer, base)


def ask_question() -> Question | None:
    """The form; None while an upload is awaited.

    Raises:
        InpaintError: If an upload cannot be read, or a setting breaks its rule.
    """
    request = ask_form(PosteriorJob, ask_damage, sampling_settings.ask)
    return None if request is None else Question(request)


def draw(answer: Answer, base: Question | None) -> None:
    """Everything about one answer."""
    posterior.draw_findings(answer)
    posterior.draw_columns(answer)
    posterior.draw_diagnostics(answer)
    numbers = [one.label for one in answer.found]
    place = 0
    if len(numbers) > 1:
        chosen = st.segmented_control(
            "Look closer at image", numbers, default=numbers[0], required=True, key="posterior of"
        )
        place = numbers.index(chosen) if chosen in numbers else 0
    one = answer.found[place]
    posterior.plot_modes(one)
    posterior.plot_samples(one)
    posterior.draw_intervals(one)
    posterior.draw_pixel(one, answer)

    def draw_reveal() -> None:
        if base is not None:
            reveal.draw(answer, place, base)

    draw_box("Which pixels to reveal next", "reveal", draw_reveal, icon="visibility")
    draw_repeat_box(partial(draw_repeat, answer))


def draw_repeat(answer: Answer) -> None:
    """The same run outside the dashboard."""
    request = answer.request.request
    job = request.job
    assert isinstance(job, PosteriorJob)
    known = answer.found[0].measurement.ideal is not None
    draw_recipe(
        [source for source in (request.images, request.mask) if source is not None],
        job.command_line,
        posterior_program(job, ideal=known),
    )


main()
