"""`inpaint posterior`, and the posterior beside a restoration: files, repeatability, bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from inpaint.files.job import RestoreJob
from inpaint.files.problem import load
from inpaint.network.files import load_network
from inpaint.posterior.estimator import Estimator, network_share
from tests.helpers import QUICK_WORDS as QUICK
from tests.helpers import inpaint, refused
from tests.tolerances import SINGLE

FEW = ("--particles", "32", "--chains", "2", "--threads", "1")


def read(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of a file, which is closed again."""
    with np.load(path) as arrays:
        return dict(arrays)


def restored_twice(
    generator: Path | str, folder: Path, images: str, estimate: str
) -> tuple[str, Path, dict[str, NDArray[Any]]]:
    """Restore, and repeat that from its record.

    Returns:
        What was printed, where the files are, and the arrays of the repetition.
    """
    out, again = folder / "out", folder / "again"
    words = ("restore", "--generator", generator, "--images", images, *QUICK)
    result = inpaint(*words, "--estimate", estimate, "--threads", "1", "--output", out)
    assert result.exit_code == 0, result.output
    repeated = inpaint("restore", "--from-run", out / "run.json", "--output", again)
    assert repeated.exit_code == 0, repeated.output
    return result.stdout, out, read(again / "restoration.npz")


def test_posterior_writes_arrays_record_and_figure_that_repeat(
    generator: Path, tmp_path: Path
) -> None:
    arrays, records = [], []
    for place in (tmp_path / "one", tmp_path / "two"):
        words = ("posterior", "--generator", generator, "--images", "0,2", *FEW)
        result = inpaint(*words, "--output", place)
        # Some of these few particles agree by chance, and some do not.
        assert result.exit_code in (0, 3), result.output
        assert sorted(path.name for path in place.iterdir()) == [
            "figure.png", "posterior.npz", "run.json",
        ]  # fmt: skip
        arrays.append(read(place / "posterior.npz"))
        records.append(json.loads((place / "run.json").read_text()))
        with Image.open(place / "figure.png") as figure:
            assert figure.width > 600
    one, two = arrays
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])
    assert one["latents"].shape[:2] == (2, 2)
    assert one["latents"].shape[3] == 4
    assert one["costs"].shape == one["latents"].shape[:3]
    assert one["mean"].shape == one["std"].shape == one["lower"].shape == (2, 1, 28, 28)
    assert one["modes"].shape[:2] == one["mode_weights"].shape
    np.testing.assert_array_equal(np.isnan(one["lower"]).all((1, 2, 3)), ~one["converged"])
    record = records[0]
    images = record["results"]["images"]
    assert records[1]["results"]["images"] == images
    assert record["job"]["config"]["particles"] == 32
    assert "--particles 32" in record["command"]
    assert set(record["sha256"]) == {"source", "generator"}
    for image in images:
        assert set(image["errors"]) == {"minimum", "mean", "median"}
        interval = image["posterior"]["noise_interval"]
        assert (interval != [None, None]) == image["posterior"]["converged"]


def test_a_posterior_that_did_not_converge_is_told_so(generator: Path, tmp_path: Path) -> None:
    words = ("posterior", "--generator", generator, "--images", "0", *FEW, "--keep", "700")
    words += ("--start", "prior", "--noise-level", "0.001", "--max-gradients", "4000")
    result = inpaint(*words, "--output", tmp_path / "a")
    assert result.exit_code == 3
    assert "used up its gradients" in result.stderr
    image = json.loads((tmp_path / "a" / "run.json").read_text())["results"]["images"][0]
    assert not image["posterior"]["converged"]
    assert image["posterior"]["noise_interval"] == [None, None]
    assert image["estimate"] == "minimum"


def test_particles_may_start_from_the_modes(generator: Path, tmp_path: Path) -> None:
    words = ("posterior", "--generator", generator, "--images", "0", *FEW, "--start", "modes")
    result = inpaint(*words, "--output", tmp_path / "a")
    assert result.exit_code in (0, 3), result.output


def test_restore_with_a_posterior_adds_to_its_files_and_repeats(
    generator: Path, tmp_path: Path
) -> None:
    _, out, repeated = restored_twice(generator, tmp_path, "0", "mean")
    record = json.loads((out / "run.json").read_text())
    assert "--estimate mean" in record["command"]
    (image,) = record["results"]["images"]
    assert image["estimate"] == "mean"
    assert "r_hat" in image["posterior"]
    arrays = read(out / "restoration.npz")
    assert arrays["posterior_mean"].shape == arrays["images"].shape
    np.testing.assert_array_equal(arrays["posterior_estimate"], arrays["posterior_mean"])
    with Image.open(out / "figure.png") as figure:
        assert figure.width > 1600
    np.testing.assert_array_equal(arrays["posterior_latents"], repeated["posterior_latents"])


def test_restore_shows_an_estimate_for_real_images_and_repeats_it(
    generator: Path, tmp_path: Path
) -> None:
    told, out, repeated = restored_twice(generator, tmp_path, "0,1", "sharp")
    assert "sharp estimate" in told
    record = json.loads((out / "run.json").read_text())
    assert record["job"]["estimate"] == "sharp"
    sampling = record["results"]["sampling"]
    assert sampling["draws"]["config"]["misfit_weight"] < 1
    for alone, image in zip(sampling["noise_alone"], record["results"]["images"], strict=True):
        # The misfit of an arbitrary generator is large, and no longer taken for noise.
        assert 0 < alone < image["noise_level"]
    arrays = read(out / "restoration.npz")
    assert (arrays["posterior_estimate"] != arrays["posterior_median"]).any()
    np.testing.assert_array_equal(arrays["posterior_estimate"], repeated["posterior_estimate"])


@pytest.mark.slow
def test_the_combined_estimate_takes_the_generators_network(
    generator: Path, tmp_path: Path
) -> None:
    told, out, repeated = restored_twice("eights", tmp_path, "0", "combined")
    assert "combined estimate" in told
    shown = read(out / "restoration.npz")["posterior_estimate"]
    np.testing.assert_array_equal(shown, repeated["posterior_estimate"])
    problem = load(RestoreJob(generator="eights", numbers=(0,)))
    network = load_network("eights")
    record = json.loads((out / "run.json").read_text())
    sampling = record["results"]["sampling"]
    assert sampling["network_sha256"] == network.digest()
    sampling["network_sha256"] = "0" * 64
    (out / "run.json").write_text(json.dumps(record))
    told = inpaint("restore", "--from-run", out / "run.json", "--output", tmp_path / "other").output
    assert "other weights of the inpainting network" in " ".join(told.split())
    filled = Estimator(problem.measurement, problem.generator, network=network).filled.numpy()
    share = network_share(problem.measurement).numpy()
    drawn = (shown - share * filled) / (1 - share)
    # What is left is an image again; of another network it would not be.
    assert -SINGLE < drawn.min() < drawn.max() < 1 + 10 * SINGLE
    words = ("--estimate", "combined", "--output", tmp_path / "none")
    refused(inpaint("restore", "--generator", generator, *QUICK, *words), "choose the estimate")


def test_an_estimate_for_real_images_needs_a_mask(generator: Path, tmp_path: Path) -> None:
    words = ("--operator", "block-average", "--estimate", "accurate", "--output", tmp_path / "out")
    refused(inpaint("restore", "--generator", generator, *QUICK, *words), "needs a mask")
    words = ("--estimate", "best", "--output", tmp_path / "out")
    refused(inpaint("restore", "--generator", generator, *words), "estimate is 'best'", "sharp")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--particles", "4"), ("particles is 4",)),
        (("--particles", "12"), ("particles is 12", "at least 16")),
        (("--max-gradients", "0"), ("max_gradients is 0",)),
        (("--max-gradients", "100"), ("max_gradients is 100", "first stage")),
        (("--level", "1.5"), ("level is 1.5",)),
        (("--estimate", "best"), ("estimate is 'best'", "minimum, mean, median")),
        (("--keep", "3"), ("3 observed values", "noise_level")),
        (("--start", "there"), ("start is 'there'",)),
    ],
)
def test_bad_input_is_one_sentence(
    generator: Path, tmp_path: Path, words: tuple[str, ...], told: tuple[str, ...]
) -> None:
    result = inpaint("posterior", "--generator", generator, *words, "--output", tmp_path / "out")
    refused(result, *told)
