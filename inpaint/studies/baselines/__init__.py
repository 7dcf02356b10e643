"""Other ways to restore a damaged image, to hold a generator against.

Each is a `Baseline`: from damaged values and their mask to images. `fit_baseline` makes one by
its name; `UNTRAINED` lists those that need no training images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from inpaint.checks import check_choice
from inpaint.errors import ArgumentError
from inpaint.studies.baselines.filling import Biharmonic, OpenCVFill
from inpaint.studies.baselines.kernel import KernelRidge
from inpaint.studies.baselines.lookup import MeanImage, NearestImage
from inpaint.studies.baselines.principal import ProbabilisticPCA
from inpaint.studies.baselines.ridge import RidgeRegression
from inpaint.studies.baselines.training import Baseline, Training

__all__ = [
    "BASELINES",
    "UNTRAINED",
    "Baseline",
    "Biharmonic",
    "KernelRidge",
    "Kind",
    "MeanImage",
    "NearestImage",
    "OpenCVFill",
    "ProbabilisticPCA",
    "RidgeRegression",
    "Training",
    "fit_baseline",
]


@dataclass(frozen=True)
class Kind:
    """A baseline that can be made.

    Attributes:
        title: What to call it over a picture or in a table.
        make: From nothing, for one that needs no training images.
        fit: From training images, for one that learns.
        slow: Whether a fit takes seconds.
    """

    title: str
    make: Callable[[], Baseline] | None = None
    fit: Callable[[Training], Baseline] | None = None
    slow: bool = False


BASELINES: dict[str, Kind] = {
    "mean": Kind("mean image", fit=MeanImage.fit),
    "nearest": Kind("nearest image", fit=NearestImage.fit),
    "pca": Kind("probabilistic PCA", fit=ProbabilisticPCA.fit, slow=True),
    "ridge": Kind("ridge regression", fit=RidgeRegression.fit, slow=True),
    "kernel": Kind("kernel regression", fit=KernelRidge.fit, slow=True),
    "biharmonic": Kind("biharmonic", make=Biharmonic),
    "telea": Kind("Telea", make=lambda: OpenCVFill("telea")),
    "navier-stokes": Kind("Navier-Stokes", make=lambda: OpenCVFill("navier-stokes")),
}
"""Every baseline by its name, in the order of tables."""

UNTRAINED: tuple[str, ...] = tuple(name for name, kind in BASELINES.items() if kind.make)
"""Those that need no training images."""


def fit_baseline(name: str, training: Training | None = None) -> Baseline:
    """Make a baseline ready to restore images.

    Args:
        name: A key of `BASELINES`.
        training: What it may learn from; those in `UNTRAINED` need none.

    Raises:
        ArgumentError: If there is no such baseline, or it learns and there is no training.
        BackendError: If it needs a package that is not installed.
    """
    check_choice("the baseline", name, tuple(BASELINES))
    kind = BASELINES[name]
    if kind.make is not None:
        return kind.make()
    assert kind.fit is not None
    if training is None:
        raise ArgumentError(f"The baseline {name!r} learns from images; give training images.")
    return kind.fit(training)
