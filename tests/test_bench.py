"""The bench: its rows, its progress, and that it times only what computes the same."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from inpaint.bench.bench import run_bench
from inpaint.bench.case import (
    AgreementError,
    BenchCase,
    DescentResult,
    Variant,
    check_agreement,
    make_case,
    reference_descent,
)
from inpaint.bench.result import BenchResult
from inpaint.bench.variants import INDEXED, VARIANTS
from inpaint.errors import ArgumentError, BackendError
from inpaint.files.job import default_generator
from inpaint.generators import Dense, Generator

PIXELS = 30


def _generator(hidden: str = "relu") -> Generator:
    random = torch.Generator().manual_seed(3)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    layers = (Dense(draw(8, 3), draw(8), hidden), Dense(draw(PIXELS, 8), draw(PIXELS), "sigmoid"))
    return Generator(layers, (1, 5, 6), "small")


def _bench(**changes) -> BenchResult:
    # Shipped weights are float32.
    generator = _generator().to(dtype=torch.float32)
    settings = {"restarts": (1, 7), "keeps": (13,), "seconds": 0.01, "generator": generator}
    return run_bench(**(settings | changes))


def _spoilt(spoil) -> Variant:
    """A variant that is right except for what `spoil` does to its result."""

    def prepare(case: BenchCase, threads: int):
        return lambda steps: spoil(reference_descent(case, case.starts, steps))

    return Variant("spoilt", prepare)


def test_rows_hold_every_variant_at_every_size():
    result = _bench()
    skipped = {entry["variant"] for entry in result.skipped}
    names = [variant.name for variant in VARIANTS if variant.name not in skipped]
    sizes = [(row["variant"], row["N"], row["R"]) for row in result.rows]
    assert sizes == [(name, 13, count) for count in (1, 7) for name in names]
    for row in result.rows:
        assert 0 < row["min"] <= row["median"] == row["rate"] <= row["max"]
        assert row["threads"] == 1
        assert row["rounds"] >= 3
        assert row["load"] >= 0
        assert 0 < row["active"] <= 1
    assert {"cpu", "cores", "torch_threads", "instructions", "versions"} <= set(result.machine)


def test_shipped_generator_serves_where_none_is_given():
    result = _bench(generator=None, restarts=(1,), variants=(INDEXED,))
    assert result.machine["generator"] == default_generator()


def test_result_survives_json():
    result = _bench(restarts=(1,))
    assert BenchResult.from_json(result.to_json()) == result
    assert json.loads(result.to_json())["rows"] == result.rows


@pytest.mark.parametrize("hidden", ["none", "relu", "leaky_relu", "tanh", "sigmoid"])
def test_published_loop_takes_every_activation(hidden):
    case = make_case(_generator(hidden), 13, 3)
    check_agreement(case, "loop", INDEXED.prepare(case, 1))


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda found: found._replace(costs=found.costs * 1.001), "costs"),
        (lambda found: found._replace(latents=found.latents + 0.01), "latent vectors"),
        (lambda found: found._replace(latents=found.latents * np.nan), "latent vectors"),
        (lambda found: DescentResult(found.latents[::-1], found.costs[:, ::-1]), "costs"),
    ],
)
def test_variant_that_computes_something_else_is_refused(spoil, what):
    with pytest.raises(AgreementError, match=f"spoilt at N=13, R=7: its {what} are off"):
        _bench(restarts=(7,), variants=(*VARIANTS, _spoilt(spoil)))


def test_variant_with_another_learning_rate_is_refused():
    def prepare(case: BenchCase, threads: int):
        return INDEXED.prepare(replace(case, learning_rate=1e-3), threads)

    with pytest.raises(AgreementError, match="eager at N=13"):
        _bench(variants=(Variant("eager", prepare),))


def test_variant_that_cannot_run_is_skipped_with_its_reason():
    def prepare(case: BenchCase, threads: int):
        raise BackendError("No such library.")

    result = _bench(variants=(INDEXED, Variant("absent", prepare)))
    assert result.skipped == [{"variant": "absent", "reason": "No such library."}]
    assert {row["variant"] for row in result.rows} == {INDEXED.name}


def test_progress_never_falls_and_ends_at_one():
    reports = []
    _bench(variants=(INDEXED,), on_progress=reports.append)
    stages = ["checking", "timing"]
    shares = [(stages.index(each.stage), each.done / each.total) for each in reports]
    assert shares == sorted(shares)
    assert shares[-1] == (1, 1)


def test_rows_are_reported_after_each_round():
    reports = []
    result = _bench(variants=(INDEXED,), restarts=(1, 2), on_rows=reports.append)
    assert [row["rounds"] for rows in reports for row in rows] == [1, 1, 2, 2, 3, 3]
    assert reports[-1] == result.rows


def test_cancelling_returns_what_was_measured():
    stages = []

    def stop_after_one_turn(progress):
        stages.append(progress.stage)
        return stages.count("timing") < 2

    result = _bench(
        restarts=(1, 2), variants=(INDEXED,), seconds=60.0, on_progress=stop_after_one_turn
    )
    assert result.cancelled
    assert [row["R"] for row in result.rows] == [1]


def test_cancelling_the_checks_times_nothing():
    reports = []
    result = _bench(on_progress=lambda progress: reports.append(progress) or False)
    assert result.cancelled
    assert result.rows == []
    assert len(reports) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("restarts", (0,)),
        ("restarts", ()),
        ("threads", (0,)),
        ("keeps", (PIXELS + 1,)),
        ("seconds", 0.0),
        ("seconds", float("nan")),
    ],
)
def test_bad_numbers_are_refused(name, value):
    with pytest.raises(ArgumentError):
        _bench(**{name: value})


@pytest.mark.parametrize("name", ["numpy, batched", "torch, autograd", "torch, gradient by hand"])
@pytest.mark.parametrize("count", [1, 7, 300])
def test_peers_agree_with_the_objective(name, count):
    from benchmarks.peers import PEERS

    peer = next(peer for peer in PEERS if peer.name == name)
    case = make_case(_generator(), 13, count)
    check_agreement(case, name, peer.prepare(case, 1))


def test_peers_name_the_generators_that_they_take():
    from benchmarks.peers import PEERS

    with pytest.raises(BackendError, match="one hidden ReLU layer"):
        PEERS[0].prepare(make_case(_generator("tanh"), 13, 1), 1)


def test_worker_times_in_a_process_of_its_own():
    from benchmarks.worker import CpuSettings, Worker
    from inpaint.bench.timing import Task

    worker = Worker(CpuSettings(1, "avx2"), _generator(), turn_seconds=0.001)
    try:
        task = Task("numpy, batched", 13, 7)
        workload = worker.prepare(task)
        sample = worker.sample(task)
        assert sample.work == 7 * workload.steps * workload.repeats
        assert worker.instructions in ("avx2", "default")
        with pytest.raises(ArgumentError, match="keep is 31"):
            worker.prepare(replace(task, keep=31))
    finally:
        worker.close()
