"""Generators of dense layers that other programs trained: their weights, without activations.

torch's state dicts in safetensors files, Keras's weights in .h5 and .keras, and arrays in .npz.
Nothing is unpickled or executed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from inpaint.errors import ArgumentError, FileError
from inpaint.files import arrays, keras
from inpaint.files.checks import FilePath, check_file, check_square, list_names
from inpaint.files.foreign_layers import Found, RawLayer, find_layers, optimizer_names, orient
from inpaint.files.layer_order import choose_part, find_orders, natural_order
from inpaint.files.safetensors import read_tensors
from inpaint.generators import Activation, Dense, Generator
from inpaint.types import ImageShape

KERAS_ENDINGS = (".h5", ".hdf5", ".keras")
ENDINGS = (".safetensors", ".npz", *KERAS_ENDINGS)


def read_state_dict(
    source: FilePath,
    *,
    prefix: str | None = None,
    layers: Sequence[str] | None = None,
    image_shape: ImageShape | None = None,
    hidden: Activation = "relu",
    output: Activation = "sigmoid",
    negative_slope: float = 0.01,
) -> Generator:
    """Read the weights of dense layers that another program trained.

    Weights say nothing of activations, so they are arguments. The order of the layers is taken
    from the numbers in their names and from the shapes, which must chain; an order that is not
    plain is refused. Of an autoencoder or a GAN the decoder or generator is read, where names
    tell it apart. What was chosen stands in the `card` of the result.

    Args:
        source: A .safetensors file with a weight [out, in] and optionally a bias [out] per layer;
            the .keras, .h5 or .weights.h5 of Keras, with kernels [in, out]; or an .npz of arrays
            such as W1, b1, W2, b2, of `get_weights()` in their order, or named as in torch.
        prefix: What the names of the generator's layers begin with, such as "decoder".
        layers: Names of the generator's layers in their order, such as ("fc3", "fc4").
        image_shape: Shape of one image, whose pixels are the last layer's outputs in this order;
            None takes a square of one channel. (C, H, W)
        hidden: Activation of all layers but the last.
        output: Activation of the last layer. The values -1 to 1 of "tanh" are brought to 0 to 1.
        negative_slope: Slope of "leaky_relu" below zero.

    Raises:
        FileError: If the file is damaged, holds anything but dense layers, or leaves open which
            layers are the generator's and in which order.
    """
    path = check_file(source)
    if image_shape is not None and image_shape[0] > 1 and path.suffix.lower() in KERAS_ENDINGS:
        raise FileError(
            f"image_shape is {list(image_shape)}; Keras orders pixels [H, W, C] as a rule, and "
            f"weights do not say whether {path.name} does. Give its whole Sequential model, with "
            "its last Reshape, to inpaint.read_generator."
        )
    tensors = _read_tensors(path)
    card = {"activations": f"{hidden}, then {output}, chosen when the weights were read"}
    if prefix is not None:
        tensors = _select(path, tensors, prefix)
    if layers is None:
        tensors, left_out = _choose(path, tensors)
        if left_out:
            card["left out"] = list_names(left_out)
    found = find_layers(tensors)
    raw = _check(path, found, None if layers is None else tuple(layers))
    stack = _order(path, raw, None if layers is None else tuple(layers))
    card["layers"] = list_names(stack, limit=len(stack))
    return _build(
        path,
        [
            (*pair, output if k == len(stack) - 1 else hidden, negative_slope)
            for k, pair in enumerate(stack.values())
        ],
        image_shape,
        card,
    )


def read_keras(path: Path) -> Generator:
    """Read a Sequential model of Dense layers that Keras saved as a whole, with its activations.

    Raises:
        FileError: If the file is damaged, holds weights alone, or another model.
    """
    model = keras.read_model(path)
    if model is None:
        raise refuse_plain_weights(path)
    card = {"activations": ", ".join(activation for _, _, activation, _ in model.layers)}
    first, last = model.layers[0][0], model.layers[-1][0]
    _check_direction(path, first.shape[1], last.shape[0])
    return _build(path, model.layers, model.image_shape, card)


def _build(
    path: Path,
    layers: Sequence[tuple[Tensor, Tensor | None, Activation, float]],
    image_shape: ImageShape | None,
    card: Mapping[str, str],
) -> Generator:
    """A generator of weights [out, in], biases [out], activations and their slopes.

    Raises:
        FileError: If the layers do not fit together or to the image.
    """
    dense = []
    card = dict(card)
    try:
        for weight, bias, activation, slope in layers:
            dtype = torch.float64 if weight.dtype == torch.float64 else torch.float32
            weight = weight.to(dtype)
            bias = weight.new_zeros(len(weight)) if bias is None else bias.to(dtype)
            dense.append(Dense(weight, bias, activation, negative_slope=slope))
        if dense[-1].activation == "tanh":
            # (tanh(a) + 1) / 2 = sigmoid(2 a)
            dense[-1] = Dense(2 * dense[-1].weight, 2 * dense[-1].bias, "sigmoid")
            card["output"] = "values -1 to 1, brought to 0 to 1"
        side = None if image_shape else check_square(path, dense[-1].outputs)
        shape = image_shape or (1, side or 0, side or 0)
        return Generator(tuple(dense), shape, name=path.name.split(".")[0], card=card)
    except ArgumentError as error:
        raise FileError(f"{path.name} does not hold a sound generator: {error}") from error


def refuse_plain_weights(path: Path) -> FileError:
    """The error for weights that are given as a generator, without their activations."""
    return FileError(
        f"{path.name} holds weights without activations, so it does not say what it draws. In "
        "Python, read them by inpaint.files.state_dict.read_state_dict(file, hidden=..., "
        "output=...), write the result by inpaint.write_generator, and give that file."
    )


def _read_tensors(path: Path) -> dict[str, Tensor]:
    """All arrays of a file by their names, with points between the parts of a name."""
    match path.suffix.lower():
        case ".npz":
            loaded = {name.replace("/", "."): array for name, array in arrays.load(path).items()}
            damaged = [name for name, array in loaded.items() if not _is_numeric(array)]
            if damaged:
                raise FileError(
                    f"{path.name} holds {list_names(damaged[:1])}, which is not an array of "
                    "numbers; save weights and biases alone."
                )
            # torch knows neither foreign byte orders nor some unsigned types.
            return {
                name: torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C"))
                if array.dtype.kind == "f" and array.dtype.itemsize <= 8
                else torch.from_numpy(array.astype(np.int64))
                for name, array in loaded.items()
            }
        case ".h5" | ".hdf5" | ".keras":
            return keras.read_weights(path)
        case ".safetensors":
            return read_tensors(path)[0]
    raise FileError(
        f"{path.name} has no ending of a file of weights; give one that ends in "
        f"{', '.join(ENDINGS)}. Save torch's state dicts with safetensors.torch.save_file."
    )


def _is_numeric(array: object) -> bool:
    return isinstance(array, np.ndarray) and array.dtype.kind in "fiub"


def _select(path: Path, tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    chosen = {name: x for name, x in tensors.items() if name.startswith(prefix)}
    if not chosen:
        raise FileError(
            f"prefix is {prefix!r}; no name in {path.name} begins so (found: "
            f"{list_names(natural_order(tensors))})."
        )
    return chosen


def _choose(path: Path, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The arrays of the decoder or generator, and the names of layers that are left out."""
    if state := optimizer_names(tensors):
        raise FileError(
            f"{path.name} holds the state of an optimizer ({list_names(state[:1])}), not the "
            "weights of a generator alone; save the module's state_dict(), or choose its layers "
            'by prefix="..." of read_state_dict.'
        )
    layer_of = {name: name.rpartition(".")[0] for name in tensors}
    names = natural_order(set(layer_of.values()) - {""})
    if not names:
        return dict(tensors), ()
    choice = choose_part(names)
    if choice.groups:
        raise FileError(
            f"{path.name} holds {list_names(choice.groups)}, and which layers are the generator's "
            f"is not plain; choose them by prefix={choice.groups[0]!r} of read_state_dict, or "
            "name them in order by layers=[...]."
        )
    chosen = {*choice.names, ""}
    return {name: x for name, x in tensors.items() if layer_of[name] in chosen}, choice.left_out


def _check(path: Path, found: Found, wanted: tuple[str, ...] | None) -> dict[str, RawLayer]:
    """Require dense layers and nothing else, or those that are wanted."""
    layers = found.layers
    if wanted is not None:
        absent = [name for name in wanted if name not in layers]
        if absent or not wanted:
            raise FileError(
                f"layers is {list(wanted)}; choose from the layers of {path.name}: "
                f"{list_names(natural_order(layers))}."
            )
        layers = {name: layers[name] for name in wanted}
    elif found.others or not layers:
        shown = list_names(natural_order(found.others)[:1])
        what = f"{shown}, which is no weight or bias of a dense layer" if found.others else shown
        raise FileError(
            f"{path.name} holds {what}; build the module, load its weights, and use "
            "inpaint.from_module or ModuleGenerator."
        )
    for name, layer in layers.items():
        weight = layer.weight
        if weight is None or weight.ndim != 2 or not weight.is_floating_point():
            what = "no weight" if weight is None else f"a weight {list(weight.shape)}"
            raise FileError(
                f"{path.name} holds a layer {name!r} with {what}; a dense layer has "
                "floating-point weights [out, in]. Use inpaint.from_module for other layers."
            )
    return layers


def _order(
    path: Path, raw: Mapping[str, RawLayer], wanted: tuple[str, ...] | None
) -> dict[str, tuple[Tensor, Tensor | None]]:
    """The layers in their order, with weights [out, in]."""
    layouts = orient(raw, wanted)
    if len(layouts) > 1:
        raise FileError(
            f"{path.name} holds {_shapes(raw)}, whose weights can be [in, out] as well as "
            "[out, in]; name them kernel if they are [in, out], and weight if they are [out, in], "
            "such as 1.weight."
        )
    # Where no layout fits, the generator's own check says what is wrong.
    by_inputs = layouts[0] if layouts else next(iter(raw.values())).layouts[-1]
    layers = {}
    for name, layer in raw.items():
        assert layer.weight is not None
        bias = layer.bias
        if bias is not None and 1 in bias.shape:
            bias = bias.flatten()
        layers[name] = (layer.weight.T.contiguous() if by_inputs else layer.weight, bias)
    if wanted is not None:
        return layers
    sizes = {name: (w.shape[1], w.shape[0]) for name, (w, _) in layers.items()}
    orders = find_orders(sizes)
    if len(orders) > 1:
        raise FileError(
            f"{path.name} holds {_shapes(raw)}, which fit together in more than one order; name "
            "them in order by layers=[...] of read_state_dict."
        )
    if not orders:
        pairs = pairwise(natural_order(layers))
        first, second = next((a, b) for a, b in pairs if sizes[a][1] != sizes[b][0])
        raise FileError(
            f"{path.name} holds {_shapes(raw)}, which fit together in no order: {first} has "
            f"{sizes[first][1]} outputs and {second} has {sizes[second][0]} inputs. Choose the "
            "generator's layers by prefix=... of read_state_dict, or by layers=[...] in order."
        )
    order = orders[0]
    _check_direction(path, sizes[order[0]][0], sizes[order[-1]][1])
    return {name: layers[name] for name in order}


def _check_direction(path: Path, inputs: int, outputs: int) -> None:
    """Require that layers lead from few numbers to many, as a generator's do."""
    if inputs < outputs:
        return
    kind = (
        "a discriminator"
        if outputs == 1
        else "an autoencoder"
        if outputs == inputs
        else "an encoder or a classifier"
    )
    raise FileError(
        f"{path.name} maps {inputs} numbers to {outputs}, as {kind} does; a generator maps latent "
        "numbers to more pixels. Choose its layers by prefix=... of read_state_dict, or name them "
        "in order by layers=[...]."
    )


def _shapes(layers: Mapping[str, RawLayer]) -> str:
    return list_names(
        f"{name} {list(layer.weight.shape)}"
        for name, layer in layers.items()
        if layer.weight is not None
    )
