"""Simulation-based calibration: what is right passes, what is wrong fails."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from inpaint import Mask, write_generator
from inpaint.cli import app
from inpaint.errors import ArgumentError
from inpaint.files.job import CalibrateJob
from inpaint.posterior.config import PosteriorConfig
from inpaint.studies.calibrate.calibration import Truths, calibrate, simulate_truths, truths_of
from inpaint.studies.calibrate.ranking import Ranks
from inpaint.types import Progress
from tests.helpers import SIGMA, linear_problem, random_generator

SHAPE = (1, 3, 4)
MASK = Mask.leading(8, SHAPE)
QUICK = PosteriorConfig(particles=64, threads=1)


def with_noise_level(truths: Truths, noise_level: float) -> Truths:
    """The same truths, of whose noise the sampler is given a level, right or wrong."""
    return replace(truths, measurement=replace(truths.measurement, noise_level=noise_level))


@pytest.mark.slow
def test_a_linear_generator_is_calibrated_and_a_wrong_noise_level_is_seen() -> None:
    _, generator = linear_problem()
    truths = simulate_truths(generator, MASK, 100, noise=SIGMA)
    right = calibrate(with_noise_level(truths, SIGMA), generator, QUICK)
    names = ["latent 1", "latent 2", "latent 3", "J", "ink lost", "pixel"]
    assert [ranks.name for ranks in right.ranks] == names
    assert min(ranks.chi_squared for ranks in right.ranks) > 0.002
    for part in right.coverage:
        assert abs(part.share - part.level) < 4 * part.error
    assert right.rms_error("mean") == pytest.approx(
        math.sqrt(sum(spread**2 for spread in right.spreads) / 100), rel=0.25
    )
    wrong = calibrate(with_noise_level(truths, SIGMA / 2), generator, QUICK)
    assert min(ranks.chi_squared for ranks in wrong.ranks) < 1e-6
    assert wrong.coverage[2].share < 0.8


def test_uneven_ranks_are_recognised() -> None:
    even = Ranks("even", tuple(range(100)))
    assert even.bins == 10
    assert even.counts.tolist() == [10] * 10
    assert even.chi_squared > 0.99
    assert even.kolmogorov_smirnov > 0.99
    low = Ranks("low", tuple(rank // 2 for rank in range(100)))
    assert low.chi_squared < 1e-6
    assert low.kolmogorov_smirnov < 1e-6


def test_real_truths_are_not_ranked_and_may_end_early() -> None:
    _, generator = linear_problem()
    truths = truths_of(torch.rand(12, *SHAPE).double(), MASK, noise=SIGMA)
    seen: list[Progress] = []

    def stop(progress: Progress) -> bool:
        seen.append(progress)
        return progress.done < 5

    found = calibrate(truths, generator, QUICK, on_progress=stop)
    assert found.cancelled
    assert found.count == 5
    assert (seen[-1].done, seen[-1].total) == (5, 12)
    # The sampling of the first batch was heard of before.
    assert 0 < seen[-2].done < 5
    assert {"gradients", "summarising"} <= {progress.note.split()[-1] for progress in seen[:-1]}
    assert found.ranks == ()
    assert 0 <= found.noise_covered <= 1


def test_a_calibration_stopped_within_a_sampling_leaves_its_truths_out() -> None:
    _, generator = linear_problem()
    truths = simulate_truths(generator, MASK, 7, noise=SIGMA)
    whole = calibrate(truths, generator, QUICK)
    part = calibrate(truths, generator, QUICK, on_progress=lambda progress: progress.done <= 5)
    assert part.cancelled
    assert part.count == 5
    assert part.errors["mean"] == whole.errors["mean"][:5]
    none = calibrate(truths, generator, QUICK, on_progress=lambda progress: False)
    assert none.cancelled
    assert none.count == 0
    assert math.isnan(none.rms_error("mean"))


def test_calibrate_writes_figure_and_figures_that_repeat(tmp_path: Path) -> None:
    file = tmp_path / "generator.safetensors"
    write_generator(random_generator((4, 8, 784), image_shape=(1, 28, 28)), file)
    words = ["calibrate", "--generator", file, "--keep", "500,300", "--truths", "6"]
    words += ["--particles", "32", "--chains", "2", "--threads", "1"]
    records = []
    for place in (tmp_path / "one", tmp_path / "two"):
        result = CliRunner().invoke(app, [*map(str, words), "--output", str(place)])
        assert result.exit_code == 0, result.output
        assert (place / "calibration.png").read_bytes().startswith(b"\x89PNG")
        records.append(json.loads((place / "calibration.json").read_text()))
    one, two = records
    one_entries, two_entries = one["results"]["entries"], two["results"]["entries"]
    assert [(entry["keep"], entry["noise_level"]) for entry in one_entries] == [
        (500, 0.1), (500, None), (300, 0.1), (300, None),
    ]  # fmt: skip
    for pair in zip(one_entries, two_entries, strict=True):
        first, second = (entry["calibration"] for entry in pair)
        for name in set(first) - {"seconds", "summary_seconds"}:
            assert first[name] == second[name]
        assert set(first["errors"]) == {"minimum", "mean", "median"}
        assert {ranks["name"] for ranks in first["ranks"]} >= {"J"}
        assert {len(ranks["ranks"]) for ranks in first["ranks"]} == {6}
    assert one["sha256"] == two["sha256"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"truths": 0}, "truths is 0"),
        ({"noise": 0.0}, "noise is 0.0"),
        ({"noise_is": "half"}, "noise_is is 'half'"),
        ({"keeps": (300, 300)}, "different numbers"),
        ({"images": Path("images")}, "give both"),
    ],
)
def test_bad_studies_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        CalibrateJob(generator="eights-10", **changes)  # type: ignore[arg-type]
