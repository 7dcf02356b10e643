"""The film of a descent."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from inpaint import RestoreConfig
from inpaint.errors import ArgumentError
from inpaint.files import examples
from inpaint.generators.pretrained import load_pretrained, pretrained_names
from inpaint.operators import Mask, measure
from inpaint.plots.comparison import ComparisonRow, compare
from inpaint.plots.film import compose_frame, compose_reel, pick_frames, to_gif
from inpaint.search.replay import Replay, replay
from inpaint.search.restore import restore


@pytest.fixture(scope="module")
def film() -> tuple[Replay, ComparisonRow]:
    images = examples.load_bundled()[:1]
    generator = load_pretrained(pretrained_names()[0])
    measurement = measure(images, Mask.leading(400, (1, 28, 28)))
    found = restore(measurement, generator, RestoreConfig(restarts=3, screen=0))
    return replay(measurement, generator, found), compare(measurement, generator, found).rows[0]


def test_frames_begin_dense_and_end_with_the_result(film: tuple[Replay, ComparisonRow]) -> None:
    short = film[0]
    assert pick_frames(short, most=1000) == tuple(range(len(short.costs)))
    long = replace(short, costs=torch.arange(1000.0))
    frames = pick_frames(long, most=40)
    assert len(frames) == 40
    assert frames[:3] == (0, 1, 2)
    assert frames[-1] == 999
    assert list(frames) == sorted(set(frames))
    with pytest.raises(ArgumentError, match="most is 1"):
        pick_frames(long, most=1)


def test_a_reel_holds_output_and_difference_of_each_frame(
    film: tuple[Replay, ComparisonRow],
) -> None:
    reel = compose_reel(*film, (0, 5))
    assert reel.shape == (2 * 28, 2 * 28, 3)
    assert np.abs(reel[:28, :28, 0] / 255 - film[0].images[0, 0].numpy()).max() < 0.01
    unknown = compose_reel(film[0], replace(film[1], ideal=None), (0,))
    assert len(np.unique(unknown[:, 28:])) == 1


def test_the_gif_opens_and_ends_at_the_result(film: tuple[Replay, ComparisonRow]) -> None:
    gif = Image.open(io.BytesIO(to_gif(*film, scale=4)))
    frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(gif)]
    assert len(frames) == len(pick_frames(film[0]))
    last = compose_frame(*film, len(film[0].costs) - 1, scale=4)
    assert frames[-1].shape == last.shape
    assert np.abs(frames[-1].astype(int) - last).mean() < 1
    assert not np.array_equal(frames[0], frames[-1])
    assert gif.info["loop"] == 0


def test_costs_that_are_not_finite_are_left_out(film: tuple[Replay, ComparisonRow]) -> None:
    costs = film[0].costs.clone()
    costs[0] = torch.inf
    compose_frame(replace(film[0], costs=costs), film[1], 3)
    compose_frame(replace(film[0], costs=torch.full_like(costs, torch.nan)), film[1], 3)
