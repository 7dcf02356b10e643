"""Observed pixels blended into a restoration, against the best weights there are."""

from __future__ import annotations

import pytest
import torch

from inpaint import Mask
from inpaint.studies.evaluate.blending import blend_observed


def test_blending_comes_near_the_best_weights_and_leaves_lost_pixels() -> None:
    """Noise everywhere and a misfit in one corner: only there is the measurement better."""
    stream = torch.Generator().manual_seed(0)
    shape = (40, 1, 20, 20)
    ideal = torch.rand(shape, generator=stream)
    misfit = 0.3 * torch.randn(shape, generator=stream)
    misfit[:, :, 8:] = 0
    images = ideal + misfit
    noise = torch.linspace(0.05, 0.1, 40)[:, None, None, None]
    mask = Mask.leading(300, shape[1:])
    values = mask.apply(ideal + noise * torch.randn(shape, generator=stream))
    blend = blend_observed(values, mask, images)

    torch.testing.assert_close(blend.noise_level, noise[:, 0, 0, 0], rtol=0.3, atol=0)
    assert float((blend.noise_level / noise[:, 0, 0, 0]).mean()) == pytest.approx(1, abs=0.05)
    assert torch.equal(blend.images[:, ~mask.observed], images[:, ~mask.observed])
    assert not blend.weights[:, ~mask.observed].any()

    best = torch.where(misfit.abs().amax(-1, keepdim=True) > 0, 0.09 / (0.09 + noise**2), 0.0)
    reached, ideal_blend, before = (
        float((x - ideal)[:, mask.observed].square().mean())
        for x in (blend.images, images + best * (values - images), images)
    )
    assert reached < 1.5 * ideal_blend
    assert reached < 0.15 * before
    known = blend_observed(values, mask, images, noise_level=0.08)
    assert torch.allclose(known.noise_level, torch.tensor(0.08))


def test_blending_without_noise_or_without_misfit_stays_finite() -> None:
    images = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    mask = Mask.leading(20, (1, 8, 8))
    blend = blend_observed(mask.apply(images), mask, images)
    torch.testing.assert_close(blend.images, images)
    assert torch.isfinite(blend.noise_level).all()
