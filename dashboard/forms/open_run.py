"""Opening a run.json: the form is set to the recorded job.

The record is the user's own file: nothing that it names is read from this machine's disk. Files
that were uploaded are asked for again, and compared by their hash.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import streamlit as st

from forms import damage, operators, search_settings, sources
from forms.request import ESTIMATE, USUAL
from forms.sources import UPLOAD, Upload
from inpaint.checks import check_choice, check_integer, check_number
from inpaint.errors import ArgumentError, FileError, InpaintError
from inpaint.files.examples import bundled_names
from inpaint.files.job import RestoreJob
from inpaint.files.record import Record, read_record
from inpaint.generators.kind import CONTENTS
from inpaint.generators.pretrained import pretrained_names
from inpaint.operators import is_mask_name, is_operator_name

KEY = "opened"
KINDS = {"source": "data", "generator": "generator", "mask": "mask", "operator": "operator"}
"""The kind of upload for each field of a job that names an input."""

LARGEST = 2**53 - 1
"""The largest whole number that a browser holds exactly."""


@dataclass(frozen=True)
class Opened:
    """A job that was opened.

    Attributes:
        job: What the form was set to; files are named without their folders.
        costs: Cost of each image as it was recorded.
        digests: Hashes of the inputs.
        backend: What it ran on.
    """

    job: RestoreJob
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
        record, made = sources.read(file.name, file.getvalue(), _read)
        opened = _as_opened(record)
        job = record.job
        assert isinstance(job, RestoreJob)
        _check(job)
        _adopt(job, made)
    except InpaintError as error:
        st.session_state[f"{KEY} problem"] = str(error)
        return
    st.session_state[KEY] = opened


def get_opened() -> Opened | None:
    """The job that was opened last, if there is one."""
    opened: Opened | None = st.session_state.get(KEY)
    return opened


def _read(path: Path) -> tuple[Record, dict[str, bytes]]:
    """A record, and what was made on the page for it."""
    record = read_record(path, "restore")
    return record, _made_files(json.loads(path.read_text(encoding="utf-8")))


def _as_opened(record: Record) -> Opened:
    """What a result is compared with; the record may hold anything.

    Raises:
        FileError: If it holds no costs.
    """
    assert isinstance(record.job, RestoreJob)
    try:
        costs = tuple(image["cost"] for image in record.results["images"])
    except (KeyError, TypeError) as error:
        raise FileError(f"{record.path.name} holds no costs; give it as it was written.") from error
    return Opened(
        job=_named(record.job),
        costs=costs,
        digests={name: str(digest) for name, digest in record.sha256.items()},
        backend=str(record.results.get("backend")),
    )


def _check(job: RestoreJob) -> None:
    """Refuse values that the widgets cannot hold and no other code has checked.

    Raises:
        ArgumentError: If there is one.
    """
    check_integer("keep", job.keep, 1, LARGEST)
    check_integer("seed", job.config.seed, 0, LARGEST)
    check_number("noise", job.noise, positive=False)
    known = (
        ("orientation", ("rows", "columns")),
        ("ink", ("dark", "light")),
        ("kind", tuple(CONTENTS)),
    )
    for name, choices in known:
        if getattr(job, name) is not None:
            check_choice(name, getattr(job, name), choices)
    for name, is_no_file in (("mask", is_mask_name), ("operator", is_operator_name)):
        text = getattr(job, name)
        try:
            if text is not None and is_no_file(text):
                [float(number) for number in text.split(":")[1:]]
        except ValueError as error:
            raise ArgumentError(f"{name} is {text!r}, whose numbers cannot be read.") from error


def _adopt(job: RestoreJob, made: dict[str, bytes]) -> None:
    """Set every widget to a job, and take over what was made on the page for it."""
    state = st.session_state
    state[ESTIMATE] = job.estimate or ("mean" if job.posterior else USUAL)
    state["images"] = job.source if job.source in bundled_names() else UPLOAD
    state["generator"] = job.generator if job.generator in pretrained_names() else UPLOAD
    state["numbers"] = "" if job.numbers is None else ",".join(map(str, job.numbers))
    state["orientation"], state["ink"], state["kind"] = job.orientation, job.ink, job.kind
    state["damaged"] = job.damaged
    state["range"] = "" if job.value_range is None else "{!r}:{!r}".format(*job.value_range)
    operators.adopt_operator(job.operator)
    damage.adopt_damage(job, made="mask" in made)
    search_settings.adopt_config(job.config)
    named = _files(job)
    for name, kind in KINDS.items():
        sources.forget(kind)
        if name in made:
            data = made[name]
            token = hashlib.sha256(data).hexdigest()
            state[f"kept {kind}"] = Upload(named[name], token, data, made=True)
        elif name in named:
            state[f"awaited {kind}"] = named[name]


def _files(job: RestoreJob) -> dict[str, str]:
    """The inputs of a job that are files, by their names without a folder."""
    inputs = {
        "source": None if job.source in bundled_names() else job.source,
        "generator": None if job.generator in pretrained_names() else job.generator,
        "mask": None if is_mask_name(job.mask or "") else job.mask,
        "operator": None if is_operator_name(job.operator or "") else job.operator,
    }
    return {name: Path(text).name for name, text in inputs.items() if text is not None}


def _named(job: RestoreJob) -> RestoreJob:
    """A job whose files are named without their folders, like those of an upload."""
    changes: dict[str, Any] = _files(job)
    return replace(job, **changes)


def _made_files(record: dict[str, Any]) -> dict[str, bytes]:
    """What was made on the page, by the field that names it; the record may hold anything.

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
