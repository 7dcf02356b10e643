"""Without a browser: methods that learn from training images, on the page Compare."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from forms.baselines import Method
from forms.sources import Source
from streamlit.testing.v1 import AppTest
from work.compare import fit

from inpaint.files import reading
from inpaint.generators.samples import sample_images
from inpaint.network.files import load_network, network_names
from inpaint.operators import Mask
from inpaint.studies.baselines.catalog import BASELINES, fit_baseline
from inpaint.studies.baselines.training_set import TrainingSet
from inpaint.types import ImageSet
from tests.dashboard.helpers import mat_file, settle, texts

COUNT = 60


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    """Training images that differ. 1 = paper. [60, 28, 28]"""
    images = sample_images(reading.read_generator("eights-10"), COUNT, seed=5)
    return np.asarray(images[:, 0].numpy())


def archive(images: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, images=images)
    return buffer.getvalue()


def idx(array: np.ndarray) -> bytes:
    """An IDX file of bytes, packed as MNIST's are."""
    header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


def give(app: AppTest, name: str, data: bytes, *, kind: str = "training images") -> AppTest:
    app.file_uploader(f"uploaded {kind}").set_value((name, data, "application/octet-stream"))
    return settle(app)


def compare(app: AppTest, method: str) -> AppTest:
    app.switch_page("views/compare.py")
    settle(app)
    app.selectbox("right").set_value(method)
    return settle(app)


def run(app: AppTest) -> AppTest:
    app.button("run").click()
    return settle(app)


@pytest.mark.parametrize("method", ["mean-image", "nearest", "pca", "ridge"])
def test_a_search_is_held_against_a_method_that_learns(
    app: AppTest, digits: np.ndarray, method: str
) -> None:
    compare(app, method)
    assert "learns from undamaged images" in texts(app)
    give(app, "digits.npz", archive(digits))
    assert f"Learns from {COUNT} images." in texts(app)
    if BASELINES[method].slow:
        assert "Press Run" in texts(app)
        run(app)
    pair = app.session_state["compare result"]
    measurement = pair.left.problem.measurement
    levels = [row.noise_level for row in pair.left.comparison.rows]
    training = TrainingSet(
        images=torch.from_numpy(digits)[:, None],
        mask=measurement.operator,
        noise=sum(levels) / len(levels),
    )
    expected = fit_baseline(method, training).restore(measurement.values, measurement.operator)
    for row, image in zip(pair.right.comparison.rows, expected, strict=True):
        assert torch.allclose(row.output, image.float(), atol=1e-5)
    assert "Smaller error: left on" in texts(app)
    assert "has learned from the training images" in texts(app)

    app.slider("N").set_value(400)
    settle(app)
    if BASELINES[method].slow:
        run(app)
    assert app.session_state["compare result"].request != pair.request
    app.slider("N").set_value(350)
    settle(app)
    assert app.session_state["compare result"].request == pair.request, "a fit is kept"
    assert not app.error


@pytest.mark.parametrize("name", network_names())
def test_a_search_is_held_against_a_shipped_network(app: AppTest, name: str) -> None:
    compare(app, f"network {name}")
    pair = app.session_state["compare result"]
    measurement = pair.left.problem.measurement
    expected = load_network(name).restore(measurement.values, measurement.operator)
    for row, image in zip(pair.right.comparison.rows, expected, strict=True):
        assert torch.equal(row.output, image.float())
    assert f"network {name} in" in texts(app)
    assert "knows of no other that fits" in texts(app)
    assert "Smaller error: left on" in texts(app)


def test_a_digit_is_picked_by_its_label(app: AppTest, digits: np.ndarray) -> None:
    compare(app, "mean-image")
    assert app.selectbox("digit").disabled
    ink = np.rint(255 * (1 - digits))
    give(app, "train-images-idx3-ubyte.gz", idx(ink))
    assert f"Learns from {COUNT} images." in texts(app)
    labels = np.arange(COUNT) % 3
    give(app, "train-labels-idx1-ubyte.gz", idx(labels), kind="labels")
    app.selectbox("digit").set_value("2")
    settle(app)
    assert "Learns from 20 images." in texts(app)
    mean = app.session_state["compare result"].right.comparison.rows[0].output
    assert np.allclose(mean[0].numpy(), 1 - ink[labels == 2].mean(0) / 255, atol=1e-5)
    app.selectbox("digit").set_value("7")
    settle(app)
    assert "digits is (7,); no image" in app.error[0].value
    assert "/tmp" not in app.error[0].value


def nothing(path: Path) -> None:
    path.write_bytes(b"")


def garbage(path: Path) -> None:
    path.write_bytes(b"MATLAB 5.0 MAT-file, but not really" * 20)


def not_finite(path: Path) -> None:
    mat_file(path, X_n=np.full((784, 8), np.nan))


def of_another_size(path: Path) -> None:
    mat_file(path, X_n=np.full((49, 8), 0.5))


def too_few(path: Path) -> None:
    mat_file(path, X_n=np.linspace(0, 1, 784 * 3).reshape(784, 3))


@pytest.mark.parametrize("spoil", [nothing, garbage, not_finite, of_another_size, too_few])
def test_bad_training_images_are_said(
    app: AppTest, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    compare(app, "mean-image")
    path = tmp_path / "bad.mat"
    spoil(path)
    give(app, "bad.mat", path.read_bytes())
    assert len(app.error) == 1
    message = app.error[0].value
    assert message.endswith((".", "?")), message
    assert "bad.mat" in message or "training images" in message or "shape" in message, message
    assert "/tmp" not in message


@pytest.mark.parametrize("data", [b"no labels", idx(np.arange(5)), idx(np.ones((9, 4, 4)))])
def test_bad_labels_are_said(app: AppTest, digits: np.ndarray, data: bytes) -> None:
    compare(app, "nearest")
    give(app, "images.gz", idx(np.rint(255 * (1 - digits))))
    give(app, "labels.gz", data, kind="labels")
    assert "labels.gz" in app.error[0].value
    assert "/tmp" not in app.error[0].value


def test_a_fit_is_stopped(digits: np.ndarray) -> None:
    images = Source("digits.npz", "1", ImageSet(torch.from_numpy(digits)[:, None]))
    mask = Mask.leading(350, (1, 28, 28))
    heard: list[str] = []

    def stop(share: float, text: str) -> bool:
        heard.append(text)
        return len(heard) < 4

    method = Method("ridge", images)
    assert fit(method, None, mask, 0.1, stop) is None  # type: ignore[arg-type]
    assert heard == [
        f"Learning from {COUNT} images.",
        "Trying setting 1.",
        "Trying setting 2.",
        "Trying setting 3.",
    ]
    assert not method.fits
