"""Pictures as people have them, each read to the right value, by the command line.

Each file is made here, of one of two small generators: dark ink on light paper, or colours.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import inpaint as package
from inpaint import Dense, Generator, picture_kind
from inpaint.errors import ArgumentError
from inpaint.files.record import read_record
from inpaint.generators.kind import PictureKind
from tests.drawings import EIGHT, EXACT, LEVELS, colour_generator, read, restore, save
from tests.helpers import refused


def light_generator(folder: Path) -> Path:
    """A generator of light ink on dark paper: the shipped one, its last layer negated."""
    own = package.read_generator("eights-10")
    last = own.layers[-1]
    negated = Dense(-last.weight, -last.bias, "sigmoid")
    layers = (*own.layers[:-1], negated)
    return package.write_generator(
        Generator(layers, own.image_shape, name="light"), folder / "light.safetensors"
    )


# Ink and kind


def test_the_ink_follows_the_generator(tmp_path: Path) -> None:
    light = light_generator(tmp_path)
    for name, levels in (("light.png", 255 - LEVELS), ("dark.png", LEVELS)):
        problem = read(save(tmp_path / name, levels), generator=str(light))
        np.testing.assert_allclose(problem.image_set.images[0], 1 - LEVELS[None] / 255, **EXACT)
        assert "light draws light ink on dark paper (judged by its own images" in str(problem.notes)
    problem = read(tmp_path / "light.png")
    np.testing.assert_allclose(problem.image_set.images[0, 0], LEVELS / 255, **EXACT)
    # The bundled drawings are turned too.
    problem = read("eights", generator=str(light))  # type: ignore[arg-type]
    assert float(problem.image_set.ideal[0, 0, 0, 0]) == 0
    generator = problem.generator
    own = generator(torch.zeros(1, 10)).numpy()[0, 0]
    again = read(
        save(tmp_path / "own.png", np.rint(255 * own).astype(np.uint8)), generator=str(light)
    )
    assert float((again.image_set.images[0, 0] - torch.from_numpy(own)).abs().max()) < 0.5 / 254


@pytest.mark.parametrize("border", [0, 255])
def test_colours_and_photographs_are_never_inverted(border: int, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12, 3)).astype(np.uint8)
    pixels[0] = pixels[-1] = pixels[:, 0] = pixels[:, -1] = border
    path, generator = save(tmp_path / "a.png", pixels), str(colour_generator(tmp_path))
    problem = read(path, generator=generator)
    assert problem.generator.image_shape == (3, 12, 12)
    np.testing.assert_allclose(
        problem.image_set.images[0], pixels.transpose(2, 0, 1) / 255, **EXACT
    )
    assert "draws photographs" in str(problem.notes)
    negative = read(path, generator=generator, ink="light")
    torch.testing.assert_close(negative.image_set.images, 1 - problem.image_set.images)


def test_a_kind_is_detected_written_on_the_card_or_chosen(tmp_path: Path) -> None:
    own = package.read_generator("eights-10")
    assert picture_kind(own).content == "dark-ink"
    light = package.read_generator(light_generator(tmp_path))
    assert picture_kind(light) == PictureKind("light-ink", "images")
    assert picture_kind(package.read_generator(colour_generator(tmp_path))).content == "photograph"
    said = Generator(light.layers, light.image_shape, card={"pictures": "dark ink on light paper"})
    assert picture_kind(said) == PictureKind("dark-ink", "card")
    odd = Generator(light.layers, light.image_shape, card={"pictures": "oil on canvas"})
    with pytest.raises(ArgumentError, match="oil on canvas"):
        picture_kind(odd)
    path = save(tmp_path / "a.png", LEVELS)
    chosen = read(path, generator=str(tmp_path / "light.safetensors"), kind="photograph")
    np.testing.assert_allclose(chosen.image_set.images[0, 0], LEVELS / 255, **EXACT)
    refused(restore(tmp_path, path, "--kind", "drawing"), "kind is 'drawing'", "dark-ink")


def test_the_kind_decides_how_a_picture_is_fitted(tmp_path: Path) -> None:
    large = np.full((56, 84), 255, np.uint8)
    large[20:30, 60:70] = 0
    path = save(tmp_path / "a.png", large)
    centred = read(path).image_set.images[0, 0]
    assert float(centred[10:18, 10:18].max()) == 0
    cropped = read(path, kind="photograph").image_set.images[0, 0]
    assert float(cropped.min()) == 0
    assert float(cropped[:, :14].min()) == 1


# Lost pixels have no say


@pytest.mark.parametrize("paint", [0, 255])
def test_what_is_painted_into_lost_pixels_changes_nothing(paint: int, tmp_path: Path) -> None:
    whole = read(save(tmp_path / "whole.png", LEVELS))
    painted = LEVELS.copy()
    painted[:, 14:] = paint
    problem = read(save(tmp_path / "painted.png", painted))
    assert torch.equal(problem.measurement.values, whole.measurement.values)
    assert any("--damaged" in doubt for doubt in problem.image_set.doubts)
    assert not whole.image_set.doubts
    damaged = read(tmp_path / "painted.png", damaged=True)
    assert damaged.measurement.ideal is None
    assert not damaged.image_set.doubts
    assert torch.equal(damaged.measurement.values, whole.measurement.values)
    result = restore(tmp_path, tmp_path / "painted.png", "--damaged")
    assert "Against the ideal" not in result.stdout


@pytest.mark.parametrize("mark", [np.nan, -1.0, 2.5, -9999.0, np.inf])
def test_marks_of_lost_pixels_are_no_values(mark: float, tmp_path: Path) -> None:
    marked = EIGHT[:, :, :].copy()
    marked[..., 14:] = mark
    problem = read(save(tmp_path / "a.npy", marked))
    np.testing.assert_allclose(problem.measurement.values[0, ..., :14], EIGHT[..., :14], **EXACT)
    assert problem.measurement.ideal is None
    assert torch.isfinite(problem.image_set.images).all()


def test_an_observed_value_must_be_finite(tmp_path: Path) -> None:
    spoiled = EIGHT.copy()
    spoiled[0, 3, 5] = np.nan
    refused(restore(tmp_path, save(tmp_path / "a.npy", spoiled)), "row 3, column 5", "--mask")


def test_no_picture_depends_on_its_neighbours(tmp_path: Path) -> None:
    batch = np.stack([LEVELS, LEVELS, 255 - LEVELS])
    problem = read(save(tmp_path / "a.npy", batch))
    for image in problem.image_set.images:
        np.testing.assert_allclose(image[0], LEVELS / 255, **EXACT)
    assert any("(image 2)" in note for note in problem.image_set.notes)
    huge = np.stack([EIGHT[0]] * 3).astype(np.float32)
    huge[1, 5, 5] = 1e25
    result = restore(tmp_path, save(tmp_path / "huge.npy", huge))
    assert result.exit_code == 4
    assert "image 1 holds 1e+25 (row 5, column 5)" in result.stderr
    record = read_record(tmp_path / "out" / "run.json").results
    assert [each["number"] for each in record["images"]] == [0, 2]
    assert record["skipped"][0]["name"] == "image 1"
    alone = read(save(tmp_path / "one.npy", huge[:1]))
    both = read(tmp_path / "huge.npy")
    assert torch.equal(both.measurement.values[0], alone.measurement.values[0])


# Ranges

KNOWN: dict[str, NDArray[Any]] = {
    "0 to 1": EIGHT,
    "0 to 1, 32 bits": EIGHT.astype(np.float32),
    "0 to 1, 16 bits": EIGHT.astype(np.float16),
    "-1 to 1": 2 * EIGHT - 1,
    "-1 to 1, not quite": 0.99 * (2 * EIGHT - 1),
    "-1 to 1, of few levels": (2 * np.rint(EIGHT) - 1).astype(np.int8),
    "0 to 100": 100 * EIGHT,
    "0 to 255": 255 * EIGHT,
    "8 bits": np.rint(255 * EIGHT).astype(np.uint8),
    "8 bits in 32": np.rint(255 * EIGHT).astype(np.int32),
    "8 bits, signed": np.rint(255 * EIGHT - 128).astype(np.int8),
    "10 bits": np.rint(1023 * EIGHT).astype(np.uint16),
    "12 bits": np.rint(4095 * EIGHT).astype(np.uint16),
    "16 bits": np.rint(65535 * EIGHT).astype(np.uint16),
    "bools": EIGHT > 0.5,
    "0 and 1": (EIGHT > 0.5).astype(np.uint8),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_range_is_taken(name: str, tmp_path: Path) -> None:
    problem = read(save(tmp_path / "a.npy", KNOWN[name]))
    found = problem.image_set.images[0].numpy()
    expected = (EIGHT > 0.5).astype(float) if name in ("bools", "0 and 1") else EIGHT
    if name == "-1 to 1, of few levels":
        expected = np.rint(EIGHT)
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.006)
    array = package.as_images(KNOWN[name], kind=PictureKind("dark-ink"))
    np.testing.assert_allclose(array.images[0].numpy(), found, rtol=0, atol=1e-6)


@pytest.mark.parametrize("noise", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("signed", [False, True])
def test_noise_does_not_change_the_range(noise: float, signed: bool, tmp_path: Path) -> None:
    grain = noise * np.random.default_rng(1).standard_normal((1, 28, 28))
    noisy = EIGHT + grain
    array = 2 * noisy - 1 if signed else noisy
    if signed and noise > 0.1:
        return  # Noise of .6 hides where -1 begins; see the next test.
    problem = read(save(tmp_path / "a.npy", array))
    np.testing.assert_allclose(problem.image_set.images[0], noisy, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (16 * EIGHT, ("0:16", "no known range")),
        (3 * EIGHT, ("no known range", "--range")),
        (EIGHT * 1.2 - 0.2, ("no known range", "--range")),
        ((EIGHT - 0.45) / 0.22, ("no known range", "--range")),
        (np.rint(700 * EIGHT).astype(np.int64), ("--range",)),
    ],
)
def test_a_doubtful_range_is_refused(
    array: NDArray[Any], words: tuple[str, ...], tmp_path: Path
) -> None:
    path = save(tmp_path / "a.npy", array)
    refused(restore(tmp_path, path), "a.npy holds values from", *words)
    low, high = float(array.min()), float(array.max())
    problem = read(path, value_range=(low, high))
    assert float(problem.image_set.images.min()) == 0
    with pytest.raises(ArgumentError, match="known range"):
        package.as_images(array)
    assert package.as_images(array, value_range=(low, high)).images.max() == 1


@pytest.mark.parametrize(
    ("name", "array", "option"),
    [
        ("a.npy", (LEVELS // 16).astype(np.uint8), "--range 0:16"),
        ("a.png", np.rint(4095 * EIGHT[0]).astype(np.uint16), "--range 0:4095"),
        ("b.npy", 0.06 * EIGHT, "--range 0:"),
    ],
)
def test_a_set_that_hardly_uses_its_range_is_warned_of(
    name: str, array: NDArray[Any], option: str, tmp_path: Path
) -> None:
    result = restore(tmp_path, save(tmp_path / name, array))
    assert result.exit_code == 0
    assert "Careful" in result.stderr
    assert option in result.stderr


def test_values_far_outside_the_range_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", LEVELS)
    refused(restore(tmp_path, path, "--range=-1:1"), "255", "far outside its range of -1 to 1")


def test_python_warns_where_the_command_line_does() -> None:
    with pytest.warns(package.InpaintWarning, match="--range 0:16"):
        package.as_images((LEVELS // 16).astype(np.uint8), kind=PictureKind("dark-ink"))
    array = package.as_images(255 - LEVELS, kind=PictureKind("dark-ink"))
    np.testing.assert_allclose(array.images[0, 0], LEVELS / 255, **EXACT)
    assert "light ink on dark paper, inverted" in array.notes
    kept = package.as_images(255 - LEVELS)
    np.testing.assert_allclose(kept.images[0, 0], 1 - LEVELS / 255, **EXACT)
