"""The form of a sampling: widgets in, a `PosteriorConfig` out.

Options and defaults are read from `PosteriorConfig`; every field of it has a widget. Those that
a search has too keep its names in the URL.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import streamlit as st

from inpaint.config import BACKENDS, DTYPES
from inpaint.posterior import PosteriorConfig
from inpaint.posterior.config import STARTS

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"particles": 96},
    "usual": {},
    "thorough": {"particles": 1024},
}
"""What each preset changes of the defaults."""

NOTES = {
    "quick": "Few particles: converges where one image fits.",
    "usual": "Four runs that check one another.",
    "thorough": "Many particles, for several images that fit equally well.",
}

KEYS = {"budget": "gradients"}
"""Keys of widgets that are not named as their field: a search's budget is a time."""


def ask_preset() -> str:
    """The name of the preset."""
    preset = st.segmented_control(
        "Sampling",
        list(PRESETS),
        default="usual",
        required=True,
        key="sampling",
        on_change=_adopt_preset,
        bind="query-params",
        width="stretch",
    )
    st.caption(NOTES.get(preset, ""))
    return str(preset)


def _adopt_preset() -> None:
    """Set every widget to the new preset's value."""
    config = PosteriorConfig(**PRESETS.get(st.session_state["sampling"], {}))
    for field in fields(config):
        st.session_state[KEYS.get(field.name, field.name)] = getattr(config, field.name)


def ask_config(preset: str) -> PosteriorConfig:
    """The settings of the sampling.

    Raises:
        InpaintError: If one of them breaks its rule.
    """
    base = PosteriorConfig(**PRESETS.get(preset, {}))
    return PosteriorConfig(
        particles=_whole("Particles", "particles", base, "Points that each run moves."),
        runs=_whole("Runs", "runs", base, "Independent runs; where they agree, it converged."),
        start=_choice(
            "Start",
            "start",
            STARTS,
            base,
            "From random draws, or from the images that a quick search finds.",
        ),
        moves=_whole("Moves", "moves", base, "Moves of each particle at each temperature."),
        leapfrog=_whole("Steps of a move", "leapfrog", base, "Each is one gradient."),
        final_stages=_whole(
            "Last rounds", "final_stages", base, "Rounds of moves after the posterior is reached."
        ),
        ess_target=_real(
            "Share that stays effective",
            "ess_target",
            base,
            "Of the particles, from one temperature to the next; a higher one takes smaller steps.",
        ),
        acceptance=_real(
            "Accepted moves", "acceptance", base, "Share that the length of the moves aims at."
        ),
        seed=_whole("Seed", "seed", base, "All randomness follows from it."),
        noise_level=_real(
            "Noise level, if known",
            "noise_level",
            base,
            "Standard deviation of the noise in the images; left empty, it is inferred as well.",
            empty="unknown",
        ),
        misfit_weight=_real(
            "Weight of the misfit",
            "misfit_weight",
            base,
            "1 is the posterior. Less suits images that the generator cannot draw exactly: what is "
            "left over then says less than as much noise, and the intervals become wider.",
        ),
        budget=_whole(
            "Gradients at most",
            "budget",
            base,
            "For each image; where they do not suffice, no intervals are shown.",
            empty="as many as it takes",
        ),
        backend=_choice("Backend", "backend", BACKENDS, base),
        dtype=_choice("Precision", "dtype", DTYPES, base),
        threads=_whole("Threads", "threads", base, "0 lets the server decide."),
        device=st.selectbox(
            "Device",
            [base.device, "cuda"],
            key="device",
            bind="query-params",
            accept_new_options=True,
            help="Where torch computes.",
        ),
    )


def _whole(
    label: str, name: str, base: PosteriorConfig, text: str, *, empty: str | None = None
) -> Any:
    return st.number_input(
        label,
        0 if name in ("final_stages", "seed", "threads") else 1,
        value=getattr(base, name),
        step=1,
        key=KEYS.get(name, name),
        bind="query-params",
        help=text,
        placeholder=empty,
    )


def _real(
    label: str, name: str, base: PosteriorConfig, text: str, *, empty: str | None = None
) -> Any:
    return st.number_input(
        label,
        value=getattr(base, name),
        step=0.01,
        format="%g",
        key=KEYS.get(name, name),
        bind="query-params",
        help=text,
        placeholder=empty,
    )


def _choice(
    label: str, name: str, options: tuple[str, ...], base: PosteriorConfig, text: str | None = None
) -> Any:
    return st.selectbox(
        label, options, options.index(getattr(base, name)), key=name, bind="query-params", help=text
    )
