"""Uncertainty: not one image, but all that fit, with their probabilities."""

from dataclasses import replace

import live
import posteriors
import revealing
import sampling
import sources
import streamlit as st
import uncertain
import widgets
from damage import ask_damage
from observed import ask_operator
from posteriors import Answer, Question
from revealing import PAGE

from inpaint.config import RestoreConfig
from inpaint.errors import InpaintError
from inpaint.problem import select
from inpaint.run import Run


def main() -> None:
    """Form, run, results."""
    st.header("Uncertainty", anchor=False)
    st.caption(
        "How sure can one be of the lost pixels? All images that fit are drawn with their "
        "probabilities, instead of the best one alone."
    )
    base, question, problem = None, None, None
    try:
        base = ask_question()
        if base is not None:
            question = replace(base, revealed=revealing.accepted(base))
    except InpaintError as error:
        problem = str(error)
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
    images, generator, config, numbers, damage = None, None, None, None, None
    operator, awaited = None, False
    problems: list[InpaintError] = []
    # All widgets are drawn even if one of them holds something bad, so that nothing jumps.
    with st.sidebar:
        first = st.container()
        try:
            generator = sources.choose_generator()
        except InpaintError as error:
            problems.append(error)
        try:
            with first:
                images = sources.choose_images(None if generator is None else generator.content)
                numbers = widgets._ask_numbers(None if images is None else images.content)
        except InpaintError as error:
            images = None
            problems.append(error)
        try:
            operator, awaited = ask_operator(None if generator is None else generator.content)
        except InpaintError as error:
            problems.append(error)
        preset = sampling.ask_preset()
        with st.expander("Sampling settings"):
            try:
                config = sampling.ask_config(preset)
            except InpaintError as error:
                problems.append(error)
    try:
        damage = ask_damage(None if images is None else select(images.content, numbers), operator)
    except InpaintError as error:
        problems.append(error)
    if problems:
        raise problems[0]
    if images is None or generator is None or config is None or damage is None or awaited:
        return None
    run = Run(
        source=images.name,
        generator=generator.name,
        keep=damage.keep,
        mask=None if damage.mask is None else damage.mask.name,
        operator=None if operator is None else operator.name,
        noise=damage.noise,
        numbers=numbers,
        # The noise that is added follows from the seed.
        config=RestoreConfig(seed=config.seed),
        **images.reading,
    )
    return Question(widgets.Request(run, images, generator, damage.mask, operator), config)


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
    request = question.request
    made = [
        (source.name, source.made)
        for source in (request.images, request.mask)
        if source is not None and source.made is not None
    ]
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
                key=f"made {name}",
            )
    st.markdown("In a terminal:")
    st.code(question.command, language="bash", wrap_lines=True)
    st.markdown("In Python:")
    st.code(posteriors.as_python(question), language="python")


main()
