"""The sampler on known posteriors, in chunks, stopped early, and on bad input."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from inpaint import Mask, RestoreConfig
from inpaint.errors import ArgumentError, BackendError, ShapeError
from inpaint.posterior.config import PosteriorConfig
from inpaint.posterior.sampler import sample_posterior
from inpaint.posterior.summary import summarise
from inpaint.search.backends import torch as torch_backend
from inpaint.search.restore import restore
from inpaint.types import OnProgress, Progress
from tests.helpers import SIGMA, SMALL, linear_problem
from tests.helpers import exact_posterior as exact

LATENT = 3


@pytest.mark.parametrize("start", ["prior", "modes"])
@pytest.mark.parametrize("backend", ["cpp", "torch"])
def test_a_linear_generator_has_its_exact_posterior(backend: str, start: str) -> None:
    measurement, generator = linear_problem(2, noise_level=SIGMA)
    config = replace(
        SMALL,
        particles=1024,
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
def test_a_lower_misfit_weight_is_like_more_noise(start: str) -> None:
    measurement, generator = linear_problem(noise_level=SIGMA / 2)
    config = replace(
        SMALL,
        particles=1024,
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


def test_more_chains_begin_with_the_fewer() -> None:
    measurement, generator = linear_problem()
    four = sample_posterior(measurement, generator, SMALL)
    two = sample_posterior(measurement, generator, replace(SMALL, chains=2))
    assert torch.equal(four.latents[:, :2], two.latents)


def test_a_start_from_the_modes_needs_fewer_stages_and_may_use_a_restoration() -> None:
    measurement, generator = linear_problem(noise_level=0.05)
    alone = sample_posterior(measurement, generator, SMALL)
    prior = sample_posterior(measurement, generator, replace(SMALL, start="prior"))
    # The one mode is found, and the chains begin at the posterior itself.
    assert alone.temperatures.shape[2] == 2
    assert prior.temperatures.shape[2] > 4
    found = restore(measurement, generator, RestoreConfig(restarts=8, screen=0))
    helped = sample_posterior(measurement, generator, SMALL, restoration=found)
    assert helped.finished.all()
    with pytest.raises(ShapeError, match="The restoration has 1 images"):
        sample_posterior(*linear_problem(2), SMALL, restoration=found)


def test_a_sampling_that_uses_up_its_gradients_says_so() -> None:
    measurement, generator = linear_problem(noise_level=0.01)
    config = replace(SMALL, start="prior", max_gradients=4 * 256 * 37)
    posterior = sample_posterior(measurement, generator, config)
    assert int(posterior.gradients) <= 4 * 256 * 37
    assert not posterior.finished.any()
    assert (posterior.inverse_temperature < 1).all()
    (summary,) = summarise(measurement, generator, posterior)
    assert not summary.converged
    assert summary.intervals is None
    assert "used up its gradients" in summary.sentence


def stopping_at(call: int) -> tuple[list[Progress], OnProgress]:
    """A record of progress, and a callback that ends the sampling at one of its calls."""
    seen: list[Progress] = []

    def stop(progress: Progress) -> bool:
        seen.append(progress)
        return len(seen) < call

    return seen, stop


def test_the_caller_may_end_it() -> None:
    measurement, generator = linear_problem(noise_level=0.01)
    seen, stop = stopping_at(2)
    config = replace(SMALL, start="prior")
    posterior = sample_posterior(measurement, generator, config, on_progress=stop)
    assert [progress.stage for progress in seen] == ["sampling", "sampling"]
    assert [progress.note.split(",")[0] for progress in seen] == ["stage 1", "stage 2"]
    assert posterior.cancelled
    lowest = float(posterior.inverse_temperature.min())
    assert seen[-1].done == pytest.approx(max(0.0, math.log10(lowest) / 5 + 1))
    assert seen[-1].note.endswith(f" {int(posterior.gradients[0]):,} gradients")
    assert "was stopped" in summarise(measurement, generator, posterior)[0].sentence


def test_the_caller_may_end_it_during_the_pilots() -> None:
    measurement, generator = linear_problem()
    seen, stop = stopping_at(3)
    posterior = sample_posterior(measurement, generator, SMALL, on_progress=stop)
    # Before the first three stages of the pilots, the last of which was not begun.
    assert [progress.stage for progress in seen] == ["looking for modes"] * 3
    spent = [int(progress.note.split()[0].replace(",", "")) for progress in seen]
    assert 0 < spent[0] < spent[1] < spent[2] < int(posterior.gradients[0])
    assert posterior.cancelled
    assert (posterior.inverse_temperature == 0).all()
    (summary,) = summarise(measurement, generator, posterior)
    assert summary.intervals is None
    assert "was stopped" in summary.sentence


@pytest.mark.parametrize(("call", "count"), [("cost", 2), ("move", 1)])
def test_an_interrupted_stage_does_not_count(
    call: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With so much noise the first stage goes to the last temperature, and jumps there.
    measurement, generator = linear_problem(noise_level=100.0)
    original, calls = getattr(torch_backend, call), itertools.count(1)

    def interrupt(*arguments: Any) -> Any:
        if next(calls) == count:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(torch_backend, call, interrupt)
    config = replace(SMALL, start="prior", backend="torch")
    posterior = sample_posterior(measurement, generator, config)
    assert posterior.cancelled
    assert not posterior.finished.any()
    assert (posterior.inverse_temperature == 0).all()
    assert (posterior.log_evidence == 0).all()


def test_chunks_of_images_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    measurement, generator = linear_problem(3)
    # The first image is fitted worse, and takes fewer stages.
    values = measurement.values.clone()
    values[0] *= 0.2
    measurement = replace(measurement, values=values)
    config = replace(SMALL, start="prior")
    whole = sample_posterior(measurement, generator, config)
    summaries = summarise(measurement, generator, whole)
    monkeypatch.setattr("inpaint.posterior.sampler.CHUNK_BYTES", 1)
    seen: list[Progress] = []
    parts = sample_posterior(measurement, generator, config, on_progress=seen.append)
    for name in ("latents", "pooled_latents", "noise_levels", "log_evidence", "gradients"):
        assert torch.equal(getattr(parts, name), getattr(whole, name))
    for name in ("temperatures", "step_lengths"):
        torch.testing.assert_close(
            getattr(parts, name), getattr(whole, name), rtol=0, atol=0, equal_nan=True
        )
    assert parts.temperatures.isnan().any()
    # Progress rises over all images, and ends at the sum of their gradients.
    assert all(one.done <= other.done for one, other in itertools.pairwise(seen))
    assert seen[-1].done == 1
    assert seen[-1].note.endswith(f" {int(whole.gradients.sum()):,} gradients")
    again = summarise(measurement, generator, parts)
    assert [one.sentence for one in again] == [one.sentence for one in summaries]
    assert all(torch.equal(one.std, other.std) for one, other in zip(again, summaries, strict=True))
    for one, other in zip(again, summaries, strict=True):
        assert [mode.cost for mode in one.modes] == [mode.cost for mode in other.modes]


def test_a_cancellation_in_a_later_chunk_keeps_the_images_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measurement, generator = linear_problem(3)
    config = replace(SMALL, start="prior")
    whole = sample_posterior(measurement, generator, config)
    monkeypatch.setattr("inpaint.posterior.sampler.CHUNK_BYTES", 1)
    cut = sample_posterior(
        measurement, generator, config, on_progress=lambda progress: progress.done < 0.4
    )
    assert cut.cancelled
    assert len(cut) == 2
    assert cut.finished.tolist() == [True, False]
    assert torch.equal(cut.pooled_latents[0], whole.pooled_latents[0])
    summaries = summarise(measurement, generator, cut)
    assert [summary.converged for summary in summaries] == [True, False]
    some = summarise(measurement, generator, whole, on_progress=lambda progress: progress.done < 2)
    assert len(some) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"particles": 4}, "particles is 4"),
        ({"max_gradients": 0}, "max_gradients is 0"),
        ({"max_gradients": 100}, "max_gradients is 100 per image"),
        ({"ess_target": 1.0}, "ess_target is 1.0"),
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
