"""Pictures of any size, depth and colour, and the options for reading them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from inpaint import ImageSet, InpaintError, read_images
from inpaint.errors import ArgumentError, FileError
from tests.helpers import spoil

SHAPE = (1, 28, 28)


def drawing(height: int = 28, width: int = 28) -> np.ndarray:
    """A bar of ink, off the centre, on white paper."""
    levels = np.full((height, width), 255, dtype=np.uint8)
    levels[height // 7 : height // 2, width // 7 : width // 4] = 0
    return levels


def test_a_digit_of_any_size_is_fitted_as_mnist_was(data_dir: Path, tmp_path: Path) -> None:
    digits = read_images(data_dir / "train-images-idx3-ubyte.gz").images[:30, 0]
    for index, digit in enumerate(digits):
        large = np.kron(1 - digit.numpy(), np.ones((9, 9)))
        canvas = np.zeros((400, 600))
        canvas[100:352, 30:282] = large
        path = tmp_path / f"{index}.png"
        Image.fromarray(np.uint8(np.rint(255 * (1 - canvas)))).save(path)
        fitted = read_images(path, image_shape=SHAPE)
        assert fitted.images.shape == (1, *SHAPE)
        error = (fitted.images[0, 0] - digit).square().mean().sqrt()
        # The faintest pixels of an edge may be cut off; a shift by one pixel would make 0.2.
        assert float(error) < 0.01
    assert any("20x20" in note and "as MNIST was" in note for note in fitted.notes)


def test_a_picture_of_the_right_size_stays_as_it_is(tmp_path: Path) -> None:
    Image.fromarray(drawing()).save(tmp_path / "a.png")
    images = read_images(tmp_path / "a.png", image_shape=SHAPE)
    np.testing.assert_allclose(images.images[0, 0].numpy(), drawing() / 255)
    assert not any("cropped" in note for note in images.notes)


def test_colour_is_kept_for_a_generator_of_colours(tmp_path: Path) -> None:
    pixels = np.zeros((40, 60, 3), dtype=np.uint8)
    pixels[..., 0], pixels[:, :30, 1], pixels[..., 2] = 255, 255, 128
    Image.fromarray(pixels).save(tmp_path / "a.png")
    images = read_images(tmp_path / "a.png", image_shape=(3, 10, 10), ink="dark")
    red, green, blue = images.images[0]
    assert (red == 1).all()
    assert green.mean() == pytest.approx(0.5)
    np.testing.assert_allclose(blue.numpy(), 128 / 255, rtol=1e-6)


KINDS: dict[str, Callable[[Path], object]] = {
    "colour": lambda p: Image.fromarray(drawing()).convert("RGB").save(p),
    "palette": lambda p: Image.fromarray(drawing()).convert("P").save(p),
    "one bit": lambda p: Image.fromarray(drawing()).convert("1").save(p),
    "16 bit": lambda p: Image.fromarray(drawing().astype(np.uint16) * 257).save(p),
    "transparent": lambda p: Image.fromarray(
        np.dstack([np.zeros((28, 28, 3), np.uint8), 255 - drawing()])
    ).save(p),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_png_shows_the_same(kind: str, tmp_path: Path) -> None:
    KINDS[kind](tmp_path / "a.png")
    images = read_images(tmp_path / "a.png")
    np.testing.assert_allclose(images.images[0, 0].numpy(), drawing() / 255, atol=1e-9)


def test_what_is_detected_can_be_overridden(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, drawing()[None] / 127.5 - 1)
    detected = read_images(path)
    assert "-1 to 1, scaled to 0 to 1" in detected.notes
    np.testing.assert_allclose(detected.images[0, 0].numpy(), drawing() / 255, atol=1e-12)
    turned = read_images(path, orientation="columns")
    assert torch.equal(turned.images, detected.images.mT)
    assert "pictures are stored column by column" in turned.notes
    assert torch.equal(read_images(path, ink="light").images, 1 - detected.images)
    halved = read_images(path, value_range=(-1, 3), ink="dark")
    torch.testing.assert_close(halved.images, detected.images / 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"orientation": "diagonal"}, "orientation is 'diagonal'; choose one of rows, columns"),
        ({"ink": "red"}, "ink is 'red'; choose one of dark, light"),
        ({"value_range": (1.0, 0.0)}, "range is 1 to 0"),
        ({"value_range": (0.0, float("nan"))}, "such as 0:255"),
    ],
)
def test_bad_options_are_refused(options, message: str, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=message):
        read_images(tmp_path / "a.png", **options)


def test_a_folder_is_a_set_in_the_order_of_names(tmp_path: Path) -> None:
    for name, level in (("b.png", 200), ("a.PNG", 100), ("c.txt", 0)):
        Image.fromarray(np.where(drawing() == 0, 0, level).astype(np.uint8)).save(
            tmp_path / name, format="png"
        )
    images = read_images(tmp_path, ink="dark")
    assert images.images.amax((1, 2, 3)).tolist() == [100 / 255, 200 / 255]
    assert images.numbers == (0, 1)
    Image.fromarray(drawing(20, 30)).save(tmp_path / "b.png")
    with pytest.raises(FileError, match=r"different sizes \(a.PNG and b.png\)"):
        read_images(tmp_path)
    assert len(read_images(tmp_path, image_shape=(1, 14, 14))) == 2


def test_blank_paper_is_refused(tmp_path: Path) -> None:
    Image.new("L", (50, 50), 255).save(tmp_path / "a.png")
    with pytest.raises(FileError, match="nothing but paper"):
        read_images(tmp_path / "a.png", image_shape=SHAPE)


def make_files(folder: Path) -> list[Path]:
    """A small, sound file of each kind."""
    picture = Image.fromarray(drawing(12, 9))
    for name in ("a.png", "a.jpg"):
        picture.save(folder / name)
    np.save(folder / "a.npy", drawing(12, 9)[None])
    np.savez_compressed(folder / "a.npz", images=drawing(12, 9)[None])
    header = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (1, 12, 9))
    (folder / "a-ubyte").write_bytes(header + drawing(12, 9).tobytes())
    return sorted(folder.iterdir())


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_in_one_sentence(
    data: st.DataObject, tmp_path: Path
) -> None:
    path = data.draw(st.sampled_from(make_files(tmp_path)))
    spoil(data, path, changes=(0, 8), kept=0)
    with contextlib.suppress(InpaintError):
        images = read_images(path, image_shape=SHAPE)
        assert isinstance(images, ImageSet)
        assert torch.isfinite(images.images).all()
