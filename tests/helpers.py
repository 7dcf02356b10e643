"""Functions and constants that several test modules share; fixtures are in conftest.py."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from typer.testing import CliRunner, Result

from inpaint.cli import app
from inpaint.config import RestoreConfig
from inpaint.errors import InpaintError
from inpaint.files.digits import Eight
from inpaint.generators import Dense, Generator
from inpaint.operators import (
    BlockAverage,
    Blur,
    Composition,
    LinearOperator,
    Mask,
    fit_operator,
    measure,
)
from inpaint.posterior.config import PosteriorConfig
from inpaint.search.objective import Objective, make_objective
from inpaint.types import ImageSet, Measurement, Operator

IN_CI = bool(os.environ.get("CI"))

QUICK = RestoreConfig(restarts=4, screen=10, steps=30)
"""A quick search."""
EXACT = replace(QUICK, backend="cpp")
"""C++ walks restarts one by one, so a restart's bits do not depend on its neighbours; torch
multiplies matrices whose size the neighbours decide."""
QUICK_WORDS = ("--restarts", "2", "--screen", "0", "--steps", "5", "--backend", "torch")
"""Options of the command line for a quick search."""

SMALL = PosteriorConfig(particles=256, threads=1)
"""Settings of a quick posterior."""
SIGMA = 0.5
"""Noise level of `linear_problem`."""

IMAGE = (2, 2, 6)
"""Shape of the images that `OPERATORS` take."""
STREAM = torch.Generator().manual_seed(0)
MATRIX = torch.randn(7, 24, generator=STREAM, dtype=torch.float64)
MASKS = torch.rand(3, *IMAGE, generator=STREAM) < 0.6
BLUR = Blur.gaussian(0.8, IMAGE)


class Physics(nn.Module):
    """An operator like those of deepinv: a blur of rows, in float32."""

    def __init__(self, size: int = IMAGE[-1]) -> None:
        super().__init__()
        self.columns = nn.Parameter(torch.rand(size, size, generator=STREAM))

    def A(self, x: Tensor, **kwargs: object) -> Tensor:
        return x @ self.columns.T

    def A_adjoint(self, y: Tensor, **kwargs: object) -> Tensor:
        return y @ self.columns


class Projection:
    """An operator with values of one axis, and the adjoint by autograd."""

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = matrix

    def apply(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.matrix.T

    def adjoint(self, values: Tensor) -> Tensor:
        images = torch.zeros(len(values), *IMAGE, dtype=values.dtype, requires_grad=True)
        return torch.autograd.grad(self.apply(images), images, values)[0]


class Channel:
    """An operator with values of two axes, some of which are always zero."""

    def A(self, x: Tensor) -> Tensor:
        return (x[:, 0] - x[:, 1]) * self.kept(x)

    def A_adjoint(self, y: Tensor) -> Tensor:
        return torch.stack([y, -y], dim=1) * self.kept(y)

    def kept(self, x: Tensor) -> Tensor:
        return (torch.arange(IMAGE[-1]) % 2 == 0).to(x)


OPERATORS: dict[str, Operator] = {
    "of deepinv": fit_operator(Physics().double(), IMAGE),
    "foreign, one axis": fit_operator(Projection(MATRIX), IMAGE),
    "foreign, two axes": fit_operator(Channel(), IMAGE),
    "mask after foreign": Composition((fit_operator(Physics().double(), IMAGE), Mask(MASKS))),
    "leading pixels": Mask.leading(7, IMAGE),
    "a mask for each image": Mask(MASKS),
    "block average": BlockAverage(2, IMAGE),
    "block average of a blur": Composition((BLUR, BlockAverage(2, IMAGE))),
    "blur": BLUR,
    "matrix": LinearOperator(MATRIX, IMAGE),
    "sparse matrix": LinearOperator((MATRIX * (MATRIX > 0.5)).to_sparse(), IMAGE),
    "mask after blur": Composition((BLUR, Mask.leading(5, IMAGE))),
    "masks after blur": Composition((BLUR, Mask(MASKS))),
    "blur after mask": Composition((Mask.leading(9, IMAGE), BLUR)),
    "mask after matrix": Composition(
        (LinearOperator(MATRIX, IMAGE), Mask(torch.arange(7).reshape(1, 1, 7) % 2 == 0))
    ),
}
"""Every kind of operator, on three images."""


def missing(reason: str) -> None:
    """Skip on a user's machine; in CI what is missing is a failure."""
    if IN_CI:
        pytest.fail(f"{reason} In CI that is a failure, not a skip.")
    pytest.skip(reason)


def inpaint(*words: object) -> Result:
    """Run the command line."""
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(result: Result, *words: str) -> None:
    """One sentence or two on standard error that name what was wrong, and status 2."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    message = result.stderr.strip()
    assert message
    assert "\n" not in message
    assert "Traceback" not in message
    for word in words:
        assert word in message


def spoil(
    data: st.DataObject, path: Path, *, changes: tuple[int, int] = (1, 8), kept: float = 0.5
) -> None:
    """Change some bytes of a file, and cut it to at least this share of its length."""
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(*changes))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(int(kept * len(content)), len(content)))])


def read_or_refuse(path: Path, *readers: Callable[[Path], object]) -> None:
    """See that each reader reads a file, or refuses it in one line."""
    message = ""
    for read in readers:
        try:
            read(path)
        except InpaintError as error:
            message += str(error)
    assert "\n" not in message


def write_idx(path: Path, array: np.ndarray) -> Path:
    """Write an IDX file of bytes."""
    shape = b"".join(size.to_bytes(4, "big") for size in array.shape)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + shape + array.astype(np.uint8).tobytes())
    return path


def random_generator(
    sizes: tuple[int, ...] = (3, 16, 20),
    activations: tuple[str, ...] = ("relu", "sigmoid"),
    image_shape: tuple[int, int, int] = (1, 4, 5),
    *,
    seed: int = 0,
) -> Generator:
    """A small generator with random weights, in float64."""
    stream = torch.Generator().manual_seed(seed)
    layers = tuple(
        Dense(
            torch.randn(after, before, generator=stream, dtype=torch.float64),
            torch.randn(after, generator=stream, dtype=torch.float64),
            activation,
        )
        for before, after, activation in zip(sizes, sizes[1:], activations, strict=False)
    )
    return Generator(layers, image_shape, name="random")


def as_module(generator: Generator) -> nn.Module:
    """The same function built from torch's own layers."""
    names = {
        "none": nn.Identity(),
        "relu": nn.ReLU(),
        "leaky_relu": nn.LeakyReLU(0.01),
        "tanh": nn.Tanh(),
        "sigmoid": nn.Sigmoid(),
    }
    parts: list[nn.Module] = []
    for layer in generator.layers:
        linear = nn.Linear(*reversed(layer.weight.shape)).double()
        linear.weight.data, linear.bias.data = layer.weight, layer.bias
        parts += [linear, names[layer.activation]]
    return nn.Sequential(*parts, nn.Unflatten(1, generator.image_shape))


def pen_strokes(count: int) -> Tensor:
    """Drawn eights, always the same. [count, 1, 28, 28]"""
    rng = np.random.default_rng(0)
    drawings = [Eight.random(rng).draw() for _ in range(count)]
    return torch.from_numpy(np.stack(drawings))[:, None].float()


def matrix_of(operator: Operator) -> Tensor:
    """The matrix of an operator by what it makes of each unit image. [M, P]"""
    units = torch.eye(24, dtype=torch.float64).reshape(24, 1, *IMAGE)
    return torch.stack([operator.apply(unit).flatten() for unit in units], dim=1)


def some_measurement(*, shared: bool, images: int = 3) -> Measurement:
    """Noisy random images of 4x5 pixels under one mask, or each under its own."""
    stream = torch.Generator().manual_seed(1)
    pictures = torch.rand(images, 1, 4, 5, generator=stream, dtype=torch.float64)
    observed = torch.rand(images, 1, 4, 5, generator=stream) < 0.6
    observed[:, 0, 0, 0] = True
    mask = Mask(observed[0] if shared else observed)
    return measure(ImageSet(pictures), mask)


def some_values(operator: Operator, *, weighted: bool = False) -> Measurement:
    """Noisy random images seen through an operator."""
    stream = torch.Generator().manual_seed(1)
    pictures = torch.rand(3, *IMAGE, generator=stream, dtype=torch.float64)
    weights = torch.rand(3, *operator.value_shape, generator=stream, dtype=torch.float64)
    return measure(ImageSet(pictures), operator, noise=0.1, weights=weights if weighted else None)


def make_problem(
    generator: Generator | None = None,
    *,
    images: int = 3,
    shared: bool = True,
    dtype: torch.dtype = torch.float64,
    noise: float = 0.3,
) -> Objective:
    """J of a generator's noisy images under one mask, or each under its own."""
    generator = generator or random_generator()
    stream = torch.Generator().manual_seed(5)
    z = torch.randn(images, generator.latent_size, generator=stream, dtype=torch.float64)
    pictures = generator(z)
    pictures = pictures + noise * torch.randn(pictures.shape, generator=stream, dtype=torch.float64)
    observed = torch.rand(pictures.shape, generator=stream) < 0.6
    observed[:, 0, 0, 0] = True
    mask = Mask(observed[0] if shared else observed)
    return make_objective(measure(ImageSet(pictures), mask), generator, dtype=dtype)


def linear_problem(
    images: int = 1, noise_level: float | None = None
) -> tuple[Measurement, Generator]:
    """A generator that is one matrix; with a known noise level its posterior is normal."""
    stream = torch.Generator().manual_seed(3)
    weight = torch.randn(12, 3, generator=stream, dtype=torch.float64)
    bias = torch.randn(12, generator=stream, dtype=torch.float64)
    generator = Generator((Dense(weight, bias, "none"),), (1, 3, 4), name="linear")
    z = torch.randn(images, 3, generator=stream, dtype=torch.float64)
    noise = torch.randn(images, 1, 3, 4, generator=stream, dtype=torch.float64)
    pictures = generator(z) + SIGMA * noise
    measurement = measure(ImageSet(pictures), Mask.leading(8, (1, 3, 4)))
    return replace(measurement, noise_level=noise_level), generator


def exact_posterior(
    measurement: Measurement, generator: Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean [B, D], covariance [D, D] and log evidence [B] of `linear_problem`."""
    layer = generator.layers[0]
    assert isinstance(layer, Dense)
    kept = Mask.leading(8, (1, 3, 4)).observed.flatten()
    seen = layer.weight[kept]
    residual = measurement.values.flatten(1)[:, kept] - layer.bias[kept]
    covariance = torch.linalg.inv(torch.eye(3).double() + seen.T @ seen / SIGMA**2)
    mean = residual @ seen @ covariance / SIGMA**2
    spread = seen @ seen.T + SIGMA**2 * torch.eye(8).double()
    square = (residual * torch.linalg.solve(spread, residual.T).T).sum(1)
    # What log_evidence leaves out of log p(y) is (2 pi sigma^2)^(-N/2).
    evidence = -(square + torch.logdet(spread) - 8 * math.log(SIGMA**2)) / 2
    return mean, covariance, evidence
