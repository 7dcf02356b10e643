"""Generators: layers as data, and any module."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from inpaint import (
    BlockAverage,
    Dense,
    Generator,
    ImageSet,
    Mask,
    ModuleGenerator,
    RestoreConfig,
    measure,
    restore,
)
from inpaint.errors import ArgumentError, ShapeError
from inpaint.generators import ACTIVATIONS, from_module
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


def decoder() -> nn.Sequential:
    """A small DCGAN decoder whose normalisations have seen something: 3 -> 1x8x8."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Unflatten(1, (3, 1, 1)),
        nn.Sequential(
            nn.ConvTranspose2d(3, 6, 4, bias=False), nn.BatchNorm2d(6), nn.LeakyReLU(0.2)
        ),
        nn.ConvTranspose2d(6, 1, 3, stride=2, padding=1, output_padding=1),
        nn.Tanh(),
    ).double()
    module(torch.randn(50, 3, dtype=torch.float64))
    return module


def mixed() -> nn.Sequential:
    """Dense layers, then convolutions: 3 -> 1x4x4."""
    torch.manual_seed(1)
    module = nn.Sequential(
        nn.Linear(3, 8),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.Unflatten(1, (2, 2, 2)),
        nn.ConvTranspose2d(2, 1, 4, stride=2, padding=1),
        nn.Dropout(),
        nn.Sigmoid(),
    ).double()
    module(torch.randn(50, 3, dtype=torch.float64))
    return module


@pytest.mark.parametrize(("make", "side"), [(decoder, 8), (mixed, 4)])
def test_a_decoder_of_convolutions_becomes_layers(make, side: int) -> None:
    module = make()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    generator = from_module(module, image_shape=(1, side, side))
    reference = ModuleGenerator(module, latent_size=3)
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert module.training
    assert not generator.dense
    assert generator.latent_size == 3
    z = torch.randn(4, 6, 3, dtype=torch.float64)
    upstream = torch.randn(4, 6, side * side, dtype=torch.float64)
    pixels, pullback = generator.linearize(z)
    expected, expected_pullback = reference.linearize(z)
    torch.testing.assert_close(pixels, expected, rtol=0, atol=FLOAT64)
    torch.testing.assert_close(pullback(upstream), expected_pullback(upstream), atol=1e-9, rtol=0)
    assert generator.to(dtype=torch.float32)(z.float()).shape == (4, 6, 1, side, side)
    assert generator.digest() != from_module(make().eval(), image_shape=(side, 1, side)).digest()


def test_images_of_minus_one_to_one_are_brought_to_paper_and_ink() -> None:
    module = decoder()
    generator = from_module(module, image_shape=(1, 8, 8), signed=True)
    z = torch.randn(5, 3, dtype=torch.float64)
    torch.testing.assert_close(generator(z), (module.eval()(z) + 1) / 2)


def test_a_convolutional_generator_restores_with_torch_and_says_why() -> None:
    generator = from_module(decoder(), image_shape=(1, 8, 8), signed=True)
    ideal = generator(torch.randn(2, 3, dtype=torch.float64))
    for operator in (Mask.box(4, (1, 8, 8)), BlockAverage(2, (1, 8, 8))):
        measurement = measure(ImageSet(ideal, ideal=ideal), operator, noise=0.01)
        found = restore(measurement, generator, RestoreConfig(restarts=16, screen=50))
        assert "torch" in found.backend
        assert "convolutions" in found.reasons[0]
        assert float((found.images - ideal).square().mean().sqrt()) < 0.05


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Sequential(nn.Conv2d(3, 3, 3)), "Conv2d, which is not a known layer"),
        (nn.Sequential(nn.ReLU()), "ReLU does not follow"),
        (nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.BatchNorm1d(4)), "BatchNorm1d does not"),
        (nn.Sequential(nn.ConvTranspose2d(4, 4, 3, groups=2)), "one group"),
        (nn.Sequential(nn.ConvTranspose2d(4, 4, 3, stride=(1, 2))), "equal strides"),
        (
            nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, track_running_stats=False)),
            "no running statistics",
        ),
        (nn.Sequential(nn.Linear(3, 5)), "needs 4"),
        (nn.Sequential(nn.Linear(3, 4), nn.Linear(3, 4)), "4 outputs.*3 inputs"),
        (nn.Sequential(), "at least one layer"),
    ],
)
def test_a_module_that_is_no_stack_of_layers_is_refused(module: nn.Module, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        from_module(module, image_shape=(1, 2, 2))
    with pytest.raises(ShapeError, match="does not end in a Tanh"):
        from_module(nn.Sequential(nn.Linear(3, 4)), image_shape=(1, 2, 2), signed=True)


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
