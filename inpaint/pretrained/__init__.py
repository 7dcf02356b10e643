"""Generators that come with the package: weights, and a model card for each."""

from __future__ import annotations

from importlib import resources

from inpaint.errors import ArgumentError
from inpaint.generator import Generator
from inpaint.readers.safetensors import read_safetensors

_ENDING = ".safetensors"


def pretrained_names() -> tuple[str, ...]:
    """The names that `load_pretrained` knows, in alphabetical order."""
    files = (file.name for file in resources.files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(_ENDING) for name in files if name.endswith(_ENDING)))


def load_pretrained(name: str) -> Generator:
    """Load a generator that comes with the package.

    Args:
        name: One of `pretrained_names`.

    Raises:
        ArgumentError: If there is no such generator.
    """
    _check(name)
    with resources.as_file(resources.files(__name__) / f"{name}{_ENDING}") as path:
        return read_safetensors(path)


def model_card(name: str) -> str:
    """How a generator was trained and how well it restores, as Markdown.

    Args:
        name: One of `pretrained_names`.

    Raises:
        ArgumentError: If there is no such generator.
    """
    _check(name)
    return (resources.files(__name__) / f"{name}.md").read_text(encoding="utf-8")


def _check(name: str) -> None:
    names = pretrained_names()
    if name not in names:
        raise ArgumentError(
            f"There is no shipped generator {name!r}; choose one of {', '.join(names)}."
        )
