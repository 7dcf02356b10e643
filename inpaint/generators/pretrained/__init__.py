"""Generators shipped with the package: weights, and a model card for each."""

from __future__ import annotations

from inpaint.files.safetensors import read_safetensors
from inpaint.generators import Generator
from inpaint.generators.pretrained.catalog import Catalog

_CATALOG = Catalog("generator")


def pretrained_names() -> tuple[str, ...]:
    """The names of the shipped generators, in alphabetical order."""
    return _CATALOG.names()


def load_pretrained(name: str) -> Generator:
    """Load a shipped generator.

    Args:
        name: One of `pretrained_names`.

    Raises:
        ArgumentError: If no generator has this name.
    """
    with _CATALOG.weights(name) as path:
        return read_safetensors(path)


def model_card(name: str) -> str:
    """The model card of a shipped generator, as Markdown: training and figures.

    Args:
        name: One of `pretrained_names`.

    Raises:
        ArgumentError: If no generator has this name.
    """
    return _CATALOG.card(name)
