"""Dense layers among the named arrays of another program: weights, biases and their layout."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from inpaint.files.layer_order import find_orders

NAMED = re.compile(r"(?:(?P<layer>.*)\.)?(?P<part>weight|kernel|bias)")
"""Names as torch ("net.0.weight") and Keras ("dense.kernel") give them."""
NUMBERED = re.compile(
    r"(?P<part>weights?|kernel|w|a|bias(?:es)?|b)_?(?P<layer>\d{1,9})", re.IGNORECASE
)
"""Names as people give them: W1 and b1."""
UNNAMED = re.compile(r"arr_\d{1,9}")
"""Names that `np.savez` gives to arrays without one, in their order."""
OPTIMIZER = re.compile(
    r"(exp_avg|exp_avg_sq|max_exp_avg_sq|momentum_buffer|square_avg|optimi[sz]er\w*|optim|opt_state)"
)
"""Parts of the names of an optimizer's state."""

LAYOUTS = {"weight": (False,), "kernel": (True,), "": (False, True)}
"""Whether weights are [in, out], by the name of the part; other names do not say."""


@dataclass(frozen=True)
class RawLayer:
    """A layer as it lies in the file.

    Attributes:
        weight: [out, in] or [in, out]; None if there is a bias alone.
        bias: [out]; None if there is none.
        layouts: Whether the weight can be [in, out].
    """

    weight: Tensor | None = None
    bias: Tensor | None = None
    layouts: tuple[bool, ...] = LAYOUTS["weight"]


@dataclass(frozen=True)
class Found:
    """The dense layers of a file, and the names of what else it holds."""

    layers: dict[str, RawLayer]
    others: tuple[str, ...]


def optimizer_names(names: Mapping[str, Tensor]) -> list[str]:
    """The names of arrays that are an optimizer's state."""
    return [name for name in names if any(map(OPTIMIZER.fullmatch, name.split(".")))]


def find_layers(arrays: Mapping[str, Tensor]) -> Found:
    """Sort arrays into layers by their names."""
    if arrays and all(map(UNNAMED.fullmatch, arrays)):
        return _pair_unnamed(arrays)
    layers: dict[str, dict[str, Tensor]] = {}
    layouts: dict[str, tuple[bool, ...]] = {}
    others = []
    for name, array in arrays.items():
        named, numbered = NAMED.fullmatch(name), NUMBERED.fullmatch(name)
        match = named or numbered
        if match is None:
            others.append(name)
            continue
        layer = match["layer"] or ""
        is_bias = match["part"].lower().startswith("b")
        part = "bias" if is_bias else "weight"
        if part in layers.setdefault(layer, {}):
            others.append(name)
            continue
        layers[layer][part] = array
        if not is_bias:
            layouts[layer] = LAYOUTS[match["part"] if named else ""]
    return Found(
        {
            layer: RawLayer(
                parts.get("weight"), parts.get("bias"), layouts.get(layer, LAYOUTS["weight"])
            )
            for layer, parts in layers.items()
        },
        tuple(others),
    )


def _pair_unnamed(arrays: Mapping[str, Tensor]) -> Found:
    """Layers from arrays in their order: each matrix, and the vector that follows it, if any."""
    layers: dict[str, RawLayer] = {}
    others = []
    last = None
    for name in sorted(arrays, key=lambda name: int(name.removeprefix("arr_"))):
        array = arrays[name]
        if array.ndim != 1:
            layers[name] = RawLayer(array, layouts=LAYOUTS[""])
            last = name
        elif last is not None:
            layers[last] = RawLayer(layers[last].weight, array, LAYOUTS[""])
            last = None
        else:
            others.append(name)
    return Found(layers, tuple(others))


def orient(layers: Mapping[str, RawLayer], name_order: tuple[str, ...] | None) -> list[bool]:
    """The layouts that all layers can have: whether weights are [in, out].

    A layout is possible if biases are as long as the outputs, and some order of the layers
    chains.

    Args:
        layers: With two-axis weights.
        name_order: The order of the layers where it is known.
    """
    possible = []
    for by_inputs in (False, True):
        sizes = {}
        for name, layer in layers.items():
            assert layer.weight is not None
            height, width = layer.weight.shape
            inputs, outputs = (height, width) if by_inputs else (width, height)
            fits = layer.bias is None or layer.bias.numel() == outputs
            if fits and by_inputs in layer.layouts:
                sizes[name] = (inputs, outputs)
        if len(sizes) < len(layers):
            continue
        if name_order is None:
            chains = bool(find_orders(sizes))
        else:
            chains = all(sizes[a][1] == sizes[b][0] for a, b in pairwise(name_order))
        if chains:
            possible.append(by_inputs)
    return possible
