"""The comparison, the figure and the sheet show what they should, where they should."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from inpaint.config import RestoreConfig
from inpaint.errors import ArgumentError, ShapeError
from inpaint.generators import Dense, Generator
from inpaint.operators import Mask
from inpaint.plots import sheet
from inpaint.plots.columns import MAX_ROWS, plot_comparison, plot_modes, plot_samples, to_png
from inpaint.plots.comparison import CAPTIONS, COLUMNS, MARKS, MOST_MODES, compare, percent
from inpaint.search.verdict import judge
from inpaint.types import Measurement, SearchResult, Status


def make_case(images=2, *, shape=(1, 28, 28), restarts=5, steps=20, known=True, name="made-up"):
    """A measurement and a restoration of random pixels, the second restart being best."""
    draw = torch.Generator().manual_seed(0)
    ideal = torch.rand(images, *shape, generator=draw)
    mask = Mask.leading(shape[1] * shape[2] // 2, shape)
    history = 100 + torch.rand(steps + 1, images, restarts, generator=draw).cumsum(0).flip(0)
    history[:, :, min(1, restarts - 1)] -= 50
    pixels = shape[0] * shape[1] * shape[2]
    generator = Generator(
        (Dense(torch.zeros(pixels, 3), torch.zeros(pixels), "sigmoid"),), shape, name=name
    )
    restoration = SearchResult(
        images=(ideal + 0.1 * torch.randn(ideal.shape, generator=draw)).clamp(0, 1),
        starts=torch.zeros(images, restarts, 3),
        latents=torch.zeros(images, restarts, 3),
        costs=history[-1],
        start_costs=history[0],
        history=history,
        followed=torch.arange(restarts).expand(images, restarts),
        status=torch.full((images, restarts), int(Status.MAX_STEPS), dtype=torch.uint8),
        num_starts=torch.full((images,), restarts),
        best=history[-1].argmin(1),
        noise_level=torch.full((images,), 0.1),
        evaluations=torch.full((images, restarts), steps, dtype=torch.int32),
        backend="torch (cpu)",
        reasons=("torch was requested.",),
        seconds=1.0,
        config=RestoreConfig(seed=7, restarts=restarts, screen=10, steps=steps),
    )
    measurement = Measurement(mask.apply(ideal), mask, ideal if known else None)
    return measurement, generator, restoration


def test_rows_hold_the_columns_as_data():
    measurement, generator, restoration = make_case()
    comparison = compare(measurement, generator, restoration)
    assert comparison.title == "N = 392 of 784 pixels observed"
    assert "seed 7" in comparison.settings
    assert "5 restarts screened from 10" in comparison.settings
    assert "made-up" in comparison.settings
    for index, row in enumerate(comparison.rows):
        assert torch.equal(row.ideal, measurement.ideal[index])
        assert torch.equal(row.output, restoration.images[index])
        assert (row.corrupted[~row.observed] == 0).all()
        assert torch.equal(row.best_curve, restoration.best_history[:, index])
        assert row.cost == float(restoration.best_costs[index])
        assert row.metrics.error == pytest.approx(float((row.ideal - row.output).norm()), rel=1e-5)


def make_modes(restarts=20):
    """A case of one image whose restarts ended at as many images, of nearly the same cost."""
    measurement, generator, restoration = make_case(1, restarts=restarts)
    draw = torch.Generator().manual_seed(1)
    weights = torch.randn(784, 3, generator=draw)
    generator = Generator((Dense(weights, torch.zeros(784), "sigmoid"),), (1, 28, 28))
    latents = 2 * torch.randn(1, restarts, 3, generator=draw)
    costs = 100 + 0.01 * torch.arange(restarts)[None]
    best = torch.zeros(1, dtype=torch.long)
    return measurement, generator, replace(restoration, latents=latents, costs=costs, best=best)


def test_rows_carry_the_verdict_in_short():
    case = make_modes()
    row = compare(*case).rows[0]
    (verdict,) = judge(*case)
    assert row.verdict.sentence == verdict.sentence
    assert row.verdict_lines[0] == f"{MARKS[verdict.flag]} {verdict.flag}"
    assert len(row.verdict_lines) == 1 + min(2, sum(check.fired for check in verdict.checks))
    assert all(len(line) <= 20 for line in (*row.verdict_lines, *row.lines, *row.search_lines))
    assert len(set(MARKS.values())) == len(MARKS)
    texts = [text.get_text() for text in plot_comparison(compare(*case)).texts]
    assert set(row.verdict_lines) <= set(texts)


def test_modes_are_a_strip_of_pictures_with_their_figures():
    comparison = compare(*make_modes())
    row = comparison.rows[0]
    modes = row.verdict.search.modes
    assert len(row.shown_modes) == MOST_MODES < len(modes)
    figure = plot_modes(comparison)
    (axes,) = figure.axes
    assert np.array_equal(axes.images[0].get_array(), sheet.modes_strip(row, scale=4))
    texts = [text.get_text() for text in figure.texts]
    for mode in row.shown_modes:
        assert percent(mode.weight) in texts
        assert f"{mode.starts} of 20 starts" in texts
    assert f"J + {modes[1].gap:.2f}" in texts
    assert any(text.startswith(f"and {len(modes) - MOST_MODES} more") for text in texts)
    check_layout(figure)


def test_modes_that_hardly_weigh_are_counted_only():
    measurement, generator, restoration = make_modes(3)
    restoration.costs[0, 2] = 130.0
    row = compare(measurement, generator, restoration).rows[0]
    assert [mode.restart for mode in row.shown_modes] == [0, 1]
    assert percent(row.verdict.search.modes[2].weight) == "< 0.1 %"
    assert (percent(0.5), percent(0.054), percent(0.0), percent(1.0)) == (
        "50 %", "5.4 %", "0.0 %", "100 %",
    )  # fmt: skip


def test_modes_of_failed_restarts_are_none():
    measurement, generator, restoration = make_modes(2)
    restoration.costs[:] = torch.inf
    comparison = compare(measurement, generator, restoration)
    assert any("no restart" in text.get_text() for text in plot_modes(comparison).texts)
    with pytest.raises(ArgumentError, match="no modes"):
        sheet.modes_strip(comparison.rows[0])
    without = replace(comparison, rows=(replace(comparison.rows[0], verdict=None),))
    with pytest.raises(ArgumentError, match="no verdict"):
        plot_modes(without)
    assert plot_comparison(without)


def test_the_difference_is_dark_where_the_output_is_brighter():
    measurement, generator, restoration = make_case(1)
    row = compare(measurement, generator, restoration).rows[0]
    assert torch.equal(row.difference, (row.ideal - row.output)[0])
    brighter = row.output[0] > row.ideal[0] + 0.05
    grey = sheet.to_pixels(row.difference, low=-1)[..., 0]
    assert (grey[brighter] < 128).all()
    assert "Dark: the output is brighter" in CAPTIONS["Difference"]
    assert "ink is missing" in CAPTIONS["Difference"]


def test_refuses_results_of_other_images():
    measurement, generator, restoration = make_case(2)
    with pytest.raises(ShapeError, match="has 1 images"):
        compare(measurement[:1], generator, restoration)


def test_figure_has_a_row_of_five_axes_per_image():
    measurement, generator, restoration = make_case(3)
    comparison = compare(measurement, generator, restoration)
    figure = plot_comparison(comparison)
    axes = np.array(figure.axes).reshape(3, len(COLUMNS))
    assert tuple(one.get_title() for one in axes[0]) == COLUMNS
    for row, (ideal, corrupted, cost, output, difference) in zip(
        comparison.rows, axes, strict=True
    ):
        assert np.array_equal(ideal.images[0].get_array(), row.ideal[0])
        assert np.array_equal(corrupted.images[0].get_array(), row.corrupted[0])
        assert np.array_equal(output.images[0].get_array(), row.output[0])
        assert np.array_equal(difference.images[0].get_array(), row.difference)
        assert {one.images[0].get_clim() for one in (ideal, corrupted, output)} == {(0, 1)}
        assert difference.images[0].get_clim() == (-1, 1)
        assert np.array_equal(cost.lines[0].get_ydata(), row.best_curve)
        assert len(cost.collections[0].get_segments()) == row.curves.shape[1]
        for picture in (ideal, corrupted, output, difference):
            assert picture.images[0].get_interpolation() == "nearest"
    texts = " ".join(text.get_text() for text in figure.texts)
    assert comparison.title in texts
    assert "ink is missing" in texts
    assert "image 2" in texts


def test_no_text_leaves_the_figure_or_meets_another():
    for shape in ((1, 28, 28), (1, 8, 40)):
        case = make_case(2, shape=shape, name="a-very-long-name" * 20)
        check_layout(plot_comparison(compare(*case)))
        check_layout(plot_modes(compare(*case)))


def check_layout(figure):
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.texts]
    width, height = figure.get_size_inches() * figure.dpi
    assert width == 1280
    for index, box in enumerate(boxes):
        assert box.x0 >= 0
        assert box.x1 <= width
        assert box.y0 >= 0
        assert box.y1 <= height
        assert not any(box.shrunk(0.98, 0.9).overlaps(other) for other in boxes[index + 1 :])


def test_an_unknown_ideal_is_said():
    figure = plot_comparison(compare(*make_case(1, known=False)))
    assert len(figure.axes) == len(COLUMNS)
    for index in (0, 4):
        assert not figure.axes[index].images
        assert "not known" in figure.axes[index].texts[0].get_text()


def test_colour_many_and_odd_sizes():
    colour = plot_comparison(compare(*make_case(1, shape=(3, 8, 20))))
    assert colour.axes[0].images[0].get_array().shape == (8, 20, 3)
    many = plot_comparison(compare(*make_case(MAX_ROWS + 2)))
    assert len(many.axes) == MAX_ROWS * len(COLUMNS)
    assert "the first 12 of 14 images" in many.texts[0].get_text()


def test_failed_restarts_leave_gaps():
    measurement, generator, restoration = make_case(1)
    restoration.history[3:, 0, 0] = torch.inf
    row = compare(measurement, generator, restoration).rows[0]
    assert row.curves[3:, 0].isnan().all()
    restoration.history[:] = torch.nan
    figure = plot_comparison(compare(measurement, generator, restoration))
    assert "no finite cost" in figure.axes[2].texts[0].get_text()
    assert to_png(figure).startswith(b"\x89PNG")


def test_axes_show_where_the_restarts_move():
    measurement, generator, restoration = make_case(2, restarts=40, steps=100)
    history = restoration.history
    history[31:] = history[30]
    history[0, 0, 7] = 1e6
    history[50:, 1, 9] -= 1
    figure = plot_comparison(compare(measurement, generator, restoration))
    first, second = (axes for axes in figure.axes if axes.get_title() == "Cost J" or axes.lines)
    # One restart in forty that moves on does not stretch the axis; a giant start neither.
    assert first.get_xlim() == second.get_xlim() == (0, 30)
    assert first.get_ylim()[1] < 200
    assert first.get_ylim()[0] < float(history.min())


def test_sheet_enlarges_without_blur():
    measurement, generator, restoration = make_case(2)
    comparison = compare(measurement, generator, restoration)
    pixels = sheet.compose(comparison, scale=5, gap=4)
    assert pixels.dtype == np.uint8
    assert pixels.shape == (4 + 2 * 144, 4 + 4 * 144, 3)
    first = pixels[4:144, 4:144, 0]
    expected = np.rint(255 * comparison.rows[0].ideal[0].double().numpy()).astype(np.uint8)
    assert np.array_equal(first[::5, ::5], expected)
    assert np.array_equal(first[4::5, 4::5], expected)
    assert (pixels[:4] == sheet.BORDER).all()


def test_sheet_of_colour_and_of_unknown_ideals():
    assert sheet.compose(compare(*make_case(1, shape=(3, 8, 8), known=False))).shape[2] == 3
    assert sheet.strip(torch.rand(3, 3, 8, 8), scale=1, gap=1).shape == (10, 28, 3)
    with pytest.raises(ArgumentError, match="choose from Ideal"):
        sheet.compose(compare(*make_case(1)), columns=["Cost J"])


def test_samples_fill_a_grid():
    images = torch.rand(100, 1, 28, 28)
    figure = plot_samples(images, title="100 samples")
    (axes,) = figure.axes
    pixels = axes.images[0].get_array()
    assert np.array_equal(pixels, sheet.grid(images, columns=10, scale=4))
    # One pixel of the sheet is one of the file.
    assert figure.get_size_inches()[0] * figure.dpi == pixels.shape[1]
