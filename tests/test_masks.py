"""Mask presets and masks without a shape; mask files are in test_mask_files.py."""

from __future__ import annotations

import contextlib
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inpaint import Blur, ImageSet, Mask
from inpaint.errors import ArgumentError, ShapeError
from inpaint.operators import MASK_PRESETS, UnshapedOperator, mask_preset, measure, require_mask

SHAPE = (1, 28, 28)
SMALL = (3, 5, 6)


def lost(text: str, shape: tuple[int, int, int] = SHAPE) -> torch.Tensor:
    """The lost pixels of a preset. [H, W]"""
    mask = mask_preset(text, shape)
    assert mask.image_shape == shape
    assert mask.shared
    assert torch.equal(mask.observed, mask.observed[:1].expand(shape))
    return ~mask.observed[0]


def test_each_preset_loses_what_its_name_says() -> None:
    box = lost("box:10")
    assert box.sum() == 100
    assert box[9:19, 9:19].all()
    for side, part in {
        "left": (slice(None), slice(0, 3)),
        "right": (slice(None), slice(3, 6)),
        "top": (slice(0, 2), slice(None)),
        "bottom": (slice(3, 5), slice(None)),
    }.items():
        half = lost(side, SMALL)
        assert half[part].all()
        assert half.sum() == half[part].numel()
    assert lost("random:0.3").sum() == round(0.3 * 784)
    assert lost("rows:4", SMALL).all(1).tolist() == [False, False, False, True, False]
    assert lost("columns:2", SMALL).all(0).tolist() == [False, True] * 3
    board = lost("checkerboard:2")
    assert board.sum() == 392
    assert board[:2, 2:4].all()
    assert not board[:2, :2].any()
    assert 0 < lost("strokes:1").sum() < lost("strokes:3").sum() < 784


@pytest.mark.parametrize("preset", MASK_PRESETS.values(), ids=str)
def test_presets_follow_from_their_text_alone(preset) -> None:
    first, again = (mask_preset(preset.example, SHAPE).observed for _ in range(2))
    assert torch.equal(first, again)
    assert preset.example.startswith(preset.name)
    if preset.seeded:
        assert torch.equal(mask_preset(f"{preset.example}:0", SHAPE).observed, first)
        assert not torch.equal(mask_preset(f"{preset.example}:1", SHAPE).observed, first)


def test_more_strokes_of_a_seed_contain_the_fewer() -> None:
    few, many = lost("strokes:2:5"), lost("strokes:4:5")
    assert torch.equal(few & many, few)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("circle:3", r"box:10.*strokes:3"),
        ("", "box:10"),
        ("box", r"one number \(side in pixels\), such as box:10"),
        ("box:3:4", "one number"),
        ("left:3", "takes no number"),
        ("box:many", "cannot be read"),
        ("box:2.5", "whole number. Choose 1 to 28"),
        ("box:29", "1 to 28"),
        ("box:28", "observes no pixel"),
        ("random:1", "below 1"),
        ("random:nan", "cannot be read"),
        ("random:0.3:-1", "cannot be read"),
        ("rows:1", "Choose 2 to 28"),
        ("strokes:0", "1 to 1000"),
        ("checkerboard:15", "1 to 14"),
    ],
)
def test_a_bad_preset_gets_one_sentence(text: str, message: str) -> None:
    with pytest.raises(ArgumentError, match=message) as error:
        mask_preset(text, SHAPE)
    assert repr(text) in str(error.value)
    assert "\n" not in str(error.value)


@given(st.text(max_size=20) | st.from_regex(r"(box|random|rows|strokes):.{0,8}", fullmatch=True))
def test_any_text_is_a_mask_or_one_error(text: str) -> None:
    with contextlib.suppress(ArgumentError):
        assert mask_preset(text, SHAPE).observed.any()


UNSHAPED = {
    "Mask.leading(7)": Mask.leading(7),
    "Mask.box(2)": Mask.box(2),
    "Mask.half('left')": Mask.half("left"),
    "Mask.random(0.5, seed=3)": Mask.random(0.5, seed=3),
    "Mask.every(2, axis='rows')": Mask.every(2, axis="rows"),
    "Mask.checkerboard(2)": Mask.checkerboard(2),
    "Mask.strokes(1, seed=0)": Mask.strokes(1),
}
"""Every constructor without an image shape, by its repr."""


@pytest.mark.parametrize("text", UNSHAPED)
def test_a_mask_without_a_shape_takes_that_of_the_images(text: str) -> None:
    unshaped = UNSHAPED[text]
    assert isinstance(unshaped, UnshapedOperator)
    assert repr(unshaped) == text
    assert unshaped == pickle.loads(pickle.dumps(unshaped))
    assert hash(unshaped) == hash(pickle.loads(pickle.dumps(unshaped)))
    assert unshaped != Mask.box(3)
    mask = unshaped.fit(SMALL)
    assert isinstance(mask, Mask)
    assert mask == eval(text.replace(")", ", image_shape=SMALL)"))
    images = ImageSet(torch.rand(2, *SMALL))
    assert measure(images, unshaped).operator == mask


def test_a_mask_without_a_shape_checks_what_it_can_at_once() -> None:
    for make, message in (
        (lambda: Mask.half("middle"), "side is 'middle'; choose one of left"),
        (lambda: Mask.random(1.5), "share is 1.5"),
        (lambda: Mask.random(0.5, seed=-1), "seed is -1"),
        (lambda: Mask.every(2, axis="lines"), "axis is 'lines'"),
        (lambda: Mask.strokes(0), "count is 0"),
        (lambda: Mask.box(9).fit(SMALL), "side is 9.*Choose 1 to 5"),
        (lambda: measure(ImageSet(torch.rand(1, *SMALL)), Mask.leading(31)), "keep is 31"),
    ):
        with pytest.raises(ArgumentError, match=message):
            make()


def test_an_image_shape_of_two_sizes_has_one_channel() -> None:
    assert Mask.box(2, (5, 6)) == Mask.box(2, torch.zeros(1, 5, 6).shape)
    for shape in ((5,), (1, 5, 0), "5x6", (1, 5.0, 6), 5):
        with pytest.raises(ShapeError, match="give channels, height and width"):
            Mask.box(2, shape)


def test_masks_are_equal_by_content_and_say_what_they_are() -> None:
    mask = Mask.leading(350, SHAPE)
    assert mask == Mask(mask.observed.clone())
    assert hash(mask) == hash(Mask(mask.observed.clone()))
    assert mask != Mask.leading(351, SHAPE)
    assert mask != Mask(mask.observed[None])
    assert mask != "mask"
    assert repr(mask) == "Mask(350 of 784 pixels observed, 1x28x28)"
    masks = Mask(torch.stack([Mask.box(2, SMALL).observed, Mask.box(3, SMALL).observed]))
    assert repr(masks) == "Mask(for 2 images, 21 to 26 of 30 pixels observed, 3x5x6)"
    assert repr(masks[2:]) == "Mask(for 0 images, 0 of 30 pixels observed, 3x5x6)"
    assert mask[1] is mask
    assert masks[-1] == masks[1] == masks[[False, True]] == Mask(masks.observed[1:])
    with pytest.raises(IndexError, match="index 2 is out of range; there are 2 images"):
        masks[2]


def test_only_a_mask_passes_for_one() -> None:
    mask = Mask.box(2, SMALL)
    assert require_mask(mask, "a verdict") is mask
    with pytest.raises(ArgumentError, match="operator is a Blur; a verdict needs a mask"):
        require_mask(Blur.gaussian(1, SMALL), "a verdict")
