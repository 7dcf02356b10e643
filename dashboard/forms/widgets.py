"""The form of a restoration: widgets in, a `Request` with its `RestoreConfig` out.

Every choice is kept in the URL, so a link repeats the run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import streamlit as st

from forms import fields, settings, sources
from forms.damage import Damage
from forms.observed import ask_operator
from forms.sources import Source
from inpaint.cli.options import whole_numbers
from inpaint.config import RestoreConfig
from inpaint.errors import ArgumentError, InpaintError
from inpaint.files.job import Run
from inpaint.files.problem import Problem, pose, select
from inpaint.generators import Generator
from inpaint.operators import Composition, Mask, measure
from inpaint.types import ImageSet, Operator

QUICK_STEPS = 200_000
"""Solver steps of all restarts of all images up to which a result follows the sliders."""

QUICK_SECONDS = 0.5
"""The same for a run that is given a time."""

MOST_IMAGES = 12
"""Images restored at once at most, so that the page stays readable."""

USUAL_IMAGES = 4
"""Images taken at first of a set that is larger than that."""

USUAL = "minimum"
"""The image that is shown if no other is asked for: it takes nothing but the search."""

AskDamage = Callable[[ImageSet | None, Source[Operator] | None], Damage | None]
Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Request:
    """What the page asks for; equal requests have equal results.

    Attributes:
        run: What the command line would be told.
        images: Where the images come from.
        generator: Where to search.
        mask: What is lost, where that is a mask and not the columns on the right.
        operator: What is observed, if not pixels.
        estimate: Which image is shown; see `estimates`.
    """

    run: Run
    images: Source[ImageSet]
    generator: Source[Generator]
    mask: Source[Mask] | None = None
    operator: Source[Operator] | None = None
    estimate: str = USUAL

    @property
    def quick(self) -> bool:
        """Whether the result comes soon enough to follow the sliders."""
        if self.estimate != USUAL:
            return False
        config = self.run.config.resolved()
        count = len(self.images.content if self.run.numbers is None else self.run.numbers)
        steps = config.rounds * config.restarts * (config.steps or 0)
        return count * steps <= QUICK_STEPS and (config.budget or 0) <= QUICK_SECONDS

    def problem(self) -> Problem:
        """The run with its inputs read and its images damaged.

        Raises:
            InpaintError: If they do not fit together.
        """
        images = select(self.images.content, self.run.numbers)
        found = [source.content for source in (self.operator, self.mask) if source is not None]
        if not found:
            return pose(self.run, images, self.generator.content)
        operator = found[0] if len(found) == 1 else Composition(tuple(found))
        seed, noise = self.run.config.seed, self.run.noise
        measurement = measure(images, operator, noise=noise, seed=seed)
        return Problem(self.run, images, measurement, self.generator.content)


def ask_request(ask_damage: AskDamage, *, operators: bool = True) -> Request | None:
    """Ask for everything that a search takes; see `ask_form`."""
    asked = ask_form(ask_damage, settings.ask, lambda config: config, operators=operators)
    return None if asked is None else asked[0]


def ask_form(
    ask_damage: AskDamage,
    ask_settings: Callable[[], Settings],
    search: Callable[[Settings], RestoreConfig],
    *,
    operators: bool = True,
) -> tuple[Request, Settings] | None:
    """Ask for inputs, damage and settings; None while an upload is awaited.

    Args:
        ask_damage: Asks for the damage, given the images and the operator if there are any.
        ask_settings: Asks for the settings of what is to be done.
        search: The settings of a search that go with those.
        operators: Whether something else than pixels may be observed.

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
        except InpaintError as error:
            problems.append(error)
        try:
            with first:
                numbers = _ask_numbers(None if images is None else images.content)
        except InpaintError as error:
            images = None
            problems.append(error)
        if operators:
            try:
                operator, awaited = ask_operator(None if generator is None else generator.content)
            except InpaintError as error:
                problems.append(error)
        try:
            config = ask_settings()
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
        config=search(config),
        **images.read_options,
    )
    return Request(run, images, generator, damage.mask, operator), config


def _ask_numbers(images: ImageSet | None) -> tuple[int, ...] | None:
    """Which images of the set, as the command line names them; None takes all.

    Raises:
        ArgumentError: If they are not there, or more than one page shows.
    """
    size = 0 if images is None else len(images)
    usual = f"all {size}" if size <= MOST_IMAGES else f"the first {USUAL_IMAGES} of {size:,}"
    text = fields.line(
        "Which of them",
        "images",
        key="numbers",
        placeholder=usual if images is not None else "",
        text="Numbers of the images, such as 0,2-3; left empty, it takes "
        f"{usual}. A page restores at most {MOST_IMAGES} at once.",
        disabled=images is None,
    )
    if images is None:
        return None
    if not text:
        return None if size <= MOST_IMAGES else images.numbers[:USUAL_IMAGES]
    numbers = whole_numbers("images", text)
    if len(numbers) > MOST_IMAGES:
        raise ArgumentError(
            f"images is {text!r}, which are {len(numbers)}; a page restores at most {MOST_IMAGES} "
            "at once. Choose fewer, or use the command line."
        )
    select(images, numbers)
    return numbers
