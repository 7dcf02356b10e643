"""Generators as safetensors files: weights as tensors, everything else as JSON metadata.

Tensors: `layers.0.weight` [out, in], `layers.0.bias` [out], `layers.1.weight` and so on.
Metadata: `activations`, `negative_slopes` (one for each layer), `image_shape` (C, H, W),
`name` and `card`. Nothing in such a file is executed.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from inpaint.errors import ArgumentError, FileError, ShapeError
from inpaint.files.checks import FilePath
from inpaint.generators import Dense, Generator

Module = TypeVar("Module", bound=nn.Module)


def read_safetensors(path: FilePath) -> Generator:
    """Read a generator that `write_safetensors` wrote.

    Raises:
        FileError: If the file cannot be read, is cut short, or does not hold a sound generator.
    """
    tensors, metadata = read_tensors(path)
    activations = _entry(metadata, "activations", list, path)
    slopes = _entry(metadata, "negative_slopes", list, path)
    shape = _entry(metadata, "image_shape", list, path)
    card = _entry(metadata, "card", dict, path)
    if len(shape) != 3 or not all(type(size) is int and size > 0 for size in shape):
        raise FileError(f"{path}: image_shape is {shape}; it must be three sizes [C, H, W].")
    if not activations or len(slopes) != len(activations):
        raise FileError(
            f"{path}: {len(activations)} activations and {len(slopes)} negative_slopes; "
            "both need one entry for each layer."
        )
    _check_names(set(tensors), len(activations), path)
    try:
        layers = tuple(
            Dense(
                weight=_floating(tensors[f"layers.{k}.weight"]),
                bias=_floating(tensors[f"layers.{k}.bias"]),
                activation=activation,
                negative_slope=float(slope),
            )
            for k, (activation, slope) in enumerate(zip(activations, slopes, strict=True))
        )
        return Generator(
            layers,
            image_shape=(shape[0], shape[1], shape[2]),
            name=str(metadata.get("name", Path(path).stem)),
            card={str(key): str(value) for key, value in card.items()},
        )
    except (ArgumentError, TypeError, ValueError) as error:
        raise FileError(f"{path} does not hold a sound generator: {error}") from error


def write_safetensors(generator: Generator, path: FilePath) -> None:
    """Write a generator of dense layers; a file of that name is replaced once all is written.

    Raises:
        ArgumentError: If a layer is not dense.
        FileError: If the file cannot be written.
    """
    write_whole(pack_generator(generator), path)


def pack_generator(generator: Generator) -> bytes:
    """A generator of dense layers as the content of a file.

    Raises:
        ArgumentError: If a layer is not dense.
    """
    if not generator.dense:
        raise ArgumentError(
            f"The generator {generator.name!r} has convolutions; only dense layers can be written."
        )
    tensors = {}
    for k, layer in enumerate(generator.layers):
        tensors[f"layers.{k}.weight"] = layer.weight
        tensors[f"layers.{k}.bias"] = layer.bias
    metadata = {
        "activations": json.dumps([layer.activation for layer in generator.layers]),
        "negative_slopes": json.dumps([layer.negative_slope for layer in generator.layers]),
        "image_shape": json.dumps(list(generator.image_shape)),
        "name": generator.name,
        "card": json.dumps(dict(generator.card)),
    }
    return pack_tensors(tensors, metadata)


def write_tensors(tensors: dict[str, Tensor], metadata: dict[str, str], path: FilePath) -> None:
    """Write tensors and metadata in one piece: readers see the old file or the new one.

    Raises:
        FileError: If the file cannot be written.
    """
    write_whole(pack_tensors(tensors, metadata), path)


def pack_tensors(tensors: dict[str, Tensor], metadata: dict[str, str]) -> bytes:
    """Tensors and metadata as the content of a safetensors file."""
    return save({name: x.detach().cpu().contiguous() for name, x in tensors.items()}, metadata)


def write_whole(content: bytes, path: FilePath) -> None:
    """Write a file in one piece: readers see the old file or the new one.

    Raises:
        FileError: If the file cannot be written.
    """
    path = Path(path)
    with _part_of(path) as part:
        part.write_bytes(content)
        part.replace(path)


def check_replaceable(path: FilePath) -> None:
    """Check that `write_whole` can write a file, before long work begins.

    Raises:
        FileError: If it cannot be written, or is a folder.
    """
    path = Path(path)
    with _part_of(path) as part:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        part.touch()


@contextlib.contextmanager
def _part_of(path: Path) -> Iterator[Path]:
    """A name for a file until it is whole; those that killed programs left are removed."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
            if not _is_running(left.name.split(".")[-2]):
                left.unlink(missing_ok=True)
        yield part
    except OSError as error:
        raise FileError(
            f"{path} cannot be written: {error.strerror or error}. Choose another place."
        ) from error
    finally:
        # It was renamed, or never created.
        with contextlib.suppress(OSError):
            part.unlink()


def _is_running(process: str) -> bool:
    """Whether a process may still be running."""
    # On Windows, signal 0 would end it.
    if not process.isdecimal() or os.name == "nt":
        return True
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def read_tensors(path: FilePath) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read all tensors and the metadata of a safetensors file.

    Raises:
        FileError: If the file cannot be read or is not a sound safetensors file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except SafetensorError as error:
        raise FileError(
            f"{path} is not a sound safetensors file, or is cut short ({error}). Fetch it again."
        ) from error
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}.") from error


def read_module(
    path: FilePath, entry: str, build: Callable[[Any], Module], *, what: str, command: str
) -> Module:
    """Read a module whose facts stand in one entry of the metadata, ready to be used.

    Args:
        path: The file.
        entry: Name of the entry, a JSON object.
        build: Makes the module from the facts, with whatever weights.
        what: What the module is, for messages.
        command: Command that trains one, for messages.

    Raises:
        FileError: If the file cannot be read, or does not hold a valid module of this kind.
    """
    tensors, metadata = read_tensors(path)
    if entry not in metadata:
        raise FileError(f"{path} holds no {what} of this program; train one by inpaint {command}.")
    try:
        module = build(json.loads(metadata[entry]))
        module.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    except (KeyError, TypeError, ValueError, RuntimeError, ShapeError) as error:
        raise FileError(f"{path} does not hold a valid {what}: {error}") from error
    if not all(bool(torch.isfinite(tensor).all()) for tensor in module.state_dict().values()):
        raise FileError(f"{path} holds weights that are NaN or infinite; choose another file.")
    return module.eval().requires_grad_(requires_grad=False)


def _entry(metadata: dict[str, str], name: str, kind: type, path: FilePath) -> Any:
    """Read an entry of the metadata from JSON."""
    if name not in metadata:
        raise FileError(
            f"{path} has no {name!r} in its metadata, so it is not a generator of this program. A "
            "state dict does not say its activations: in Python, read it by "
            "inpaint.files.state_dict.read_state_dict(file, hidden=..., output=...), write the "
            "result by inpaint.write_generator, and give that file."
        )
    try:
        value = json.loads(metadata[name])
    except ValueError:
        value = None
    if not isinstance(value, kind):
        raise FileError(f"{path}: {name} is {metadata[name]!r}; it must be a JSON {kind.__name__}.")
    return value


def _check_names(names: set[str], layers: int, path: FilePath) -> None:
    """Require a weight and a bias for each layer, and nothing else."""
    expected = {f"layers.{k}.{part}" for k in range(layers) for part in ("weight", "bias")}
    if missing := sorted(expected - names):
        raise FileError(f"{path} lacks the tensors {', '.join(missing)}.")
    if extra := sorted(names - expected):
        raise FileError(
            f"{path} holds the tensors {', '.join(extra)}, not part of its {layers} layers."
        )


def _floating(tensor: Tensor) -> Tensor:
    """Keep float64, and convert other floating-point types to float32."""
    if not tensor.is_floating_point():
        raise ValueError(f"a weight is of type {tensor.dtype}; weights must be floating-point.")
    return tensor if tensor.dtype == torch.float64 else tensor.float()
