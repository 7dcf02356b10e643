"""The form of a sampling: widgets in, a `PosteriorConfig` out.

Options and defaults are read from `PosteriorConfig`; every field of it has a widget. Settings that
a search has too keep its names in the URL.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import streamlit as st

from forms import fields
from inpaint.config import BACKENDS, DTYPES
from inpaint.posterior.config import STARTS, PosteriorConfig

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"particles": 96},
    "usual": {},
    "thorough": {"particles": 1024},
}
"""What each preset changes of the defaults."""

CAPTIONS = {
    "quick": "Few particles: converges where one image fits.",
    "usual": "Four chains that check one another.",
    "thorough": "Many particles, for several images that fit equally well.",
}

real = partial(fields.real, step=0.01)


def ask_preset() -> str:
    """The name of the preset."""
    preset = fields.preset("Sampling", list(PRESETS), "usual", key="sampling", adopt=_adopt_preset)
    st.caption(CAPTIONS.get(preset, ""))
    return preset


def _adopt_preset() -> None:
    """Set every widget to the new preset's value."""
    config = PosteriorConfig(**PRESETS.get(st.session_state["sampling"], {}))
    for field in dataclasses.fields(config):
        st.session_state[field.name] = getattr(config, field.name)


def ask() -> PosteriorConfig:
    """The preset, and all settings in an expander.

    Raises:
        InpaintError: If one of them breaks its rule.
    """
    preset = ask_preset()
    with st.expander("Sampling settings"):
        return ask_config(preset)


def ask_config(preset: str) -> PosteriorConfig:
    """The settings of the sampling.

    Raises:
        InpaintError: If one of them breaks its rule.
    """
    base = PosteriorConfig(**PRESETS.get(preset, {}))
    return PosteriorConfig(
        particles=fields.whole("Particles", "particles", base, "Points that each chain moves."),
        chains=fields.whole(
            "Chains", "chains", base, "Independent chains; where they agree, it converged."
        ),
        start=fields.choice(
            "Start",
            "start",
            STARTS,
            base,
            "From the images that each chain finds by itself, or from random draws alone.",
        ),
        moves=fields.whole("Moves", "moves", base, "Moves of each particle at each temperature."),
        leapfrog=fields.whole("Steps of a move", "leapfrog", base, "Each is one gradient."),
        jumps=fields.whole(
            "Offered jumps",
            "jumps",
            base,
            "Places offered to each particle in a last round, so that it passes between images "
            "that fit; 0 offers none.",
            lowest=0,
        ),
        final_stages=fields.whole(
            "Last rounds",
            "final_stages",
            base,
            "Rounds of moves after the posterior is reached.",
            lowest=0,
        ),
        ess_target=real(
            "Share that stays effective",
            "ess_target",
            base,
            "Of the particles, from one temperature to the next; a higher one takes smaller steps.",
        ),
        acceptance=real(
            "Accepted moves", "acceptance", base, "Share that the length of the moves aims at."
        ),
        seed=fields.whole("Seed", "seed", base, "All randomness follows from it.", lowest=0),
        misfit_weight=real(
            "Weight of the misfit",
            "misfit_weight",
            base,
            "1 is the posterior. Less suits images that the generator cannot draw exactly: what is "
            "left over then says less than as much noise, and the intervals become wider.",
        ),
        max_gradients=fields.whole(
            "Gradients at most",
            "max_gradients",
            base,
            "For each image; where they do not suffice, no intervals are shown.",
            empty="as many as it takes",
        ),
        **fields.machine(BACKENDS, DTYPES, base),
    )
