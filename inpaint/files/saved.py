"""Restorations and posteriors in folders of their own: what Python saves and loads."""

from __future__ import annotations

import json
import math
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from inpaint.config import RestoreConfig
from inpaint.errors import ArgumentError, FileError, InpaintError
from inpaint.files import arrays
from inpaint.files.output import finish_writing, hash_of
from inpaint.files.record import from_record, to_record, write_results
from inpaint.files.results import pack_posterior, pack_restoration
from inpaint.files.safetensors import pack_generator, read_safetensors
from inpaint.generators import AnyGenerator, Generator
from inpaint.operators import LinearOperator, Mask, to_matrix
from inpaint.plots.columns import plot_comparison, to_png
from inpaint.plots.comparison import Comparison
from inpaint.plots.posterior import plot_posterior
from inpaint.posterior.config import PosteriorConfig
from inpaint.posterior.estimator import Estimated
from inpaint.posterior.types import PosteriorDraws
from inpaint.search.objective import LARGEST_MATRIX
from inpaint.types import PER_IMAGE, Measurement, SearchResult

FORMAT = 3
GENERATOR_FILE = "generator.safetensors"
KINDS = ("restoration", "posterior")
"""What a folder can hold; its files are KIND.npz and KIND.json."""


def save_restoration(
    directory: str | os.PathLike[str],
    measurement: Measurement,
    generator: AnyGenerator,
    search: SearchResult,
    comparison: Comparison,
    estimated: Estimated | None,
) -> Path:
    """Write a restoration; see `inpaint.Restoration.save`."""
    settings = {
        "estimates": None if estimated is None else estimated.names,
        "backend": search.backend,
        "reasons": search.reasons,
        "seconds": search.seconds,
        "config": search.config,
        "images": comparison.rows,
    }
    more = _operator_arrays(measurement)
    if estimated is not None:
        more["estimate"] = estimated.images.cpu().numpy()
    packed = pack_restoration(measurement, search, more=more)
    figure = to_png(plot_comparison(comparison))
    return _save(directory, "restoration", measurement, generator, packed, figure, settings)


def save_posterior(
    directory: str | os.PathLike[str],
    measurement: Measurement,
    generator: AnyGenerator,
    estimated: Estimated,
) -> Path:
    """Write a posterior; see `inpaint.Posterior.save`."""
    settings = {
        "draws": estimated.draws,
        "level": estimated.summaries[0].level,
        "images": estimated.summaries,
    }
    packed = pack_posterior(measurement, estimated, more=_operator_arrays(measurement))
    figure = to_png(plot_posterior(measurement, estimated))
    return _save(directory, "posterior", measurement, generator, packed, figure, settings)


def load_restoration(
    directory: str | os.PathLike[str], generator: AnyGenerator | None = None
) -> tuple[Measurement, AnyGenerator, SearchResult, Estimated | None]:
    """Read what `save_restoration` wrote: of estimates other than the minimum, only the images.

    Raises:
        FileError: If the folder does not hold a restoration, or the generator differs.
    """
    record, held, measurement, generator = _load(directory, "restoration", generator)
    try:
        search = SearchResult(
            **{name: held[name] for name in PER_IMAGE},
            history=held["history"],
            backend=str(record["backend"]),
            reasons=tuple(record["reasons"]),
            seconds=float(record["seconds"]),
            config=from_record(RestoreConfig, record["config"], "config"),
        )
        names = record["estimates"]
        estimated = None if names is None else Estimated(held["estimate"], tuple(names))
    except (KeyError, TypeError, ValueError, InpaintError) as error:
        raise _no_such_folder(directory, "restoration", error) from error
    return measurement, generator, search, estimated


def load_posterior(
    directory: str | os.PathLike[str], generator: AnyGenerator | None = None
) -> tuple[Measurement, AnyGenerator, PosteriorDraws, float]:
    """Read what `save_posterior` wrote; the last item is the intervals' level.

    Raises:
        FileError: If the folder does not hold a posterior, or the generator differs.
    """
    record, held, measurement, generator = _load(directory, "posterior", generator)
    try:
        said = dict(record["draws"])
        said["config"] = from_record(PosteriorConfig, said["config"], "config")
        said["reasons"] = tuple(said["reasons"])
        tensors = {
            each.name: held[each.name] for each in fields(PosteriorDraws) if each.name in held
        }
        draws = PosteriorDraws(**(said | tensors))
        level = float(record["level"])
    except (KeyError, TypeError, ValueError, InpaintError) as error:
        raise _no_such_folder(directory, "posterior", error) from error
    return measurement, generator, draws, level


def kind_of(directory: str | os.PathLike[str]) -> str:
    """Whether a folder holds a restoration or a posterior.

    Raises:
        FileError: If it holds neither.
    """
    finish_writing(directory)
    for kind in KINDS:
        if (Path(directory) / f"{kind}.json").is_file():
            return kind
    raise FileError(
        f"{os.fspath(directory)!r} holds neither a restoration nor a posterior; give a folder that "
        "save() has written. The results of a command are repeated by its --from-run."
    )


def _save(
    directory: str | os.PathLike[str],
    kind: str,
    measurement: Measurement,
    generator: AnyGenerator,
    packed: bytes,
    figure: bytes,
    settings: dict[str, Any],
) -> Path:
    record = {
        "format": FORMAT,
        "kind": kind,
        "generator": generator.digest(),
        "source": measurement.source,
        "noise_level": measurement.noise_level,
        **to_record(settings),
    }
    content = {
        "figure.png": figure,
        f"{kind}.npz": packed,
    }
    if isinstance(generator, Generator) and generator.dense:
        content[GENERATOR_FILE] = pack_generator(generator)
    write_results(directory, content, f"{kind}.json", record)
    return Path(directory)


def _load(
    directory: str | os.PathLike[str], kind: str, generator: AnyGenerator | None
) -> tuple[dict[str, Any], dict[str, Tensor], Measurement, AnyGenerator]:
    folder = Path(directory)
    finish_writing(folder)
    try:
        record = json.loads((folder / f"{kind}.json").read_text(encoding="utf-8"))
        if record.get("format") != FORMAT or record.get("kind") != kind:
            raise ValueError("it is of another format")
        sha256, source, noise_level = (record[n] for n in ("generator", "source", "noise_level"))
        _check_same(folder, f"{kind}.npz", record["files"])
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise _no_such_folder(directory, kind, error) from error
    generator = _load_generator(folder, generator)
    if generator.digest() != sha256:
        raise FileError(
            f"The generator {generator.name!r} is not the one that made {folder}; give that one."
        )
    held = {
        name: torch.from_numpy(array) for name, array in arrays.load(folder / f"{kind}.npz").items()
    }
    try:
        matrix = held.get("T")
        operator = (
            Mask(held["mask"]) if matrix is None else LinearOperator(matrix, generator.image_shape)
        )
        measurement = Measurement(
            values=held["measurement"],
            operator=operator,
            ideal=held.get("ideal"),
            numbers=tuple(held["numbers"].tolist()),
            source=str(source),
            weights=held.get("weights"),
            noise_level=noise_level,
        )
    except (KeyError, TypeError, InpaintError) as error:
        raise _no_such_folder(directory, kind, error) from error
    return record, held, measurement, generator


def _check_same(folder: Path, name: str, files: dict[str, str]) -> None:
    """Require that a file is the one that was written with the record."""
    if hash_of((folder / name).read_bytes()) != files[name]:
        raise ValueError(f"{name} was not written together with its record")


def _load_generator(folder: Path, generator: AnyGenerator | None) -> AnyGenerator:
    if generator is not None:
        return generator
    if not (folder / GENERATOR_FILE).is_file():
        raise FileError(
            f"{folder} does not hold its generator, which was no stack of dense layers; give it "
            "as generator=..."
        )
    return read_safetensors(folder / GENERATOR_FILE)


def _operator_arrays(measurement: Measurement) -> dict[str, Any]:
    """The matrix of an operator that is not a mask."""
    operator = measurement.operator
    if isinstance(operator, Mask):
        return {}
    entries = math.prod(operator.image_shape) * math.prod(operator.value_shape)
    if entries > LARGEST_MATRIX or operator.observed is not None:
        raise ArgumentError(
            f"The operator is a {type(operator).__name__}, which cannot be written; save "
            "result.images instead."
        )
    values = measurement.values.flatten(1).reshape(len(measurement), 1, 1, -1)
    return {"T": to_matrix(operator).numpy(), "measurement": np.asarray(values.cpu().numpy())}


def _no_such_folder(directory: str | os.PathLike[str], kind: str, error: Exception) -> FileError:
    return FileError(
        f"{os.fspath(directory)!r} does not hold a sound {kind} ({error}); give a folder that "
        "save() has written."
    )
