"""Records: a job with its results as JSON, enough to repeat the job exactly.

A record is made from the fields of dataclasses, and the job in it is read back the same way, for
every command. It names the inputs by their absolute paths and keeps the hash of what was read from
them.
"""

from __future__ import annotations

import enum
import json
import math
import os
import platform
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import torch
from torch import Tensor

from inpaint.errors import ArgumentError, FileError, InpaintError
from inpaint.files.examples import bundled_names
from inpaint.files.job import (
    CalibrateJob,
    EvaluateJob,
    PosteriorJob,
    RestoreJob,
    SampleJob,
    SweepJob,
)
from inpaint.files.output import finish_writing, hash_of, write_files
from inpaint.files.training_job import TrainClassifierJob, TrainJob, TrainNetworkJob
from inpaint.files.words import Job, default_of, option_of
from inpaint.generators.pretrained import pretrained_names
from inpaint.operators import is_mask_name, is_operator_name

FORMAT = 2
"""Version of the records."""

JOBS: dict[str, type[Job]] = {
    job.command: job
    for job in (
        RestoreJob,
        PosteriorJob,
        SweepJob,
        EvaluateJob,
        CalibrateJob,
        SampleJob,
        TrainJob,
        TrainNetworkJob,
        TrainClassifierJob,
    )
}
"""Every kind of job by its command."""


@dataclass(frozen=True)
class Record:
    """A job that was recorded.

    Attributes:
        job: What was asked for.
        sha256: Hashes of its inputs, by the field of the job that names them.
        results: What came of it.
        path: Where it was read from.
    """

    job: Job
    sha256: Mapping[str, str | None]
    results: Mapping[str, Any]
    path: Path


def make_record(
    job: Job, *, sha256: Mapping[str, str | None], results: Mapping[str, Any]
) -> dict[str, Any]:
    """What a record holds.

    Args:
        job: What was asked for, with settings that repeat the results.
        sha256: Hashes of its inputs, by the field of the job that names them.
        results: What came of it: anything that `to_record` takes.
    """
    job = with_absolute_inputs(job)
    return {
        "format": FORMAT,
        "kind": job.command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": job.command_line,
        "job": to_record(job),
        "sha256": dict(sha256),
        "results": to_record(dict(results)),
        "versions": versions(),
        "machine": machine(),
    }


def encode_record(record: Mapping[str, Any]) -> bytes:
    """A record as the content of a JSON file."""
    return json.dumps(record, indent=2, allow_nan=False).encode() + b"\n"


def write_results(
    directory: str | os.PathLike[str],
    content: Mapping[str, bytes],
    name: str,
    record: Mapping[str, Any],
) -> None:
    """Write files and their record, all of them or none; see `write_files`.

    Args:
        directory: Made if it does not exist; earlier results in it are replaced.
        content: The bytes of each file, by its name.
        name: The name of the record.
        record: What it holds. The hashes of the other files are added to it as `files`.

    Raises:
        FileError: If one cannot be written; what was in the directory stays as it was.
    """
    write_files(directory, with_record(content, name, record), record=name)


def with_record(
    content: Mapping[str, bytes], name: str, record: Mapping[str, Any]
) -> dict[str, bytes]:
    """Files and the record that lists them, by their names."""
    files = {each: hash_of(data) for each, data in content.items()}
    return {**content, name: encode_record({**record, "files": files})}


def read_record(path: str | os.PathLike[str], command: str | None = None) -> Record:
    """Read a record.

    Args:
        path: The JSON file that a job has written.
        command: The command whose job it must be; None takes any.

    Raises:
        FileError: If it cannot be read, is not such a record, or does not hold a job.
    """
    path = Path(path)
    finish_writing(path.parent)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise FileError(f"{path} is not JSON; give the run.json that a run has written.") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise FileError(
            f"{path} is not a record of format {FORMAT}; give the run.json that this version has "
            "written."
        )
    kind = data.get("kind")
    if kind not in JOBS:
        raise FileError(f"{path} is not the record of a command; give a command's run.json.")
    if command not in (None, kind):
        raise FileError(
            f"{path} is the record of inpaint {kind}"
            f"{'' if command is None else f', and not of inpaint {command}'}; give another one."
        )
    try:
        job = from_record(JOBS[kind], data["job"])
        sha256, results = data["sha256"], data["results"]
        if not isinstance(sha256, dict) or not isinstance(results, dict):
            raise TypeError("its sha256 or its results are not what a record holds.")
    except KeyError as error:
        raise FileError(f"{path} cannot be repeated: it has no {error}.") from error
    except (TypeError, ValueError, InpaintError) as error:
        raise FileError(f"{path} cannot be repeated: {error}") from error
    return Record(job, sha256, results, path)


def check_inputs(record: Record, job: Job, sha256: Mapping[str, str | None]) -> None:
    """Check that a job is repeated on the inputs that it was recorded with.

    Args:
        record: What was recorded.
        job: What is repeated; its inputs may lie elsewhere now.
        sha256: Hashes of its inputs.

    Raises:
        FileError: If an input has changed since.
    """
    inputs = {each.name: each for each in fields(job)}  # type: ignore[arg-type]
    for name, digest in sha256.items():
        recorded = record.sha256.get(name)
        if digest == recorded:
            continue
        each = inputs[name]
        argument = each.name.upper() if each.metadata["argument"] else option_of(each)
        raise FileError(
            f"{argument} is {str(getattr(job, name))!r}, whose content has changed since the run "
            f"was recorded (hash {str(digest)[:12]}, recorded {str(recorded)[:12]}); give the "
            f"original as {argument}, or start a new run without --from-run."
        )


def with_absolute_inputs(job: Job) -> Job:
    """The job with absolute paths of its files, so that it can be repeated from any folder."""
    return _with_inputs(job, {name: _absolute(value) for name, value in _inputs(job).items()})


def with_moved_inputs(job: Job, moved: Mapping[str, Any]) -> Job:
    """The job with new places for files that have moved.

    Args:
        job: What was recorded.
        moved: New places by the names of the job's fields.

    Raises:
        ArgumentError: If a field does not name a file in this job.
    """
    inputs = _inputs(job)
    for name, place in moved.items():
        if inputs[name] is None or _is_name(inputs[name]):
            each = next(each for each in fields(job) if each.name == name)  # type: ignore[arg-type]
            raise ArgumentError(
                f"--from-run repeats a run as it was, without a file for {option_of(each)}; "
                f"{option_of(each)} {place} would change it. Leave one of the two out."
            )
    return _with_inputs(job, moved)


def to_record(value: Any) -> Any:
    """A value as JSON holds it, dataclasses by their fields.

    Tensors, arrays, functions and generators are left out: files of arrays hold them. Numbers
    that are not finite become null.
    """
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((each.name, getattr(value, each.name)) for each in fields(value))
        return {name: to_record(item) for name, item in pairs if not _left_out(item)}
    if isinstance(value, Mapping):
        return {str(key): to_record(item) for key, item in value.items() if not _left_out(item)}
    if isinstance(value, enum.Enum):
        return value.name.lower().replace("_", " ")
    if isinstance(value, (list, tuple)):
        return [to_record(item) for item in value if not _left_out(item)]
    if isinstance(value, Real) and not isinstance(value, (bool, Integral)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, Path):
        return str(value)
    return value


def from_record(kind: Any, data: Any, name: str = "job") -> Any:
    """The value of a type that `to_record` wrote.

    Args:
        kind: A dataclass, or the type of one of its fields.
        data: What JSON held.
        name: What it is, for messages.

    Raises:
        TypeError: If the data is of another type.
        InpaintError: If a value breaks a rule of its dataclass.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        if data is None and type(None) in arguments:
            return None
        inner = [part for part in arguments if part is not type(None)]
        words = [part for part in inner if get_origin(part) is Literal and data in get_args(part)]
        return from_record((words or inner)[0], data, name)
    if is_dataclass(kind):
        return _dataclass_from_record(kind, data, name)
    if origin is tuple:
        if not isinstance(data, list):
            raise TypeError(f"its {name} is {data!r}.")
        parts = arguments[:1] * len(data) if arguments[-1] is Ellipsis else arguments
        return tuple(from_record(*pair, name) for pair in zip(parts, data, strict=True))
    if origin is Literal:
        if data not in arguments:
            raise TypeError(f"its {name} is {data!r}; it must be one of {', '.join(arguments)}.")
        return data
    wanted: Any = {float: (float, int), Path: str}.get(kind, kind)
    if not isinstance(data, wanted) or (isinstance(data, bool) and kind is not bool):
        raise TypeError(f"its {name} is {data!r}.")
    return kind(data)


def machine() -> dict[str, str | int | None]:
    """The machine that computed, without anything that identifies it."""
    return {
        "system": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
    }


def versions() -> dict[str, str]:
    """Versions of everything that a result can depend on."""
    found = {"python": platform.python_version(), "torch": torch.__version__}
    for name in ("inpaint", "numpy", "scipy", "scikit-image", "matplotlib"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _dataclass_from_record(kind: Any, data: Any, name: str) -> Any:
    if not isinstance(data, dict):
        raise TypeError(f"its {name} is {data!r}.")
    hints = get_type_hints(kind)
    known = {each.name: each for each in fields(kind)}
    for key in data:
        if key not in known:
            raise TypeError(f"its {name} holds {key!r}, which this version does not know.")
    missing = [k for k, each in known.items() if k not in data and default_of(each) is MISSING]
    if missing:
        raise TypeError(f"it has no {missing[0]!r}.")
    return kind(**{key: from_record(hints[key], item, key) for key, item in data.items()})


def _left_out(value: Any) -> bool:
    """Whether a record does not hold a value."""
    if isinstance(value, (list, tuple)):
        return len(value) > 0 and all(isinstance(item, Tensor) for item in value)
    plain = (str, Real, bool, type(None), enum.Enum, Path, Mapping)
    return not (isinstance(value, plain) or is_dataclass(value)) or hasattr(value, "image_shape")


def _inputs(job: Job) -> dict[str, Any]:
    """The values of a job's fields that name files."""
    return {
        each.name: getattr(job, each.name)
        for each in fields(job)  # type: ignore[arg-type]
        if each.metadata.get("is_input")
    }


def _with_inputs(job: Job, inputs: Mapping[str, Any]) -> Job:
    return replace(job, **inputs)  # type: ignore[type-var]


def _absolute(value: Any) -> Any:
    """The absolute path of a file or folder; a name stays unchanged."""
    if isinstance(value, tuple):
        return tuple(_absolute(item) for item in value)
    if value is None or _is_name(value) or not Path(value).exists():
        return value
    return type(value)(Path(value).resolve())


def _is_name(value: Any) -> bool:
    """Whether a value names what the package ships, or damage, rather than a file."""
    if not isinstance(value, str):
        return False
    shipped = (*bundled_names(), *pretrained_names())
    return value in shipped or is_mask_name(value) or is_operator_name(value)
