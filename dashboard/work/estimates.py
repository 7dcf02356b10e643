"""Which image of a restoration is shown: that of lowest cost, or an estimate of the posterior.

What is done is what `inpaint restore --estimate` does, by the same functions.
"""

from __future__ import annotations

import time
from dataclasses import replace

import streamlit as st
from forms.widgets import USUAL

from inpaint.files.problem import Problem
from inpaint.posterior.estimates import ESTIMATES
from inpaint.posterior.real import REAL_ESTIMATES, settings_for_real
from inpaint.posterior.sampled import Sampled, Wish, sample
from inpaint.types import Restoration
from work.posteriors import Watch
from work.runner import WORKER_THREADS, Report

KEY = "estimate"
NAMES = (*ESTIMATES, *REAL_ESTIMATES)


def ask() -> str:
    """The name of an estimate."""
    name = st.selectbox(
        "Show",
        NAMES,
        key=KEY,
        bind="query-params",
        help="Which image the Output is. All but the minimum sample the posterior too, which "
        "takes about a second an image.",
    )
    if name in REAL_ESTIMATES:
        st.caption(f"For images that the generator cannot draw. {REAL_ESTIMATES[name].sentence}")
    elif name != USUAL:
        st.caption(ESTIMATES[name].sentence)
    return str(name)


def wish_of(problem: Problem, name: str) -> Wish | None:
    """What the command line would be told; None where the search alone is enough.

    Raises:
        InpaintError: If there can be no such estimate of what is observed.
    """
    wish = Wish.of(False, name, problem.run.config)
    if wish is not None:
        wish.check(problem.measurement, problem.generator)
    return wish


def find(problem: Problem, restoration: Restoration, wish: Wish, report: Report) -> Sampled | None:
    """Sample the posterior beside a search. Runs in a worker.

    Args:
        problem: What was restored.
        restoration: What the search has found.
        wish: How to sample, and what to take of it.
        report: Hears how far it is.

    Returns:
        None if it was stopped: what is half sampled cannot be had again.
    """
    config = replace(wish.config, threads=wish.config.threads or WORKER_THREADS)
    real = wish.estimate in REAL_ESTIMATES
    settled = settings_for_real(config, problem.generator) if real else config
    watch = Watch(settled, 1, report, time.monotonic())
    watch.begin(0)
    found = sample(
        problem.measurement,
        problem.generator,
        config,
        restoration=restoration,
        estimate=wish.estimate,
        on_progress=watch.note,
    )
    if found.posterior.cancelled:
        return None
    # The number of threads is this server's affair, and changes no result.
    settled = replace(found.posterior.config, threads=wish.config.threads)
    return replace(found, posterior=replace(found.posterior, config=settled))
