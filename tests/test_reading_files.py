"""Pictures of every size and transparency, photographs of pages, and folders of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import inpaint as package
from inpaint import Mask, read_images
from inpaint.errors import FileError
from inpaint.files.record import read_record
from inpaint.files.writing import write_images
from inpaint.generators.likeness import unlike
from tests.drawings import EIGHT, EXACT, LEVELS, RIGHT, SIDE, colour_generator, read, restore, save
from tests.helpers import inpaint, refused

# Pictures and transparency


def test_sixteen_bits_may_be_transparent(tmp_path: Path) -> None:
    words = np.rint(60_000 * EIGHT[0]).astype(np.uint16)
    words[words == 60_000] = 7
    Image.fromarray(words).save(tmp_path / "a.png", transparency=7)
    found = read(tmp_path / "a.png").image_set.images[0, 0].numpy()
    assert found[0, 0] == 1
    np.testing.assert_allclose(found[words != 7], words[words != 7] / 65535, **EXACT)


def test_white_ink_on_nothing_is_read_on_black(tmp_path: Path) -> None:
    for name, colour in (("white", 255), ("black", 0)):
        ink = np.full((28, 28, 4), colour, np.uint8)
        ink[..., 3] = 255 - LEVELS
        problem = read(save(tmp_path / f"{name}.png", ink))
        np.testing.assert_allclose(problem.image_set.images[0, 0], LEVELS / 255, **EXACT)
        assert not problem.image_set.doubts


def test_colours_for_a_grey_generator_are_said(tmp_path: Path) -> None:
    coloured = np.dstack([LEVELS, LEVELS, np.full_like(LEVELS, 255)])
    problem = read(save(tmp_path / "a.png", coloured))
    assert "colours made grey" in problem.notes
    grey = read(save(tmp_path / "b.png", LEVELS), generator=str(colour_generator(tmp_path, 28)))
    assert grey.image_set.images.shape == (1, 3, 28, 28)
    assert "grey, taken for all three colours" in grey.notes


@pytest.mark.parametrize("level", [0, 128, 250, 255])
@pytest.mark.parametrize("side", [28, 60])
def test_a_blank_picture_is_refused_at_every_size(level: int, side: int, tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", np.full((side, side), level, np.uint8))
    result = restore(tmp_path, path)
    assert result.exit_code == 2
    assert "shows nothing but paper" in result.stderr


def photograph(kind: str) -> NDArray[np.uint8]:
    """A drawing on a page, photographed."""
    height, width = 260, 340
    across, down = np.meshgrid(np.arange(width) / width, np.arange(height) / height)
    light = {
        "white": np.ones((height, width)),
        "grey": np.full((height, width), 0.55),
        "shaded": 0.95 - 0.4 * across,
        "vignette": 0.85 - 1.2 * ((across - 0.5) ** 2 + (down - 0.5) ** 2),
        "ruled": 0.95 - 0.2 * down,
    }[kind].copy()
    if kind == "ruled":
        light[25::50] *= 0.75
        light[26::50] *= 0.75
    ink = np.kron(1 - EIGHT[0], np.ones((8, 8)))
    page = np.zeros((height, width))
    page[20:244, 60:284] = ink
    grain = 0.0 if kind == "white" else 0.01
    noise = grain * np.random.default_rng(0).standard_normal((height, width))
    return np.rint(255 * (light * (1 - 0.7 * page) + noise).clip(0, 1)).astype(np.uint8)


@pytest.mark.parametrize("kind", ["grey", "shaded", "vignette", "ruled"])
def test_a_photograph_of_a_page_is_read_like_a_scan(kind: str, tmp_path: Path) -> None:
    white = read(save(tmp_path / "white.png", photograph("white"))).image_set.images[0, 0]
    problem = read(save(tmp_path / "a.png", photograph(kind)))
    assert "the paper's shade" in str(problem.notes)
    assert ("ruled" in str(problem.notes)) == (kind == "ruled")
    found = problem.image_set.images[0, 0]
    # A shift by one pixel would make 0.2.
    assert float((found - white).square().mean().sqrt()) < (0.1 if kind == "ruled" else 0.05)


def test_dirt_beside_the_drawing_is_left_out(tmp_path: Path) -> None:
    page = photograph("shaded")
    clean = read(save(tmp_path / "clean.png", page)).image_set.images
    page[5:8, 330:334] = 40
    found = read(save(tmp_path / "a.png", page)).image_set.images
    assert float((found - clean).abs().max()) < 0.05


def test_a_picture_with_holes_is_fitted_without_them(tmp_path: Path) -> None:
    page = photograph("white")
    whole = read(save(tmp_path / "whole.png", page)).image_set.images[0, 0]
    mask = np.full(page.shape, 255, np.uint8)
    mask[100:140, 150:200] = 0
    page[mask == 0] = 0
    save(tmp_path / "a.png", page)
    save(tmp_path / "mask.png", mask)
    problem = read(tmp_path / "a.png", mask=str(tmp_path / "mask.png"), damaged=True)
    observed = problem.measurement.operator.observed.reshape(SIDE, SIDE)
    assert 700 < int(observed.sum()) < 784
    found = problem.measurement.values[0, 0]
    assert float((found - whole)[observed].abs().max()) < 0.02
    assert problem.measurement.ideal is None


def test_a_picture_unlike_anything_drawn_is_said_at_once(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:28, :28]
    scene = np.uint8(127 + 60 * np.sin(rows / 3) + 60 * np.cos(columns / 4))
    result = restore(tmp_path, save(tmp_path / "a.png", scene))
    assert "does not look like what eights-10 draws" in result.stderr
    generator = package.read_generator("eights-10")
    drawn = generator(torch.randn(50, 10, generator=torch.Generator().manual_seed(5)))
    mask = Mask.half("right", generator.image_shape)
    assert not any(unlike(generator, drawn, mask.observed))
    noisy = drawn.double() + 0.3 * torch.randn(drawn.shape, dtype=torch.float64)
    assert not any(unlike(generator, noisy, mask.observed))
    assert all(unlike(generator, 1 - drawn, mask.observed))


# Folders


def make_folder(folder: Path) -> Path:
    folder.mkdir()
    for name in ("1.png", "2.png", "10.png"):
        save(folder / name, LEVELS)
    return folder


def test_bad_files_of_a_folder_are_skipped_and_named(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "pics")
    (folder / "a.png").write_bytes((folder / "1.png").read_bytes()[:60])
    (folder / "b.png").mkdir()
    (folder / "c.png").symlink_to(folder / "c.png")
    (folder / "._1.png").write_bytes(b"sidecar")
    save(folder / "d.png", np.full((28, 28), 255, np.uint8))
    (folder / "note.txt").write_text("words")
    result = restore(tmp_path, folder)
    assert result.exit_code == 4
    for name in ("a.png", "b.png", "c.png", "d.png"):
        assert name in result.stderr
    assert "4 of 7 pictures could not be read" in result.stderr
    assert "._1.png" not in result.output
    record = read_record(tmp_path / "out" / "run.json").results
    assert len(record["skipped"]) == 4


def test_a_folder_without_any_picture_that_can_be_read_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "pics"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_text("words")
    refused(restore(tmp_path, folder), "no picture that can be read", "a.png")


def test_names_stand_beside_the_numbers(tmp_path: Path) -> None:
    result = restore(tmp_path, make_folder(tmp_path / "pics"))
    assert "1 10.png" in result.stdout
    record = read_record(tmp_path / "out" / "run.json").results
    names = [(each["number"], each["name"]) for each in record["images"]]
    assert names == [(0, "1.png"), (1, "10.png"), (2, "2.png")]
    with np.load(tmp_path / "out" / "restoration.npz") as arrays:
        assert arrays["names"].tolist() == ["1.png", "10.png", "2.png"]


def test_results_are_never_read_as_input(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "pics")
    for _ in range(2):
        result = inpaint("restore", folder, *RIGHT, "--output", folder)
        assert result.exit_code == 0, result.output
    assert "figure.png, modes.png left out" in result.stdout
    assert len(read_record(folder / "run.json").results["images"]) == 3
    again = inpaint("restore", "--from-run", folder / "run.json", "--output", tmp_path / "again")
    assert "The costs are equal to the recorded ones." in again.stdout


def test_a_bundled_name_never_shadows_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_folder(tmp_path / "eights")
    refused(inpaint("restore", "eights"), "bundled set", "./eights")
    assert restore(tmp_path, "./eights").exit_code == 0


def test_an_empty_name_is_an_error(tmp_path: Path) -> None:
    refused(inpaint("restore", ""), "source is empty")
    for option in ("--output", "--mask", "--generator"):
        refused(inpaint("restore", option, ""), f"{option.strip('-')} is empty")


def test_a_folder_repeats_from_another_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_folder(tmp_path / "pics")
    monkeypatch.chdir(tmp_path)
    assert inpaint("restore", "pics", *RIGHT).exit_code == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = inpaint("restore", "--from-run", tmp_path / "restored" / "run.json")
    assert "The costs are equal to the recorded ones." in again.stdout, again.output


# Sentences


def test_what_a_file_holds_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x_train=LEVELS[None], y_train=np.array([8]))
    refused(restore(tmp_path, path), "x_train [1, 28, 28], y_train [1]")
    channels_last = save(tmp_path / "a.npy", LEVELS[None, :, :, None])
    refused(restore(tmp_path, channels_last), "looks like [B, H, W, C]")
    flat = save(tmp_path / "b.npy", np.zeros((5, 7, 28, 28)))
    refused(restore(tmp_path, flat), "1 or 3 channels")


def test_the_preview_shows_what_is_taken(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", photograph("shaded"))
    result = restore(tmp_path, path, "--preview", tmp_path / "read.png")
    assert "read.png, which shows how a.png was read" in result.stdout
    shown = np.asarray(Image.open(tmp_path / "read.png").convert("RGB")).astype(int)
    frame = (np.abs(shown - (245, 158, 11)).max(-1) < 3).sum()
    assert frame > 200


def test_written_images_are_read_again(tmp_path: Path) -> None:
    images = package.ImageSet(torch.from_numpy(EIGHT)[None])
    for ending in (".npz", ".npy", ".mat"):
        path = write_images(images, tmp_path / f"a{ending}")
        torch.testing.assert_close(read_images(path).images, images.images)


def test_a_source_without_a_name_is_refused_in_python() -> None:
    with pytest.raises(FileError, match="SOURCE is empty"):
        read_images("")
