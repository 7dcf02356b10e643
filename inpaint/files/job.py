"""Jobs: everything that determines what a command does, as the user gives it.

The command line makes its options from these fields, a record keeps them, and both repeat a job
exactly. The texts of the fields are the options' help.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import ClassVar, Literal

from inpaint.checks import check_choice, check_integer, check_number
from inpaint.config import RestoreConfig
from inpaint.errors import ArgumentError, FileError
from inpaint.files.words import Job, option
from inpaint.network.config import NetworkConfig
from inpaint.posterior.config import PosteriorConfig
from inpaint.posterior.estimates import ESTIMATES, LEVEL, PLAIN
from inpaint.training.config import TrainConfig

KEEPS = (500, 400, 350, 300)
"""Numbers of observed pixels in the published figures, and the default of a sweep."""

PREFERRED = "eights-10"
"""The shipped generator that is used where none is named: by far the fastest to search."""

LARGEST = 2**31


def default_generator() -> str:
    """The name of the generator that is used where none is named.

    Raises:
        FileError: If the package came without generators.
    """
    # Imported here because it loads torch, which the command line's help does not need.
    from inpaint.generators.pretrained import pretrained_names

    names = pretrained_names()
    if not names:
        raise FileError(
            "This installation has no generator of its own; name a file with --generator."
        )
    return PREFERRED if PREFERRED in names else names[0]


@dataclass(frozen=True, kw_only=True)
class ImagesJob(Job):
    """Images, how they are read, and the generator that restores them.

    Attributes:
        source: Image file (.mat, .npz, .npy, .png, .jpg, IDX), folder of pictures, or name of a
            bundled set.
        generator: Generator file (.mat, .safetensors) or name of a shipped one.
        orientation: Order of the numbers of a picture in SOURCE.
        ink: Colour of the ink in SOURCE.
        value_range: Values of black and white in SOURCE, such as 0:255; write --range=-1:1.
        noise: Standard deviation of the noise added to the images, in units of the pixels.
        noise_level: Standard deviation of the measurement's noise where it is known, in units of
            the pixels. Left out, it is unknown, and J integrates it out.
        numbers: Numbers of the images to restore, such as 0,2-3.
    """

    source: str = option("eights", argument=True, is_input=True, always=True)
    generator: str = option(
        factory=default_generator, shown="the shipped one", is_input=True, always=True
    )
    orientation: Literal["rows", "columns"] | None = option(None, shown="the format's own")
    ink: Literal["dark", "light"] | None = option(None, shown="detected")
    value_range: tuple[float, float] | None = option(None, name="range", shown="detected")
    noise: float = option(0.0)
    noise_level: float | None = option(None, shown="unknown")
    numbers: tuple[int, ...] | None = option(None, name="images", shown="all")


@dataclass(frozen=True, kw_only=True)
class DamageJob(ImagesJob):
    """Images and what is observed of them.

    Attributes:
        keep: Number N of leading pixels observed, column after column; the rest is lost.
        mask: What is lost, instead of --keep: box:SIDE, left, right, top, bottom, random:SHARE,
            rows:K, columns:K, checkerboard:SIDE, strokes:NUMBER (random and strokes take a seed,
            strokes:3:SEED), or a mask file (.png, .npy, .npz) where white or 1 is observed.
        operator: What is observed, if not pixels: block-average, block-average:SIDE,
            blur:DEVIATION, or the file of a matrix T (.npy, .npz, .mat). With --mask, some of its
            values are lost.
    """

    keep: int = option(350, always=True)
    mask: str | None = option(None, metavar="PRESET|FILE", is_input=True)
    operator: str | None = option(None, metavar="NAME|FILE", is_input=True)

    @property
    def seed(self) -> int:
        """The seed of everything random."""
        config: RestoreConfig | PosteriorConfig = self.config  # type: ignore[attr-defined]
        return config.seed

    def ignored_fields(self) -> set[str]:
        """N has no meaning where a mask or an operator says what is observed."""
        return set() if self.mask is None and self.operator is None else {"keep"}


@dataclass(frozen=True, kw_only=True)
class RestoreJob(DamageJob):
    """Everything that determines a restoration.

    Attributes:
        posterior: Sample the posterior too: its mean and deviation go into the figure, its arrays
            and diagnostics into the files.
        estimate: Image to show: the minimum of J, the posterior mean, or the median of the best
            mode; for images that the generator cannot draw exactly, such as real handwriting, one
            of small error (accurate, or combined with a network's) or of clear strokes (sharp).
        config: How to search.
    """

    command: ClassVar[str] = "restore"

    posterior: bool = option(False)
    estimate: str | None = option(
        None,
        metavar="|".join(ESTIMATES),
        shown="the minimum; with --posterior the mean where the sampling converged",
    )
    config: RestoreConfig = field(default_factory=RestoreConfig)

    def __post_init__(self) -> None:
        if self.estimate is not None:
            check_choice("estimate", self.estimate, tuple(ESTIMATES))

    @property
    def samples(self) -> bool:
        """Whether the job needs the posterior as well as the search."""
        return self.posterior or self.estimate not in (None, "minimum")


@dataclass(frozen=True, kw_only=True)
class PosteriorJob(DamageJob):
    """Everything that determines the sampling of a posterior.

    Attributes:
        level: Probability that the intervals hold.
        estimate: Image to show: the minimum of J, the posterior mean, or the median of the best
            mode.
        config: How to sample.
    """

    command: ClassVar[str] = "posterior"

    level: float = option(LEVEL)
    estimate: str | None = option(
        None, metavar="|".join(PLAIN), shown="the mean where the sampling converged"
    )
    config: PosteriorConfig = field(default_factory=PosteriorConfig)

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise ArgumentError(f"level is {self.level!r}; it is a probability. Choose .5 to .99.")
        if self.estimate is not None:
            check_choice("estimate", self.estimate, PLAIN)


@dataclass(frozen=True, kw_only=True)
class SweepJob(ImagesJob):
    """Everything that determines a sweep over N.

    Attributes:
        keeps: Numbers N of observed pixels.
        restart_counts: Numbers of restarts to compare, up to --restarts, such as 1,4,16,64.
        repeats: Number of seeds with which everything is done, from --seed on.
        config: How to search.
    """

    command: ClassVar[str] = "sweep"

    keeps: tuple[int, ...] = option(KEEPS, name="keep")
    restart_counts: tuple[int, ...] = option((), shown="all of them only")
    repeats: int = option(1)
    config: RestoreConfig = field(default_factory=RestoreConfig)

    def at(self, keep: int) -> RestoreJob:
        """The restoration of the same images at one N."""
        shared = {each.name: getattr(self, each.name) for each in fields(ImagesJob)}
        return RestoreJob(keep=keep, config=self.config, **shared)


@dataclass(frozen=True, kw_only=True)
class EvaluateJob(Job):
    """Everything that determines an evaluation.

    Attributes:
        images: IDX file of images, gz or not.
        labels: IDX file of their labels.
        digits: Labels to evaluate.
        keeps: Numbers N of observed pixels, one evaluation each.
        masks: What is lost, instead of --keep: one or more of what inpaint restore --mask takes,
            such as box:12,left,random:0.5.
        noise: Standard deviation of the noise added to the images, in units of the pixels.
        limit: Most images evaluated: the first ones after those skipped.
        skip: Images that are left out before the first one evaluated.
        hold_out: Only this many images at the end of IMAGES are evaluated, and this many at the
            end of --train are not trained on; 0 takes all of both.
        generator: Generator file (.mat, .safetensors) or name of a shipped one.
        network: Inpainting network: a shipped one, or a .safetensors file.
        train: IDX file of images for the baselines to learn from: the generator's training images.
        train_labels: IDX file of their labels.
        methods: Methods, such as minimum,pca.
        config: How to search; its seed also determines the noise.
    """

    command: ClassVar[str] = "evaluate"

    images: Path = option(argument=True, is_input=True)
    labels: Path = option(is_input=True)
    digits: tuple[int, ...] = option((), name="digit", shown="all")
    keeps: tuple[int, ...] = option((504,), name="keep")
    masks: tuple[str, ...] = option((), name="mask", metavar="PRESETS|FILE", is_input=True)
    noise: float = option(0.0973)
    limit: int = option(200)
    skip: int = option(0)
    hold_out: int = option(10_000)
    generator: str = option(
        factory=default_generator, shown="the shipped one", is_input=True, always=True
    )
    network: str | None = option(
        None,
        metavar="NAME|FILE",
        shown="the shipped one of the generator's name, if there is one",
        is_input=True,
    )
    train: Path | None = option(None, shown="baselines that learn do not run", is_input=True)
    train_labels: Path | None = option(None, is_input=True)
    methods: tuple[str, ...] = option((), shown="all but mean and median")
    config: RestoreConfig = field(default_factory=lambda: RestoreConfig.preset("fast"))

    def __post_init__(self) -> None:
        check_integer("hold_out", self.hold_out, 0, LARGEST)
        check_integer("skip", self.skip, 0, LARGEST)
        check_integer("limit", self.limit, 1, LARGEST)
        check_number("noise", self.noise, positive=False)
        if (self.train is None) != (self.train_labels is None):
            raise ArgumentError(
                "Training images and their labels come together; give both, --train and "
                "--train-labels, or none."
            )
        _check_different("keep", self.keeps)
        if len({Path(mask).name for mask in self.masks}) < len(self.masks):
            raise ArgumentError(f"mask is {','.join(self.masks)}; give masks of different names.")

    def ignored_fields(self) -> set[str]:
        """N has no meaning where masks are given."""
        return {"keeps"} if self.masks else set()


@dataclass(frozen=True, kw_only=True)
class CalibrateJob(Job):
    """Everything that determines a calibration study.

    Attributes:
        generator: Generator file (.mat, .safetensors) or name of a shipped one.
        keeps: Numbers N of observed pixels.
        truths: Number of truths at each N.
        noise: Standard deviation of the noise added to them, in units of the pixels.
        noise_is: Whether the sampler knows that noise level.
        noise_level: The noise level that the sampler assumes, right or wrong.
        images: IDX file of real images to use as truths.
        labels: IDX file of their labels.
        digits: Labels to take.
        hold_out: Only this many images at the end of --images are used; 0 takes all.
        config: How to sample; its seed also determines truths and noise.
    """

    command: ClassVar[str] = "calibrate"

    generator: str = option(
        factory=default_generator, shown="the shipped one", is_input=True, always=True
    )
    keeps: tuple[int, ...] = option((500, 400, 300), name="keep")
    truths: int = option(200)
    noise: float = option(0.1)
    noise_is: Literal["known", "unknown", "both"] = option("both")
    noise_level: float | None = option(None, shown="as --noise-is says")
    images: Path | None = option(None, shown="drawn from the generator", is_input=True)
    labels: Path | None = option(None, is_input=True)
    digits: tuple[int, ...] = option((), name="digit", shown="all")
    hold_out: int = option(10_000)
    config: PosteriorConfig = field(default_factory=PosteriorConfig)

    def __post_init__(self) -> None:
        check_integer("truths", self.truths, 1, 1_000_000)
        check_integer("hold_out", self.hold_out, 0, LARGEST)
        check_number("noise", self.noise, positive=True)
        check_choice("noise_is", self.noise_is, ("known", "unknown", "both"))
        if self.noise_level is not None:
            check_number("noise_level", self.noise_level, positive=True)
        _check_different("keep", self.keeps)
        if (self.images is None) != (self.labels is None):
            raise ArgumentError(
                "Real images and their labels come together; give both, --images and --labels, "
                "or none."
            )

    @property
    def known_levels(self) -> tuple[float | None, ...]:
        """The noise levels that the sampler assumes in turn; None is unknown."""
        if self.noise_level is not None:
            return (self.noise_level,)
        levels: dict[str, tuple[float | None, ...]] = {
            "known": (self.noise,),
            "unknown": (None,),
            "both": (self.noise, None),
        }
        return levels[self.noise_is]


@dataclass(frozen=True, kw_only=True)
class SampleJob(Job):
    """Everything that determines a grid of a generator's images.

    Attributes:
        generator: Generator file (.mat, .safetensors) or name of a shipped one.
        count: Number of images.
        columns: Images in a row.
        seed: Determines the images.
    """

    command: ClassVar[str] = "sample"

    generator: str = option(
        factory=default_generator, shown="the shipped one", is_input=True, always=True
    )
    count: int = option(100)
    columns: int = option(10)
    seed: int = option(0)

    def __post_init__(self) -> None:
        check_integer("count", self.count, 1, 10_000)
        check_integer("columns", self.columns, 1, 100)
        check_integer("seed", self.seed, 0, 2**63 - 1)


@dataclass(frozen=True, kw_only=True)
class TrainingImagesJob(Job):
    """Images to train on.

    Attributes:
        images: IDX file of the training images, gz or not.
        labels: IDX file of their labels.
        digits: Labels to train on.
        hold_out: Images at the end of the file that are left out.
    """

    images: Path = option(argument=True, is_input=True)
    labels: Path = option(is_input=True)
    digits: tuple[int, ...] = option((), shown="all")
    hold_out: int = option(10_000)

    def __post_init__(self) -> None:
        check_integer("hold_out", self.hold_out, 0, LARGEST)


@dataclass(frozen=True, kw_only=True)
class TrainJob(TrainingImagesJob):
    """Everything that determines the training of a generator.

    Attributes:
        start: Generator to train on from, a file or the name of a shipped one. It must have the
            layers that the other options ask for.
        config: How to train.
    """

    command: ClassVar[str] = "train"

    start: str | None = option(None, shown="random weights", is_input=True)
    config: TrainConfig = field(default_factory=TrainConfig)


@dataclass(frozen=True, kw_only=True)
class TrainNetworkJob(TrainingImagesJob):
    """Everything that determines the training of an inpainting network.

    Attributes:
        config: How to train.
    """

    command: ClassVar[str] = "train-network"

    config: NetworkConfig = field(default_factory=NetworkConfig)


def _check_different(name: str, numbers: tuple[int, ...]) -> None:
    if not numbers or len(set(numbers)) < len(numbers):
        raise ArgumentError(
            f"{name} is {','.join(map(str, numbers)) or 'empty'}; give one or more different "
            "numbers of pixels."
        )
