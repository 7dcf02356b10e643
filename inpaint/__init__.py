"""Restore damaged images by searching the latent space of a generator.

    result = inpaint.restore(image, mask=mask, generator="digits")
    result.plot()

Every name below is loaded when it is first used, so that `import inpaint` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inpaint import plots
    from inpaint.api import compare, load, measure, restore, sample_posterior
    from inpaint.config import RestoreConfig
    from inpaint.errors import InpaintError
    from inpaint.files.masks import read_mask
    from inpaint.files.reading import read_generator, read_images, write_generator
    from inpaint.files.writing import write_images
    from inpaint.generators import (
        ConvTranspose,
        Dense,
        Generator,
        ModuleGenerator,
        as_generator,
        from_module,
    )
    from inpaint.inputs import as_images
    from inpaint.operators import BlockAverage, Blur, Composition, LinearOperator, Mask
    from inpaint.posterior.config import PosteriorConfig
    from inpaint.posterior.estimates import ESTIMATES
    from inpaint.restoration import Posterior, Restoration
    from inpaint.search.verdict import Verdict
    from inpaint.studies.evaluate.evaluation import evaluate
    from inpaint.training.config import TrainConfig
    from inpaint.training.loop import train
    from inpaint.types import ImageSet, Measurement, Progress, SearchResult, Status

_HOMES = {
    "api": ("compare", "load", "measure", "restore", "sample_posterior"),
    "config": ("RestoreConfig",),
    "errors": ("InpaintError", "InpaintWarning"),
    "files.masks": ("read_mask",),
    "files.reading": ("read_generator", "read_images", "write_generator"),
    "files.writing": ("write_images",),
    "generators": (
        "ConvTranspose",
        "Dense",
        "Generator",
        "ModuleGenerator",
        "as_generator",
        "from_module",
    ),
    "generators.kind": ("PictureKind", "picture_kind"),
    "inputs": ("as_images",),
    "operators": ("BlockAverage", "Blur", "Composition", "LinearOperator", "Mask"),
    "posterior.config": ("PosteriorConfig",),
    "posterior.estimates": ("ESTIMATES",),
    "restoration": ("Posterior", "Restoration"),
    "search.verdict": ("Verdict",),
    "studies.evaluate.evaluation": ("evaluate",),
    "training.config": ("TrainConfig",),
    "training.loop": ("train",),
    "types": ("ImageSet", "Measurement", "Progress", "SearchResult", "Status"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ESTIMATES",
    "BlockAverage",
    "Blur",
    "Composition",
    "ConvTranspose",
    "Dense",
    "Generator",
    "ImageSet",
    "InpaintError",
    "InpaintWarning",
    "LinearOperator",
    "Mask",
    "Measurement",
    "ModuleGenerator",
    "PictureKind",
    "Posterior",
    "PosteriorConfig",
    "Progress",
    "Restoration",
    "RestoreConfig",
    "SearchResult",
    "Status",
    "TrainConfig",
    "Verdict",
    "as_generator",
    "as_images",
    "compare",
    "evaluate",
    "from_module",
    "load",
    "measure",
    "picture_kind",
    "plots",
    "read_generator",
    "read_images",
    "read_mask",
    "restore",
    "sample_posterior",
    "train",
    "write_generator",
    "write_images",
]


def __getattr__(name: str) -> Any:
    if name == "plots":
        return import_module("inpaint.plots")
    if name == "__version__":
        return import_module("importlib.metadata").version("inpaint")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'inpaint' has no attribute {name!r}")
    found = getattr(import_module(f"inpaint.{_HOME_OF[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*__all__, "__version__"})
