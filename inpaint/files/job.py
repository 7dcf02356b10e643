"""What determines a restoration, as its user names it: inputs, damage, settings."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, fields, replace
from typing import Literal

from inpaint.config import RestoreConfig
from inpaint.errors import FileError

KEEPS = (500, 400, 350, 300)
"""Numbers of observed pixels of the published figures: what a sweep visits."""

PREFERRED = "eights-10"
"""The shipped generator that is used where none is named: by far the fastest to search."""


def default_generator() -> str:
    """The name of the generator that is used where none is named.

    Raises:
        FileError: If the package came without generators.
    """
    # Imported here, for it brings torch along: the command line's help needs none of that.
    from inpaint.generators.pretrained import pretrained_names

    names = pretrained_names()
    if not names:
        raise FileError(
            "This installation has no generator of its own; name a file with --generator."
        )
    return PREFERRED if PREFERRED in names else names[0]


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything that determines a restoration.

    Attributes:
        source: Image file, or name of a bundled set.
        generator: Generator file, or name of a shipped one.
        keep: Number N of leading pixels observed, column after column.
        mask: What is lost instead: a preset such as "box:10", or a mask file in which white,
            1 and True mean observed. `keep` is ignored then.
        operator: What is observed if not pixels: "block-average", "blur:1.5", or the file of a
            matrix. A mask then says which of its values are lost, and `keep` is ignored.
        orientation: "rows" or "columns", the order of a picture's numbers in the file.
        ink: "dark" or "light", the colour of the ink in the file.
        value_range: The file's values of black and white. These three are detected if None.
        noise: Standard deviation of the noise added to the images, in units of the pixels.
        numbers: Numbers of the images restored; None restores all.
        config: How to search.
    """

    source: str = "eights"
    generator: str = field(default_factory=default_generator)
    keep: int = 350
    mask: str | None = None
    operator: str | None = None
    orientation: Literal["rows", "columns"] | None = None
    ink: Literal["dark", "light"] | None = None
    value_range: tuple[float, float] | None = None
    noise: float = 0.0
    numbers: tuple[int, ...] | None = None
    config: RestoreConfig = field(default_factory=RestoreConfig)

    def arguments(self) -> list[str]:
        """Words after `inpaint restore` that do the same, defaults left out."""
        config = self.config.resolved()
        usual = RestoreConfig(solver=config.solver).resolved()
        usual = replace(usual, solver=RestoreConfig().solver)
        words = [self.source, "--generator", self.generator]
        if self.operator is not None:
            words += ["--operator", self.operator]
        if self.mask is not None:
            words += ["--mask", self.mask]
        if self.mask is None and self.operator is None:
            words += ["--keep", str(self.keep)]
        for name in ("orientation", "ink"):
            if getattr(self, name) is not None:
                words += [f"--{name}", getattr(self, name)]
        if self.value_range is not None:
            # One word, for a negative number alone would look like an option.
            words.append("--range={!r}:{!r}".format(*self.value_range))
        if self.noise:
            words += ["--noise", repr(self.noise)]
        if self.numbers is not None:
            words += ["--images", ",".join(map(str, self.numbers))]
        for setting in fields(config):
            value = getattr(config, setting.name)
            if value != getattr(usual, setting.name):
                words += [f"--{setting.name.replace('_', '-')}", str(value)]
        return words

    @property
    def command(self) -> str:
        """The same run as a command for a shell."""
        return shlex.join(["inpaint", "restore", *self.arguments()])
