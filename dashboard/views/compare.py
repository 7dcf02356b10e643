"""Compare: two ways of restoring the same damaged images."""

from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st
from forms import baselines
from forms.baselines import Method
from forms.damage import ask_damage
from forms.request import Request, ask_request
from forms.search_settings import shown
from parts.compare import draw, draw_repeat
from parts.follow import follow
from parts.restoration import draw_repeat_box
from streamlit.delta_generator import DeltaGenerator
from work.compare import Question, compute

from inpaint.config import AUTO, PRESETS, SOLVERS, RestoreConfig
from inpaint.errors import InpaintError
from inpaint.posterior.config import SHARED

PAGE = "compare"
SEARCH = "search"
USUAL = "published"
"""The preset of the right side at first."""
AWAITED = ":material/arrow_upward: Choose the files; the comparison will appear here."
OFFER = "These settings take a while. Press Run to restore in both ways."


def main() -> None:
    """Form, run, both results."""
    st.header("Compare", anchor=False)
    st.caption(
        "Which does better? Left are the settings of the sidebar; right is another search with "
        "the same seed, or a method without a generator. Images and damage are the same."
    )
    request, right, question = None, None, None
    wrong: list[InpaintError] = []
    # The right side's widgets are drawn even if the left side holds a bad value.
    try:
        request = ask_request(ask_damage)
    except InpaintError as error:
        wrong.append(error)
    try:
        right = ask_right(request)
        if request is not None and right is not None:
            whole = right if isinstance(right, Method) else other(request, right)
            question = Question(request, whole)
    except InpaintError as error:
        wrong.append(error)
    problem = wrong[0] if wrong else None
    shown = follow(PAGE, question, problem, compute, awaited=AWAITED, offer=OFFER)
    if shown is not None:
        draw(shown)
        draw_repeat_box(partial(draw_repeat, shown))


def ask_right(request: Request | None) -> RestoreConfig | Method | None:
    """The settings of the right side's search, or a method without a generator.

    Args:
        request: What is to be restored, if that is known already.

    Returns:
        None while training images are awaited.

    Raises:
        InpaintError: If a setting breaks its rule, or an upload cannot be read.
    """
    row = st.container(horizontal=True, gap="small")
    titles = baselines.titles()
    method = row.selectbox(
        "Right side",
        [SEARCH, *titles],
        format_func=lambda name: titles.get(name, "a search"),
        key="right",
        width=190,
        bind="query-params",
    )
    return ask_other(row) if method == SEARCH else baselines.ask(str(method), request, row)


def ask_other(row: DeltaGenerator) -> RestoreConfig:
    """The settings of the other search."""
    names = list(PRESETS)
    preset = row.selectbox(
        "Preset, right",
        names,
        names.index(USUAL),
        key="other",
        width=160,
        bind="query-params",
        on_change=adopt_preset,
    )
    base = RestoreConfig.preset(str(preset))
    solver: Any = row.selectbox(
        "Solver, right",
        SOLVERS,
        SOLVERS.index(base.solver),
        key="other_solver",
        width=190,
        bind="query-params",
    )
    restarts: Any = row.number_input(
        "Restarts, right",
        1,
        value=shown("restarts", base.restarts),
        step=1,
        placeholder=AUTO,
        key="other_restarts",
        width=140,
        bind="query-params",
    )
    own = RestoreConfig(solver=solver).resolved()
    steps = row.number_input(
        "Steps, right",
        1,
        value=base.steps,
        step=1,
        placeholder=str(own.steps),
        key="other_steps",
        width=140,
        bind="query-params",
    )
    restarts = AUTO if restarts is None else restarts
    return RestoreConfig.preset(str(preset), solver=solver, restarts=restarts, steps=steps)


def adopt_preset() -> None:
    """Set the right side's widgets to the new preset's values."""
    base = RestoreConfig.preset(st.session_state["other"])
    for name in ("solver", "restarts", "steps"):
        st.session_state[f"other_{name}"] = shown(name, getattr(base, name))


def other(request: Request, config: RestoreConfig) -> Request:
    """The same request with the other settings; both sides share seed and machine."""
    here = request.restoration.config
    config = replace(config, **{name: getattr(here, name) for name in SHARED})
    return request.with_job(config=config)


main()
