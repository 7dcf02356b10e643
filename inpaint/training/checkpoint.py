"""Checkpoints: everything that a training needs to resume as if it had never stopped.

One safetensors file; nothing is pickled. No random state is stored, since the random numbers of
a step follow from the seed and the step's number.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch.optim import Optimizer

from inpaint.errors import ArgumentError, FileError
from inpaint.files.safetensors import read_tensors, write_tensors

Config: TypeAlias = Any
"""The settings of a training, a dataclass."""

Modules = dict[str, nn.Module]
Optimizers = dict[str, Optimizer]

_RUNTIME = ("device", "checkpoint_every", "name")
"""Settings that may differ when a training resumes."""


def save_checkpoint(
    path: Path,
    config: Config,
    *,
    modules: Modules,
    optimizers: Optimizers,
    facts: dict[str, Any],
) -> None:
    """Write a checkpoint; an older one is replaced only once the new one is complete.

    Args:
        path: The file.
        config: Settings of the training.
        modules: Networks by name.
        optimizers: Optimizers by name.
        facts: Anything else to restore, ready for JSON; "data" is the digest of the images,
            "start" that of the model that the training went on from.

    Raises:
        FileError: If the file cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    for name, module in modules.items():
        for key, tensor in module.state_dict().items():
            tensors[f"{name}/{key}"] = tensor
    for name, optimizer in optimizers.items():
        for index, state in optimizer.state_dict()["state"].items():
            for key, tensor in state.items():
                tensors[f"{name}/{index}/{key}"] = tensor
    write_tensors(tensors, {"config": _to_json(config), "facts": json.dumps(facts)}, path)


def load_checkpoint(
    path: Path, config: Config, *, modules: Modules, optimizers: Optimizers, data: str, start: str
) -> dict[str, Any]:
    """Restore networks and optimizers, and return the facts.

    Args:
        path: The file.
        config: Settings of the training that resumes.
        modules: Networks by name, which are changed.
        optimizers: Optimizers by name, which are changed.
        data: Digest of the training images.
        start: Digest of the model that the training goes on from; "" if there is none.

    Raises:
        FileError: If the file cannot be read or is not a checkpoint.
        ArgumentError: If it belongs to a training with other settings, on other images or from
            another start.
    """
    tensors, metadata = read_tensors(path)
    if not {"config", "facts"} <= set(metadata):
        raise FileError(f"{path} is not a checkpoint of a training; choose another file.")
    _check_settings(path, json.loads(metadata["config"]), json.loads(_to_json(config)))
    try:
        for name, module in modules.items():
            module.load_state_dict(_tensors_of(tensors, name))
        for name, optimizer in optimizers.items():
            state: dict[int, dict[str, Tensor]] = {}
            for key, tensor in _tensors_of(tensors, name).items():
                index, entry = key.split("/")
                state.setdefault(int(index), {})[entry] = tensor
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": state, "param_groups": groups})
        facts: dict[str, Any] = json.loads(metadata["facts"])
    except (RuntimeError, ValueError) as error:
        raise FileError(
            f"{path} does not hold a complete checkpoint ({error}). Delete it to start again."
        ) from error
    if facts["data"] != data:
        raise ArgumentError(
            f"The checkpoint {path} belongs to a training on other images; choose another file, or "
            "give the same images."
        )
    if facts.get("start", "") != start:
        raise ArgumentError(
            f"The checkpoint {path} belongs to a training from another start; choose another file, "
            "or give the same start."
        )
    return facts


def _tensors_of(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    start = f"{name}/"
    return {key.removeprefix(start): x for key, x in tensors.items() if key.startswith(start)}


def _to_json(config: Config) -> str:
    return json.dumps(dataclasses.asdict(config))


def _check_settings(path: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    for key, value in new.items():
        if key not in _RUNTIME and old.get(key) != value:
            raise ArgumentError(
                f"{key} is {value!r}; the checkpoint {path} belongs to a training with "
                f"{old.get(key)!r}. Use that value, or another checkpoint file."
            )
