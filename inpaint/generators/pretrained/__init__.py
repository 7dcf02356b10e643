"""Generators that come with the package: weights, and a model card for each."""

from __future__ import annotations

from inpaint.files.safetensors import read_safetensors
from inpaint.generators import Generator
from inpaint.generators.pretrained.catalog import Shelf

_SHELF = Shelf("generator")


def pretrained_names() -> tuple[str, ...]:
    """The names that `load_pretrained` knows, in alphabetical order."""
    return _SHELF.names()


def load_pretrained(name: str) -> Generator:
    """Load a generator that comes with the package.

    Args:
        name: One of `pretrained_names`.

    Raises:
        ArgumentError: If there is no such generator.
    """
    with _SHELF.weights(name) as path:
        return read_safetensors(path)


def model_card(name: str) -> str:
    """How a generator was trained and how well it restores, as Markdown.

    Args:
        name: One of `pretrained_names`.

    Raises:
        ArgumentError: If there is no such generator.
    """
    return _SHELF.card(name)
