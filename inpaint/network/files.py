"""Networks in safetensors files, and those that come with the package."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from inpaint.errors import FileError, ShapeError
from inpaint.files.safetensors import read_tensors, write_tensors
from inpaint.generators.pretrained.catalog import ENDING, Shelf
from inpaint.network.model import InpaintingNetwork

_SHELF = Shelf("network", "networks", f", or a file that ends in {ENDING}")


def write_network(network: InpaintingNetwork, path: str | Path) -> None:
    """Write a network; a file of that name is replaced only once all is written.

    Raises:
        FileError: If the file cannot be written.
    """
    metadata = {
        "inpainting_network": json.dumps(
            {"image_shape": network.image_shape, "width": network.width, "name": network.name}
        )
    }
    write_tensors(network.state_dict(), metadata, path)


def read_network(path: str | Path) -> InpaintingNetwork:
    """Read what `write_network` wrote.

    Raises:
        FileError: If the file cannot be read, or holds no sound network.
    """
    tensors, metadata = read_tensors(path)
    if "inpainting_network" not in metadata:
        raise FileError(
            f"{path} holds no inpainting network of this program; train one with "
            "inpaint train-network."
        )
    try:
        facts = json.loads(metadata["inpainting_network"])
        channels, height, width = facts["image_shape"]
        network = InpaintingNetwork(
            (channels, height, width), facts["width"], name=str(facts["name"])
        )
        network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    except (KeyError, TypeError, ValueError, RuntimeError, ShapeError) as error:
        raise FileError(f"{path} does not hold a sound inpainting network: {error}") from error
    if not all(bool(torch.isfinite(tensor).all()) for tensor in network.state_dict().values()):
        raise FileError(f"{path} holds weights that are no numbers (NaN or infinite).")
    return network.eval().requires_grad_(requires_grad=False)


def network_names() -> tuple[str, ...]:
    """The names that `load_network` knows, in alphabetical order."""
    return _SHELF.names()


def load_network(name: str) -> InpaintingNetwork:
    """Load a network that comes with the package, or one of a file.

    Args:
        name: One of `network_names`, or a path that ends in .safetensors.

    Raises:
        ArgumentError: If there is no such network.
        FileError: If the file cannot be read.
    """
    if name.endswith(ENDING):
        return read_network(name)
    with _SHELF.weights(name) as path:
        return read_network(path)


def network_card(name: str) -> str:
    """How a network was trained and how well it restores, as Markdown.

    Args:
        name: One of `network_names`.

    Raises:
        ArgumentError: If there is no such network.
    """
    return _SHELF.card(name)
