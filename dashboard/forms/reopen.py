"""Opening a run.json: the form is set to the recorded run, and the result held against it.

The record is the user's own file: nothing that it names is read from this machine's disk. Files
that were uploaded are asked for again, and seen to be the same by their hash.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import streamlit as st
from parts.results import Result
from work import estimates

from forms import damage, observed, settings, sources
from forms.sources import UPLOAD, Upload
from forms.widgets import USUAL
from inpaint.checks import check_choice, check_integer, check_number
from inpaint.errors import ArgumentError, FileError, InpaintError
from inpaint.files.examples import bundled_names
from inpaint.files.job import Run
from inpaint.files.record import read_run
from inpaint.generators.pretrained import pretrained_names
from inpaint.operators import names_operator, names_preset

KEY = "opened"
KINDS = {"images": "data", "generator": "generator", "mask": "mask", "operator": "operator"}
"""Names of a record's inputs, and of the session's uploads."""

LARGEST = 2**53 - 1
"""The largest whole number that a browser holds exactly."""


@dataclass(frozen=True)
class Opened:
    """A run that was opened.

    Attributes:
        run: What the form was set to; files are named without their folders.
        costs: Cost of each image as it was recorded.
        digests: Hashes of the inputs.
        backend: What it ran on.
    """

    run: Run
    costs: tuple[float | None, ...]
    digests: dict[str, str]
    backend: str


def ask() -> None:
    """Let the user choose a run.json; the form is set to it before the page is drawn again."""
    with st.sidebar.expander("Open a run", icon=":material/folder_open:"):
        st.file_uploader(
            "run.json",
            type="json",
            key="opened file",
            on_change=_open,
            help="As `inpaint restore` or the button Record has written it: the whole form is set "
            "to that run.",
        )
        problem = st.session_state.get(f"{KEY} problem")
        if problem:
            st.error(problem, icon=":material/error:")


def _open() -> None:
    """Set the form. Called before the page is drawn."""
    st.session_state.pop(KEY, None)
    st.session_state.pop(f"{KEY} problem", None)
    file = st.session_state.get("opened file")
    if file is None:
        return
    try:
        run, record = sources.read(file.name, file.getvalue(), read_run)
        made = _made_files(record)
        _check(run)
        _adopt(run, made)
        asked = record.get("estimate")
        st.session_state[estimates.KEY] = asked if asked in estimates.NAMES else USUAL
    except InpaintError as error:
        st.session_state[f"{KEY} problem"] = str(error)
        return
    st.session_state[KEY] = Opened(
        run=_named(run),
        costs=tuple(image["cost"] for image in record["images"]),
        digests={name: str(digest) for name, digest in record["sha256"].items()},
        backend=str(record.get("backend")),
    )


def _check(run: Run) -> None:
    """See that the widgets can hold what nothing has checked yet.

    Raises:
        ArgumentError: If one of them cannot.
    """
    check_integer("keep", run.keep, 1, LARGEST)
    check_integer("seed", run.config.seed, 0, LARGEST)
    check_number("noise", run.noise, positive=False)
    for name, choices in (("orientation", ("rows", "columns")), ("ink", ("dark", "light"))):
        if getattr(run, name) is not None:
            check_choice(name, getattr(run, name), choices)
    for name, is_no_file in (("mask", names_preset), ("operator", names_operator)):
        text = getattr(run, name)
        try:
            if text is not None and is_no_file(text):
                [float(number) for number in text.split(":")[1:]]
        except ValueError as error:
            raise ArgumentError(f"{name} is {text!r}, whose numbers cannot be read.") from error


def _adopt(run: Run, made: dict[str, bytes]) -> None:
    """Set every widget to a run, and take over what was made on the page for it."""
    state = st.session_state
    state["images"] = run.source if run.source in bundled_names() else UPLOAD
    state["generator"] = run.generator if run.generator in pretrained_names() else UPLOAD
    state["numbers"] = "" if run.numbers is None else ",".join(map(str, run.numbers))
    state["orientation"], state["ink"] = run.orientation, run.ink
    state["range"] = "" if run.value_range is None else "{!r}:{!r}".format(*run.value_range)
    observed.adopt_operator(run.operator)
    damage.adopt_damage(run, made="mask" in made)
    settings.adopt_config(run.config)
    named = _files(run)
    for name, kind in KINDS.items():
        sources.forget(kind)
        if name in made:
            data = made[name]
            token = hashlib.sha256(data).hexdigest()
            state[f"kept {kind}"] = Upload(named[name], token, data, made=True)
        elif name in named:
            state[f"awaited {kind}"] = named[name]


def _files(run: Run) -> dict[str, str]:
    """The inputs of a run that are files, by their names without a folder."""
    inputs = {
        "images": None if run.source in bundled_names() else run.source,
        "generator": None if run.generator in pretrained_names() else run.generator,
        "mask": None if run.mask is None or names_preset(run.mask) else run.mask,
        "operator": None if run.operator is None or names_operator(run.operator) else run.operator,
    }
    return {name: Path(text).name for name, text in inputs.items() if text is not None}


def _named(run: Run) -> Run:
    """A run whose files are named without their folders, as those of an upload are."""
    changes: dict[str, Any] = _files(run)
    if "images" in changes:
        changes["source"] = changes.pop("images")
    return replace(run, **changes)


def _made_files(record: dict[str, Any]) -> dict[str, bytes]:
    """What was made on the page, by the input that it is; the record may hold anything.

    Raises:
        FileError: If it cannot be decoded.
    """
    made = record.get("made", {})
    try:
        return {
            name: base64.b64decode(text, validate=True)
            for name, text in made.items()
            if name in KINDS
        }
    except (AttributeError, TypeError, ValueError, binascii.Error) as error:
        raise FileError(
            "The file's 'made' cannot be read; give the run.json as it was written."
        ) from error


def compare(shown: Result) -> None:
    """Say whether a result is that of the run that was opened."""
    opened: Opened | None = st.session_state.get(KEY)
    if opened is None or not _is_same(shown.problem.run, opened.run):
        return
    digests = shown.problem.digests()
    changed = [name for name, digest in digests.items() if digest != opened.digests.get(name)]
    costs = tuple(row.cost if math.isfinite(row.cost) else None for row in shown.comparison.rows)
    if changed:
        names = " and ".join(changed)
        st.warning(
            f"This is not the run that was opened: other {names} stood in its files.",
            icon=":material/warning:",
        )
    elif costs == opened.costs:
        st.caption(":material/task_alt: The costs are equal to those of the opened run.")
    else:
        st.warning(
            f"The costs differ from those of the opened run, which ran on {opened.backend}.",
            icon=":material/warning:",
        )


def _is_same(run: Run, other: Run) -> bool:
    """Whether two runs ask for the same, be it said in full or not."""

    def settle(one: Run) -> Run:
        unheeded = one.mask is not None or one.operator is not None
        keep = 0 if unheeded else one.keep
        config = replace(one.config.resolved(), threads=0)
        return replace(one, keep=keep, numbers=None, config=config)

    return settle(run) == settle(other)
