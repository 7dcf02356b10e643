"""Runs as records: what determines a restoration, and what is kept of it on disk.

`run.json` alone is enough to repeat a run: it names the inputs, holds the hash of what was
read from them, and every setting.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import platform
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from inpaint.config import RestoreConfig
from inpaint.errors import FileError, InpaintError
from inpaint.files.problem import Problem, Run
from inpaint.plots.columns import draw_comparison, draw_modes, to_png
from inpaint.plots.comparison import Comparison, Row, compare
from inpaint.search.verdict import Verdict
from inpaint.types import Measurement, Restoration

FORMAT = 1
"""Version of `run.json`."""


def describe_run(
    problem: Problem, restoration: Restoration, comparison: Comparison | None = None
) -> dict[str, Any]:
    """What `run.json` holds: inputs, settings, versions and each image's figures.

    Args:
        problem: What was restored.
        restoration: The result.
        comparison: The result beside the ideal, if it was made already.
    """
    run = replace(problem.run, config=restoration.config.resolved())
    if comparison is None:
        comparison = compare(problem.measurement, problem.generator, restoration)
    return {
        "format": FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": run.command,
        "source": _absolute(run.source),
        "source_description": problem.image_set.source,
        "source_notes": list(problem.image_set.notes),
        "generator": _absolute(run.generator),
        "keep": run.keep,
        "mask": None if run.mask is None else _absolute(run.mask),
        "operator": None if run.operator is None else _absolute(run.operator),
        "orientation": run.orientation,
        "ink": run.ink,
        "value_range": None if run.value_range is None else list(run.value_range),
        "noise": run.noise,
        "numbers": list(problem.measurement.numbers),
        "config": asdict(run.config),
        "budget": problem.run.config.budget,
        "sha256": problem.digests(),
        "backend": restoration.backend,
        "reasons": list(restoration.reasons),
        "seconds": restoration.seconds,
        "evaluations": int(restoration.evaluations.sum()),
        "versions": versions(),
        "machine": machine(),
        "images": [describe_row(row) for row in comparison.rows],
    }


def describe_row(row: Row) -> dict[str, Any]:
    """One image's figures; those against the ideal only where it is known, None if not finite."""
    figures: dict[str, Any] = {
        "number": row.number,
        "cost": finite(row.cost),
        "noise_level": finite(row.noise_level),
        "status": row.status.label,
    }
    if row.metrics is not None:
        figures |= {name: finite(value) for name, value in asdict(row.metrics).items()}
    return figures | _describe_verdict(row.verdict)


def _describe_verdict(verdict: Verdict | None) -> dict[str, Any]:
    """What is known of an image besides its figures; nothing where the operator is no mask."""
    if verdict is None:
        return {"verdict": None}
    search = verdict.search
    return {
        "verdict": {
            "flag": verdict.flag,
            "sentence": verdict.sentence,
            "checks": {
                check.name: {
                    "fired": check.fired,
                    "value": finite(check.value),
                    "limit": finite(check.limit),
                    "sentence": check.sentence,
                }
                for check in verdict.checks
            },
        },
        "noise_interval": [finite(level) for level in verdict.noise_interval],
        "expected_error": finite(verdict.expected_error),
        "success_rate": search.rate,
        "success_interval": list(search.interval),
        "restarts_for_99": search.restarts_for_99,
        "modes": [
            {
                "cost": finite(mode.cost),
                "gap": finite(mode.gap),
                "starts": mode.starts,
                "weight": mode.weight,
                "restart": mode.restart,
            }
            for mode in search.modes
        ],
    }


def pack_arrays(
    measurement: Measurement,
    restoration: Restoration,
    more: Mapping[str, NDArray[Any]] | None = None,
) -> bytes:
    """What `restoration.npz` holds: the arrays of the two, by their names, and `more`."""
    names = (
        "images", "latents", "costs", "history", "status", "best", "noise_level", "evaluations",
    )  # fmt: skip
    arrays = {name: getattr(restoration, name).numpy() for name in names}
    arrays |= more or {}
    arrays["measurement"] = measurement.values.cpu().numpy()
    arrays["numbers"] = np.array(measurement.numbers)
    if measurement.operator.observed is not None:
        arrays["mask"] = measurement.operator.observed.cpu().numpy()
    if measurement.weights is not None:
        arrays["weights"] = measurement.weights.cpu().numpy()
    if measurement.ideal is not None:
        arrays["ideal"] = measurement.ideal.cpu().numpy()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def write_run(
    directory: str | os.PathLike[str],
    problem: Problem,
    restoration: Restoration,
    comparison: Comparison,
    *,
    more: Mapping[str, Any] | None = None,
    arrays: Mapping[str, NDArray[Any]] | None = None,
) -> Path:
    """Write figure.png, restoration.npz, run.json and, of masked images, modes.png: all or none.

    Args:
        directory: Made if it is not there; results of an earlier run in it are replaced.
        problem: What was restored.
        restoration: The result.
        comparison: The result as figures.
        more: What else run.json shall hold, such as of the posterior.
        arrays: What else restoration.npz shall hold.

    Returns:
        The path of run.json.

    Raises:
        FileError: If the directory cannot be written; what was in it stays as it was.
    """
    record = describe_run(problem, restoration, comparison) | dict(more or {})
    content = {
        "figure.png": to_png(draw_comparison(comparison)),
        "restoration.npz": pack_arrays(problem.measurement, restoration, arrays),
        "run.json": json.dumps(record, indent=2, allow_nan=False).encode() + b"\n",
    }
    if any(row.verdict is not None for row in comparison.rows):
        content["modes.png"] = to_png(draw_modes(comparison))
    write_files(directory, content)
    if "modes.png" not in content:
        with _as_file_error(Path(directory)):
            (Path(directory) / "modes.png").unlink(missing_ok=True)
    return Path(directory) / "run.json"


def write_files(directory: str | os.PathLike[str], content: Mapping[str, bytes]) -> None:
    """Write files into a directory, all of them or none.

    Raises:
        FileError: If one cannot be written.
    """
    directory = Path(directory)
    written: dict[Path, Path] = {}
    with _as_file_error(directory):
        directory.mkdir(parents=True, exist_ok=True)
        try:
            for name, data in content.items():
                partial = directory / f".{name}.{uuid.uuid4().hex}.partial"
                written[partial] = directory / name
                partial.write_bytes(data)
            for target in written.values():
                if target.is_dir():
                    raise OSError(f"{target.name} is a directory")
            for partial, target in written.items():
                partial.replace(target)
        finally:
            for partial in written:
                partial.unlink(missing_ok=True)


def check_writable(directory: str | os.PathLike[str]) -> Path:
    """Make a directory and see that files can be written there, before long work is begun.

    Raises:
        FileError: If it cannot be written.
    """
    directory = Path(directory)
    with _as_file_error(directory):
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    return directory


def read_run(path: str | os.PathLike[str]) -> tuple[Run, dict[str, Any]]:
    """Read run.json.

    Returns:
        What to run, and the whole record.

    Raises:
        FileError: If it cannot be read or is no record of a run.
    """
    path = Path(path)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise FileError(f"{path} is not JSON; give the run.json that a run has written.") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise FileError(
            f"{path} is no record of format {FORMAT}; give the run.json that a run has written."
        )
    try:
        run = Run(
            source=_typed(record, "source", str),
            generator=_typed(record, "generator", str),
            keep=_typed(record, "keep", int),
            mask=_optional(record, "mask"),
            operator=_optional(record, "operator"),
            **_reading(record),
            noise=float(_typed(record, "noise", (int, float))),
            numbers=tuple(int(number) for number in _typed(record, "numbers", list)),
            config=RestoreConfig(**_typed(record, "config", dict)),
        )
        _typed(record, "sha256", dict)
        for image in _typed(record, "images", list):
            _typed(image, "cost", (float, int, type(None)))
    except (TypeError, ValueError, InpaintError) as error:
        raise FileError(f"{path} cannot be repeated: {error}") from error
    return run, record


def check_inputs(problem: Problem, record: Mapping[str, Any]) -> None:
    """See that a run is repeated on the very inputs that it was recorded with.

    Raises:
        FileError: If an input has changed since.
    """
    inputs = {
        "images": ("SOURCE", problem.run.source),
        "generator": ("--generator", problem.run.generator),
        "mask": ("--mask", problem.run.mask),
        "operator": ("--operator", problem.run.operator),
    }
    for name, digest in problem.digests().items():
        argument, value = inputs[name]
        recorded = str(record["sha256"].get(name))
        if digest != recorded:
            raise FileError(
                f"{argument} is {value!r}, whose content has changed since the run was recorded "
                f"(hash {digest[:12]}, recorded {recorded[:12]}); give the original as {argument}, "
                "or start a new run without --from-run."
            )


def machine() -> dict[str, str | int | None]:
    """What computed, without anything that names it."""
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


def _typed(record: Any, name: str, kind: type | tuple[type, ...]) -> Any:
    if name not in record:
        raise TypeError(f"it has no {name!r}.")
    value = record[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"its {name!r} is {value!r}.")
    return value


def _optional(record: Any, name: str) -> str | None:
    """A text of a record; earlier records do not have it."""
    text: str | None = _typed(record, name, (str, type(None))) if name in record else None
    return text


def _reading(record: Any) -> dict[str, Any]:
    """How the source was read, where that was not left to the reader."""
    found: dict[str, Any] = {name: _optional(record, name) for name in ("orientation", "ink")}
    if record.get("value_range") is not None:
        low, high = _typed(record, "value_range", list)
        found["value_range"] = (float(low), float(high))
    return found


def finite(value: float | None) -> float | None:
    """JSON has no infinity."""
    return None if value is None or not math.isfinite(value) else value


def _absolute(source: str) -> str:
    """A file's whole path, so that the record can be used from anywhere; a name as it is."""
    path = Path(source)
    return str(path.resolve()) if path.is_file() else source


@contextlib.contextmanager
def _as_file_error(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileError(
            f"output is {str(directory)!r}, which cannot be written ({reason}); choose a directory "
            "that you can write to."
        ) from error
