"""All baselines by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from inpaint.checks import check_choice
from inpaint.errors import ArgumentError
from inpaint.studies.baselines.regression import KernelRidge, ProbabilisticPCA, RidgeRegression
from inpaint.studies.baselines.simple import Biharmonic, MeanImage, NearestImage, OpenCVFill
from inpaint.studies.baselines.training_set import Baseline, TrainingSet
from inpaint.types import OnProgress


@dataclass(frozen=True)
class BaselineKind:
    """How to make one kind of baseline: either `make` or `fit` is given.

    Attributes:
        title: Its name in figures and tables.
        make: Makes one that needs no training images.
        fit: Fits one to training images.
        slow: Whether the fit takes seconds.
    """

    title: str
    make: Callable[[], Baseline] | None = None
    fit: Callable[[TrainingSet, OnProgress | None], Baseline] | None = None
    slow: bool = False


BASELINES: dict[str, BaselineKind] = {
    "mean-image": BaselineKind("mean image", fit=MeanImage.fit),
    "nearest": BaselineKind("nearest image", fit=NearestImage.fit),
    "pca": BaselineKind("probabilistic PCA", fit=ProbabilisticPCA.fit, slow=True),
    "ridge": BaselineKind("ridge regression", fit=RidgeRegression.fit, slow=True),
    "kernel": BaselineKind("kernel regression", fit=KernelRidge.fit, slow=True),
    "biharmonic": BaselineKind("biharmonic", make=Biharmonic),
    "telea": BaselineKind("Telea", make=lambda: OpenCVFill("telea")),
    "navier-stokes": BaselineKind("Navier-Stokes", make=lambda: OpenCVFill("navier-stokes")),
}
"""Every baseline by its name, in the order of tables."""

UNTRAINED: tuple[str, ...] = tuple(name for name, kind in BASELINES.items() if kind.make)
"""Names of those that need no training images."""


def fit_baseline(
    name: str, training: TrainingSet | None = None, *, on_progress: OnProgress | None = None
) -> Baseline:
    """Make a baseline that is ready to restore images.

    Args:
        name: A key of `BASELINES`.
        training: Images to learn from; those in `UNTRAINED` need none.
        on_progress: Called before each setting that is tried. If it returns False, the best of
            the settings tried so far is taken, or the first one.

    Raises:
        ArgumentError: If no baseline has this name, or it needs training images and has none.
        BackendError: If it needs a package that is not installed.
    """
    check_choice("the baseline", name, tuple(BASELINES))
    kind = BASELINES[name]
    if kind.make is not None:
        return kind.make()
    assert kind.fit is not None
    if training is None:
        raise ArgumentError(f"The baseline {name!r} learns from images; give training images.")
    return kind.fit(training, on_progress)
