"""Sweeps: one comparison per N, tables, fewer restarts, several seeds, and an early end."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest

from inpaint import RestoreConfig, write_generator
from inpaint.errors import ArgumentError
from inpaint.files.job import KEEPS, RestoreJob
from inpaint.files.problem import Problem, load
from inpaint.plots.curves import plot_sweep
from inpaint.search.partial import followed
from inpaint.search.restore import restore
from inpaint.studies.sweep import sweep
from tests.helpers import random_generator

CONFIG = RestoreConfig(restarts=2, screen=0, solver="adam", steps=5, backend="torch")


@pytest.fixture
def problem(tmp_path: Path) -> Problem:
    file = tmp_path / "generator.safetensors"
    write_generator(random_generator((4, 8, 784), image_shape=(1, 28, 28)), file)
    return load(RestoreJob(generator=str(file), noise=0.1, numbers=(0, 3), config=CONFIG))


def test_each_point_is_the_restoration_at_that_n(problem: Problem) -> None:
    result = sweep(problem, (400, 300))
    assert not result.cancelled
    for point, keep in zip(result.points, (400, 300), strict=True):
        assert point.keep == keep
        alone = load(point.problem.job)
        again = restore(alone.measurement, alone.generator, CONFIG)
        assert point.search.costs.equal(again.costs)
    assert KEEPS == (500, 400, 350, 300)


def test_the_table_has_a_row_per_image_and_a_column_per_n(problem: Problem) -> None:
    result = sweep(problem, (400, 300))
    errors = result.errors()
    assert errors[1][0] == result.points[0].comparison.rows[1].metrics.error
    lines = result.to_csv().splitlines()
    assert lines[0] == "image,N=400,N=300"
    assert [line.split(",")[0] for line in lines[1:]] == ["0", "3"]
    assert float(lines[2].split(",")[2]) == pytest.approx(errors[1][1], rel=1e-5)
    assert result.costs()[0][0] == result.points[0].comparison.rows[0].cost


def test_the_long_table_has_all_figures_of_every_image_and_n(problem: Problem) -> None:
    result = sweep(problem, (400, 300))
    rows = list(csv.DictReader(result.to_long_csv().splitlines()))
    assert [(row["image"], row["N"]) for row in rows] == [
        ("0", "400"), ("3", "400"), ("0", "300"), ("3", "300"),
    ]  # fmt: skip
    last, shown = rows[-1], result.points[1].comparison.rows[1]
    assert float(last["cost"]) == pytest.approx(shown.cost, rel=1e-5)
    assert float(last["error"]) == pytest.approx(shown.metrics.error, rel=1e-5)
    assert last["verdict"] == result.flags()[1][1] == shown.verdict.flag
    assert float(last["success_rate"]) == result.success_rates()[1][1] == shown.verdict.search.rate
    assert float(last["success_low"]) <= float(last["success_rate"]) <= float(last["success_high"])


def test_cancelling_keeps_what_was_reached(problem: Problem) -> None:
    result = sweep(problem, KEEPS, on_progress=lambda progress: progress.done <= 1)
    assert result.cancelled
    assert [point.keep for point in result.points] == [500, 400]


@pytest.mark.parametrize("keeps", [(), (300, 300), (300, 0), (785,)])
def test_bad_numbers_are_refused_before_any_work(problem: Problem, keeps) -> None:
    def fail(progress):
        raise AssertionError

    with pytest.raises(ArgumentError, match="keep is"):
        sweep(problem, keeps, on_progress=fail)


@pytest.mark.parametrize(("screen", "rounds"), [(0, 1), (3, 1), (40, 1), (8, 2), (40, 2)])
def test_fewer_restarts_are_a_part_of_more(problem: Problem, screen: int, rounds: int) -> None:
    config = replace(CONFIG, restarts=8, screen=screen, rounds=rounds, backend="torch")
    most = restore(problem.measurement, problem.generator, config)
    for count in (1, 5, 8):
        alone = restore(problem.measurement, problem.generator, replace(config, restarts=count))
        chosen = followed(most, count)
        assert chosen.shape == alone.costs.shape
        latents = chosen[..., None].expand(-1, -1, most.starts.shape[2])
        assert most.starts.gather(1, latents).equal(alone.starts)
        assert most.costs.gather(1, chosen).allclose(alone.costs, rtol=1e-4)


def test_partial_searches_cover_every_number_of_restarts_and_seed(problem: Problem) -> None:
    done = []
    part = replace(problem, job=replace(problem.job, config=replace(CONFIG, restarts=4, seed=7)))
    result = sweep(
        part,
        (400, 300),
        restart_counts=(1, 4),
        repeats=3,
        on_progress=lambda progress: done.append(math.ceil(progress.done)),
    )
    assert sorted(set(done)) == list(range(1, 7))
    rows = list(csv.DictReader(result.to_partial_csv().splitlines()))
    assert len(rows) == 2 * 2 * 2 * 3
    assert {row["seed"] for row in rows} == {"7", "8", "9"}
    for image in (0, 3):
        found = [t for t in result.partial_searches if (t.number, t.keep) == (image, 300)]
        best = min(found, key=lambda one: one.cost)
        assert best.found
        assert best.restarts == 4 or any(t.cost == best.cost and t.restarts == 4 for t in found)
        of_all = [t.cost for t in found if t.restarts == 4]
        point = next(p for p in result.trend("cost", keep=300) if (p.number, p.place) == (image, 4))
        assert (point.low, point.high) == (min(of_all), max(of_all))
        assert point.middle == sorted(of_all)[1]
    shares = result.trend("success", keep=400)
    assert [share.place for share in shares] == [1, 4, 1, 4]
    assert all(0 <= share.low <= share.middle <= share.high <= 1 for share in shares)
    figure = plot_sweep(result)
    assert len([axes for axes in figure.axes if axes.has_data()]) == 9


def test_the_first_seed_repeats_a_sweep_without_others(problem: Problem) -> None:
    alone = sweep(problem, (300,))
    several = sweep(problem, (300,), repeats=2)
    assert several.points[0].search.costs.equal(alone.points[0].search.costs)


def test_an_operator_is_left_out_of_a_sweep(problem: Problem) -> None:
    job = replace(problem.job, operator="blur:1", mask="box:4")
    assert sweep(replace(problem, job=job), (300,)).points[0].problem.job.operator is None


@pytest.mark.parametrize(
    ("changes", "counts", "message"),
    [({}, (3,), "restart_counts is 3"), ({}, (0,), "restart_counts is 0"),
     ({"rounds": 2}, (1,), "1 round"),
     ({"time_limit": 1.0}, (1,), "1 round")],
)  # fmt: skip
def test_bad_restart_counts_are_refused(problem: Problem, changes, counts, message: str) -> None:
    config = replace(problem.job.config, **changes)
    part = replace(problem, job=replace(problem.job, config=config))
    with pytest.raises(ArgumentError, match=message):
        sweep(part, (300,), restart_counts=counts)
