"""The form of the search: widgets in, a `RestoreConfig` out.

Options and defaults are read from `RestoreConfig`; every field of it has a widget, so that any
recorded run can be put into the form.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import streamlit as st

from inpaint.config import BACKENDS, DTYPES, PRESETS, SCHEDULES, SOLVERS, RestoreConfig

PRESET_NOTES = {
    "fast": "Dozens of starts, screened: finds the best image nearly always.",
    "best": "Hundreds of starts, for few pixels and odd masks.",
    "published": "One start and plain gradient descent, as first published: often stuck.",
}

OWN = ("steps", "patience", "learning_rate", "schedule")
"""Fields that a solver fills where they are left empty."""


def ask_preset() -> str:
    """The name of the preset."""
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
    """Set every widget to the new preset's value."""
    config = RestoreConfig.preset(st.session_state["preset"])
    for field in fields(config):
        st.session_state[field.name] = getattr(config, field.name)


def adopt_config(config: RestoreConfig) -> None:
    """Set every widget to a configuration's value; to be called before they are drawn."""
    settled = config.resolved()
    own = RestoreConfig(solver=config.solver).resolved()

    def likeness(name: str) -> int:
        base = RestoreConfig.preset(name).resolved()
        return sum(getattr(base, f.name) == getattr(settled, f.name) for f in fields(base))

    st.session_state["preset"] = max(PRESETS, key=likeness)
    for field in fields(settled):
        value = getattr(settled, field.name)
        left_open = field.name in OWN and value == getattr(own, field.name)
        st.session_state[field.name] = None if left_open else value


def ask_config(preset: str) -> RestoreConfig:
    """The settings of the search.

    Raises:
        InpaintError: If one of them breaks its rule.
    """
    base = RestoreConfig.preset(preset)
    solver = _choice("Solver", "solver", SOLVERS, base)
    own = RestoreConfig(solver=solver).resolved()
    changes: dict[str, Any] = {
        "restarts": _whole("Restarts", "restarts", base, "Starts followed down, per image (R)."),
        "screen": _whole(
            "Screened draws",
            "screen",
            base,
            "Random latent vectors tried first, of which the best are followed; 0 tries none.",
        ),
        "steps": _whole("Steps", "steps", base, "Steps of the solver at most.", own=own),
    }
    if solver != "lbfgs":  # It finds its own steps.
        changes |= _ask_rate(base, own)
    changes |= {
        "rounds": _whole("Rounds", "rounds", base, "How often all of this is done, anew drawn."),
        "polish": _whole("Polished", "polish", base, "Restarts of lowest cost followed further."),
        "seed": _whole("Seed", "seed", base, "All randomness follows from it."),
        "noise_level": _real(
            "Noise level, if known",
            "noise_level",
            base,
            "Standard deviation of the noise in the images, where it is known.",
            empty="unknown",
        ),
        "budget": _real(
            "Time, in seconds",
            "budget",
            base,
            "As many rounds are done as fit; Rounds is not heeded then.",
            empty="as long as it takes",
        ),
        "tolerance": _real(
            "Tolerance",
            "tolerance",
            base,
            "A restart ends when its cost falls by no more than this; 0 always takes all steps.",
        ),
        "patience": _whole(
            "Patience", "patience", base, "Steps over which the tolerance counts.", own=own
        ),
        "stop_after": _whole(
            "Cut after",
            "stop_after",
            base,
            "Cuts the search short, as Stop did in a run that is repeated.",
            empty="never",
        ),
        "backend": _choice("Backend", "backend", BACKENDS, base),
        "dtype": _choice("Precision", "dtype", DTYPES, base),
        "threads": _whole("Threads", "threads", base, "0 lets the server decide."),
        "device": st.selectbox(
            "Device",
            [base.device, "cuda"],
            key="device",
            bind="query-params",
            accept_new_options=True,
            help="Where torch computes.",
        ),
    }
    return RestoreConfig.preset(preset, solver=solver, **changes)


def _ask_rate(base: RestoreConfig, own: RestoreConfig) -> dict[str, Any]:
    rate = _real(
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


def _whole(
    label: str,
    name: str,
    base: RestoreConfig,
    text: str,
    *,
    own: RestoreConfig | None = None,
    empty: str | None = None,
) -> int | None:
    lowest = 0 if name in ("screen", "polish", "seed", "threads") else 1
    value: int | None = st.number_input(
        label,
        lowest,
        value=getattr(base, name),
        step=1,
        key=name,
        bind="query-params",
        help=text,
        placeholder=empty if own is None else str(getattr(own, name)),
    )
    return value


def _real(
    label: str, name: str, base: RestoreConfig, text: str, *, empty: str | None = None
) -> float | None:
    value: float | None = st.number_input(
        label,
        value=getattr(base, name),
        step=1e-4,
        format="%g",
        key=name,
        bind="query-params",
        help=text,
        placeholder=empty,
    )
    return value


def _choice(label: str, name: str, options: tuple[str, ...], base: RestoreConfig) -> Any:
    return st.selectbox(
        label, options, options.index(getattr(base, name)), key=name, bind="query-params"
    )
