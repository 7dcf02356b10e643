"""Generators: layers as data, and any module."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from inpaint import Dense, Generator, ModuleGenerator
from inpaint.errors import ArgumentError, ShapeError
from inpaint.generator import ACTIVATIONS
from tests.conftest import random_generator
from tests.tolerances import FLOAT64


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


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_layers_equal_torch_modules(activation: str) -> None:
    generator = random_generator((3, 7, 5, 20), (activation, activation, "sigmoid"))
    module = ModuleGenerator(as_module(generator), latent_size=3)
    z = torch.randn(4, 6, 3, dtype=torch.float64)
    upstream = torch.randn(4, 6, 20, dtype=torch.float64)
    pixels, pullback = generator.linearize(z)
    expected, expected_pullback = module.linearize(z)
    torch.testing.assert_close(pixels, expected, rtol=0, atol=FLOAT64)
    torch.testing.assert_close(pullback(upstream), expected_pullback(upstream), atol=1e-9, rtol=0)
    torch.testing.assert_close(generator(z), module(z), rtol=0, atol=FLOAT64)


def test_the_sigmoid_is_stable() -> None:
    one = torch.ones(1, dtype=torch.float64)
    layers = (Dense(1000 * one[:, None], 0 * one, "sigmoid"),)
    images = Generator(layers, (1, 1, 1))(torch.tensor([[-1.0], [1.0]], dtype=torch.float64))
    assert images.flatten().tolist() == [0.0, 1.0]


def test_a_selection_of_pixels_gives_those_pixels(small_generator: Generator) -> None:
    z = torch.randn(5, 3, dtype=torch.float64)
    chosen = torch.tensor([0, 7, 19])
    part = small_generator.select(chosen)
    torch.testing.assert_close(part.pixels(z), small_generator.pixels(z)[:, chosen])


def test_a_module_is_left_as_it_was() -> None:
    module = nn.Sequential(nn.Linear(3, 20), nn.BatchNorm1d(20), nn.Unflatten(1, (1, 4, 5)))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    generator = ModuleGenerator(module, latent_size=3)
    generator.linearize(torch.randn(8, 3))[1](torch.randn(8, 20))
    assert module.training
    assert all(parameter.requires_grad for parameter in module.parameters())
    for name, tensor in module.state_dict().items():
        torch.testing.assert_close(tensor, before[name])


def test_equal_weights_have_equal_digests(small_generator: Generator) -> None:
    same = random_generator()
    other = random_generator(seed=1)
    assert small_generator.digest() == same.digest() != other.digest()


def test_bad_layers_are_refused_with_the_reason() -> None:
    weight, bias = torch.ones(4, 3), torch.ones(4)
    with pytest.raises(ShapeError, match=r"\[4, 3\].*\[3\]"):
        Dense(weight, torch.ones(3), "relu")
    with pytest.raises(ArgumentError, match="'softmax'"):
        Dense(weight, bias, "softmax")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="NaN or infinity"):
        Dense(weight, bias * torch.nan, "relu")
    with pytest.raises(ShapeError, match="needs 5"):
        Generator((Dense(weight, bias, "relu"),), (1, 1, 5))
    with pytest.raises(ShapeError, match="4 outputs.*3 inputs"):
        Generator((Dense(weight, bias, "relu"),) * 2, (1, 2, 2))
    with pytest.raises(ArgumentError, match="at least one layer"):
        Generator((), (1, 2, 2))


@pytest.mark.parametrize(
    ("module", "latent_size", "message"),
    [(nn.Linear(3, 20), 3, r"\[2, C, H, W\]"), (nn.Linear(3, 20), 4, "cannot take latent")],
)
def test_a_module_of_the_wrong_shape_is_refused(
    module: nn.Module, latent_size: int, message: str
) -> None:
    with pytest.raises(ShapeError, match=message):
        ModuleGenerator(module, latent_size=latent_size)
