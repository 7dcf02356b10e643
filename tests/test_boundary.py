"""Nothing that is passed to `inpaint._C` hurts it: each wrong argument is refused in a sentence.

`make sanitize` runs this file with an extension that was built for AddressSanitizer as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
import torch
from torch import Tensor

from inpaint import RestoreConfig
from inpaint.errors import ArgumentError, InpaintError, ShapeError
from inpaint.search.backends import cpp
from inpaint.search.solvers import Solver, SolveState, make_solver, start
from inpaint.types import Status
from tests.helpers import make_problem

IMAGES, RESTARTS, SIZE, HIDDEN, PIXELS = 3, 4, 3, 16, 20
"""Shape of the problem that `make_problem` makes."""
CHAINS, PARTICLES, MOVES = 2, 5, 3
REAL = torch.float32

Arguments = dict[str, Any]
Change = Callable[[Arguments], None]


def put(name: str, value: Any) -> Change:
    """Replace an argument."""
    return lambda arguments: arguments.update({name: value})


def change(name: str, to: Callable[[Tensor], Tensor]) -> Change:
    """Replace a tensor by what a function makes of it."""
    return lambda arguments: arguments.update({name: to(arguments[name])})


WRONG_TENSORS: dict[str, Callable[[Tensor], Tensor]] = {
    "one axis too many": lambda x: x[..., None],
    "one axis too few": lambda x: x[0],
    "an image too many": lambda x: torch.cat([x, x[:1]]),
    "an image too few": lambda x: x[:-1],
    "a longer last axis": lambda x: torch.cat([x, x], dim=-1),
    "a shorter last axis": lambda x: x[..., :-1].contiguous(),
    "no image": lambda x: x[:0],
    "another type": lambda x: x.to(torch.int64),
    "half precision": lambda x: x.to(torch.float16),
    "not contiguous": lambda x: torch.stack([x, x], dim=-1)[..., 0],
    "lazily negated": lambda x: torch._neg_view(x) if x.is_floating_point() else x[:-1],
    "sparse": lambda x: x.to_sparse(),
    "on another device": lambda x: x.to("meta"),
}
"""What can be wrong with any tensor."""


@pytest.fixture(scope="module")
def problem() -> Any:
    return cpp._make_problem(make_problem(dtype=REAL), cpp.capability())


def solver(name: str = "lbfgs") -> Solver:
    return make_solver(RestoreConfig(solver=name, steps=20, tolerance=0.0))  # type: ignore[arg-type]


NAMES = tuple(field.name for field in fields(SolveState) if field.name != "step")
SOLVERS = ("gradient-descent", "rmsprop", "adam", "lbfgs")


def advance_arguments(name: str = "lbfgs") -> Arguments:
    """Arguments of `_C.advance`, with the tensors of the state by name."""
    rules = solver(name)
    z = torch.randn(IMAGES, RESTARTS, SIZE, generator=torch.Generator().manual_seed(1))
    state = start(rules, z)
    return {
        "solver": cpp._native(rules),
        "tolerance": 0.0,
        "patience": 5,
        "first_step": 0,
        "num_steps": 2,
        "rates": [] if name == "lbfgs" else [0.1, 0.1],
        "threads": 2,
    } | dict(zip(NAMES, cpp._writable(state), strict=True))


def advance(problem: Any, arguments: Arguments) -> Tensor:
    state = [arguments.pop(name) for name in NAMES]
    history: Tensor = cpp._extension().advance(problem, **arguments, state=state)
    return history


def finish(problem: Any, arguments: Arguments) -> None:
    state = [arguments.pop(name) for name in NAMES]
    kept = {"solver": arguments["solver"], "threads": arguments["threads"]}
    status = arguments.get("final_status", int(Status.MAX_STEPS))
    cpp._extension().finish(problem, **kept, status=status, state=state)


def refused(call: Callable[[Any, Arguments], object], problem: Any, arguments: Arguments) -> str:
    """The message of the error that a call must raise."""
    with pytest.raises(InpaintError) as caught:
        call(problem, arguments)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", SOLVERS)
def test_the_arguments_are_good_before_they_are_spoilt(problem: Any, name: str) -> None:
    assert advance(problem, advance_arguments(name)).shape == (IMAGES, RESTARTS, 2)
    finish(problem, advance_arguments(name))


@pytest.mark.parametrize("wrong", WRONG_TENSORS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("call", [advance, finish])
def test_a_wrong_tensor_of_the_state(problem: Any, call: Any, name: str, wrong: str) -> None:
    arguments = advance_arguments()
    change(name, WRONG_TENSORS[wrong])(arguments)
    assert name in refused(call, problem, arguments)


WRONG_SETTINGS: dict[str, Change] = {
    "negative tolerance": put("tolerance", -1.0),
    "tolerance NaN": put("tolerance", float("nan")),
    "patience 0": put("patience", 0),
    "negative first step": put("first_step", -1),
    "negative number of steps": put("num_steps", -1),
    "huge number of steps": put("num_steps", 2**40),
    "rates of another solver": put("rates", [0.1, 0.1]),
    "negative threads": put("threads", -1),
    "too many threads": put("threads", 10**6),
    "status out of range": change("status", lambda x: torch.full_like(x, 9)),
    "too many pairs": change("memory", lambda x: torch.full_like(x, 11.0)),
    "negative number of pairs": change("memory", lambda x: torch.full_like(x, -1.0)),
    "number of pairs NaN": change("memory", lambda x: torch.full_like(x, torch.nan)),
    "shared memory": lambda arguments: arguments.update(best_costs=arguments["costs"]),
    "overlapping memory": lambda arguments: arguments.update(
        zip(
            ("costs", "best_costs"),
            torch.zeros(2 * IMAGES * RESTARTS)
            .as_strided((2, IMAGES, RESTARTS), (4, RESTARTS, 1))
            .unbind(),
            strict=True,
        )
    ),
}


@pytest.mark.parametrize("wrong", WRONG_SETTINGS)
def test_a_wrong_setting_of_a_descent(problem: Any, wrong: str) -> None:
    arguments = advance_arguments()
    WRONG_SETTINGS[wrong](arguments)
    refused(advance, problem, arguments)


@pytest.mark.parametrize("rates", [[], [0.1], [0.1] * 3, [0.1, float("nan")], [-0.1, 0.1]])
@pytest.mark.parametrize("name", SOLVERS[:-1])
def test_wrong_learning_rates(problem: Any, name: str, rates: list[float]) -> None:
    refused(advance, problem, advance_arguments(name) | {"rates": rates})


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("other", SOLVERS)
def test_the_memory_of_another_solver(problem: Any, name: str, other: str) -> None:
    memory = advance_arguments(other)["memory"]
    if memory.shape == advance_arguments(name)["memory"].shape:
        return
    assert "memory" in refused(advance, problem, advance_arguments(name) | {"memory": memory})


def test_a_final_status_out_of_range(problem: Any) -> None:
    refused(finish, problem, advance_arguments() | {"final_status": 17})


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("RMSprop", {"decay": 1.5, "epsilon": 1e-8}),
        ("RMSprop", {"decay": 0.9, "epsilon": -1.0}),
        ("Adam", {"beta1": -0.1, "beta2": 0.9, "epsilon": 1e-8}),
        ("Adam", {"beta1": 0.9, "beta2": float("nan"), "epsilon": 1e-8}),
        *(
            ("LBFGS", {key: value})
            for key, values in {
                "max_pairs": (0, -1, 10**9),
                "max_trials": (0, -5),
                "armijo": (float("nan"), -1.0),
                "curvature": (float("inf"),),
                "curvature_floor": (-1.0,),
                "first_step_length": (0.0, -1.0),
            }.items()
            for value in values
        ),
    ],
)
def test_a_wrong_solver(name: str, settings: Arguments) -> None:
    if name == "LBFGS":
        good = solver()
        names = ("max_pairs", "armijo", "curvature", "max_trials", "curvature_floor")
        keys = (*names, "first_step_length")
        settings = {key: getattr(good, key) for key in keys} | settings
    with pytest.raises(ArgumentError):
        getattr(cpp._extension(), name)(**settings)


@pytest.mark.parametrize("call", ["cost", "cost_and_gradient"])
@pytest.mark.parametrize("wrong", [*WRONG_TENSORS, "no restart", "no latent variable"])
def test_wrong_latents(problem: Any, call: str, wrong: str) -> None:
    z = torch.randn(IMAGES, RESTARTS, SIZE)
    spoil = WRONG_TENSORS | {
        "no restart": lambda x: x[:, :0].contiguous(),
        "no latent variable": lambda x: x[..., :0].contiguous(),
    }
    with pytest.raises(InpaintError, match="latents"):
        getattr(cpp._extension(), call)(problem, spoil[wrong](z), threads=2)
    with pytest.raises(ArgumentError, match="threads"):
        getattr(cpp._extension(), call)(problem, z, threads=-3)


def move_arguments() -> Arguments:
    shape = IMAGES, CHAINS, PARTICLES
    return {
        "latents": torch.randn(*shape, SIZE),
        "momenta": torch.randn(*shape, MOVES, SIZE),
        "thresholds": torch.zeros(*shape, MOVES),
        "inverse_temperatures": torch.ones(IMAGES, CHAINS),
        "lengths": torch.full(shape, 0.1),
        "factors": torch.eye(SIZE).expand(IMAGES, CHAINS, SIZE, SIZE).contiguous(),
        "leapfrog": 2,
        "threads": 1,
    }


def move(problem: Any, arguments: Arguments) -> Any:
    return cpp._extension().move(problem, arguments.pop("latents"), **arguments)


@pytest.mark.parametrize("wrong", WRONG_TENSORS)
@pytest.mark.parametrize("name", [k for k, v in move_arguments().items() if torch.is_tensor(v)])
def test_a_wrong_tensor_of_the_moves(problem: Any, name: str, wrong: str) -> None:
    assert move(problem, move_arguments())[1].shape == (IMAGES, CHAINS, PARTICLES, MOVES)
    arguments = move_arguments()
    change(name, WRONG_TENSORS[wrong])(arguments)
    refused(move, problem, arguments)


@pytest.mark.parametrize(("name", "value"), [("leapfrog", 0), ("leapfrog", -1), ("threads", -1)])
def test_a_wrong_number_of_the_moves(problem: Any, name: str, value: int) -> None:
    assert name in refused(move, problem, move_arguments() | {name: value})


def test_no_moves(problem: Any) -> None:
    empty = {
        "momenta": torch.zeros(IMAGES, CHAINS, PARTICLES, 0, SIZE),
        "thresholds": torch.zeros(IMAGES, CHAINS, PARTICLES, 0),
    }
    refused(move, problem, move_arguments() | empty)


def layer(outputs: int, inputs: int, dtype: torch.dtype = REAL) -> Arguments:
    return {
        "weight": torch.randn(outputs, inputs, dtype=dtype),
        "bias": torch.zeros(outputs, dtype=dtype),
    }


def problem_arguments() -> Arguments:
    return {
        "layers": [layer(HIDDEN, SIZE), layer(PIXELS, HIDDEN)],
        "target": torch.rand(IMAGES, PIXELS),
        "weight": torch.ones(IMAGES, PIXELS),
        "num_observed": torch.full((IMAGES,), float(PIXELS)),
        "known_noise": 0.0,
        "capability": "portable",
    }


def make(arguments: Arguments) -> Any:
    extension = cpp._extension()
    none = extension.Activation.none
    layers = [
        extension.Layer(**tensors, activation=none, negative_slope=0.0)
        for tensors in arguments["layers"]
    ]
    return extension.Problem(**arguments | {"layers": layers})


WRONG_PROBLEMS: dict[str, Change] = {
    "no layers": put("layers", []),
    "layers that do not fit": put("layers", [layer(HIDDEN, SIZE), layer(PIXELS, HIDDEN - 1)]),
    "layers in the wrong order": put("layers", [layer(PIXELS, HIDDEN), layer(HIDDEN, SIZE)]),
    "a layer without inputs": put("layers", [layer(HIDDEN, 0), layer(PIXELS, HIDDEN)]),
    "a layer without outputs": put("layers", [layer(0, SIZE), layer(PIXELS, 0)]),
    "a layer of another type": put(
        "layers", [layer(HIDDEN, SIZE), layer(PIXELS, HIDDEN, torch.float64)]
    ),
    "a short bias": put("layers", [layer(HIDDEN, SIZE) | {"bias": torch.zeros(HIDDEN - 1)}]),
    "a bias of two axes": put("layers", [layer(HIDDEN, SIZE) | {"bias": torch.zeros(HIDDEN, 1)}]),
    "a weight of one axis": put("layers", [layer(PIXELS, SIZE) | {"weight": torch.zeros(PIXELS)}]),
    "a transposed weight": put(
        "layers",
        [layer(HIDDEN, SIZE), layer(PIXELS, HIDDEN) | {"weight": torch.rand(HIDDEN, PIXELS).T}],
    ),
    "an image without pixels": change("weight", lambda x: x * torch.tensor([[1.0], [0], [1]])),
    "no observed pixel": change("num_observed", lambda x: x * 0),
    "num_observed NaN": change("num_observed", lambda x: x * torch.nan),
    "negative noise": put("known_noise", -1.0),
    "noise NaN": put("known_noise", float("nan")),
    "unknown kernel": put("capability", "sse9"),
    "pixels of integers": change("target", lambda x: x.long()),
}


@pytest.mark.parametrize("wrong", WRONG_PROBLEMS)
def test_a_wrong_problem(wrong: str) -> None:
    make(problem_arguments())
    arguments = problem_arguments()
    WRONG_PROBLEMS[wrong](arguments)
    with pytest.raises(InpaintError):
        make(arguments)


@pytest.mark.parametrize("wrong", WRONG_TENSORS)
@pytest.mark.parametrize("name", ["target", "weight", "num_observed"])
def test_a_wrong_tensor_of_the_problem(name: str, wrong: str) -> None:
    if (name, wrong) == ("weight", "no image"):
        return  # An empty tensor stands for weights of 1.
    arguments = problem_arguments()
    change(name, WRONG_TENSORS[wrong])(arguments)
    with pytest.raises(InpaintError):
        make(arguments)


def test_the_public_functions_raise_the_same_errors() -> None:
    objective = make_problem()
    with pytest.raises(
        ShapeError, match=r"latents has shape \[3, 2, 5\]; this call needs \[3, 2, 3\]"
    ):
        cpp.cost(objective, torch.zeros(3, 2, 5))
    with pytest.raises(ShapeError, match="latents"):
        cpp.cost_and_gradient(objective, torch.zeros(3, 0, 3))


def test_all_restarts_are_used_that_are_few_or_many(problem: Any) -> None:
    """R from 1 to more than two blocks, on more threads than restarts."""
    z = torch.randn(IMAGES, 19, SIZE, generator=torch.Generator().manual_seed(5))
    whole = cpp._extension().cost(problem, z, threads=1)
    for restarts in range(1, 20):
        part = cpp._extension().cost(problem, z[:, :restarts].contiguous(), threads=64)
        assert torch.equal(part, whole[:, :restarts])
