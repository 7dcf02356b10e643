"""The sampler on posteriors that are known, and on bad input."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from inpaint import Dense, Generator, ImageSet, Mask, Measurement, RestoreConfig, measure, restore
from inpaint.errors import ArgumentError, BackendError, ShapeError
from inpaint.posterior import PosteriorConfig, PosteriorProgress, sample_posterior, summarise
from inpaint.posterior.sampler import OnProgress

SIGMA = 0.5
LATENT = 3
SMALL = PosteriorConfig(particles=256, threads=1)


def linear_problem(images: int = 1) -> tuple[Measurement, Generator]:
    """A generator that is one matrix: with known noise its posterior is normal."""
    stream = torch.Generator().manual_seed(3)
    weight = torch.randn(12, LATENT, generator=stream, dtype=torch.float64)
    bias = torch.randn(12, generator=stream, dtype=torch.float64)
    generator = Generator((Dense(weight, bias, "none"),), (1, 3, 4), name="linear")
    z = torch.randn(images, LATENT, generator=stream, dtype=torch.float64)
    noise = torch.randn(images, 1, 3, 4, generator=stream, dtype=torch.float64)
    pictures = generator(z) + SIGMA * noise
    return measure(ImageSet(pictures), Mask.leading(8, (1, 3, 4))), generator


def exact(measurement: Measurement, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Mean [B, D], covariance [D, D] and log evidence [B] of the linear problem."""
    layer = generator.layers[0]
    assert isinstance(layer, Dense)
    kept = Mask.leading(8, (1, 3, 4)).observed.flatten()
    seen = layer.weight[kept]
    residual = measurement.values.flatten(1)[:, kept] - layer.bias[kept]
    covariance = torch.linalg.inv(torch.eye(LATENT).double() + seen.T @ seen / SIGMA**2)
    mean = residual @ seen @ covariance / SIGMA**2
    spread = seen @ seen.T + SIGMA**2 * torch.eye(8).double()
    square = (residual * torch.linalg.solve(spread, residual.T).T).sum(1)
    # What log_evidence leaves out of log p(y) is (2 pi sigma^2)^(-N/2).
    evidence = -(square + torch.logdet(spread) - 8 * math.log(SIGMA**2)) / 2
    return mean, covariance, evidence


@pytest.mark.parametrize("start", ["prior", "modes"])
@pytest.mark.parametrize("backend", ["cpp", "torch"])
def test_a_linear_generator_has_the_posterior_of_the_textbook(backend: str, start: str) -> None:
    measurement, generator = linear_problem(2)
    config = replace(
        SMALL,
        particles=1024,
        noise_level=SIGMA,
        backend=backend,  # type: ignore
        start=start,  # type: ignore
    )
    posterior = sample_posterior(measurement, generator, config)
    mean, covariance, evidence = exact(measurement, generator)
    assert posterior.finished.all()
    for b in range(2):
        draws = posterior.pooled_latents[b].double()
        # 4,096 draws: standard errors of .016 standard deviations and of 2 % of a variance.
        error = (draws.mean(0) - mean[b]) / covariance.diagonal().sqrt()
        assert float(error.abs().max()) < 0.1
        torch.testing.assert_close(draws.T.cov(), covariance, rtol=0.1, atol=0.005)
    assert float((posterior.log_evidence - evidence[:, None]).abs().max()) < 0.3
    assert (posterior.noise_levels == SIGMA).all()


@pytest.mark.parametrize("start", ["prior", "modes"])
def test_a_misfit_of_less_weight_is_that_of_more_noise(start: str) -> None:
    measurement, generator = linear_problem()
    config = replace(
        SMALL,
        particles=1024,
        noise_level=SIGMA / 2,
        misfit_weight=0.25,
        start=start,  # type: ignore
    )
    posterior = sample_posterior(measurement, generator, config)
    mean, covariance, evidence = exact(measurement, generator)
    draws = posterior.pooled_latents[0].double()
    assert posterior.finished.all()
    assert (posterior.inverse_temperature == 0.25).all()
    assert float(((draws.mean(0) - mean[0]) / covariance.diagonal().sqrt()).abs().max()) < 0.1
    torch.testing.assert_close(draws.T.cov(), covariance, rtol=0.1, atol=0.005)
    assert float((posterior.log_evidence - evidence[:, None]).abs().max()) < 0.3


def test_an_image_alone_repeats_its_place_in_a_batch() -> None:
    measurement, generator = linear_problem(3)
    whole = sample_posterior(measurement, generator, SMALL)
    alone = sample_posterior(measurement[1:2], generator, SMALL)
    assert torch.equal(whole.latents[1:2], alone.latents)
    assert torch.equal(whole.pooled_latents[1:2], alone.pooled_latents)
    assert torch.equal(whole.log_evidence[1:2], alone.log_evidence)
    assert torch.equal(whole.noise_levels[1:2], alone.noise_levels)


def test_more_runs_contain_the_fewer() -> None:
    measurement, generator = linear_problem()
    four = sample_posterior(measurement, generator, SMALL)
    two = sample_posterior(measurement, generator, replace(SMALL, runs=2))
    assert torch.equal(four.latents[:, :2], two.latents)


def test_a_start_from_the_modes_needs_fewer_stages_and_knows_a_restoration_besides() -> None:
    measurement, generator = linear_problem()
    config = replace(SMALL, noise_level=0.05)
    alone = sample_posterior(measurement, generator, config)
    prior = sample_posterior(measurement, generator, replace(config, start="prior"))
    # The one mode is found, and the runs begin at the posterior itself.
    assert alone.temperatures.shape[2] == 2
    assert prior.temperatures.shape[2] > 4
    search = RestoreConfig(restarts=8, screen=0, noise_level=0.05)
    found = restore(measurement, generator, search)
    told = sample_posterior(measurement, generator, config, restoration=found)
    assert told.finished.all()
    with pytest.raises(ShapeError, match="The restoration has 1 images"):
        sample_posterior(*linear_problem(2), config, restoration=found)


def test_a_budget_that_ends_early_says_so() -> None:
    measurement, generator = linear_problem()
    config = replace(SMALL, start="prior", budget=4 * 256 * 37, noise_level=0.01)
    posterior = sample_posterior(measurement, generator, config)
    assert int(posterior.gradients) <= 4 * 256 * 37
    assert not posterior.finished.any()
    assert (posterior.inverse_temperature < 1).all()
    (summary,) = summarise(measurement, generator, posterior)
    assert not summary.converged
    assert summary.intervals is None
    assert "ran out of its budget" in summary.sentence


def stopping_at(call: int) -> tuple[list[PosteriorProgress], OnProgress]:
    """What a caller was told, and the caller, who ends the sampling at one of the calls."""
    seen: list[PosteriorProgress] = []

    def stop(progress: PosteriorProgress) -> bool:
        seen.append(progress)
        return len(seen) < call

    return seen, stop


def test_the_caller_may_end_it() -> None:
    measurement, generator = linear_problem()
    seen, stop = stopping_at(2)
    config = replace(SMALL, start="prior", noise_level=0.01)
    posterior = sample_posterior(measurement, generator, config, on_progress=stop)
    assert [progress.stage for progress in seen] == [1, 2]
    assert posterior.cancelled
    assert torch.equal(seen[-1].inverse_temperature, posterior.inverse_temperature.amin(1))
    assert "was stopped" in summarise(measurement, generator, posterior)[0].sentence


def test_the_caller_may_end_it_while_the_pilots_explore() -> None:
    measurement, generator = linear_problem()
    seen, stop = stopping_at(3)
    posterior = sample_posterior(measurement, generator, SMALL, on_progress=stop)
    # Before the first three stages of the pilots, the last of which was not begun.
    assert [progress.stage for progress in seen] == [0, 0, 0]
    spent = [int(progress.gradients[0]) for progress in seen]
    assert 0 < spent[0] < spent[1] < spent[2] < int(posterior.gradients[0])
    assert posterior.cancelled
    assert (posterior.inverse_temperature == 0).all()
    (summary,) = summarise(measurement, generator, posterior)
    assert summary.intervals is None
    assert "was stopped" in summary.sentence


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"particles": 4}, "particles is 4"),
        ({"budget": 0}, "budget is 0"),
        ({"budget": 100}, "budget is 100 gradients per image"),
        ({"ess_target": 1.0}, "ess_target is 1.0"),
        ({"noise_level": 0.0}, "noise_level is 0.0"),
        ({"misfit_weight": 0.0}, "misfit_weight is 0.0"),
        ({"misfit_weight": 2.0}, "misfit_weight is 2.0"),
        ({"start": "data"}, "start is 'data'"),
    ],
)
def test_bad_settings_are_refused(changes: dict[str, object], message: str) -> None:
    measurement, generator = linear_problem()
    with pytest.raises(ArgumentError, match=message):
        sample_posterior(measurement, generator, replace(SMALL, **changes))  # type: ignore


def test_bad_problems_are_refused() -> None:
    measurement, generator = linear_problem()
    with pytest.raises(ArgumentError, match="needs at least 12"):
        sample_posterior(measurement, generator, PosteriorConfig(particles=8))
    few = replace(measurement, operator=Mask.leading(3, (1, 3, 4)))
    with pytest.raises(ArgumentError, match="3 observed values"):
        sample_posterior(few, generator, SMALL)
    with pytest.raises(ShapeError, match="generator of that shape"):
        sample_posterior(measurement, replace(generator, image_shape=(1, 4, 3)), SMALL)
    broken = replace(measurement, values=measurement.values * math.nan)
    with pytest.raises(ArgumentError, match="NaN"):
        sample_posterior(broken, generator, SMALL)


def test_a_backend_that_cannot_serve_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    measurement, generator = linear_problem()
    monkeypatch.setattr(
        "inpaint.search.backends.cpp.obstacle", lambda objective: "It is not built."
    )
    with pytest.raises(BackendError, match="It is not built"):
        sample_posterior(measurement, generator, replace(SMALL, backend="cpp"))
    assert sample_posterior(measurement, generator, SMALL).backend == "torch (cpu)"
