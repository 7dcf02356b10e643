"""Weights and model cards shipped in a folder of the package, found by name."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from inpaint.errors import ArgumentError

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Catalog:
    """The models shipped in one folder: NAME.safetensors holds weights, NAME.md the model card.

    Attributes:
        kind: What the models are, in one word for messages.
        folder: Subfolder of `inpaint.generators.pretrained`; "" is that folder itself.
        alternative: What users may give instead of a name, in words for messages.
    """

    kind: str
    folder: str = ""
    alternative: str = ""

    def names(self) -> tuple[str, ...]:
        """All names, in alphabetical order."""
        files = (file.name for file in self._folder().iterdir())
        return tuple(sorted(name.removesuffix(SUFFIX) for name in files if name.endswith(SUFFIX)))

    def weights(self, name: str) -> AbstractContextManager[Path]:
        """The weights of a model, as a file that exists while the context is open.

        Raises:
            ArgumentError: If no model has this name.
        """
        self._check(name)
        return resources.as_file(self._folder() / f"{name}{SUFFIX}")

    def find(self, name: str) -> AbstractContextManager[Path]:
        """The weights of a model, or the file of the user's that a path names.

        Raises:
            ArgumentError: If it is no path that ends in `SUFFIX`, and no model has this name.
        """
        return nullcontext(Path(name)) if name.endswith(SUFFIX) else self.weights(name)

    def card(self, name: str) -> str:
        """The model card, as Markdown.

        Raises:
            ArgumentError: If no model has this name.
        """
        self._check(name)
        return (self._folder() / f"{name}.md").read_text(encoding="utf-8")

    def _check(self, name: str) -> None:
        names = self.names()
        if name not in names:
            choices = ", ".join(names) + (f", or {self.alternative}" if self.alternative else "")
            raise ArgumentError(
                f"There is no shipped {self.kind} {name!r}; choose one of {choices}."
            )

    def _folder(self) -> Traversable:
        root = resources.files("inpaint.generators.pretrained")
        return root / self.folder if self.folder else root
