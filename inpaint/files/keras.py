"""Dense generators that Keras saved: .keras, .h5 and .weights.h5.

Only arrays and the description of the layers (JSON) are read; nothing is executed. What was saved
as a whole model says its activations, weights alone do not.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inpaint.errors import FileError
from inpaint.files import hdf5
from inpaint.files.checks import MAX_BYTES, check_size, list_names
from inpaint.generators import Activation
from inpaint.types import ImageShape

KIND = "Keras"
CONFIG, WEIGHTS = "config.json", "model.weights.h5"
"""Members of a .keras file."""
SKIPPED = {"optimizer", "optimizer_weights", "top_level_model_weights"}
CONTAINERS = {"layers", "model_weights", "_layer_checkpoint_dependencies"}
"""Groups that hold layers, and that are no part of a layer's name."""

ACTIVATIONS: dict[str, tuple[Activation, float]] = {
    "linear": ("none", 0.01),
    "relu": ("relu", 0.01),
    "leaky_relu": ("leaky_relu", 0.2),
    "tanh": ("tanh", 0.01),
    "sigmoid": ("sigmoid", 0.01),
}
"""Activations by Keras's names, with the slope that it gives to the leaky one."""
IGNORED = {"InputLayer", "Dropout", "GaussianNoise", "ActivityRegularization"}
"""Layers that leave numbers unchanged once the training is over."""
LEAKY_SLOPE = 0.3
"""Slope of a LeakyReLU layer that does not say its own."""


@dataclass(frozen=True)
class Model:
    """A sequence of dense layers as Keras describes it.

    Attributes:
        layers: Weight [out, in], bias [out], activation and slope of each layer.
        image_shape: Shape of one image, if the model ends in a Reshape. (C, H, W)
    """

    layers: list[tuple[Tensor, Tensor | None, Activation, float]] = field(default_factory=list)
    image_shape: ImageShape | None = None


def read_weights(path: Path) -> dict[str, Tensor]:
    """The arrays of all layers by their names, such as "dense.kernel".

    Raises:
        FileError: If the file is damaged.
    """
    members = hdf5.read_members(path, KIND, content=_member(path, WEIGHTS))
    found: dict[tuple[str, ...], NDArray[np.generic]] = {}
    for full_name, member in members.items():
        names = tuple(full_name.split("/"))
        if member.shape is None or SKIPPED & set(names):
            continue
        if member.array is None:
            raise FileError(
                f"{path.name} holds {list_names([full_name])}, which is not an array of real "
                "numbers."
            )
        found[names] = member.array
    arrays: dict[str, NDArray[np.generic]] = {}
    for names, array in found.items():
        numbered = {each[-1] for each in found if each[:-1] == names[:-1]}
        bias = found.get((*names[:-1], "1"))
        name = _name(names, numbered, array, bias)
        if name in arrays:
            raise FileError(f"{path.name} holds two arrays {list_names([name])}; save it again.")
        arrays[name] = array
    floats = ("float16", "float32", "float64")
    return {
        name: torch.from_numpy(
            array.astype(array.dtype.name if array.dtype.name in floats else "int64")
        )
        for name, array in arrays.items()
    }


def read_model(path: Path) -> Model | None:
    """The layers of a model that was saved as a whole; None if the file holds weights alone.

    Raises:
        FileError: If the file is damaged, or the model is no sequence of dense layers.
    """
    text = _config(path)
    if text is None:
        return None
    try:
        config = json.loads(text)
        listed = [(each["class_name"], dict(each["config"])) for each in config["config"]["layers"]]
        is_sequence = config["class_name"] == "Sequential"
        names = [str(settings.get("name")) for _, settings in listed]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileError(f"{path.name} does not describe its layers; save it again.") from error
    if not is_sequence:
        raise FileError(
            f"{path.name} holds a model that is not Sequential; read its weights by "
            "inpaint.files.state_dict.read_state_dict, with its activations."
        )
    weights = read_weights(path)
    model = Model()
    counted = 0
    for (kind, settings), name in zip(listed, names, strict=True):
        if kind == "Dense":
            # A .keras names layers by their kind and counts them.
            key = name if path.suffix.lower() != ".keras" else f"dense_{counted}"
            key = "dense" if key == "dense_0" and path.suffix.lower() == ".keras" else key
            counted += 1
            _add_dense(path, model, weights, key, settings)
        else:
            model = _apply(path, model, kind, settings)
    if not model.layers:
        raise FileError(f"{path.name} holds a model without Dense layers; it is no generator.")
    if len(weights) != sum(1 + (bias is not None) for _, bias, _, _ in model.layers):
        raise FileError(
            f"{path.name} holds {list_names(weights)}, which are not those of its Dense layers."
        )
    return model


def _add_dense(
    path: Path, model: Model, weights: dict[str, Tensor], key: str, settings: dict[str, Any]
) -> None:
    kernel, bias = weights.get(f"{key}.kernel"), weights.get(f"{key}.bias")
    if kernel is None or kernel.ndim != 2 or not kernel.is_floating_point():
        raise FileError(
            f"{path.name} holds no kernel of its layer {key} (found: {list_names(weights)})."
        )
    if model.image_shape is not None:
        raise FileError(f"{path.name} has a Dense layer after a Reshape, which is not read.")
    if (settings.get("use_bias", True) is True) != (bias is not None):
        raise FileError(f"{path.name} does not hold the bias that its layer {key} tells of.")
    activation, slope = _activation(path, settings.get("activation"))
    model.layers.append((kernel.T.contiguous(), bias, activation, slope))


def _apply(path: Path, model: Model, kind: str, settings: dict[str, Any]) -> Model:
    """The model with a layer that has no weights."""
    if kind in IGNORED or (kind == "Flatten" and model.image_shape is None):
        return model
    if kind == "Reshape" and model.layers:
        return _reshape(path, model, settings.get("target_shape"))
    found: tuple[Activation, float] | None = None
    if kind == "Activation":
        found = _activation(path, settings.get("activation"))
    elif kind == "LeakyReLU":
        found = "leaky_relu", settings.get("negative_slope", settings.get("alpha", LEAKY_SLOPE))
    elif kind == "ReLU" and settings.get("max_value") is None and not settings.get("threshold"):
        slope = settings.get("negative_slope") or 0.0
        found = ("leaky_relu", slope) if slope else ("relu", 0.01)
    bare = bool(model.layers) and model.layers[-1][2] == "none"
    if found is None or not bare or type(found[1]) not in (int, float):
        raise FileError(
            f"{path.name} holds a layer {list_names([str(kind)])} that is not read there; only "
            "Dense layers with relu, leaky_relu, tanh and sigmoid are, and a Reshape at the end."
        )
    weight, bias, _, _ = model.layers.pop()
    model.layers.append((weight, bias, found[0], float(found[1])))
    return model


def _activation(path: Path, name: Any) -> tuple[Activation, float]:
    if name not in ACTIVATIONS if isinstance(name, str) else True:
        raise FileError(
            f"{path.name} has the activation {list_names([str(name)])}; only "
            f"{', '.join(ACTIVATIONS)} are read."
        )
    return ACTIVATIONS[name]


def _reshape(path: Path, model: Model, target: Any) -> Model:
    """The model with its pixels in the order [C, H, W]."""
    weight, bias, activation, slope = model.layers[-1]
    try:
        shape = [*target, 1] if len(target) == 2 else target
        order = np.arange(len(weight)).reshape(shape)
        if order.ndim != 3:
            raise ValueError
    except (TypeError, ValueError) as error:
        raise FileError(
            f"{path.name} reshapes {len(weight)} numbers to {list_names([str(target)])}; an image "
            "is [H, W] or [H, W, C]."
        ) from error
    if order.shape[2] not in (1, 3) and order.shape[0] in (1, 3):
        channels, height, width = order.shape
    else:
        height, width, channels = order.shape
        order = order.transpose(2, 0, 1)
    rows = torch.from_numpy(np.ascontiguousarray(order).reshape(-1))
    model.layers[-1] = (weight[rows], None if bias is None else bias[rows], activation, slope)
    return Model(model.layers, (channels, height, width))


def _name(
    names: tuple[str, ...],
    numbered: set[str],
    array: NDArray[np.generic],
    bias: NDArray[np.generic] | None,
) -> str:
    """The name of an array from the groups that lead to it.

    Keras 3 writes "layers/dense/vars/0", older ones "model_weights/dense/model/dense/kernel:0".
    """
    *groups, last = (name for name in names if name not in CONTAINERS)
    last = last.removesuffix(":0")
    if groups and groups[-1] == "vars":
        groups.pop()
        is_dense = bool(groups) and groups[-1].rstrip("0123456789").rstrip("_") == "dense"
        paired = bias is not None and bias.ndim == 1
        if numbered <= {"0", "1"} and (is_dense or paired):
            last = {"0": "kernel", "1": "bias"}[last]
    elif len(groups) > 1:
        groups = groups[:1] if groups[0] == groups[-1] else [groups[0], groups[-1]]
    return ".".join([*groups, last])


def _config(path: Path) -> str | bytes | None:
    """The description of the layers, as JSON."""
    if path.suffix.lower() == ".keras":
        return _member(path, CONFIG)
    text = hdf5.read_members(path, KIND, wanted=())[""].attributes.get("model_config")
    return text if isinstance(text, str) else None


def _member(path: Path, name: str) -> bytes | None:
    """A member of a .keras file; None for other files."""
    if path.suffix.lower() != ".keras":
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(name)
            check_size(path, info.file_size)
            with archive.open(info) as member:
                return member.read(MAX_BYTES)
    except FileError:
        raise
    except Exception as error:  # Damaged bytes make zipfile and zlib raise errors of many kinds.
        raise FileError(
            f"{path.name} is not a readable .keras file; it may be truncated."
        ) from error
