"""Networks in safetensors files, and the networks shipped with the package."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from inpaint.errors import FileError, ShapeError
from inpaint.files.safetensors import pack_tensors, read_tensors, write_whole
from inpaint.generators.pretrained.catalog import SUFFIX, Catalog
from inpaint.network.model import InpaintingNetwork

_CATALOG = Catalog("network", folder="networks", alternative=f"a file that ends in {SUFFIX}")


def write_network(network: InpaintingNetwork, path: str | Path) -> None:
    """Write a network; a file of that name is replaced only once the new one is complete.

    Raises:
        FileError: If the file cannot be written.
    """
    write_whole(pack_network(network), path)


def pack_network(network: InpaintingNetwork) -> bytes:
    """A network as the content of a safetensors file."""
    metadata = {
        "inpainting_network": json.dumps(
            {"image_shape": network.image_shape, "width": network.width, "name": network.name}
        )
    }
    return pack_tensors(network.state_dict(), metadata)


def read_network(path: str | Path) -> InpaintingNetwork:
    """Read what `write_network` wrote.

    Raises:
        FileError: If the file cannot be read, or does not hold a valid network.
    """
    tensors, metadata = read_tensors(path)
    if "inpainting_network" not in metadata:
        raise FileError(
            f"{path} holds no inpainting network of this program; train one by "
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
        raise FileError(f"{path} does not hold a valid inpainting network: {error}") from error
    if not all(bool(torch.isfinite(tensor).all()) for tensor in network.state_dict().values()):
        raise FileError(f"{path} holds weights that are NaN or infinite; choose another file.")
    return network.eval().requires_grad_(requires_grad=False)


def network_names() -> tuple[str, ...]:
    """The names of the shipped networks, in alphabetical order."""
    return _CATALOG.names()


def load_network(name: str) -> InpaintingNetwork:
    """Load a network shipped with the package, or one from a file.

    Args:
        name: One of `network_names`, or a path that ends in .safetensors.

    Raises:
        ArgumentError: If no network has this name.
        FileError: If the file cannot be read.
    """
    if name.endswith(SUFFIX):
        return read_network(name)
    with _CATALOG.weights(name) as path:
        return read_network(path)


def network_card(name: str) -> str:
    """The model card of a shipped network, as Markdown: training and figures.

    Args:
        name: One of `network_names`.

    Raises:
        ArgumentError: If no network has this name.
    """
    return _CATALOG.card(name)
