"""What comes with the package in a folder: weights, and a card for each."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from inpaint.errors import ArgumentError

ENDING = ".safetensors"


@dataclass(frozen=True)
class Shelf:
    """A folder of weights that are known by their names.

    Attributes:
        kind: What they are, in one word.
        folder: Inside of `inpaint.generators.pretrained`; "" is that itself.
        otherwise: What may be named instead, in words.
    """

    kind: str
    folder: str = ""
    otherwise: str = ""

    def names(self) -> tuple[str, ...]:
        """All names, in alphabetical order."""
        files = (file.name for file in self._folder().iterdir())
        return tuple(sorted(name.removesuffix(ENDING) for name in files if name.endswith(ENDING)))

    def weights(self, name: str) -> AbstractContextManager[Path]:
        """The file of a name, which is there as long as the context.

        Raises:
            ArgumentError: If there is no such name.
        """
        self.check(name)
        return resources.as_file(self._folder() / f"{name}{ENDING}")

    def card(self, name: str) -> str:
        """How it was trained and how well it restores, as Markdown.

        Raises:
            ArgumentError: If there is no such name.
        """
        self.check(name)
        return (self._folder() / f"{name}.md").read_text(encoding="utf-8")

    def check(self, name: str) -> None:
        """Refuse a name that is none.

        Raises:
            ArgumentError: Then.
        """
        names = self.names()
        if name not in names:
            raise ArgumentError(
                f"There is no shipped {self.kind} {name!r}; choose one of "
                f"{', '.join(names)}{self.otherwise}."
            )

    def _folder(self) -> Traversable:
        root = resources.files("inpaint.generators.pretrained")
        return root / self.folder if self.folder else root
