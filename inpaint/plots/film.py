"""The descent of one restart as pictures: frames to step through, and a GIF of them."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from inpaint.errors import ArgumentError
from inpaint.plots import sheet
from inpaint.plots.comparison import COLUMNS, Comparison, ComparisonRow
from inpaint.plots.sheet import Pixels
from inpaint.search.replay import Replay

MOST_FRAMES = 80
MOVING = ("Output", "Difference")
"""Columns of pictures that change from frame to frame."""

LAST_FRAME_SECONDS = 2.0
"""How long the last frame stays before the film starts again."""

PAPER = (255, 255, 255)
INK = (26, 26, 26)
QUIET = (124, 138, 165)
BEST = (217, 119, 6)


def pick_frames(replay: Replay, *, most: int = MOST_FRAMES) -> tuple[int, ...]:
    """Which iterates to show: all at first, where most changes, then fewer and fewer, and the last.

    Args:
        replay: S iterates.
        most: Most frames to show.

    Raises:
        ArgumentError: If `most` is below 2.
    """
    if most < 2:
        raise ArgumentError(f"most is {most}; a film has at least 2 frames.")
    count = len(replay.costs)
    if count <= most:
        return tuple(range(count))
    # Equal steps up to where the spacing of a geometric series becomes wider than 1.
    spread = np.geomspace(1, count, most) - 1
    places = np.maximum(np.arange(most), np.rint(spread).astype(int))
    return tuple(int(place) for place in np.minimum(places, count - 1))


def compose_reel(replay: Replay, row: ComparisonRow, frames: tuple[int, ...]) -> Pixels:
    """Output and difference of each frame side by side, a row per frame, not enlarged.

    Args:
        replay: The iterates.
        row: The image that was restored.
        frames: Which iterates.

    Returns:
        [F * H, 2 * W, 3]
    """
    return np.concatenate([_pictures(replay, row, frame, MOVING) for frame in frames])


def compose_frame(
    replay: Replay, row: ComparisonRow, frame: int, *, scale: int = 5, gap: int = 4
) -> Pixels:
    """The five columns as they were at one iterate.

    Args:
        replay: The iterates.
        row: The image that was restored.
        frame: Which iterate.
        scale: Side of the square that shows one pixel.
        gap: Width of the lines between pictures.

    Returns:
        [H, W, 3], the same size for every frame.
    """
    height, width = (scale * side for side in row.output.shape[1:])
    font = ImageFont.load_default(size=max(9, width // 10))
    head = 2 * max(9, width // 10)
    canvas = Image.new(
        "RGB", (gap + len(COLUMNS) * (width + gap), 2 * head + height + 2 * gap), PAPER
    )
    pen = ImageDraw.Draw(canvas)
    for index, column in enumerate(COLUMNS):
        left = gap + index * (width + gap)
        pen.text((left + width // 2, head // 2), column, INK, font, anchor="mm")
        if column == "Cost J":
            _draw_curve(pen, replay, frame, (left, head, width, height))
        else:
            small = _pictures(replay, row, frame, (column,))
            large = small.repeat(scale, axis=0).repeat(scale, axis=1)
            canvas.paste(Image.fromarray(large), (left, head))
        pen.rectangle(
            (left - 1, head - 1, left + width, head + height), outline=(sheet.BORDER,) * 3
        )
    words = f"step {frame} of {len(replay.costs) - 1}, J {float(replay.costs[frame]):.2f}"
    pen.text((gap, head + height + gap + head // 2), words, INK, font, anchor="lm")
    return np.asarray(canvas)


def to_gif(replay: Replay, row: ComparisonRow, *, seconds: float = 6.0, scale: int = 5) -> bytes:
    """The descent as the content of an animated GIF that repeats forever.

    Args:
        replay: The iterates.
        row: The image that was restored.
        seconds: How long it takes, not counting the stay at the end.
        scale: Side of the square that shows one pixel.
    """
    frames = pick_frames(replay)
    images = [_to_palette(compose_frame(replay, row, frame, scale=scale)) for frame in frames]
    # Viewers slow down frames shorter than 20 ms.
    each = max(20, round(1000 * seconds / len(images)))
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=images[1:],
        duration=[*[each] * (len(images) - 1), round(1000 * LAST_FRAME_SECONDS)],
        loop=0,
    )
    return buffer.getvalue()


def _pictures(replay: Replay, row: ComparisonRow, frame: int, columns: tuple[str, ...]) -> Pixels:
    """Some columns as they were at one iterate, not enlarged. [H, columns * W, 3]"""
    then = replace(row, output=replay.images[frame].float())
    return sheet.compose(Comparison((then,), "", ""), columns=columns, scale=1, gap=0)


def _draw_curve(
    pen: ImageDraw.ImageDraw, replay: Replay, frame: int, box: tuple[int, int, int, int]
) -> None:
    """The whole curve faint, the part up to the frame bold, and a dot at the frame."""
    left, top, width, height = box
    costs = [float(cost) for cost in replay.costs]
    finite = [cost for cost in costs if math.isfinite(cost)]
    if not finite:
        return
    low, high = min(finite), max(finite)
    margin = width // 14

    def place(step: int) -> tuple[float, float]:
        across = step / max(1, len(costs) - 1)
        up = (costs[step] - low) / ((high - low) or 1)
        return (
            left + margin + across * (width - 2 * margin),
            top + height - margin - up * (height - 2 * margin),
        )

    points = {step: place(step) for step, cost in enumerate(costs) if math.isfinite(cost)}
    pen.line(list(points.values()), fill=QUIET, width=1)
    passed = [point for step, point in points.items() if step <= frame]
    if passed:
        pen.line(passed, fill=BEST, width=2)
        x, y = passed[-1]
        pen.ellipse((x - 3, y - 3, x + 3, y + 3), fill=BEST)


def _to_palette(frame: Pixels) -> Image.Image:
    """A frame in 256 colours: its own greys, with the curve's colours in place of two greys.

    Pillow's own choice of colours would make paper flicker from frame to frame.
    """
    red, green, blue = np.moveaxis(frame.astype(np.int16), -1, 0)
    coloured = (red != green) | (green != blue)
    places = {1: BEST, 254: QUIET}
    exact = {place: (frame == colour).all(-1) for place, colour in places.items()}
    if (coloured & ~exact[1] & ~exact[254]).any():
        return Image.fromarray(frame).quantize()
    level = np.where(red == 1, 0, np.where(red == 254, 255, red))
    for place, where in exact.items():
        level = np.where(where, place, level)
    image = Image.fromarray(level.astype(np.uint8), mode="P")
    colours = [places.get(grey, (grey, grey, grey)) for grey in range(256)]
    image.putpalette([channel for colour in colours for channel in colour])
    return image
