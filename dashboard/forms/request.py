"""The form of a job: widgets in, a `Request` with its job out.

Every choice is kept in the URL, so a link repeats the run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import streamlit as st

from forms import search_settings, sources
from forms.damage import Damage
from forms.fields import line
from forms.operators import ask_operator
from forms.sources import Source
from inpaint.errors import ArgumentError, InpaintError
from inpaint.files.job import DamageJob, RestoreJob
from inpaint.files.problem import Problem, pose, select
from inpaint.files.words import read_integers
from inpaint.generators import Generator
from inpaint.operators import Mask
from inpaint.posterior.estimates import ESTIMATES
from inpaint.types import ImageSet, Operator

QUICK_STEPS = 200_000
"""Most solver steps, over all restarts and images, for a result to follow the sliders."""

USUAL_RESTARTS = 128
"""Starts that an automatic search is taken to need; docs/search.md has the means."""

QUICK_SECONDS = 0.5
"""The same for a search with a time limit."""

MOST_IMAGES = 12
"""Most images restored at once, so that the page stays readable."""

USUAL_IMAGES = 4
"""Images taken by default from a larger set."""

USUAL = "minimum"
"""The estimate shown at first: the only one that needs no sampling."""

ESTIMATE = "estimate"
"""Key of the widget that chooses an estimate."""

AskDamage = Callable[[ImageSet | None, Source[Operator] | None, int], Damage | None]
"""Given the images, the operator and the number of images in the source."""
Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Request:
    """What the page asks for; equal requests have equal results.

    Attributes:
        job: The job that a command line would do.
        images: Where the images come from.
        generator: Where to search.
        mask: What is lost, if that is a mask and not the columns on the right.
        operator: What is observed, if not pixels.
    """

    job: DamageJob
    images: Source[ImageSet]
    generator: Source[Generator]
    mask: Source[Mask] | None = None
    operator: Source[Operator] | None = None

    @property
    def quick(self) -> bool:
        """Whether the result comes soon enough to follow the sliders."""
        job = self.job
        if not isinstance(job, RestoreJob) or job.samples:
            return False
        config = job.config.resolved()
        # An automatic search of most images ends long before its limit.
        restarts = USUAL_RESTARTS if isinstance(config.restarts, str) else config.restarts
        steps = config.rounds * restarts * (config.steps or 0)
        return self.count * steps <= QUICK_STEPS and (config.time_limit or 0) <= QUICK_SECONDS

    @property
    def count(self) -> int:
        """How many images are restored."""
        numbers = self.job.numbers
        return len(self.images.content if numbers is None else numbers)

    @property
    def restoration(self) -> RestoreJob:
        """The job of a restoration.

        Raises:
            TypeError: If this asks for something else.
        """
        if not isinstance(self.job, RestoreJob):
            raise TypeError(f"This is a request for inpaint {self.job.command}.")
        return self.job

    def with_job(self, **changes: Any) -> Request:
        """The same request with some fields of its job changed."""
        return replace(self, job=replace(self.job, **changes))

    def problem(self) -> Problem:
        """The job with its inputs read and its images damaged.

        Raises:
            InpaintError: If they do not fit together.
        """
        images = self.images.content if self.images.stored is None else self.images.stored
        return pose(
            self.job,
            select(images, self.job.numbers),
            self.generator.content,
            mask=None if self.mask is None else self.mask.content,
            operator=None if self.operator is None else self.operator.content,
        )


def ask_request(ask_damage: AskDamage, *, operators: bool = True) -> Request | None:
    """Ask for everything that a search takes; see `ask_form`."""
    return ask_form(RestoreJob, ask_damage, search_settings.ask, operators=operators)


def ask_estimate() -> str | None:
    """Ask which image is shown; None for the usual one."""
    name = st.selectbox(
        "Show",
        list(ESTIMATES),
        key=ESTIMATE,
        bind="query-params",
        help="Which image the Output is. All but the minimum sample the posterior too, which "
        "takes about a second an image.",
    )
    estimate = ESTIMATES[str(name)]
    if name == USUAL:
        return None
    real = "For images that the generator cannot draw. " if estimate.misfit else ""
    st.caption(f"{real}{estimate.sentence}")
    return str(name)


def ask_form(
    kind: type[DamageJob],
    ask_damage: AskDamage,
    ask_settings: Callable[[], Settings],
    *,
    operators: bool = True,
) -> Request | None:
    """Ask for inputs, damage and settings; None while an upload is awaited.

    Args:
        kind: The job that the page does.
        ask_damage: Asks for the damage.
        ask_settings: Asks for the job's settings.
        operators: Whether something other than pixels may be observed.

    Raises:
        InpaintError: If an upload cannot be read, or a setting breaks its rule.
    """
    images, generator, config, numbers, damage = None, None, None, None, None
    operator, awaited = None, False
    problems: list[InpaintError] = []
    # All widgets are drawn even if one of them holds a bad value, so that nothing jumps.
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
        chosen, total = None, 0
        if images is not None:
            chosen, total = select(images.content, numbers), len(images.content)
        damage = ask_damage(chosen, operator, total)
    except InpaintError as error:
        problems.append(error)
    if problems:
        raise problems[0]
    if images is None or generator is None or config is None or damage is None or awaited:
        return None
    job = kind(
        source=images.name,
        generator=generator.name,
        keep=damage.keep,
        mask=None if damage.mask is None else damage.mask.name,
        mask_white=damage.mask_white,
        operator=None if operator is None else operator.name,
        noise=damage.noise,
        noise_level=damage.noise_level,
        numbers=numbers,
        config=config,  # type: ignore[call-arg]
        **images.read_options,
    )
    return Request(job, images, generator, damage.mask, operator)


def _ask_numbers(images: ImageSet | None) -> tuple[int, ...] | None:
    """Which images of the set, as the command line names them; None takes all.

    Raises:
        ArgumentError: If there are no such images, or more than `MOST_IMAGES`.
    """
    size = 0 if images is None else len(images)
    usual = f"all {size}" if size <= MOST_IMAGES else f"the first {USUAL_IMAGES} of {size:,}"
    text = line(
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
    numbers = read_integers("images", text)
    if len(numbers) > MOST_IMAGES:
        raise ArgumentError(
            f"images is {text!r}, which are {len(numbers)}; a page restores at most {MOST_IMAGES} "
            "at once. Choose fewer, or use the command line."
        )
    select(images, numbers)
    return numbers
