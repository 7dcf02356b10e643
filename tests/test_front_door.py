"""The front door: what a user of numpy, torch, scikit-image or deepinv would write works."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import inpaint
from inpaint.errors import ArgumentError, FileError, InpaintError, ShapeError

QUICK = inpaint.RestoreConfig(restarts=4, screen=16, steps=60)
SAMPLING = inpaint.PosteriorConfig(particles=64, chains=2, moves=2, jumps=0)


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Three pictures of the shipped generator, with noise. [3, 28, 28]"""
    generator = inpaint.read_generator("eights-10")
    latents = torch.randn(3, 10, generator=torch.Generator().manual_seed(1))
    drawn = generator(latents)[:, 0].numpy().astype(np.float64)
    return drawn + 0.02 * np.random.default_rng(0).standard_normal(drawn.shape)


@pytest.fixture(scope="module")
def result(pictures: np.ndarray) -> inpaint.Restoration:
    """Three restorations of a box."""
    return inpaint.restore(pictures, "eights-10", QUICK, mask=inpaint.Mask.box(8))


class Physics:
    """An operator in the manner of deepinv: averages of pairs of rows."""

    def A(self, images: Tensor) -> Tensor:
        return (images[..., ::2, :] + images[..., 1::2, :]) / 2

    def A_adjoint(self, values: Tensor) -> Tensor:
        return values.repeat_interleave(2, -2) / 2


class Decoder(nn.Module):
    """A small generator that is no sequence of known layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(5, 64)

    def forward(self, latents: Tensor) -> Tensor:
        return torch.sigmoid(self.first(latents)).reshape(-1, 1, 8, 8)


# What goes in


@pytest.mark.parametrize("kind", ["array", "float32", "tensor", "bytes", "picture", "path"])
def test_one_picture_of_any_kind_is_restored(
    kind: str, pictures: np.ndarray, tmp_path: Path
) -> None:
    levels = np.rint(255 * pictures[0].clip(0, 1)).astype(np.uint8)
    path = tmp_path / "one.png"
    Image.fromarray(levels).save(path)
    given = {
        "array": pictures[0],
        "float32": pictures[0].astype(np.float32),
        "tensor": torch.from_numpy(pictures[0]),
        "bytes": levels,
        "picture": Image.fromarray(levels),
        "path": path,
    }[kind]
    found = inpaint.restore(given, "eights-10", QUICK, mask=inpaint.Mask.box(8))
    assert len(found) == 1
    assert found.images[0].shape == (1, 28, 28)
    assert float((found.images[0, 0] - torch.from_numpy(pictures[0])).abs().mean()) < 0.05


@pytest.mark.parametrize("axes", ["bhw", "bchw", "list"])
def test_a_batch_of_any_layout_is_restored_alike(
    axes: str, pictures: np.ndarray, result: inpaint.Restoration
) -> None:
    given = {"bhw": pictures, "bchw": pictures[:, None], "list": list(pictures)}[axes]
    found = inpaint.restore(given, "eights-10", QUICK, mask=inpaint.Mask.box(8))
    torch.testing.assert_close(found.images, result.images, rtol=0, atol=0)


@pytest.mark.parametrize(
    "kind", ["bool", "integers", "tensor", "bfloat16", "channels", "each", "text", "file"]
)
def test_a_mask_of_any_kind_is_taken(
    kind: str, pictures: np.ndarray, result: inpaint.Restoration, tmp_path: Path
) -> None:
    observed = np.ones((28, 28), dtype=bool)
    observed[10:18, 10:18] = False
    np.save(tmp_path / "mask.npy", observed)
    given = {
        "bool": observed,
        "integers": observed.astype(int),
        "tensor": torch.from_numpy(observed),
        "bfloat16": torch.from_numpy(observed).bfloat16(),
        "channels": observed[None],
        "each": np.repeat(observed[None], 3, axis=0),
        "text": "box:8",
        "file": tmp_path / "mask.npy",
    }[kind]
    found = inpaint.restore(pictures, "eights-10", QUICK, mask=given)
    assert "720 of 784" in found.measurement.operator.title
    torch.testing.assert_close(found.costs, result.costs, rtol=0, atol=1e-3)


def test_nan_marks_lost_pixels(pictures: np.ndarray, result: inpaint.Restoration) -> None:
    damaged = pictures.copy()
    damaged[:, 10:18, 10:18] = np.nan
    for options in ({}, {"mask": inpaint.Mask.box(8)}):
        found = inpaint.restore(damaged, "eights-10", QUICK, **options)
        torch.testing.assert_close(found.costs, result.costs, rtol=0, atol=1e-3)


def test_what_a_program_painted_into_lost_pixels_changes_nothing(
    pictures: np.ndarray, result: inpaint.Restoration
) -> None:
    for paint in (0.0, 1.0, -1.0):
        damaged = pictures.copy()
        damaged[:, 10:18, 10:18] = paint
        found = inpaint.restore(damaged, "eights-10", QUICK, mask=inpaint.Mask.box(8))
        assert torch.equal(found.costs, result.costs)


@pytest.mark.parametrize(
    ("images", "mask", "error", "sentence"),
    [
        (np.zeros((28, 28, 3)), "box:8", ShapeError, "looks like [H, W, C]"),
        (np.zeros((2, 28, 28, 1)), "box:8", ShapeError, "looks like [B, H, W, C]"),
        (np.zeros((2, 2, 1, 28, 28)), "box:8", ShapeError, "[2, 2, 1, 28, 28]"),
        (np.full((28, 28), 16.0), "box:8", ArgumentError, "values from 16 to 16"),
        (np.full((28, 28), 700), "box:8", ArgumentError, "values from 700 to 700"),
        (np.array([["a"]]), "box:8", ArgumentError, "not an array of numbers"),
        (object(), "box:8", ArgumentError, "not an array of numbers"),
        ([], "box:8", ShapeError, "empty list"),
        (np.zeros((28, 28)), None, ArgumentError, "which pixels are lost"),
        (np.zeros((28, 28)), np.full((28, 28), 0.3), ArgumentError, "0.3 everywhere"),
        (np.zeros((28, 28)), np.ones((28, 28), bool), ArgumentError, "loses nothing"),
        (np.zeros((28, 28)), Image.new("L", (28, 28), 255), ArgumentError, "loses nothing"),
        (np.zeros((28, 28)), np.full((28, 28), np.nan), ArgumentError, "mask holds NaN"),
        (np.zeros((28, 28)), np.empty((0, 28, 28)), ArgumentError, "one for each pixel"),
        (np.zeros((28, 28)), np.eye(28)[None].repeat(3, 0), ShapeError, "there is 1 image"),
        (np.zeros((28, 28)), np.ones((9, 9), bool), ShapeError, "[9, 9]"),
        (np.zeros((20, 20)), np.ones((20, 20), bool), ShapeError, "[1, 28, 28]"),
        (np.full((28, 28), np.nan), np.eye(28, dtype=bool), ArgumentError, "row 0, column 0"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(
    images: object, mask: object, error: type[InpaintError], sentence: str
) -> None:
    with pytest.raises(error) as caught:
        inpaint.restore(images, "eights-10", QUICK, mask=mask)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_ambiguous_batch_is_refused_with_both_readings() -> None:
    with pytest.raises(ShapeError, match=r"\[1, 3, 28, 28\] or \[3, 1, 28, 28\]"):
        inpaint.as_images(np.zeros((3, 28, 28)))
    assert len(inpaint.as_images(np.zeros((3, 28, 28)), (1, 28, 28))) == 3
    assert len(inpaint.as_images(np.zeros((3, 28, 28)), (3, 28, 28))) == 1


@pytest.mark.parametrize("module", ["sequence", "module"])
def test_a_torch_module_is_a_generator(module: str) -> None:
    torch.manual_seed(0)
    given = {
        "sequence": nn.Sequential(nn.Linear(5, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8))),
        "module": Decoder(),
    }[module]
    truth = given(torch.randn(2, 5)).detach()
    measurement = inpaint.measure(truth, inpaint.Mask.half("left"), noise=0.01)
    found = inpaint.restore(measurement, given, inpaint.RestoreConfig(restarts=8, screen=0))
    assert float((found.images - truth).abs().mean()) < 0.1


@pytest.mark.parametrize(
    "operator",
    [
        inpaint.Mask.leading(400),
        inpaint.Mask.half("top"),
        inpaint.Mask.random(0.4),
        inpaint.Mask.every(3, axis="rows"),
        inpaint.Mask.checkerboard(4),
        inpaint.Mask.strokes(3),
        inpaint.BlockAverage(4),
        inpaint.Blur.gaussian(1.0),
        Physics(),
    ],
    ids=lambda each: type(each).__name__,
)
def test_an_operator_takes_its_shape_from_the_images(
    operator: object, pictures: np.ndarray
) -> None:
    measurement = inpaint.measure(pictures[:, None], operator, noise=0.02)
    found = inpaint.restore(measurement, "eights-10", QUICK)
    assert found.images.shape == (3, 1, 28, 28)
    assert torch.isfinite(found.costs).all()


def test_a_measurement_says_what_was_lost_itself(pictures: np.ndarray) -> None:
    measurement = inpaint.measure(pictures[:, None], "box:8")
    with pytest.raises(ArgumentError, match="leave the mask out"):
        inpaint.restore(measurement, "eights-10", QUICK, mask="box:8")


# What comes out


def test_a_restoration_is_a_batch(result: inpaint.Restoration) -> None:
    assert len(result) == 3
    assert result.images.shape == (3, 1, 28, 28)
    assert result.costs.shape == result.noise_level.shape == (3,)
    assert result.latents.shape == (3, 10)
    assert {verdict.flag for verdict in result.verdicts} <= {"good", "ambiguous", "doubtful"}
    assert len(result.verdicts) == 3
    assert list(result.estimate_names) == ["minimum"] * 3


def test_an_index_keeps_or_drops_the_batch_axis(result: inpaint.Restoration) -> None:
    part = result[1:3]
    assert len(part) == 2
    assert torch.equal(part.images, result.images[1:3])
    for index in (1, -2):
        one = result[index]
        assert torch.equal(one.images, result.images[1])
        assert one.costs.ndim == 0
        assert one.verdicts.sentence == result.verdicts[1].sentence
        with pytest.raises(TypeError):
            len(one)
    assert torch.equal(result[[2, 0]].images, result.images[[2, 0]])
    with pytest.raises(IndexError):
        result[3]
    assert [tuple(one.images.shape) for one in result] == [(1, 28, 28)] * 3


def test_reprs_fit_a_screen_and_comparison_never_raises(result: inpaint.Restoration) -> None:
    things = [
        result,
        result.measurement,
        result.measurement.operator,
        result.generator,
        result.search,
        result.verdicts[0],
        result.compare().rows[0],
        inpaint.as_images(np.zeros((2, 28, 28)), (1, 28, 28)),
        inpaint.Mask.box(8),
    ]
    for thing in things:
        assert len(repr(thing)) < 1200, repr(thing)
        assert "tensor(" not in repr(thing)
        assert (thing == thing) is True
        for other in (*things, None, 3):
            assert (thing == other) in (True, False)


def test_a_restoration_is_plotted_saved_and_loaded(
    result: inpaint.Restoration, tmp_path: Path
) -> None:
    assert len(result.plot().axes) == 15
    folder = result.save(tmp_path / "restored")
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")
    again = inpaint.load(folder)
    assert isinstance(again, inpaint.Restoration)
    assert torch.equal(again.images, result.images)
    assert again.search.config == result.search.config
    assert [v.sentence for v in again.verdicts] == [v.sentence for v in result.verdicts]


def test_a_restoration_by_another_operator_is_saved_and_loaded(
    pictures: np.ndarray, tmp_path: Path
) -> None:
    measurement = inpaint.measure(pictures[:2], inpaint.BlockAverage(4), noise=0.01)
    found = inpaint.restore(measurement, "eights-10", QUICK)
    again = inpaint.load(found.save(tmp_path))
    assert torch.equal(again.images, found.images)
    repeated = inpaint.restore(again.measurement, "eights-10", QUICK)
    torch.testing.assert_close(repeated.costs, found.costs, rtol=0, atol=0.05)


def test_a_torch_module_is_given_again_when_loading(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Decoder()
    measurement = inpaint.measure(module(torch.randn(1, 5)).detach(), "left", noise=0.01)
    folder = inpaint.restore(measurement, module, QUICK).save(tmp_path)
    with pytest.raises(FileError, match="generator="):
        inpaint.load(folder)
    assert len(inpaint.load(folder, generator=module)) == 1
    with pytest.raises(FileError, match="not the one"):
        inpaint.load(folder, generator=Decoder())


def test_files_of_two_runs_in_a_folder_are_refused(
    result: inpaint.Restoration, tmp_path: Path
) -> None:
    one, two = result.save(tmp_path / "one"), result[:1].save(tmp_path / "two")
    (two / "restoration.npz").write_bytes((one / "restoration.npz").read_bytes())
    with pytest.raises(FileError, match="not written together with its record"):
        inpaint.load(two)
    assert len(inpaint.load(one)) == len(result)


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="neither a restoration nor a posterior"):
        inpaint.load(tmp_path)


def test_another_estimate_of_the_same_search(result: inpaint.Restoration, tmp_path: Path) -> None:
    mean = result[:1].estimate("mean")
    assert mean.estimate_names == ("mean",)
    assert not torch.equal(mean.images, result.images[:1])
    mean.save(tmp_path)
    loaded = inpaint.load(tmp_path)
    assert loaded.estimate_names == mean.estimate_names
    assert torch.equal(loaded.images, mean.images)
    assert torch.equal(loaded.latents, mean.latents)
    assert len(loaded.plot().axes) > 0
    with pytest.raises(ArgumentError, match="estimate is 'best'"):
        result.estimate("best")
    assert "accurate" in inpaint.ESTIMATES


def test_a_posterior_is_a_batch_that_is_saved_and_loaded(
    result: inpaint.Restoration, tmp_path: Path
) -> None:
    posterior = result[:2].posterior(SAMPLING)
    assert len(posterior) == 2
    assert posterior.mean.shape == posterior.std.shape == (2, 1, 28, 28)
    lower, upper = posterior.interval(0.9)
    assert (lower <= posterior.median).all()
    assert (posterior.median <= upper).all()
    narrow = posterior.interval(0.5)
    assert ((narrow[1] - narrow[0]) <= (upper - lower) + 1e-6).all()
    assert posterior[1].mean.shape == (1, 28, 28)
    assert posterior[1].verdicts.sentence
    assert len(posterior.verdicts) == 2
    assert len(repr(posterior)) < 400
    again = inpaint.load(posterior.save(tmp_path))
    assert isinstance(again, inpaint.Posterior)
    assert torch.equal(again.mean, posterior.mean)
    assert again.verdicts == posterior.verdicts
    assert len(posterior.plot().axes) > 0


def test_a_posterior_without_a_search(pictures: np.ndarray) -> None:
    posterior = inpaint.sample_posterior(
        pictures[:1], "eights-10", SAMPLING, mask="box:8", noise_level=0.05
    )
    assert posterior.draws.known_noise == 0.05
    assert posterior.mean.shape == (1, 1, 28, 28)


# Progress and memory


def test_one_contract_of_progress_and_cancelling(pictures: np.ndarray) -> None:
    seen: list[inpaint.Progress] = []
    config = inpaint.RestoreConfig(restarts=4, screen=0)

    def stop(progress: inpaint.Progress) -> bool:
        seen.append(progress)
        return False

    found = inpaint.restore(pictures, "eights-10", config, mask="box:8", on_progress=stop)
    assert len(seen) == 1
    assert seen[0].stage == "descent"
    assert 0 < seen[0].done <= (seen[0].total or 0)
    assert found.search.config.stop_after == 1
    posterior = inpaint.sample_posterior(
        pictures, "eights-10", SAMPLING, mask="box:8", on_progress=stop
    )
    assert posterior.draws.cancelled


def test_a_large_batch_is_searched_in_parts_that_change_nothing(
    pictures: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = np.concatenate([pictures, pictures[::-1]])
    config = inpaint.RestoreConfig(restarts=3, screen=10, backend="cpp")
    whole = inpaint.restore(many, "eights-10", config, mask="box:8")
    monkeypatch.setattr("inpaint.search.memory.PART_BYTES", 1)
    parts = inpaint.restore(many, "eights-10", config, mask="box:8")
    for name in ("latents", "costs", "starts", "start_costs", "status"):
        assert torch.equal(getattr(parts.search, name), getattr(whole.search, name)), name
    monkeypatch.setattr("inpaint.search.restore.HISTORY_BYTES", 1)
    small = inpaint.restore(many, "eights-10", config, mask="box:8")
    assert small.search.history.shape[2] == 1
    assert torch.equal(small.search.best_history[-1], whole.search.best_history[-1])
    assert len(small[:2].plot().axes) == 10
