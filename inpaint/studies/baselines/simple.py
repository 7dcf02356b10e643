"""Baselines without a model of images: the mean image, the nearest one, and fillings.

The first two return training images. The others continue a picture into its lost part and use no
other picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.restoration import inpaint_biharmonic
from torch import Tensor

from inpaint.errors import BackendError
from inpaint.operators import Mask
from inpaint.studies.baselines.training_set import TrainingSet
from inpaint.types import OnProgress

RADIUS = 5.0
"""Neighbourhood of OpenCV's methods in pixels: better than 1 or 3 on training digits."""

Channel = NDArray[np.float64]


class _NoSettings:
    """For a baseline without settings."""

    @property
    def settings(self) -> dict[str, float]:
        """Empty: no settings were chosen."""
        return {}


@dataclass(frozen=True)
class MeanImage(_NoSettings):
    """The mean of the training images, whatever was observed.

    Attributes:
        mean: [C, H, W]
    """

    mean: Tensor

    @classmethod
    def fit(cls, training: TrainingSet, on_progress: OnProgress | None = None) -> MeanImage:
        """Average all training images; it takes too little time for `on_progress`."""
        return cls(training.images.double().mean(0))

    def restore(self, values: Tensor, mask: Mask) -> Tensor:
        """Restore images; see `Baseline`."""
        return self.mean.to(values).clamp(0, 1).repeat(len(values), 1, 1, 1)


@dataclass(frozen=True)
class NearestImage(_NoSettings):
    """The training image that is nearest at the observed pixels (L2).

    Attributes:
        images: All training images. [K, C, H, W]
    """

    images: Tensor

    @classmethod
    def fit(cls, training: TrainingSet, on_progress: OnProgress | None = None) -> NearestImage:
        """Keep all training images; it takes too little time for `on_progress`."""
        return cls(training.images)

    def restore(self, values: Tensor, mask: Mask) -> Tensor:
        """Restore images; see `Baseline`."""
        observed = mask.batch(len(values)).flatten(1).to(values)
        candidates = self.images.flatten(1).to(values)
        # |y - x|^2 over the observed pixels, without y'y, which is the same for every x.
        cross = (values.flatten(1) * observed) @ candidates.T
        distance = observed @ candidates.square().T - 2 * cross
        return self.images[distance.argmin(1)].to(values).clamp(0, 1)


@dataclass(frozen=True)
class Biharmonic(_NoSettings):
    """The smoothest surface through the observed pixels and their noise (scikit-image)."""

    def restore(self, values: Tensor, mask: Mask) -> Tensor:
        """Restore images; see `Baseline`."""
        return _fill(values, mask, lambda channel, lost: inpaint_biharmonic(channel, lost))


@dataclass(frozen=True)
class OpenCVFill:
    """OpenCV's inpainting, which works on 8 bits per pixel.

    Attributes:
        method: "telea" (fast marching, Telea 2004) or "navier-stokes" (Bertalmio et al. 2001).
        radius: Radius of the neighbourhood of a lost pixel that is used, in pixels.
    """

    method: Literal["telea", "navier-stokes"]
    radius: float = RADIUS

    def __post_init__(self) -> None:
        _opencv()

    @property
    def settings(self) -> dict[str, float]:
        """The radius."""
        return {"radius": self.radius}

    def restore(self, values: Tensor, mask: Mask) -> Tensor:
        """Restore images; see `Baseline`."""
        cv2 = _opencv()
        flag = cv2.INPAINT_TELEA if self.method == "telea" else cv2.INPAINT_NS

        def fill(channel: Channel, lost: NDArray[np.bool_]) -> Channel:
            # OpenCV's variant for floating-point pixels overshoots more and more. It also reads
            # lost pixels at the border, so the result must not depend on their values.
            known = np.where(lost, channel[~lost].mean(), channel)
            bytes_ = np.rint(255 * known.clip(0, 1)).astype(np.uint8)
            filled = cv2.inpaint(bytes_, lost.astype(np.uint8), self.radius, flag)
            return np.where(lost, filled / 255, channel)

        return _fill(values, mask, fill)


def _fill(
    values: Tensor, mask: Mask, fill: Callable[[Channel, NDArray[np.bool_]], Channel]
) -> Tensor:
    """Apply `fill` to each channel of each image that has lost pixels."""
    channels = values.detach().cpu().double().flatten(0, 1).numpy()
    lost = ~mask.batch(len(values)).flatten(0, 1).cpu().numpy()
    filled = [
        fill(channel, gone) if gone.any() else channel
        for channel, gone in zip(channels, lost, strict=True)
    ]
    return torch.from_numpy(np.stack(filled)).reshape(values.shape).to(values).clamp(0, 1)


def _opencv() -> ModuleType:
    try:
        import cv2
    except ImportError as error:
        raise BackendError(
            "Telea and Navier-Stokes need OpenCV, which is not installed; install it by "
            "pip install 'inpaint[opencv]'."
        ) from error
    return cv2
