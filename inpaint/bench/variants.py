"""The variants that every bench times: the published loop, the torch and the C++ backend."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from inpaint.bench.case import BenchCase, Descent, DescentResult, Variant
from inpaint.config import BackendName, RestoreConfig
from inpaint.errors import BackendError
from inpaint.generators import Dense, Layer
from inpaint.search.backends import choose
from inpaint.search.objective import make_objective
from inpaint.search.solvers import GradientDescent, start

SEQUENTIAL_STARTS = 4
"""Starts that a variant without batching follows; its rate does not depend on their number."""

Array = NDArray[np.float64]
Elementwise = Callable[[Array], Array]
Observe = tuple[Callable[[Array], Array], Callable[[Array], Array]]
"""T and its transpose, for one vector each."""


def _loop(observe: Callable[[BenchCase], Observe]) -> Callable[[BenchCase, int], Descent]:
    """Make the published loop: float64, one start at a time, the whole image at every step.

    Args:
        observe: Makes T and its transpose, as functions.
    """

    def prepare(case: BenchCase, threads: int) -> Descent:
        layers = [_Layer(layer) for layer in case.generator.layers]
        apply, transpose = observe(case)
        target = apply(case.measurement.values.flatten().numpy())
        keep, rate = case.keep, case.learning_rate
        starts = case.starts[:SEQUENTIAL_STARTS].numpy()

        def follow(z: Array, costs: Array) -> Array:
            for step in range(len(costs)):
                outputs = [z]
                for layer in layers:
                    outputs.append(layer.forward(outputs[-1]))
                residual = apply(outputs[-1]) - target
                misfit = residual @ residual
                costs[step] = keep * np.log(misfit) + z @ z
                gradient = transpose(2 * keep / misfit * residual)
                for layer, output in zip(reversed(layers), reversed(outputs), strict=False):
                    gradient = layer.backward(gradient, output)
                z = z - rate * (gradient + 2 * z)
            return z

        def descend(steps: int) -> DescentResult:
            costs = np.empty((len(starts), steps))
            latents = [follow(z, row) for z, row in zip(starts, costs, strict=True)]
            return DescentResult(np.stack(latents), costs.T)

        return descend

    return prepare


def _observed(case: BenchCase) -> Array:
    """Row-major indices of the N observed pixels. [N]"""
    operator = case.measurement.operator
    return operator.apply(torch.ones(1, *operator.image_shape)).flatten().nonzero()[:, 0].numpy()


def _matrix(case: BenchCase) -> Observe:
    """T = [I 0] as a matrix of N rows, as in the formula."""
    pixels = case.measurement.values.numel()
    matrix = np.eye(pixels)[_observed(case)]
    return (lambda x: matrix @ x), (lambda r: matrix.T @ r)


def _indices(case: BenchCase) -> Observe:
    """T as an index into the pixels, which costs next to nothing."""
    observed = _observed(case)

    def transpose(residual: Array) -> Array:
        image = np.zeros(case.measurement.values.numel())
        image[observed] = residual
        return image

    return (lambda x: x[observed]), transpose


class _Layer:
    """A dense layer in numpy, for one vector at a time."""

    def __init__(self, layer: Layer) -> None:
        if not isinstance(layer, Dense):
            raise BackendError("The published loop supports dense layers only.")
        self.weight: Array = layer.weight.numpy()
        self.bias: Array = layer.bias.numpy()
        self.activate, self.derivative = _ACTIVATIONS[layer.activation](layer.negative_slope)

    def forward(self, inputs: Array) -> Array:
        return self.activate(self.weight @ inputs + self.bias)

    def backward(self, gradient: Array, outputs: Array) -> Array:
        return self.weight.T @ (gradient * self.derivative(outputs))


def _stable_sigmoid(x: Array) -> Array:
    return 0.5 * (1 + np.tanh(0.5 * x))


_ACTIVATIONS: dict[str, Callable[[float], tuple[Elementwise, Elementwise]]] = {
    "none": lambda _: (lambda x: x, np.ones_like),
    "relu": lambda _: (lambda x: np.maximum(x, 0), lambda y: (y > 0).astype(float)),
    "leaky_relu": lambda a: (
        lambda x: np.where(x > 0, x, a * x),
        lambda y: np.where(y > 0, 1.0, a),
    ),
    "tanh": lambda _: (np.tanh, lambda y: 1 - y * y),
    "sigmoid": lambda _: (_stable_sigmoid, lambda y: y * (1 - y)),
}


def _backend(name: BackendName) -> Callable[[BenchCase, int], Descent]:
    """Make a descent that calls one of this package's backends as `restore` does."""

    def prepare(case: BenchCase, threads: int) -> Descent:
        objective = make_objective(case.measurement, case.generator, dtype=torch.float32)
        backend = choose(RestoreConfig(backend=name, threads=threads), objective)
        starts = case.starts[None].to(torch.float32)

        def descend(steps: int) -> DescentResult:
            solver = GradientDescent(
                steps=steps,
                tolerance=0.0,
                patience=1,
                learning_rate=case.learning_rate,
                schedule="constant",
            )
            state, costs = backend.advance(objective, solver, start(solver, starts), steps)
            return DescentResult(state.latents[0].numpy(), costs[:, 0].numpy())

        return descend

    return prepare


PUBLISHED = Variant("published loop (numpy, T as a matrix)", _loop(_matrix))
INDEXED = Variant("published loop (numpy, T as indices)", _loop(_indices))
TORCH = Variant("torch backend", _backend("torch"))
CPP = Variant("C++ backend", _backend("cpp"))
VARIANTS = (PUBLISHED, INDEXED, TORCH, CPP)
