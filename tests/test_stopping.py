"""A search of any size is stopped soon, and one that does not fit into the memory is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from inpaint import PosteriorConfig, Progress, RestoreConfig
from inpaint.checks import free_memory
from inpaint.config import BackendName, Restarts
from inpaint.errors import ArgumentError
from inpaint.posterior.examine import sample_estimated
from inpaint.posterior.sampler import sample_posterior
from inpaint.search.restore import restore, stopped_early
from inpaint.types import OnProgress
from tests.helpers import EXACT, QUICK, linear_problem, random_generator, some_measurement


def stopping_at(call: int) -> tuple[list[str], OnProgress]:
    """The stages reported, and a callback that ends the work at one of its calls."""
    seen: list[str] = []

    def stop(progress: Progress) -> bool:
        seen.append(progress.stage)
        return len(seen) < call

    return seen, stop


@pytest.mark.parametrize("screen", [0, 400])
@pytest.mark.parametrize("call", [1, 3])
def test_many_restarts_are_stopped_before_their_first_step(
    monkeypatch: pytest.MonkeyPatch, screen: int, call: int
) -> None:
    # Of 3 images and layers of 16 units, 12 restarts are followed together.
    monkeypatch.setattr("inpaint.search.rounds.MAX_VALUES", 600)
    measurement, generator = some_measurement(shared=True), random_generator()
    config = replace(QUICK, restarts=95, screen=screen)
    seen, stop = stopping_at(call)
    result = restore(measurement, generator, config, on_progress=stop)
    # The last one is that of the few restarts that are followed for a step.
    assert seen[:-1] == ["screening" if screen else "descent"] * call
    assert len(seen) == call + 1
    assert result.config.stop_after == 1
    assert result.costs.shape == (3, 12)
    assert result.costs.isfinite().all()
    again = restore(measurement, generator, result.config)
    assert torch.equal(again.costs, result.costs)


def test_a_stop_in_the_middle_of_a_step_keeps_the_steps_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("inpaint.search.rounds.MAX_VALUES", 600)
    measurement, generator = some_measurement(shared=True), random_generator()
    config = replace(QUICK, restarts=95, screen=0, tolerance=0.0)

    def stop(progress: Progress) -> bool:
        return not (progress.done > 1 and progress.done % 1)

    result = restore(measurement, generator, config, on_progress=stop)
    assert result.costs.shape == (3, 95)
    assert result.config.stop_after == len(result.history) - 1 < 30
    again = restore(measurement, generator, result.config)
    torch.testing.assert_close(again.costs, result.costs, rtol=0, atol=0)


@pytest.mark.parametrize("backend", ["cpp", "torch"])
@pytest.mark.parametrize("screen", [0, 500])
def test_parts_of_the_restarts_change_nothing(
    monkeypatch: pytest.MonkeyPatch, backend: BackendName, screen: int
) -> None:
    measurement, generator = some_measurement(shared=True), random_generator()
    config = replace(QUICK, restarts=45, screen=screen, backend=backend, dtype="float64")
    whole = restore(measurement, generator, config)
    monkeypatch.setattr("inpaint.search.rounds.MAX_VALUES", 600)
    parts = restore(measurement, generator, config)
    for name in ("starts", "costs", "history", "evaluations", "best"):
        one, other = getattr(whole, name).double(), getattr(parts, name).double()
        tolerance = 0.0 if backend == "cpp" else 1e-6
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take one step of a few restarts at a time, so that reports do not depend on the clock."""
    monkeypatch.setattr("inpaint.search.rounds.MAX_VALUES", 600)
    monkeypatch.setattr("inpaint.search.rounds.CHUNK_SECONDS", 0.0)


@pytest.mark.parametrize("most", [48, 100])
def test_an_automatic_search_is_stopped_at_every_report(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    short_chunks(monkeypatch)
    measurement, generator = some_measurement(shared=False), random_generator()
    config = replace(EXACT, restarts="auto", max_restarts=most)
    every, count = stopping_at(10**9)
    whole = restore(measurement, generator, config, on_progress=count)
    assert not stopped_early(whole)
    reached, few = [], 0
    for call in [*range(1, 8), *range(8, len(every), len(every) // 10)]:
        seen, stop = stopping_at(call)
        result = restore(measurement, generator, config, on_progress=stop)
        early = result.config.max_restarts < most
        few += early
        # Only a search that is stopped before its first step reports that of a few restarts.
        assert len(seen) == call + early
        assert stopped_early(result)
        assert result.best_costs.isfinite().all()
        again = restore(measurement, generator, result.config)
        for name in ("starts", "costs", "status", "num_starts", "best"):
            assert torch.equal(getattr(again, name), getattr(result, name)), (call, name)
        assert stopped_early(again)
        reached.append(int(result.evaluations.sum()))
    # The first block of 48 restarts has 5 parts.
    assert few == 4
    assert reached == sorted(reached)
    assert reached[-1] <= int(whole.evaluations.sum())


@pytest.mark.parametrize("backend", ["cpp", "torch"])
def test_parts_of_an_automatic_search_change_nothing(
    monkeypatch: pytest.MonkeyPatch, backend: BackendName
) -> None:
    measurement, generator = some_measurement(shared=False), random_generator()
    config = replace(QUICK, restarts="auto", steps=None, backend=backend, dtype="float64")
    whole = restore(measurement, generator, config)
    monkeypatch.setattr("inpaint.search.rounds.MAX_VALUES", 600)
    monkeypatch.setattr("inpaint.search.minima.COMPARED", 50)
    parts = restore(measurement, generator, config)
    assert torch.equal(parts.num_starts, whole.num_starts)
    tolerance = 0.0 if backend == "cpp" else 1e-6
    torch.testing.assert_close(parts.costs, whole.costs, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(parts.best_latents, whole.best_latents, rtol=0, atol=1e-3)


@pytest.mark.parametrize(("restarts", "screen"), [(95, 0), (95, 400), ("auto", 0)])
@pytest.mark.parametrize("by_ctrl_c", [False, True])
def test_a_stop_at_the_beginning_of_a_round_keeps_the_rounds_before(
    monkeypatch: pytest.MonkeyPatch, restarts: Restarts, screen: int, by_ctrl_c: bool
) -> None:
    short_chunks(monkeypatch)
    measurement, generator = some_measurement(shared=True), random_generator()
    config = replace(EXACT, restarts=restarts, max_restarts=64, screen=screen, steps=10)
    every, count = stopping_at(10**9)
    first = restore(measurement, generator, config, on_progress=count)
    seen, stop = stopping_at(len(every) + 2)

    def end(progress: Progress) -> bool | None:
        if stop(progress) or not by_ctrl_c:
            return len(seen) < len(every) + 2
        raise KeyboardInterrupt

    result = restore(measurement, generator, replace(config, rounds=2), on_progress=end)
    assert result.config.rounds == 1
    assert torch.equal(result.costs, first.costs)


def test_ctrl_c_at_the_beginning_of_a_part_keeps_the_parts_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("inpaint.search.rounds.MAX_VALUES", 600)
    monkeypatch.setattr("inpaint.search.memory.PART_BYTES", 1)
    monkeypatch.setattr("inpaint.search.memory.FEWEST_TOGETHER", 1)
    measurement, generator = some_measurement(shared=False), random_generator()
    config = replace(QUICK, restarts=95, screen=0)

    def interrupt(progress: Progress) -> None:
        if progress.done > 1:
            raise KeyboardInterrupt

    result = restore(measurement, generator, config, on_progress=interrupt)
    assert len(result) == 1
    assert torch.equal(result.costs, restore(measurement[:1], generator, config).costs)


def test_restarts_that_the_memory_does_not_hold_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("inpaint.checks.free_memory", lambda: 10**9)
    measurement, generator = some_measurement(shared=True), random_generator()
    with pytest.raises(ArgumentError, match=r"restarts is 1000000.*At most \d+ fit") as refusal:
        restore(measurement, generator, RestoreConfig(restarts=10**6))
    fits = int(str(refusal.value).split("At most ")[1].split()[0])
    config = RestoreConfig(restarts=fits, screen=0, stop_after=1)
    assert restore(measurement, generator, config).costs.shape == (3, fits)
    with pytest.raises(ArgumentError, match="At most"):
        restore(measurement, generator, replace(config, restarts=fits + fits // 50))
    with pytest.raises(ArgumentError, match=r"max_restarts is 1000000.*At most \d+ fit") as refusal:
        restore(measurement, generator, RestoreConfig(max_restarts=10**6))
    fits = int(str(refusal.value).split("At most ")[1].split()[0])
    assert 2048 < fits < 10**6
    config = RestoreConfig(max_restarts=fits)
    assert int(restore(measurement, generator, config).num_starts.max()) < 2048
    with pytest.raises(ArgumentError, match=r"particles is 900000.*At most \d+ fit"):
        sample_posterior(measurement, generator, PosteriorConfig(particles=900_000))


def test_the_free_memory_is_that_of_this_machine() -> None:
    free = free_memory()
    assert free is None or 2**20 < free < 2**50


def test_a_posterior_is_stopped_at_every_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inpaint.posterior.evaluator.MOVED_VALUES", 2000)
    monkeypatch.setattr("inpaint.posterior.evaluator.DESCENT_GRADIENTS", 2000)
    monkeypatch.setattr("inpaint.posterior.evaluator.MANY_VECTORS", 100)
    monkeypatch.setattr("inpaint.posterior.sampler.CHUNK_BYTES", 1)
    measurement, generator = linear_problem(2)
    config = PosteriorConfig(particles=64, chains=2, threads=1)
    every, count = stopping_at(10**9)
    whole, findings = sample_estimated(measurement, generator, config, on_progress=count)
    assert whole.draws is not None
    assert not whole.draws.cancelled
    assert len(findings) == 2
    assert {"looking for modes", "sampling", "summarising"} <= set(every)
    reached = []
    for call in range(1, len(every) + 1, 3):
        seen, stop = stopping_at(call)
        cut, said = sample_estimated(measurement, generator, config, on_progress=stop)
        # What is left after a stop asks no more than a few times.
        assert len(seen) <= call + 2
        assert cut.draws is not None
        assert cut.draws.cancelled
        assert len(cut.images) == len(cut.summaries) == len(said) == len(cut.draws)
        reached.append(len(said))
        for image, summary in enumerate(cut.summaries):
            if summary.converged:
                assert summary.sentence == whole.summaries[image].sentence
                assert torch.equal(summary.mean, whole.summaries[image].mean)
            else:
                assert said[image].flag == "doubtful"
                assert "stopped" in summary.sentence
    assert reached == sorted(reached)
    assert set(reached) == {1, 2}
