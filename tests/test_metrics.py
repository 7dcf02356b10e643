"""Metrics against their definitions, and where they are not defined."""

import math

import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from inpaint.errors import ShapeError
from inpaint.metrics import compare_images


def two_images(shape=(1, 28, 28), seed=0):
    generator = torch.Generator().manual_seed(seed)
    ideal = torch.rand(shape, generator=generator)
    output = (ideal + 0.1 * torch.randn(shape, generator=generator)).clamp(0, 1)
    observed = torch.zeros(shape, dtype=torch.bool)
    observed[..., : shape[2] // 2] = True
    return output, ideal, observed


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 16, 20)])
def test_agrees_with_scikit_image(shape):
    output, ideal, observed = two_images(shape)
    metrics = compare_images(output, ideal, observed)
    first, second = output.double().numpy(), ideal.double().numpy()
    ssim = structural_similarity(second, first, data_range=1.0, channel_axis=0)
    assert metrics.error == pytest.approx(float((output - ideal).norm()), rel=1e-5)
    assert metrics.psnr == pytest.approx(peak_signal_noise_ratio(second, first, data_range=1.0))
    assert metrics.ssim == pytest.approx(ssim)


def test_parts_see_only_their_pixels():
    output, ideal, observed = two_images()
    whole = compare_images(output, ideal, observed)
    spoiled = compare_images(torch.where(observed, 1 - output, output), ideal, observed)
    assert spoiled.psnr_missing == whole.psnr_missing
    assert spoiled.psnr_observed < whole.psnr_observed
    far = torch.where(observed, ideal, output)
    assert compare_images(far, ideal, observed).ssim_missing < 1


def test_nothing_missing_has_no_figure_for_the_missing_part():
    output, ideal, _ = two_images()
    metrics = compare_images(output, ideal, torch.ones_like(ideal, dtype=torch.bool))
    assert metrics.psnr_missing is None
    assert metrics.ssim_missing is None
    assert metrics.psnr_observed == metrics.psnr


def test_equal_images():
    _, ideal, observed = two_images()
    metrics = compare_images(ideal, ideal, observed)
    assert metrics.error == 0
    assert metrics.psnr == math.inf
    assert metrics.ssim == pytest.approx(1)


def test_an_image_too_small_for_a_window_has_no_ssim():
    output, ideal, observed = two_images((1, 1, 2))
    assert compare_images(output, ideal, observed).ssim is None
    output, ideal, observed = two_images((1, 4, 5))
    assert compare_images(output, ideal, observed).ssim is not None


def test_refuses_other_shapes():
    output, ideal, observed = two_images()
    with pytest.raises(ShapeError, match="one \\[C, H, W\\]"):
        compare_images(output[None], ideal, observed)
