"""Uncertainty: not one image, but all that fit, with their probabilities."""

from dataclasses import replace

import streamlit as st
from forms import sampling, widgets
from forms.damage import ask_damage
from parts import results, revealing, uncertain
from parts.revealing import PAGE
from work import live, posteriors
from work.posteriors import Answer, Question

from inpaint.config import RestoreConfig
from inpaint.errors import InpaintError


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
            question = replace(base, revealed=revealing.accepted(base))
    except InpaintError as error:
        problem = error
    answer = live.follow(
        PAGE,
        question,
        problem,
        posteriors.compute,
        offer="Press Run to sample the posterior of these images.",
    )
    if answer is not None and answer.found:
        draw(answer, base)


def ask_question() -> Question | None:
    """The form; None while an upload is awaited.

    Raises:
        InpaintError: If an upload cannot be read, or a setting breaks its rule.
    """
    # The noise that is added follows from the seed.
    asked = widgets.ask_form(
        ask_damage, sampling.ask, lambda config: RestoreConfig(seed=config.seed)
    )
    return None if asked is None else Question(*asked)


def draw(answer: Answer, base: Question | None) -> None:
    """Everything about one answer."""
    uncertain.draw_findings(answer)
    uncertain.draw_columns(answer)
    uncertain.draw_diagnostics(answer)
    numbers = [str(one.number) for one in answer.found]
    place = 0
    if len(numbers) > 1:
        chosen = st.segmented_control(
            "Look closer at image", numbers, default=numbers[0], required=True, key="posterior of"
        )
        place = numbers.index(chosen) if chosen in numbers else 0
    one = answer.found[place]
    uncertain.draw_modes(one)
    uncertain.draw_samples(one)
    uncertain.draw_intervals(one)
    uncertain.draw_pixel(one, answer)
    for title, icon, key in (
        ("Which pixels to reveal next", "visibility", "reveal"),
        ("The same run as a command or in Python", "terminal", "repeat"),
    ):
        # What is inside is made only while it is open: the page is drawn sooner.
        box = st.expander(title, icon=f":material/{icon}:", key=key, on_change="rerun")
        if box.open:
            with box:
                if key == "repeat":
                    draw_repeat(answer)
                elif base is not None:
                    revealing.draw(answer, place, base)


def draw_repeat(answer: Answer) -> None:
    """The same run outside the dashboard."""
    question = answer.request
    sources = [question.request.images, question.request.mask]
    results.draw_recipe(
        [source for source in sources if source is not None],
        question.command,
        posteriors.as_python(question),
    )


main()
