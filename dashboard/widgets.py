"""The form of a restoration: widgets in, a `Request` with its `RestoreConfig` out.

Options and defaults are read from `RestoreConfig`. Every choice is kept in the URL, so a
link repeats the run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import streamlit as st
from damage import Damage, clamp
from sources import Source, choose_generator, choose_images

from inpaint.config import BACKENDS, DTYPES, PRESETS, SCHEDULES, SOLVERS, RestoreConfig
from inpaint.errors import InpaintError
from inpaint.generator import Generator
from inpaint.operators import Mask, measure
from inpaint.problem import Problem, pose, select
from inpaint.run import Run
from inpaint.types import ImageSet

QUICK_STEPS = 200_000
"""Solver steps of all restarts of all images up to which a result follows the sliders."""

QUICK_SECONDS = 0.5
"""The same for a run that is given a time."""

MOST_IMAGES = 12
"""Images restored at once at most, so that the page stays readable."""

AskDamage = Callable[[ImageSet | None], Damage | None]

PRESET_NOTES = {
    "fast": "Dozens of starts, screened: finds the best image nearly always.",
    "best": "Hundreds of starts, for few pixels and odd masks.",
    "published": "One start and plain gradient descent, as first published: often stuck.",
}


@dataclass(frozen=True)
class Request:
    """What the page asks for; equal requests have equal results.

    Attributes:
        run: What the command line would be told.
        images: Where the images come from.
        generator: Where to search.
        mask: What is lost, where that is an uploaded or painted mask.
    """

    run: Run
    images: Source[ImageSet]
    generator: Source[Generator]
    mask: Source[Mask] | None = None

    @property
    def quick(self) -> bool:
        """Whether the result comes soon enough to follow the sliders."""
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
        if self.mask is None:
            return pose(self.run, images, self.generator.content)
        seed, noise = self.run.config.seed, self.run.noise
        measurement = measure(images, self.mask.content, noise=noise, seed=seed)
        return Problem(self.run, images, measurement, self.generator.content)


def ask_request(ask_damage: AskDamage) -> Request | None:
    """Ask for everything; None while an upload is awaited.

    Args:
        ask_damage: Asks for the damage, given the images if there are any.

    Raises:
        InpaintError: If an upload cannot be read, or a setting breaks its rule.
    """
    images, generator, config, numbers, damage = None, None, None, None, None
    problems: list[InpaintError] = []
    # All widgets are drawn even if one of them holds something bad, so that nothing jumps.
    with st.sidebar:
        first = st.container()
        try:
            generator = choose_generator()
        except InpaintError as error:
            problems.append(error)
        try:
            with first:
                images = choose_images(None if generator is None else generator.content)
        except InpaintError as error:
            problems.append(error)
        if images is not None:
            numbers = _ask_numbers(images.content)
        preset = _ask_preset()
        with st.expander("Solver settings"):
            try:
                config = _ask_config(preset)
            except InpaintError as error:
                problems.append(error)
    try:
        damage = ask_damage(_choose(images, numbers))
    except InpaintError as error:
        problems.append(error)
    if problems:
        raise problems[0]
    if images is None or generator is None or config is None or damage is None:
        return None
    run = Run(
        source=images.name,
        generator=generator.name,
        keep=damage.keep,
        mask=damage.pattern if damage.mask is None else damage.mask.name,
        noise=damage.noise,
        numbers=numbers,
        config=config,
    )
    return Request(run, images, generator, damage.mask)


def _choose(images: Source[ImageSet] | None, numbers: tuple[int, ...] | None) -> ImageSet | None:
    """The images that are restored."""
    return None if images is None else select(images.content, numbers)


def _ask_numbers(images: ImageSet) -> tuple[int, ...] | None:
    """Which images of a large set; a small one is taken whole."""
    size = len(images)
    if size <= MOST_IMAGES:
        return None
    left, right = st.columns(2)
    clamp("first", size - 1)
    first = left.number_input("First image", 0, size - 1, key="first", bind="query-params")
    most = min(MOST_IMAGES, size - first)
    clamp("count", most)
    count = right.number_input("How many", 1, most, min(4, most), key="count", bind="query-params")
    return images.numbers[first : first + count]


def _ask_preset() -> str:
    preset = st.segmented_control(
        "Preset",
        list(PRESETS),
        default=next(iter(PRESETS)),
        required=True,
        key="preset",
        on_change=_adopt_preset,
        bind="query-params",
        width="stretch",
    )
    st.caption(PRESET_NOTES.get(preset, ""))
    return str(preset)


def _adopt_preset() -> None:
    """Set every solver widget to the new preset's value."""
    config = RestoreConfig.preset(st.session_state["preset"])
    for field in fields(config):
        if field.name in st.session_state:
            st.session_state[field.name] = getattr(config, field.name)


def _ask_config(preset: str) -> RestoreConfig:
    base = RestoreConfig.preset(preset)
    solver = _choice("Solver", "solver", SOLVERS, base)
    own = RestoreConfig(solver=solver).resolved()
    changes = {
        "restarts": _number(
            "Restarts", "restarts", base, 1, "Starting points followed down, per image (R)."
        ),
        "screen": _number(
            "Screened draws",
            "screen",
            base,
            0,
            "Random latent vectors tried first, of which the best are followed; 0 tries none.",
        ),
        "steps": _number(
            "Steps", "steps", base, 1, "Steps of the solver at most.", placeholder=own.steps
        ),
    }
    if solver != "lbfgs":  # It finds its own steps.
        changes |= _ask_rate(base, own)
    changes |= {
        "rounds": _number(
            "Rounds", "rounds", base, 1, "How often all of this is done, with other draws."
        ),
        "polish": _number(
            "Polished", "polish", base, 0, "Restarts of lowest cost that are followed further."
        ),
        "seed": _number("Seed", "seed", base, 0, "All randomness follows from it."),
        "backend": _choice("Backend", "backend", BACKENDS, base),
        "dtype": _choice("Precision", "dtype", DTYPES, base),
    }
    return RestoreConfig.preset(preset, solver=solver, **changes)


def _ask_rate(base: RestoreConfig, own: RestoreConfig) -> dict[str, Any]:
    return {
        "learning_rate": st.number_input(
            "Learning rate",
            value=base.learning_rate,
            format="%g",
            step=1e-4,
            placeholder=f"{own.learning_rate:g}",
            key="learning_rate",
            bind="query-params",
            help="Size of a step. Left empty, the solver takes its own.",
        ),
        "schedule": st.selectbox(
            "Schedule",
            SCHEDULES,
            index=None if base.schedule is None else SCHEDULES.index(base.schedule),
            placeholder=str(own.schedule),
            key="schedule",
            bind="query-params",
            help="Learning rate over the steps: constant, or falling along a cosine to 1 %.",
        ),
    }


def _number(
    label: str,
    name: str,
    base: RestoreConfig,
    low: int,
    text: str,
    *,
    placeholder: int | None = None,
) -> int | None:
    value: int | None = st.number_input(
        label,
        low,
        value=getattr(base, name),
        step=1,
        key=name,
        bind="query-params",
        help=text,
        placeholder=None if placeholder is None else str(placeholder),
    )
    return value


def _choice(label: str, name: str, options: tuple[str, ...], base: RestoreConfig) -> Any:
    return st.selectbox(
        label, options, options.index(getattr(base, name)), key=name, bind="query-params"
    )
