"""Sweeps: one comparison per N, the table of errors, and an early end."""

import csv
from pathlib import Path

import pytest

from inpaint import RestoreConfig, restore, write_generator
from inpaint.errors import ArgumentError
from inpaint.problem import Problem, Run, load
from inpaint.run import KEEPS
from inpaint.sweep import sweep
from tests.conftest import random_generator

CONFIG = RestoreConfig(restarts=2, screen=0, solver="adam", steps=5, backend="torch")


@pytest.fixture
def problem(tmp_path: Path) -> Problem:
    file = tmp_path / "generator.safetensors"
    write_generator(random_generator((4, 8, 784), image_shape=(1, 28, 28)), file)
    return load(Run(generator=str(file), noise=0.1, numbers=(0, 3), config=CONFIG))


def test_each_point_is_the_restoration_at_that_n(problem: Problem) -> None:
    result = sweep(problem, (400, 300))
    assert not result.cancelled
    for point, keep in zip(result.points, (400, 300), strict=True):
        assert point.keep == keep
        alone = load(point.problem.run)
        again = restore(alone.measurement, alone.generator, CONFIG)
        assert point.restoration.costs.equal(again.costs)
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
    result = sweep(problem, KEEPS, on_progress=lambda index, progress: index < 1)
    assert result.cancelled
    assert [point.keep for point in result.points] == [500, 400]


@pytest.mark.parametrize("keeps", [(), (300, 300), (300, 0), (785,)])
def test_bad_numbers_are_refused_before_any_work(problem: Problem, keeps) -> None:
    def fail(index, progress):
        raise AssertionError

    with pytest.raises(ArgumentError, match="keep is"):
        sweep(problem, keeps, on_progress=fail)
