"""What is said of a posterior in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from inpaint import (
    BlockAverage,
    Generator,
    ImageSet,
    Mask,
    Measurement,
    measure,
    read_generator,
    read_images,
)
from inpaint.generators.samples import simulate
from inpaint.posterior.config import PosteriorConfig
from inpaint.posterior.finding import describe_posterior
from inpaint.posterior.sampler import sample_posterior
from inpaint.posterior.summary import summarise
from inpaint.posterior.types import PosteriorDraws, PosteriorMode, PosteriorSummary

PIXELS = Mask.leading(500)
Case = tuple[Measurement, Generator, PosteriorDraws, PosteriorSummary]


def sample_case(images: ImageSet, operator: Any = PIXELS) -> Case:
    generator = read_generator("eights-10")
    measurement = measure(images, operator, noise=0.1)
    posterior = sample_posterior(measurement, generator, PosteriorConfig(threads=1))
    return measurement, generator, posterior, summarise(measurement, generator, posterior)[0]


@pytest.fixture(scope="module")
def drawn() -> Case:
    """An image that the generator has drawn itself."""
    return sample_case(simulate(read_generator("eights-10"), 1))


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
def test_the_modes_are_counted_in_words(drawn: Case, weights: list[float], sentence: str) -> None:
    measurement, generator, posterior, summary = drawn
    image, latent = summary.samples[0], summary.sample_latents[0]
    modes = tuple(PosteriorMode(image, latent, 0.0, weight, 1) for weight in weights)
    summary = replace(summary, modes=modes, converged=True)
    (finding,) = describe_posterior(measurement, generator, posterior, (summary,))
    assert sentence in finding.sentence
    assert finding.flag == ("good" if sentence == "One image fits." else "ambiguous")


@pytest.mark.parametrize("operator", [PIXELS, BlockAverage(2)])
def test_an_image_that_the_generator_cannot_draw_is_doubted(operator: Any) -> None:
    measurement, generator, posterior, summary = sample_case(read_images("eights")[:1], operator)
    (finding,) = describe_posterior(measurement, generator, posterior, (summary,))
    assert summary.converged
    assert finding.flag == "doubtful"
    assert "the generator cannot draw this image" in finding.sentence
    assert "The intervals hold for the generator's images only." in finding.sentence
    (failed,) = describe_posterior(
        measurement, generator, posterior, (replace(summary, converged=False),)
    )
    assert failed.flag == "doubtful"
    assert failed.sentence == summary.sentence
