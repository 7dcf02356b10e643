"""Masks as people have them: pictures, arrays, levels, polarity, transparency, one per image."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from inpaint import Mask, read_mask
from inpaint.errors import ArgumentError, FileError, InpaintError, ShapeError
from inpaint.files import pictures
from inpaint.files.mask_pictures import MOST_BETWEEN
from inpaint.files.masks import MASK_ENDINGS, array_mask, picture_mask
from inpaint.operators import mask_preset

SHAPE = (1, 28, 28)
SMALL = (3, 5, 6)

HOLE = np.ones((28, 28), dtype=bool)
HOLE[8:20, 8:20] = False
"""What is observed of most masks here: 640 of 784 pixels."""

BYTES = np.where(HOLE, 255, 0).astype(np.uint8)


def seen(mask: Mask) -> NDArray[np.bool_]:
    """What a mask observes of the first channel. [H, W]"""
    return np.asarray(mask.observed[0].numpy())


def layers(*channels: object) -> Image.Image:
    """A picture of two channels (LA) or four (RGBA), each an array or a number."""
    bands = [np.broadcast_to(np.asarray(each, np.uint8), (28, 28)) for each in channels]
    return Image.merge("LA" if len(bands) == 2 else "RGBA", [Image.fromarray(b) for b in bands])


def palette() -> Image.Image:
    """Two colours by their numbers, of which the first is transparent."""
    picture = Image.fromarray(HOLE.astype(np.uint8), mode="P")
    picture.putpalette([255, 255, 255] * 2)
    picture.info["transparency"] = b"\x00\xff"
    return picture


def red_on_white() -> Image.Image:
    """Opaque strokes in a colour."""
    return Image.merge("RGB", [of_levels(255, 255), of_levels(0, 255), of_levels(0, 255)])


def saved(picture: Image.Image, ending: str, folder: Path, **settings: object) -> str:
    path = folder / f"mask{ending}"
    picture.save(path, **settings)
    return str(path)


def of_levels(low: float, high: float, kind: str = "u1") -> Image.Image:
    return Image.fromarray(np.where(HOLE, high, low).astype(kind))


PICTURES = {
    "grey": (of_levels(0, 255), ".png", "white is observed"),
    "0 and 1": (of_levels(0, 1), ".png", "1 is observed"),
    "3 and 7": (of_levels(3, 7), ".png", "its levels are 3 and 7, 7 is observed"),
    "1 bit": (of_levels(0, 255).convert("1"), ".png", "white is observed"),
    "16 bits": (of_levels(0, 65535, "u2"), ".png", "white is observed"),
    "12 of 16 bits": (of_levels(0, 4095, "u2"), ".png", "0 and 4095, 4095 is observed"),
    "floats": (of_levels(0, 1, "f4"), ".tiff", "1 is observed"),
    "RGB": (of_levels(0, 255).convert("RGB"), ".png", "white is observed"),
    "red on white": (red_on_white(), ".png", "its levels are 76 and 255"),
    "opaque": (layers(BYTES, 255), ".png", "white is observed"),
    "half transparent everywhere": (layers(BYTES, 128), ".png", "white is observed"),
    "hole in alpha": (layers(255, 255, 255, BYTES), ".png", "white is observed and transparent"),
    "white on transparent": (layers(*4 * [BYTES]), ".png", "opaque white is observed"),
    "LA": (layers(255, BYTES), ".png", "transparent is lost"),
    "palette": (palette(), ".png", "transparent is lost"),
    "JPEG": (of_levels(0, 255), ".jpg", "JPEG values of 239 and above"),
    "JPEG in colour": (of_levels(0, 255).convert("RGB"), ".jpeg", "JPEG values of 239 and above"),
    "GIF": (of_levels(0, 255), ".gif", "white is observed"),
    "BMP": (of_levels(0, 255), ".bmp", "white is observed"),
    "TIFF": (of_levels(0, 255), ".tif", "white is observed"),
    "WebP": (of_levels(0, 255), ".webp", "white is observed"),
}  # fmt: skip
"""Pictures of one mask, the ending of their files and what is said of them."""


@pytest.mark.parametrize("kind", PICTURES)
def test_every_kind_of_picture_gives_the_same_mask(kind: str, tmp_path: Path) -> None:
    picture, ending, says = PICTURES[kind]
    path = saved(picture, ending, tmp_path, **({"quality": 95} if "JPEG" in kind else {}))
    mask = read_mask(path, SHAPE)
    assert np.array_equal(seen(mask), HOLE)
    assert mask.title == "N = 640 of 784 pixels observed"
    assert len(mask.notes) == 1
    assert mask.notes[0].startswith(f"mask{ending}: ")
    assert says in mask.notes[0]
    inverse = read_mask(path, SHAPE, white="lost")
    assert np.array_equal(seen(inverse), ~HOLE)
    assert inverse.notes != mask.notes
    assert np.array_equal(seen(picture_mask(picture, SHAPE)), HOLE), "as a picture of PIL"
    colour = read_mask(path, (3, 28, 28))
    assert torch.equal(colour.observed, mask.observed.expand(3, 28, 28))


LEVELS = {
    "bool": HOLE,
    "0 and 1": HOLE.astype(int),
    "0 and 255": BYTES,
    "floats": HOLE.astype(np.float32),
    "-1 and 1": np.where(HOLE, 1, -1).astype(np.int8),
    "3 and 7": np.where(HOLE, 7, 3),
    "0.2 and 0.8": np.where(HOLE, 0.8, 0.2),
    "0 and 65535": np.where(HOLE, 65535, 0).astype(np.uint16),
    "channels": HOLE[None],
}
"""Arrays of one mask."""


@pytest.mark.parametrize("ending", [".npy", ".npz", ".mat", None])
@pytest.mark.parametrize("kind", LEVELS)
def test_two_levels_are_two_levels_whatever_they_are(
    kind: str, ending: str | None, tmp_path: Path
) -> None:
    levels, path = LEVELS[kind], tmp_path / f"mask{ending}"
    match ending:
        case ".npy":
            np.save(path, levels)
        case ".npz":
            np.savez(path, mask=levels)
        case ".mat":
            savemat(path, {"mask": levels.reshape(28, 28)})
        case None:
            mask = array_mask(levels, SHAPE)
            assert np.array_equal(seen(mask), HOLE)
            return
    assert np.array_equal(seen(read_mask(path, SHAPE)), HOLE)
    assert np.array_equal(seen(read_mask(path, SHAPE, white="lost")), ~HOLE)


def soft(blur: int) -> NDArray[np.uint8]:
    """The hole with an edge that is `blur` pixels wide on either side, besides its own level."""
    levels = BYTES.astype(float)
    for _ in range(blur):
        padded = np.pad(levels, 1, mode="edge")
        shifted = [padded[i : i + 28, j : j + 28] for i in range(3) for j in range(3)]
        levels = np.mean(shifted, axis=0)
    return np.rint(levels).astype(np.uint8)


@pytest.mark.parametrize("white", ["observed", "lost"])
@pytest.mark.parametrize("blur", [1, 2, 3])
def test_a_pixel_of_a_soft_edge_is_never_observed(blur: int, white: str, tmp_path: Path) -> None:
    levels = soft(blur)
    path = saved(Image.fromarray(levels), ".png", tmp_path)
    mask = read_mask(path, SHAPE, white=white)
    assert np.array_equal(seen(mask), levels == (255 if white == "observed" else 0))
    between = int(((levels > 0) & (levels < 255)).sum())
    assert between > 0
    assert f"{between} values between black and white count as lost" in mask.notes[0]
    alpha = picture_mask(layers(255, levels), SHAPE)
    assert np.array_equal(seen(alpha), levels == 255)
    colour = read_mask(path, (3, 28, 28), white=white)
    assert colour.notes == mask.notes, "the number is that of the file's values"


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
@pytest.mark.parametrize("quality", [30, 60, 75, 95])
@pytest.mark.parametrize("name", ["box:12", "strokes:3", "random:0.3", "checkerboard:2"])
def test_compression_never_makes_a_lost_pixel_observed(
    kind: str, quality: int, name: str, tmp_path: Path
) -> None:
    truth = seen(mask_preset(name, SHAPE))
    buffer = io.BytesIO()
    Image.fromarray(np.where(truth, 255, 0).astype(np.uint8)).save(buffer, kind, quality=quality)
    (tmp_path / f"mask.{kind}").write_bytes(buffer.getvalue())
    least = 0.65 if quality < 75 else 0.95
    for white, exact in (("observed", truth), ("lost", ~truth)):
        observed = seen(read_mask(tmp_path / f"mask.{kind}", SHAPE, white=white))
        assert not (observed & ~exact).any()
        assert observed.sum() >= least * exact.sum()


def test_a_photograph_with_a_hole_has_lost_the_hole(tmp_path: Path) -> None:
    photograph = np.arange(784).reshape(28, 28) % 251
    path = saved(layers(photograph, photograph, photograph, BYTES), ".png", tmp_path)
    for white in ("observed", "lost"):
        mask = read_mask(path, SHAPE, white=white)
        assert np.array_equal(seen(mask), HOLE)
        assert "transparent is lost, whatever the colours" in mask.notes[0]


HALVES = np.where(np.arange(28) < 14, 255, 0)
PHOTOGRAPH = Image.fromarray((np.arange(784).reshape(28, 28) % 256).astype(np.uint8))
BAD_PICTURES = {
    "black on transparent": (layers(0, BYTES), "disagree: 0 of 784 pixels are light, and 640"),
    "red on transparent": (layers(255, 0, 0, BYTES), "disagree: 0 of 784"),
    "halves": (layers(HALVES, BYTES), "disagree: 392 of 784 pixels are light, and 640 are opaque"),
    "transparent": (layers(BYTES, 0), "transparent everywhere"),
    "photograph": (PHOTOGRAPH, "256 different values from 0 to 255.*photograph"),
    "labels": (Image.fromarray(np.arange(784).reshape(28, 28).astype(np.uint8) % 3), "3 different"),
    "white": (
        of_levels(255, 255),
        "loses nothing.*255 everywhere, which is observed.*-white lost",
    ),
    "black": (of_levels(0, 0), "observes no pixel: it holds 0 everywhere"),
    "grey": (of_levels(9, 9), "9 everywhere; a mask has two levels"),
    "another size": (of_levels(0, 255).resize((27, 28)), r"\[28, 27\].*28x28"),
    "turned": (Image.fromarray(BYTES[:, :20]), r"\[28, 20\]"),
}


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_a_picture_that_is_no_mask_gets_one_sentence(name: str, tmp_path: Path) -> None:
    picture, message = BAD_PICTURES[name]
    with pytest.raises(ArgumentError, match=message) as error:
        read_mask(saved(picture, ".png", tmp_path), SHAPE)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("mask.png")


def test_the_advice_names_the_other_polarity(tmp_path: Path) -> None:
    path = saved(of_levels(255, 255), ".png", tmp_path)
    with pytest.raises(ArgumentError, match=r"observes no pixel.*--mask-white observed"):
        read_mask(path, SHAPE, white="lost")


def test_files_that_are_no_pictures_of_the_known_formats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [of_levels(0, 255), of_levels(255, 0)]
    path = saved(frames[0], ".gif", tmp_path, save_all=True, append_images=frames[1:])
    with pytest.raises(FileError, match="holds 2 pictures"):
        read_mask(path, SHAPE)
    frames[0].save(tmp_path / "mask.png", "PPM")
    with pytest.raises(FileError, match="not a readable picture"):
        read_mask(tmp_path / "mask.png", SHAPE)
    whole = Path(saved(PHOTOGRAPH, ".png", tmp_path)).read_bytes()
    (tmp_path / "mask.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError, match="truncated"):
        read_mask(tmp_path / "mask.png", SHAPE)
    (tmp_path / "mask.txt").write_text("1 0")
    with pytest.raises(FileError, match=r"mask.txt has no ending.*\.png.*\.mat"):
        read_mask(tmp_path / "mask.txt", SHAPE)
    path = saved(of_levels(0, 255), ".png", tmp_path)
    monkeypatch.setattr("inpaint.files.mask_pictures.MAX_PIXELS", 783)
    with pytest.raises(FileError, match="more than 783 pixels"):
        read_mask(path, SHAPE)
    assert pictures.MAX_PIXELS > 783


BAD_ARRAYS = {
    "other size": (np.ones((27, 28)), ShapeError, r"\[27, 28\].*28x28"),
    "all lost": (np.zeros((28, 28)), ArgumentError, "observes no pixel"),
    "all observed": (
        np.ones((28, 28), bool),
        ArgumentError,
        "loses nothing: it holds True",
    ),
    "all 255": (np.full((28, 28), 255), ArgumentError, "loses nothing: it holds 255 everywhere"),
    "levels": (np.linspace(0, 1, 784).reshape(28, 28), ArgumentError, "784 different values"),
    "labels": (np.arange(784).reshape(28, 28) % 4, ArgumentError, "4 different values from 0 to 3"),
    "NaN": (np.where(HOLE, 1, np.nan), ArgumentError, "holds NaN or infinity"),
    "infinity": (np.where(HOLE, np.inf, 0), ArgumentError, "holds NaN or infinity"),
    "text": (np.full((28, 28), "x"), ArgumentError, "numbers or bools"),
    "complex": (HOLE.astype(complex), ArgumentError, "numbers or bools"),
    "empty": (np.empty((0, 28, 28)), ArgumentError, "one for each pixel"),
    "five axes": (HOLE[None, None, None], ShapeError, r"\[1, 1, 1, 28, 28\]"),
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_an_array_that_is_no_mask_gets_one_sentence(name: str, tmp_path: Path) -> None:
    array, kind, message = BAD_ARRAYS[name]
    np.save(tmp_path / "mask.npy", array)
    with pytest.raises(kind, match=message) as error:
        read_mask(tmp_path / "mask.npy", SHAPE)
    assert "\n" not in str(error.value)


@given(arrays.arrays(np.uint8, (4, 5), elements=st.integers(0, 255)), st.booleans())
def test_any_grey_values_are_a_mask_that_says_what_it_observes_or_one_error(
    levels: NDArray[np.uint8], inverse: bool
) -> None:
    white = "lost" if inverse else "observed"
    try:
        mask = array_mask(levels, (1, 4, 5), white=white)
    except InpaintError:
        return
    found = np.unique(levels)
    assert len(found) > 1
    assert np.array_equal(seen(mask), levels == (found[0] if inverse else found[-1]))
    between = ((levels > found[0]) & (levels < found[-1])).sum()
    assert between <= MOST_BETWEEN * levels.size
    assert bool(between) == ("between black and white" in mask.notes[0])


def test_a_preset_has_no_white() -> None:
    with pytest.raises(ArgumentError, match="mask_white is 'lost', but there is the preset box:8"):
        read_mask("box:8", SHAPE, white="lost")
    with pytest.raises(ArgumentError, match="mask_white is 'black'; choose one of observed, lost"):
        read_mask("mask.png", SHAPE, white="black")  # type: ignore[arg-type]


def test_an_absent_mask_file_names_the_presets(tmp_path: Path) -> None:
    for ending in MASK_ENDINGS:
        with pytest.raises(FileError, match=r"no file.*box:10"):
            read_mask(tmp_path / f"mask{ending}", SHAPE)
    np.savez(tmp_path / "other.npz", masks=np.ones((28, 28)))
    with pytest.raises(FileError, match="no array named mask"):
        read_mask(tmp_path / "other.npz", SHAPE)


MASKS = np.ones((4, *SMALL), dtype=bool)
"""A mask for each of four images: image k has lost rows from k on; the first has lost all but
one pixel."""
for number in range(4):
    MASKS[number, :, number:] = False
MASKS[0, 0, 0, 0] = True


@pytest.mark.parametrize("chosen", [(0, 1, 2, 3), (2,), (3, 1), (1, 1)])
def test_the_masks_of_the_chosen_images_are_taken(chosen: tuple[int, ...], tmp_path: Path) -> None:
    np.savez(tmp_path / "masks.npz", mask=MASKS)
    mask = read_mask(tmp_path / "masks.npz", SMALL, numbers=chosen, total=4)
    assert np.array_equal(mask.observed.numpy(), MASKS[list(chosen)])
    flat = np.ascontiguousarray(MASKS[1:, 0])
    np.save(tmp_path / "flat.npy", flat)
    three = read_mask(tmp_path / "flat.npy", (1, 5, 6))
    assert np.array_equal(three.observed[:, 0].numpy(), flat)
    # Numbers in the file say whose the masks are.
    np.savez(tmp_path / "masks.npz", mask=MASKS, numbers=[10, 11, 12, 13])
    numbers = [10 + number for number in chosen]
    mask = read_mask(tmp_path / "masks.npz", SMALL, numbers=numbers, total=99)
    assert np.array_equal(mask.observed.numpy(), MASKS[list(chosen)])


def test_masks_of_other_images_are_refused_by_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "masks.npz"
    np.savez(path, mask=MASKS)
    for numbers, total, message in (
        ((0, 1, 2), 3, r"holds 4 masks \[4, 3, 5, 6\]; there are 3 images, of which 0, 1, 2"),
        ((0, 1), 5, "there are 5 images, of which 0, 1 are taken"),
        (None, 1, "there is 1 image"),
        ((2, 7), None, "masks of the images 0, 1, 2, 3, and none of 7"),
    ):
        with pytest.raises(ShapeError, match=message):
            read_mask(path, SMALL, numbers=numbers, total=total)
    np.savez(path, mask=MASKS, numbers=[10, 11, 12, 13])
    with pytest.raises(ShapeError, match="masks of the images 10, 11, 12, 13, and none of 0, 1"):
        read_mask(path, SMALL, numbers=(0, 1), total=4)


def test_a_mask_per_image_may_lose_nothing_of_one_but_not_all_of_one(tmp_path: Path) -> None:
    masks = MASKS.copy()
    masks[1], masks[2] = True, False
    np.savez(tmp_path / "masks.npz", mask=masks)
    whole = read_mask(tmp_path / "masks.npz", SMALL, numbers=(1,), total=4)
    assert whole.title == "N = 30 of 30 pixels observed"
    with pytest.raises(ArgumentError, match="observes no pixel of image 2"):
        read_mask(tmp_path / "masks.npz", SMALL, numbers=(1, 2), total=4)


def test_notes_stay_with_a_mask(tmp_path: Path) -> None:
    np.savez(tmp_path / "masks.npz", mask=MASKS)
    mask = read_mask(tmp_path / "masks.npz", SMALL)
    assert mask.notes == ("masks.npz: True is observed",)
    assert mask[1:].notes == mask.to("cpu").notes == mask.notes
    assert mask == Mask(mask.observed), "they are no part of what it is"
