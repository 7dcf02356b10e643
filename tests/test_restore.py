"""The whole of `restore`, on the real problem and at its edges."""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inpaint import (
    Generator,
    ImageSet,
    Mask,
    Measurement,
    ModuleGenerator,
    Progress,
    RestoreConfig,
    SearchResult,
    Status,
)
from inpaint.config import PRESETS, SOLVERS
from inpaint.errors import ArgumentError, InpaintError, ShapeError
from inpaint.operators import measure
from inpaint.search.restore import restore
from tests.helpers import EXACT, QUICK, as_module, random_generator, some_measurement
from tests.tolerances import KNOWN_COST, SAME_SELECTION

LOWEST_COSTS = {
    500: [760.429, 767.474, 782.752, 741.098],
    400: [508.476, 535.992, 535.913, 508.478],
    350: [404.253, 431.333, 431.303, 380.387],
    300: [291.421, 334.653, 325.849, 283.661],
}
"""Of several independent methods with thousands of starts each, in float64."""


def same(one: SearchResult, two: SearchResult) -> bool:
    """Bit-equal results."""
    names = ("images", "latents", "costs", "status", "best", "noise_level")
    return all(torch.equal(getattr(one, name), getattr(two, name)) for name in names)


@pytest.mark.parametrize("keep", LOWEST_COSTS)
def test_the_default_reaches_the_lowest_known_costs(
    keep: int, published: Generator, eights: ImageSet
) -> None:
    measurement = measure(eights, Mask.leading(keep, (1, 28, 28)))
    result = restore(measurement, published)
    expected = torch.tensor(LOWEST_COSTS[keep])
    torch.testing.assert_close(result.best_costs, expected, rtol=0, atol=KNOWN_COST)
    converged = (result.status == Status.CONVERGED).sum()
    assert converged > 0.9 * result.num_starts.sum()


@pytest.mark.parametrize("keep", LOWEST_COSTS)
def test_both_backends_select_the_same_images(
    keep: int, published: Generator, eights: ImageSet
) -> None:
    measurement = measure(eights, Mask.leading(keep, (1, 28, 28)))
    # In float32 a descent may stop .01 above the minimum, and as to where, processors differ.
    one, two = (
        restore(measurement, published, RestoreConfig(backend=name, restarts=32, dtype="float64"))
        for name in ("torch", "cpp")
    )
    torch.testing.assert_close(one.best_costs, two.best_costs, rtol=0, atol=SAME_SELECTION)
    torch.testing.assert_close(one.images, two.images, rtol=0, atol=0.05)


def test_the_published_preset_shows_the_published_behaviour(
    published: Generator, eights: ImageSet
) -> None:
    """One start, all 500 steps, and costs that oscillate at N = 500."""
    measurement = measure(eights, Mask.leading(500, (1, 28, 28)))
    result = restore(measurement, published, RestoreConfig.preset("published"))
    assert result.history.shape == (501, 4, 1)
    assert (result.status == Status.MAX_STEPS).all()
    rises = (result.history.diff(dim=0)[250:] > 1).sum(0).flatten()
    assert int((rises > 50).sum()) >= 1


def test_an_image_alone_is_restored_as_in_its_batch() -> None:
    measurement, generator = some_measurement(shared=False), random_generator()
    together = restore(measurement, generator, EXACT)
    alone = restore(measurement[1:2], generator, EXACT)
    assert torch.equal(alone.latents[0], together.latents[1])
    assert torch.equal(alone.costs[0], together.costs[1])


@settings(max_examples=15)
@given(restarts=st.integers(1, 12), more=st.integers(0, 12), seed=st.integers(0, 1000))
def test_more_restarts_never_give_a_worse_cost(restarts: int, more: int, seed: int) -> None:
    measurement, generator = some_measurement(shared=True), random_generator()
    few, many = (
        restore(measurement, generator, replace(EXACT, restarts=count, screen=30, seed=seed))
        for count in (restarts, restarts + more)
    )
    assert (many.best_costs <= few.best_costs).all()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("backend", ["torch", "cpp"])
def test_a_seed_repeats_exactly(solver: str, backend: str) -> None:
    config = replace(QUICK, solver=solver, backend=backend)
    measurement, generator = some_measurement(shared=True), random_generator()
    assert same(restore(measurement, generator, config), restore(measurement, generator, config))


def test_the_order_of_restarts_does_not_matter() -> None:
    measurement, generator = some_measurement(shared=True), random_generator()
    z = torch.randn(3, 6, 3, dtype=torch.float64)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    one = restore(measurement, generator, EXACT, latents=z)
    two = restore(measurement, generator, EXACT, latents=z[:, order])
    assert torch.equal(one.latents[:, order], two.latents)
    assert torch.equal(one.best_costs, two.best_costs)


def test_a_module_is_restored_like_the_layers_it_is_made_of() -> None:
    measurement, generator = some_measurement(shared=True), random_generator()
    config = replace(QUICK, dtype="float64")
    one = restore(measurement, generator, config)
    two = restore(measurement, ModuleGenerator(as_module(generator), latent_size=3), config)
    assert two.backend.startswith("torch")
    torch.testing.assert_close(one.best_costs, two.best_costs, rtol=0, atol=SAME_SELECTION)


@pytest.mark.parametrize("backend", ["torch", "cpp"])
def test_a_cancelled_search_returns_what_it_reached(backend: str) -> None:
    seen: list[Progress] = []

    def stop_at_third(progress: Progress) -> bool:
        seen.append(progress)
        return len(seen) < 3

    config = RestoreConfig(
        restarts=4, screen=0, solver="adam", steps=10**6, tolerance=0.0, backend=backend
    )
    result = restore(
        some_measurement(shared=True), random_generator(), config, on_progress=stop_at_third
    )
    assert len(seen) == 3
    assert (result.status == Status.CANCELLED).all()
    assert torch.isfinite(result.best_costs).all()
    assert (result.best_costs <= result.history[0].amin(1)).all()


def test_ctrl_c_returns_what_was_reached() -> None:
    config = RestoreConfig(restarts=4, screen=0, solver="adam", steps=10**6, tolerance=0.0)

    def interrupt(progress: Progress) -> None:
        signal.raise_signal(signal.SIGINT)

    result = restore(
        some_measurement(shared=True), random_generator(), config, on_progress=interrupt
    )
    assert (result.status == Status.CANCELLED).all()


def test_the_noise_level_is_found(published: Generator, eights: ImageSet) -> None:
    result = restore(measure(eights, Mask.leading(500, (1, 28, 28))), published)
    torch.testing.assert_close(result.noise_level, torch.full((4,), 0.0973), rtol=0.08, atol=0)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_a_valid_configuration(preset: str) -> None:
    config = RestoreConfig.preset(preset).resolved()
    assert {name for name, value in vars(config).items() if value is None} <= {
        "time_limit",
        "stop_after",
        "noise_level",
    }


def test_bad_settings_name_argument_value_and_way_out() -> None:
    for changes, message in (
        ({"restarts": 0}, "restarts is 0.*1 to"),
        ({"restarts": 2.0}, "restarts is 2.0.*whole number"),
        ({"screen": -1}, "screen is -1"),
        ({"solver": "newton"}, "solver is 'newton'.*lbfgs"),
        ({"backend": "tpu"}, "backend is 'tpu'.*torch"),
        ({"dtype": "float16"}, "dtype is 'float16'"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"tolerance": -1.0}, "tolerance is -1.0"),
        ({"colour": 1}, "colour"),
    ):
        with pytest.raises(ArgumentError, match=message):
            RestoreConfig.preset("fast", **changes)
    with pytest.raises(ArgumentError, match="preset is 'slow'.*published"):
        RestoreConfig.preset("slow")


def test_things_that_do_not_fit_are_refused(small_generator: Generator) -> None:
    measurement = some_measurement(shared=True)
    good = torch.zeros(3, 2, 3, dtype=torch.float64)
    nan = Measurement(measurement.values * torch.nan, measurement.operator)
    cases: list[tuple[type[InpaintError], str, Measurement, dict[str, torch.Tensor]]] = [
        (ShapeError, "no image", measurement[:0], {}),
        (ArgumentError, "NaN or infinity", nan, {}),
        (ShapeError, r"\[3, R, 3\]", measurement, {"latents": good[0]}),
        (ShapeError, "4 dimensions", measurement, {"latents": torch.zeros(3, 2, 4)}),
        (ArgumentError, "latents holds NaN", measurement, {"latents": good * torch.nan}),
    ]
    for kind, message, given_measurement, more in cases:
        with pytest.raises(kind, match=message):
            restore(given_measurement, small_generator, **more)
    other = random_generator((3, 4, 6), image_shape=(1, 2, 3))
    with pytest.raises(ShapeError, match=r"\(1, 2, 3\).*\(1, 4, 5\)"):
        restore(measurement, other)
    with pytest.raises(ArgumentError, match="device is 'moon'"):
        restore(measurement, small_generator, RestoreConfig(device="moon"))


def test_rounds_take_up_where_the_stream_stopped() -> None:
    measurement, generator = some_measurement(shared=True), random_generator()
    once = restore(measurement, generator, EXACT)
    twice = restore(measurement, generator, replace(EXACT, rounds=2))
    assert twice.latents.shape[1] == 2 * once.latents.shape[1]
    assert torch.equal(twice.latents[:, :4], once.latents)
    assert (twice.best_costs <= once.best_costs).all()
    assert twice.history.shape[1:] == twice.costs.shape


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize(
    "config",
    [
        replace(EXACT, time_limit=0.2),
        replace(EXACT, time_limit=1e-6),
        replace(EXACT, time_limit=0.2, solver="adam", steps=10**6, tolerance=0.0),
    ],
    ids=["many rounds", "no time", "a cut round"],
)
def test_a_time_budget_is_recorded_so_that_it_can_be_repeated(config: RestoreConfig) -> None:
    measurement, generator = some_measurement(shared=True), random_generator()
    result = restore(measurement, generator, config)
    assert result.config.time_limit is None
    assert torch.isfinite(result.best_costs).all()
    again = restore(measurement, generator, result.config)
    assert same(result, again)
    assert torch.equal(result.history, again.history)


def test_a_cancelled_search_can_be_repeated_too() -> None:
    measurement, generator = some_measurement(shared=True), random_generator()
    config = replace(EXACT, solver="adam", steps=10**6, tolerance=0.0, schedule="cosine")
    calls = iter([True, True, True, False])
    result = restore(measurement, generator, config, on_progress=lambda _: next(calls))
    assert same(result, restore(measurement, generator, result.config))
