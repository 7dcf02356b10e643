"""Networks in safetensors files, and the networks shipped with the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inpaint.files.safetensors import pack_tensors, read_module, write_whole
from inpaint.generators.pretrained.catalog import SUFFIX, Catalog
from inpaint.network.model import InpaintingNetwork

_CATALOG = Catalog("network", folder="networks", alternative=f"a file that ends in {SUFFIX}")
_ENTRY = "inpainting_network"


def write_network(network: InpaintingNetwork, path: str | Path) -> None:
    """Write a network; a file of that name is replaced only once the new one is complete.

    Raises:
        FileError: If the file cannot be written.
    """
    write_whole(pack_network(network), path)


def pack_network(network: InpaintingNetwork) -> bytes:
    """A network as the content of a safetensors file."""
    metadata = {
        _ENTRY: json.dumps(
            {"image_shape": network.image_shape, "width": network.width, "name": network.name}
        )
    }
    return pack_tensors(network.state_dict(), metadata)


def read_network(path: str | Path) -> InpaintingNetwork:
    """Read what `write_network` wrote.

    Raises:
        FileError: If the file cannot be read, or does not hold a valid network.
    """
    return read_module(path, _ENTRY, _build, what="inpainting network", command="train-network")


def _build(facts: Any) -> InpaintingNetwork:
    channels, height, width = facts["image_shape"]
    return InpaintingNetwork((channels, height, width), facts["width"], name=str(facts["name"]))


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
    with _CATALOG.find(name) as path:
        return read_network(path)


def network_card(name: str) -> str:
    """The model card of a shipped network, as Markdown: training and figures.

    Args:
        name: One of `network_names`.

    Raises:
        ArgumentError: If no network has this name.
    """
    return _CATALOG.card(name)
