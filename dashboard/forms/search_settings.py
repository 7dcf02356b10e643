"""The form of the search: widgets in, a `RestoreConfig` out.

Options and defaults are read from `RestoreConfig`; every field of it has a widget, so that any
recorded job can be put into the form.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import streamlit as st

from forms import fields
from inpaint.config import AUTO, BACKENDS, DTYPES, PRESETS, SCHEDULES, SOLVERS, RestoreConfig

PRESET_CAPTIONS = {
    "fast": "64 starts, screened: finds the best image nearly always.",
    "best": "As many starts as each image needs: dozens, or hundreds where few pixels are left.",
    "published": "One start and plain gradient descent, as first published: often stuck.",
}

real = partial(fields.real, step=1e-4)

OWN = ("steps", "patience", "learning_rate", "schedule")
"""Fields for which a solver has its own default."""


def ask_preset() -> str:
    """The name of the preset."""
    names = list(PRESETS)
    preset = fields.preset("Preset", names, names[0], key="preset", adopt=_adopt_preset)
    st.caption(PRESET_CAPTIONS.get(preset, ""))
    return preset


def _adopt_preset() -> None:
    """Set every widget to the new preset's value."""
    config = RestoreConfig.preset(st.session_state["preset"])
    for field in dataclasses.fields(config):
        st.session_state[field.name] = shown(field.name, getattr(config, field.name))


def shown(name: str, value: Any) -> Any:
    """A setting as its widget holds it: that of the restarts is empty for "auto"."""
    return None if name == "restarts" and value == AUTO else value


def adopt_config(config: RestoreConfig) -> None:
    """Set every widget to a configuration's value; call this before they are drawn."""
    resolved = config.resolved()
    own = RestoreConfig(solver=config.solver).resolved()

    def likeness(name: str) -> int:
        base = RestoreConfig.preset(name).resolved()
        return sum(
            getattr(base, f.name) == getattr(resolved, f.name) for f in dataclasses.fields(base)
        )

    st.session_state["preset"] = max(PRESETS, key=likeness)
    for field in dataclasses.fields(resolved):
        value = getattr(resolved, field.name)
        left_open = field.name in OWN and value == getattr(own, field.name)
        st.session_state[field.name] = None if left_open else shown(field.name, value)


def ask() -> RestoreConfig:
    """The preset, and all settings in an expander.

    Raises:
        InpaintError: If one of them breaks its rule.
    """
    preset = ask_preset()
    with st.expander("Solver settings"):
        return ask_config(preset)


def ask_config(preset: str) -> RestoreConfig:
    """The settings of the search.

    Raises:
        InpaintError: If one of them breaks its rule.
    """
    base = RestoreConfig.preset(preset)
    solver = fields.choice("Solver", "solver", SOLVERS, base)
    own = RestoreConfig(solver=solver).resolved()
    changes: dict[str, Any] = {
        "restarts": fields.whole(
            "Restarts",
            "restarts",
            base,
            "Starts followed down, per image (R). Left empty, an image takes as many as it needs.",
            empty=AUTO,
            word=AUTO,
        ),
        "max_restarts": fields.whole(
            "Restarts at most",
            "max_restarts",
            base,
            "Where an image stops in any case, if Restarts is left empty.",
        ),
        "screen": fields.whole(
            "Screened draws",
            "screen",
            base,
            "Random latent vectors tried first, of which the best are followed; 0 tries none. "
            "Not used where Restarts is left empty.",
            lowest=0,
        ),
        "steps": fields.whole(
            "Steps", "steps", base, "Steps of the solver at most.", empty=str(own.steps)
        ),
    }
    if solver != "lbfgs":  # L-BFGS finds its own steps.
        changes |= _ask_rate(base, own)
    changes |= {
        "rounds": fields.whole(
            "Rounds", "rounds", base, "How often all of this is repeated, each time with new draws."
        ),
        "seed": fields.whole("Seed", "seed", base, "All randomness follows from it.", lowest=0),
        "time_limit": real(
            "Time, in seconds",
            "time_limit",
            base,
            "As many rounds are done as fit; Rounds is ignored then.",
            empty="as long as it takes",
        ),
        "tolerance": real(
            "Tolerance",
            "tolerance",
            base,
            "A restart ends when its cost falls by no more than this; 0 always takes all steps.",
        ),
        "patience": fields.whole(
            "Patience",
            "patience",
            base,
            "Steps over which the tolerance counts.",
            empty=str(own.patience),
        ),
        "stop_after": fields.whole(
            "Cut after",
            "stop_after",
            base,
            "Cuts the search short, as Stop did in a run that is repeated.",
            empty="never",
        ),
    } | fields.machine(BACKENDS, DTYPES, base)
    return RestoreConfig.preset(preset, solver=solver, **changes)


def _ask_rate(base: RestoreConfig, own: RestoreConfig) -> dict[str, Any]:
    rate = real(
        "Learning rate",
        "learning_rate",
        base,
        "Size of a step. Left empty, the solver takes its own.",
        empty=f"{own.learning_rate:g}",
    )
    schedule = st.selectbox(
        "Schedule",
        SCHEDULES,
        index=None if base.schedule is None else SCHEDULES.index(base.schedule),
        placeholder=str(own.schedule),
        key="schedule",
        bind="query-params",
        help="Learning rate over the steps: constant, or falling along a cosine to 1 %.",
    )
    return {"learning_rate": rate, "schedule": schedule}
