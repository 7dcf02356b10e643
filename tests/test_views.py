"""What is said of a posterior in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inpaint import Mask, measure, read_generator, read_images
from inpaint.posterior import PosteriorConfig, sample_posterior, summarise
from inpaint.posterior.types import PosteriorMode
from inpaint.posterior.views import find


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ([0.97, 0.03], "One image fits."),
        ([0.6, 0.38, 0.02], "2 different images fit, the likeliest with 60 %."),
        (
            [0.4, 0.2, *[0.04] * 10],
            "2 different images fit, the likeliest with 40 %; 10 rarer ones share 40 %.",
        ),
        ([0.04] * 25, "No image stands out: the likeliest of 25 has 4 %."),
    ],
)
def test_the_modes_are_counted_in_words(weights: list[float], sentence: str) -> None:
    generator = read_generator("eights-10")
    mask = Mask.leading(500, generator.image_shape)
    measurement = measure(read_images("eights")[:1], mask, noise=0.1)
    posterior = sample_posterior(measurement, generator, PosteriorConfig(threads=1))
    (summary,) = summarise(measurement, generator, posterior)
    image, latent = summary.samples[0], summary.sample_latents[0]
    modes = tuple(PosteriorMode(image, latent, 0.0, weight, 1) for weight in weights)
    summary = replace(summary, modes=modes, converged=True)
    lost = ~mask.observed
    assert sentence in find(generator, posterior, summary, lost).sentence
