"""How close an image is to the ideal one: L2 error, PSNR and SSIM, of all or of the lost pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from torch import Tensor

from inpaint.errors import ShapeError

SSIM_WINDOW = 7
"""Side of the square in which SSIM compares two images; smaller if the image is."""


@dataclass(frozen=True)
class Metrics:
    """How far an output is from the ideal image, both with values in 0 to 1.

    A metric is None where it is not defined: for a part without pixels, or the SSIM of an
    image that is too small for a window.

    Attributes:
        error: L2 norm of the difference.
        psnr: Peak signal-to-noise ratio in dB; infinite for equal images.
        psnr_observed: PSNR of the observed pixels.
        psnr_missing: PSNR of the lost pixels.
        ssim: Structural similarity, 1 for equal images (Wang et al. 2004).
        ssim_missing: Mean of the SSIM map over the lost pixels. Windows at the edge of the
            lost part contain observed pixels as well.
    """

    error: float
    psnr: float
    psnr_observed: float | None
    psnr_missing: float | None
    ssim: float | None
    ssim_missing: float | None


def compare_images(output: Tensor, ideal: Tensor, observed: Tensor) -> Metrics:
    """Measure how far an output is from the ideal image.

    Args:
        output: Restored image, values in 0 to 1. [C, H, W]
        ideal: Undamaged image, values in 0 to 1. [C, H, W]
        observed: True where a pixel was observed. [C, H, W]

    Raises:
        ShapeError: If the three do not have the same shape [C, H, W].
    """
    if output.ndim != 3 or not output.shape == ideal.shape == observed.shape:
        raise ShapeError(
            f"output, ideal and observed have the shapes {list(output.shape)}, "
            f"{list(ideal.shape)} and {list(observed.shape)}; all must be one [C, H, W]."
        )
    first = output.detach().cpu().double().numpy()
    second = ideal.detach().cpu().double().numpy()
    seen = observed.detach().cpu().numpy().astype(bool)
    square = (first - second) ** 2
    ssim_map = _ssim_map(first, second)
    return Metrics(
        error=math.sqrt(square.sum()),
        psnr=_psnr(square),
        psnr_observed=_psnr(square[seen]) if seen.any() else None,
        psnr_missing=None if seen.all() else _psnr(square[~seen]),
        ssim=None if ssim_map is None else float(_interior(ssim_map).mean()),
        ssim_missing=None if ssim_map is None or seen.all() else float(ssim_map[~seen].mean()),
    )


def _psnr(square: NDArray[np.float64]) -> float:
    """PSNR of squared differences, with a peak of 1."""
    mean = float(square.mean())
    return -10 * math.log10(mean) if mean > 0 else math.inf


def _window(height: int, width: int) -> int:
    """The largest odd side that fits, at most `SSIM_WINDOW`."""
    side = min(SSIM_WINDOW, height, width)
    return side if side % 2 else side - 1


def _ssim_map(
    first: NDArray[np.float64], second: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """SSIM around each pixel, or None if no window of 3 fits. [C, H, W]"""
    side = _window(*first.shape[1:])
    if side < 3:
        return None
    _, ssim_map = structural_similarity(
        first, second, win_size=side, data_range=1.0, channel_axis=0, full=True
    )
    return np.asarray(ssim_map)


def _interior(ssim_map: NDArray[np.float64]) -> NDArray[np.float64]:
    """The part whose windows lie within the image; SSIM is its mean."""
    edge = (_window(*ssim_map.shape[1:]) - 1) // 2
    return ssim_map[:, edge : ssim_map.shape[1] - edge, edge : ssim_map.shape[2] - edge]
