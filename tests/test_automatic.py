"""Searches that stop by themselves: what must not change, early ends, and what is reported."""

from __future__ import annotations

import itertools
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from inpaint import (
    ModuleGenerator,
    Progress,
    RestoreConfig,
    SearchResult,
)
from inpaint import load as load_saved
from inpaint.errors import ArgumentError
from inpaint.files.job import RestoreJob
from inpaint.files.problem import load
from inpaint.files.record import read_record
from inpaint.restoration import Restoration
from inpaint.search.evidence import FEWEST, RIVALLED
from inpaint.search.minima import Minima
from inpaint.search.partial import followed
from inpaint.search.restore import restore, stopped_early
from inpaint.studies.sweep import sweep
from inpaint.types import Status
from tests.helpers import EXACT, as_module, inpaint, random_generator, refused, some_measurement
from tests.tolerances import SAME_SELECTION

AUTO = replace(EXACT, restarts="auto", steps=None)
"""On `some_measurement`, the images take 352, 64 and 48 starts."""

TENSORS = ("starts", "start_costs", "latents", "costs", "status", "evaluations", "best")


def same(one: SearchResult, two: SearchResult) -> bool:
    """Bit-equal results."""
    return all(torch.equal(getattr(one, name), getattr(two, name)) for name in TENSORS)


Array = NDArray[np.float32]


@pytest.fixture(scope="module")
def found() -> SearchResult:
    """A search of three images that stop at different numbers of starts."""
    result = restore(some_measurement(shared=False), random_generator(), AUTO)
    assert result.num_starts.tolist() == [RIVALLED, 64, FEWEST]
    return result


def test_an_image_alone_is_searched_as_in_its_batch(found: SearchResult) -> None:
    measurement = some_measurement(shared=False)
    for image in range(3):
        alone = restore(measurement[image : image + 1], random_generator(), AUTO)
        count = int(found.num_starts[image])
        assert alone.costs.shape == (1, count)
        assert torch.equal(alone.latents[0], found.latents[image, :count])
        assert torch.equal(alone.costs[0], found.costs[image, :count])
        rest = found[[image]]
        assert (rest.status[0, count:] == Status.NOT_STARTED).all()
        assert rest.costs[0, count:].isinf().all()
        assert (rest.evaluations[0, count:] == 0).all()


def test_starts_are_those_of_a_search_without_screening(found: SearchResult) -> None:
    fixed = restore(
        some_measurement(shared=False),
        random_generator(),
        replace(AUTO, restarts=RIVALLED, screen=0),
    )
    started = found.status != Status.NOT_STARTED
    assert started.sum(1).equal(found.num_starts)
    for name in ("starts", "start_costs", "latents", "costs", "evaluations"):
        assert torch.equal(getattr(found, name)[started], getattr(fixed, name)[started]), name


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_and_chunks_change_nothing(
    threads: int, found: SearchResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inpaint.search.rounds.CHUNK_SECONDS", 1e-9 if threads == 2 else 0.1)
    again = restore(
        some_measurement(shared=False), random_generator(), replace(AUTO, threads=threads)
    )
    assert same(found, again)
    assert torch.equal(found.history, again.history)


@pytest.mark.parametrize("limits", ["parts", "curves", "restarts"])
def test_parts_change_nothing(
    limits: str, found: SearchResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inpaint.search.memory.PART_BYTES", 1)
    monkeypatch.setattr("inpaint.search.memory.FEWEST_TOGETHER", 1)
    if limits != "parts":
        monkeypatch.setattr("inpaint.search.restore.HISTORY_BYTES", 1)
    if limits == "restarts":
        monkeypatch.setattr("inpaint.search.memory.RESTART_BYTES", 3 * 4 * 12 * 20)
    again = restore(some_measurement(shared=False), random_generator(), AUTO)
    assert torch.equal(again.num_starts, found.num_starts)
    assert torch.equal(again.best_latents, found.best_latents)
    assert torch.equal(again.best_costs, found.best_costs)
    steps = min(len(again.history), len(found.history))
    assert torch.equal(again.best_history[:steps], found.best_history[:steps])
    if limits == "restarts":
        assert again.costs.shape == (3, 20)
        kept = found.costs.sort(dim=1).values[:, :20]
        assert torch.equal(again.costs.sort(dim=1).values, kept)
    else:
        assert same(again, found)
    if limits == "parts":
        assert torch.equal(again.followed, found.followed)


@settings(max_examples=10, deadline=None)
@given(few=st.integers(1, 100), more=st.integers(0, 300), seed=st.integers(0, 100))
def test_a_higher_ceiling_never_gives_a_worse_cost(few: int, more: int, seed: int) -> None:
    measurement, generator = some_measurement(shared=False), random_generator()
    low, high = (
        restore(measurement, generator, replace(AUTO, max_restarts=most, seed=seed))
        for most in (few, few + more)
    )
    assert (high.best_costs <= low.best_costs).all()
    assert (low.num_starts <= few).all()
    for image, count in enumerate(low.num_starts.tolist()):
        assert torch.equal(high.costs[image, :count], low.costs[image, :count])


def test_the_default_is_automatic_and_rounds_go_on_in_the_stream(found: SearchResult) -> None:
    assert RestoreConfig() == RestoreConfig.preset("best")
    assert RestoreConfig().restarts == "auto"
    twice = restore(some_measurement(shared=False), random_generator(), replace(AUTO, rounds=2))
    first = found.costs.shape[1]
    assert torch.equal(twice.costs[:, :first], found.costs)
    assert (twice.num_starts > found.num_starts).all()
    assert not torch.isin(twice.starts[1, first : first + FEWEST], found.starts[1]).any()
    assert (twice.best_costs <= found.best_costs).all()


@pytest.mark.parametrize("backend", ["cpp", "torch"])
def test_backends_and_modules_find_the_same(backend: str, found: SearchResult) -> None:
    config = replace(AUTO, backend=backend, dtype="float64")
    measurement, generator = some_measurement(shared=False), random_generator()
    result = restore(measurement, generator, config)
    torch.testing.assert_close(
        result.best_costs.float(), found.best_costs, rtol=0, atol=SAME_SELECTION
    )
    assert same(result, restore(measurement, generator, config))
    if backend == "torch":
        module = ModuleGenerator(as_module(generator), latent_size=3)
        again = restore(measurement, module, config)
        torch.testing.assert_close(again.best_costs, result.best_costs, rtol=0, atol=SAME_SELECTION)


# Early ends


@pytest.mark.parametrize("calls", [1, 2, 5, 9, 14])
def test_a_cancelled_search_can_be_repeated(calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    measurement, generator = some_measurement(shared=False), random_generator()
    # Short chunks, so that the end falls within blocks and between them.
    monkeypatch.setattr("inpaint.search.rounds.CHUNK_SECONDS", 2e-3)
    seen: list[Progress] = []

    def stop(progress: Progress) -> bool:
        seen.append(progress)
        return len(seen) < calls

    result = restore(measurement, generator, AUTO, on_progress=stop)
    assert stopped_early(result)
    assert len(seen) == calls
    assert all(0 <= each.done <= (each.total or 0) for each in seen)
    assert int(result.num_starts[0]) < RIVALLED
    assert torch.isfinite(result.best_costs).all()
    monkeypatch.undo()
    again = restore(measurement, generator, result.config)
    assert same(result, again)
    assert stopped_early(again)


def test_ctrl_c_returns_what_was_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    # Chunks of one step, so that the first report comes long before the end.
    monkeypatch.setattr("inpaint.search.rounds.CHUNK_SECONDS", 1e-9)

    def interrupt(progress: Progress) -> None:
        if progress.done:
            signal.raise_signal(signal.SIGINT)

    measurement, generator = some_measurement(shared=False), random_generator()
    result = restore(measurement, generator, AUTO, on_progress=interrupt)
    assert stopped_early(result)
    assert (result.num_starts >= FEWEST).all()
    monkeypatch.undo()
    assert same(result, restore(measurement, generator, result.config))


def test_ctrl_c_while_minima_are_counted_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = itertools.count()
    add = Minima.add

    def interrupted(self: Minima, costs: Array, latents: Array) -> None:
        if next(calls) == 4:
            raise KeyboardInterrupt
        add(self, costs, latents)

    monkeypatch.setattr(Minima, "add", interrupted)
    measurement, generator = some_measurement(shared=False), random_generator()
    result = restore(measurement, generator, AUTO)
    monkeypatch.undo()
    assert stopped_early(result)
    assert result.num_starts.tolist() == [64, 64, FEWEST]
    assert same(result, restore(measurement, generator, result.config))


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("limit", [1e-6, 0.2, 20.0])
def test_a_time_limit_is_recorded_so_that_it_can_be_repeated(limit: float) -> None:
    measurement, generator = some_measurement(shared=False), random_generator()
    result = restore(measurement, generator, replace(AUTO, time_limit=limit))
    assert result.config.time_limit is None
    assert torch.isfinite(result.best_costs).all()
    assert stopped_early(result) is (limit < 20)
    assert (result.config.rounds > 1) is (limit == 20)
    assert same(result, restore(measurement, generator, result.config))


def test_a_search_that_ended_is_not_called_stopped(found: SearchResult) -> None:
    assert not stopped_early(found)
    assert found.config.stop_after is None


# What is reported


def test_every_image_shows_its_own_number_of_starts(found: SearchResult, tmp_path: Path) -> None:
    generator = random_generator()
    shown = Restoration(some_measurement(shared=False), generator, found)
    assert "48 to 352 restarts" in repr(shown)
    assert "48 restarts" in repr(shown[2:])
    searches = [verdict.search for verdict in shown.verdicts]
    assert [search.starts for search in searches] == found.num_starts.tolist()
    for search in searches:
        assert search.rate == search.reached / search.starts
        assert sum(mode.starts for mode in search.modes) <= search.starts
        assert search.missed == search.evidence.missed
        assert 0 < search.missed < 0.05
    shown.save(tmp_path / "saved")
    again = load_saved(tmp_path / "saved", generator)
    assert torch.equal(again.search.num_starts, found.num_starts)
    assert shown.plot().axes


def test_settings_name_the_way_out() -> None:
    for restarts in (0, 2.0, "many", True, None):
        with pytest.raises(ArgumentError, match=f"restarts is {restarts!r}.*1 to.*or 'auto'"):
            RestoreConfig(restarts=restarts)
    with pytest.raises(ArgumentError, match="max_restarts is 0"):
        RestoreConfig(max_restarts=0)


def test_the_command_line_takes_the_word_or_a_number(generator: Path, tmp_path: Path) -> None:
    source = ("eights", "--generator", str(generator), "--images", "0", "--steps", "20")
    words = (*source, "--max-restarts", "64", "--output", str(tmp_path))
    assert inpaint("restore", *words).exit_code == 0
    record = read_record(tmp_path / "run.json")
    assert isinstance(record.job, RestoreJob)
    assert record.job.config.restarts == "auto"
    again = inpaint("restore", "--from-run", str(tmp_path / "run.json"), "--output", str(tmp_path))
    assert "equal to the recorded" in again.output
    refused(inpaint("restore", *source, "--restarts", "some"), "restarts is 'some'", "whole number")


def test_a_sweep_takes_automatic_searches_whole(generator: Path) -> None:
    config = replace(AUTO, backend="torch", max_restarts=50, steps=5)
    problem = load(RestoreJob(generator=str(generator), numbers=(0,), config=config))
    result = sweep(problem, (400, 300))
    assert [each.restarts for each in result.partial_searches] == ["auto", "auto"]
    assert [point.place for point in result.trend("cost")] == [300, 400]
    with pytest.raises(ArgumentError, match="restart_counts holds 4, but restarts is 'auto'"):
        sweep(problem, (400,), restart_counts=(4,))
    with pytest.raises(ArgumentError, match="cannot be compared with a number"):
        followed(result.points[0].search, 4)


def test_a_sweep_that_is_stopped_between_blocks_ends(generator: Path) -> None:
    problem = load(RestoreJob(generator=str(generator), numbers=(0,), config=AUTO))
    result = sweep(problem, (400, 300), on_progress=lambda _: False)
    assert result.cancelled
    assert len(result.points) == 1
