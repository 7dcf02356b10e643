"""What determines an evaluation, as its user names it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from inpaint.checks import check_integer, check_number
from inpaint.config import RestoreConfig
from inpaint.errors import ArgumentError
from inpaint.files.job import default_generator


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Everything that determines an evaluation.

    Attributes:
        images: IDX file of the images.
        labels: IDX file of their labels.
        digits: Labels wanted; none for all.
        hold_out: The last so many images of `images` are evaluated, and the last so many of
            `train` are not trained on; 0 takes all of both.
        skip: Images of those that are left out, from the first on.
        limit: Images evaluated at most: the first ones of what is left.
        keep: Number N of leading pixels observed, column after column.
        mask: What is lost instead: a preset such as "box:10", or a mask file in which white,
            1 and True mean observed. `keep` is ignored then.
        noise: Standard deviation of the noise added, in units of the pixels.
        generator: Generator file, or name of a shipped one.
        network: Network file, or name of a shipped one; None is that of the generator's name, if
            there is one.
        train: IDX file of the images that the baselines learn from.
        train_labels: IDX file of their labels.
        methods: Names of methods; none for all.
        config: How to search; its seed is that of the noise as well.
    """

    images: Path
    labels: Path
    digits: tuple[int, ...] = ()
    hold_out: int = 10_000
    skip: int = 0
    limit: int = 200
    keep: int = 504
    mask: str | None = None
    noise: float = 0.0973
    generator: str = field(default_factory=default_generator)
    network: str | None = None
    train: Path | None = None
    train_labels: Path | None = None
    methods: tuple[str, ...] = ()
    config: RestoreConfig = field(default_factory=RestoreConfig)

    def __post_init__(self) -> None:
        check_integer("hold_out", self.hold_out, 0, 2**31)
        check_integer("skip", self.skip, 0, 2**31)
        check_integer("limit", self.limit, 1, 2**31)
        check_number("noise", self.noise, positive=False)
        if (self.train is None) != (self.train_labels is None):
            raise ArgumentError(
                "Training images and their labels come together; give both, --train and "
                "--train-labels, or none."
            )

    @property
    def damage(self) -> str:
        """What the images suffer, in words that differ from those of other damage."""
        return f"N = {self.keep}" if self.mask is None else Path(self.mask).name
