"""Baselines that continue a picture into its lost part, and know no other picture."""

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

RADIUS = 5.0
"""Distance in pixels that OpenCV's methods look at: on training digits better than 1 or 3."""

Channel = NDArray[np.float64]


@dataclass(frozen=True)
class Biharmonic:
    """The smoothest surface through the observed pixels, noise and all (scikit-image)."""

    @property
    def settings(self) -> dict[str, float]:
        """Nothing was chosen."""
        return {}

    def restore(self, values: Tensor, mask: Mask) -> Tensor:
        """Restore images; see `Baseline`."""
        return _fill(values, mask, lambda channel, lost: inpaint_biharmonic(channel, lost))


@dataclass(frozen=True)
class OpenCVFill:
    """OpenCV's inpainting, which takes and gives 8 bits a pixel.

    Attributes:
        method: "telea" (fast marching, Telea 2004) or "navier-stokes" (Bertalmio et al. 2001).
        radius: Distance that is looked at around a lost pixel, in pixels.
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
            # Its variant for floating-point pixels overshoots in ever wider swings. And it
            # reads lost pixels at the border, so these must not depend on what stands there.
            known = np.where(lost, channel[~lost].mean(), channel)
            bytes_ = np.rint(255 * known.clip(0, 1)).astype(np.uint8)
            filled = cv2.inpaint(bytes_, lost.astype(np.uint8), self.radius, flag)
            return np.where(lost, filled / 255, channel)

        return _fill(values, mask, fill)


def _fill(
    values: Tensor, mask: Mask, fill: Callable[[Channel, NDArray[np.bool_]], Channel]
) -> Tensor:
    """Fill each channel of each image by a function of the channel and what it has lost."""
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
