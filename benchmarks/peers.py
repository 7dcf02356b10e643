"""The same descent with other libraries, each written as an expert would write it.

All use float32, batch the restarts, compute the observed pixels only, keep the cost of every
step, and split many restarts into blocks that fit the cache.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks import native
from inpaint.bench.case import BenchCase, DescentResult, Variant
from inpaint.errors import BackendError

BLOCK = 256
"""Restarts per block; their pixels about fill the second-level cache."""

Floats = NDArray[np.float32]


class Weights(NamedTuple):
    """A generator with one hidden layer, reduced to the observed pixels; float32 in C order.

    Attributes:
        a1: [H, D]
        b1: [H]
        a2: [N, H]
        b2: [N]
        y: Measured values. [N]
        rate: Learning rate.
    """

    a1: Floats
    b1: Floats
    a2: Floats
    b2: Floats
    y: Floats
    rate: float

    def tensors(self) -> tuple[Tensor, ...]:
        """The arrays as tensors, without a copy."""
        return tuple(torch.from_numpy(array) for array in self[:5])


def _weights(case: BenchCase) -> Weights:
    layers = case.generator.layers
    if [layer.activation for layer in layers] != ["relu", "sigmoid"]:
        raise BackendError(
            "The peers support one hidden ReLU layer and sigmoid pixels only; choose such a "
            "generator for the full bench."
        )
    operator = case.measurement.operator
    observed = operator.apply(torch.ones(1, *operator.image_shape)).flatten() > 0
    hidden, pixels = layers
    return Weights(
        *(
            np.ascontiguousarray(tensor.float().numpy())
            for tensor in (
                hidden.weight,
                hidden.bias,
                pixels.weight[observed],
                pixels.bias[observed],
                case.measurement.values.flatten()[observed],
            )
        ),
        rate=case.learning_rate,
    )


BlockDescent = Callable[[Floats, int], tuple[Any, Any]]
"""Takes S steps from starting points [r, D]; returns latents [r, D] and costs [S, r]."""


@dataclass(frozen=True)
class _Peer:
    """Makes a variant's `prepare` from a function that makes the descent of a block."""

    make: Callable[[Weights, int], BlockDescent]

    def __call__(self, case: BenchCase, threads: int) -> Callable[[int], DescentResult]:
        weights = _weights(case)
        starts = case.starts.float().numpy()
        blocks = [starts[at : at + BLOCK].copy() for at in range(0, len(starts), BLOCK)]
        make = functools.lru_cache(maxsize=None)(lambda count: self.make(weights, count))
        runs = [(make(len(block)), block) for block in blocks]

        def descend(steps: int) -> DescentResult:
            ends = [run(block, steps) for run, block in runs]
            if len(ends) == 1:
                return DescentResult(*map(np.asarray, ends[0]))
            latents, costs = zip(*ends, strict=True)
            return DescentResult(np.concatenate(latents), np.concatenate(costs, axis=1))

        return descend


def _numpy(weights: Weights, count: int) -> BlockDescent:
    """Batched numpy; every operation writes into memory that was allocated before."""
    a1, b1, a2, b2, y, rate = weights
    a1_t = np.ascontiguousarray(a1.T)
    # The sign of the sigmoid's argument goes into the weights.
    minus_a2_t = np.ascontiguousarray(-a2.T)
    pixels = len(y)
    h, dh = np.empty((2, count, len(b1)), np.float32)
    x, g = np.empty((2, count, pixels), np.float32)
    dz = np.empty((count, a1.shape[1]), np.float32)
    active = np.empty(h.shape, bool)

    def run(starts: Floats, steps: int) -> tuple[Floats, Floats]:
        z = starts.copy()
        costs = np.empty((steps, count), np.float32)
        for step in range(steps):
            np.matmul(z, a1_t, out=h)
            np.add(h, b1, out=h)
            np.maximum(h, 0, out=h)
            np.matmul(h, minus_a2_t, out=x)
            np.subtract(x, b2, out=x)
            np.exp(x, out=x)
            np.add(x, 1, out=x)
            np.reciprocal(x, out=x)
            np.subtract(x, y, out=g)
            misfit = np.einsum("rn,rn->r", g, g)
            np.multiply(g, x, out=g)
            np.subtract(1, x, out=x)
            np.multiply(g, x, out=g)
            np.matmul(g, a2, out=dh)
            np.greater(h, 0, out=active)
            np.multiply(dh, active, out=dh)
            np.matmul(dh, a1, out=dz)
            costs[step] = pixels * np.log(misfit) + np.einsum("rd,rd->r", z, z)
            np.multiply(dz, (2 * pixels * rate / misfit)[:, None], out=dz)
            np.multiply(z, 1 - 2 * rate, out=z)
            np.subtract(z, dz, out=z)
        return z, costs

    def quiet(starts: Floats, steps: int) -> tuple[Floats, Floats]:
        # exp of a dark pixel may overflow to infinity, whose reciprocal is zero, as it should be.
        with np.errstate(over="ignore"):
            return run(starts, steps)

    return quiet


def _autograd(weights: Weights, count: int) -> BlockDescent:
    """The formula of J; torch computes the gradient."""
    a1, b1, a2, b2, y = weights.tensors()
    pixels, rate = len(y), weights.rate

    def run(starts: Floats, steps: int) -> tuple[Tensor, Tensor]:
        z = torch.from_numpy(starts).clone().requires_grad_()
        costs = torch.empty(steps, count)
        for step in range(steps):
            h = torch.addmm(b1, z, a1.T).relu()
            x = torch.addmm(b2, h, a2.T).sigmoid()
            cost = pixels * (x - y).square().sum(1).log() + z.square().sum(1)
            (gradient,) = torch.autograd.grad(cost.sum(), z)
            with torch.no_grad():
                costs[step] = cost
                z.sub_(gradient, alpha=rate)
        return z.detach(), costs

    return run


def _by_hand(weights: Weights, count: int) -> BlockDescent:
    """The gradient by hand, with fused operations and without allocations in the loop."""
    a1, b1, a2, b2, y = weights.tensors()
    pixels, rate = len(y), weights.rate
    a1_t, a2_t = a1.T.contiguous(), a2.T.contiguous()
    h, dh = torch.empty(2, count, len(b1)).unbind()
    x, g = torch.empty(2, count, pixels).unbind()
    dz = torch.empty(count, a1.shape[1])
    norm = torch.empty(count)
    sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
    threshold_backward = torch.ops.aten.threshold_backward.grad_input

    @torch.inference_mode()
    def run(starts: Floats, steps: int) -> tuple[Tensor, Tensor]:
        z = torch.from_numpy(starts).clone()
        misfits = torch.empty(steps, count)
        lengths = torch.empty(steps, count)
        for misfit, length in zip(misfits, lengths, strict=True):
            torch.addmm(b1, z, a1_t, out=h)
            h.relu_()
            torch.addmm(b2, h, a2_t, out=x)
            x.sigmoid_()
            torch.sub(x, y, out=g)
            torch.linalg.vector_norm(g, dim=1, out=norm)
            torch.mul(norm, norm, out=misfit)
            torch.linalg.vector_norm(z, dim=1, out=length)
            sigmoid_backward(g, x, grad_input=g)
            torch.mm(g, a2, out=dh)
            threshold_backward(dh, h, 0, grad_input=dh)
            torch.mm(dh, a1, out=dz)
            z.mul_(1 - 2 * rate)
            z.addcdiv_(dz, misfit[:, None], value=-2 * pixels * rate)
        return z, pixels * misfits.log() + lengths.square()

    return run


def _compiled(weights: Weights, count: int) -> BlockDescent:
    """torch.compile of the gradient by hand, with several steps in one graph."""
    a1, b1, a2, b2, y = weights.tensors()
    pixels, rate = len(y), weights.rate
    a1_t, a2_t = a1.T.contiguous(), a2.T.contiguous()

    def advance(z: Tensor) -> tuple[Tensor, Tensor]:
        costs = []
        for _ in range(COMPILED_STEPS):
            h = torch.addmm(b1, z, a1_t).relu()
            x = torch.addmm(b2, h, a2_t).sigmoid()
            residual = x - y
            misfit = residual.square().sum(1)
            dh = (residual * x * (1 - x)) @ a2
            dz = torch.where(h > 0, dh, 0) @ a1
            costs.append(pixels * misfit.log() + z.square().sum(1))
            z = z - rate * (dz * (2 * pixels / misfit)[:, None] + 2 * z)
        return z, torch.stack(costs)

    compiled = torch.compile(advance, fullgraph=True, dynamic=False)

    @torch.no_grad()
    def run(starts: Floats, steps: int) -> tuple[Tensor, Tensor]:
        z, parts = torch.from_numpy(starts), []
        for _ in range(0, steps, COMPILED_STEPS):
            z, costs = compiled(z)
            parts.append(costs)
        return z, torch.cat(parts)

    return run


COMPILED_STEPS = 5
"""Steps of one compiled graph; it divides every number of steps in the bench."""


def _aten(weights: Weights, count: int) -> BlockDescent:
    """The gradient by hand as a C++ loop over torch's operations."""
    extension = native.aten_loop()
    tensors = weights.tensors()

    def run(starts: Floats, steps: int) -> tuple[Tensor, Tensor]:
        z, costs = extension.descend(*tensors, torch.from_numpy(starts), weights.rate, steps)
        return z, costs

    return run


JAX_COLUMNS = 32
"""With this many restarts or more, JAX is faster with one restart per column."""

JAX_UNROLL = 4


def _jax(weights: Weights, count: int) -> BlockDescent:
    """One compiled scan over all steps, with the weights as constants."""
    jax = _import_jax()
    jnp = jax.numpy
    a1, b1, a2, b2, y, rate = weights
    pixels = len(y)

    def step(z: Any, _: None) -> tuple[Any, Any]:
        h = jnp.maximum(z @ a1.T + b1, 0)
        x = jax.nn.sigmoid(h @ a2.T + b2)
        residual = x - y
        misfit = (residual * residual).sum(1)
        dz = jnp.where(h > 0, (residual * x * (1 - x)) @ a2, 0) @ a1
        cost = pixels * jnp.log(misfit) + (z * z).sum(1)
        return z - rate * ((2 * pixels / misfit)[:, None] * dz + 2 * z), cost

    def step_of_columns(z: Any, _: None) -> tuple[Any, Any]:
        h = jnp.maximum(a1 @ z + b1[:, None], 0)
        x = jax.nn.sigmoid(a2 @ h + b2[:, None])
        residual = x - y[:, None]
        misfit = (residual * residual).sum(0)
        dz = a1.T @ jnp.where(h > 0, a2.T @ (residual * x * (1 - x)), 0)
        cost = pixels * jnp.log(misfit) + (z * z).sum(0)
        return z - rate * ((2 * pixels / misfit) * dz + 2 * z), cost

    columns = count >= JAX_COLUMNS

    @functools.partial(jax.jit, static_argnums=1, donate_argnums=0)
    def descend(z: Any, steps: int) -> Any:
        body = step_of_columns if columns else step
        return jax.lax.scan(body, z, None, length=steps, unroll=JAX_UNROLL)

    def run(starts: Floats, steps: int) -> tuple[Any, Any]:
        z, costs = descend(jnp.asarray(starts.T if columns else starts), steps)
        return np.asarray(z.T if columns else z), np.asarray(costs)

    return run


def _import_jax() -> ModuleType:
    try:
        import jax
    except ImportError as error:
        raise BackendError("JAX is not installed; pip install -e '.[bench]' brings it.") from error
    return jax


PEERS = (
    Variant("numpy, batched", _Peer(_numpy)),
    Variant("torch, autograd", _Peer(_autograd)),
    Variant("torch, gradient by hand", _Peer(_by_hand)),
    Variant("torch.compile of that", _Peer(_compiled)),
    Variant("ATen loop in C++", _Peer(_aten)),
    Variant("JAX, jit and scan", _Peer(_jax)),
)
