"""Generators: layers as data, and any module."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from inpaint import BlockAverage, Dense, Generator, ImageSet, Mask, ModuleGenerator, RestoreConfig
from inpaint.errors import ArgumentError, ShapeError
from inpaint.generators import ACTIVATIONS, as_generator, check_generator, from_module
from inpaint.operators import measure
from inpaint.search.restore import restore
from tests.helpers import as_module, random_generator
from tests.tolerances import FLOAT64


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


@pytest.mark.parametrize("kind", ["layers", "module"])
@pytest.mark.parametrize("own", [torch.float32, torch.float64])
def test_latents_of_another_precision_are_brought_to_the_generators(kind, own) -> None:
    generator = random_generator().to(own)
    if kind == "module":
        generator = ModuleGenerator(as_module(generator).to(own), latent_size=3)
    other = torch.float64 if own == torch.float32 else torch.float32
    z = torch.randn(4, 6, 3, dtype=other)
    upstream = torch.randn(4, 6, 20, dtype=other)
    assert torch.equal(generator(z), generator(z.to(own)))
    pixels, pullback = generator.linearize(z)
    expected, expected_pullback = generator.linearize(z.to(own))
    assert torch.equal(pixels, expected)
    gradient = pullback(upstream)
    assert torch.equal(gradient, expected_pullback(upstream.to(own)))
    assert torch.equal(generator.pixels(z), expected)
    assert generator(z).dtype == gradient.dtype == own
    variable = z.clone().requires_grad_()
    generator(variable).sum().backward()
    assert variable.grad.dtype == other
    for call in (generator, generator.pixels, generator.linearize):
        with pytest.raises(ShapeError, match=r"latents has shape \[2, 4\].*takes \[..., 3\]"):
            call(torch.zeros(2, 4))


@pytest.mark.parametrize("kind", ["layers", "module"])
def test_generators_move_as_in_torch(kind: str, small_generator: Generator) -> None:
    generator = small_generator
    if kind == "module":
        generator = ModuleGenerator(as_module(generator), latent_size=3, card={"data": "none"})
    z = torch.randn(5, 3, dtype=torch.float64)
    single = generator.to(torch.float32)
    for place in (("cpu", torch.float32), (torch.float32,), (torch.zeros(1),)):
        moved = generator.to(*place)
        assert moved.dtype == torch.float32
        assert torch.equal(moved(z), single(z))
    assert generator.to(device="cpu", dtype=torch.float32).dtype == torch.float32
    for kept in (generator.to("cpu"), generator.to(), generator.to(dtype=torch.float64)):
        assert torch.equal(kept(z), generator(z))
    assert (single.name, single.card) == (generator.name, generator.card)
    with pytest.raises(ArgumentError, match="dtype is torch.int64; choose a floating one"):
        generator.to(torch.int64)
    with pytest.raises(ArgumentError, match="device is given twice, as cpu and cpu"):
        generator.to("cpu", device="cpu")
    with pytest.raises(ArgumentError, match="device is 'nowhere'"):
        generator.to("nowhere")


def test_generators_are_equal_by_their_function_and_say_what_they_are() -> None:
    generator = random_generator()
    same = replace(random_generator(), name="another", card={"seed": "0"})
    assert generator == same
    assert hash(generator) == hash(same)
    for other in (random_generator(seed=1), replace(generator, image_shape=(1, 5, 4)), "random"):
        assert generator != other
    assert generator.layers[0] != same.layers[0]
    assert generator.layers[0] == copy.copy(generator).layers[0]
    assert repr(generator) == ("Generator('random', latent size 3, images 1x4x5, dense 3-16-20)")
    assert repr(generator.layers) == "(Dense(3-16, relu), Dense(16-20, sigmoid))"
    convolutional = from_module(mixed(), image_shape=(1, 4, 4))
    assert repr(convolutional) == (
        "Generator('module', latent size 3, images 1x4x4, 1 of 2 layers convolutional, 3-8-16)"
    )
    assert repr(convolutional.layers[1]) == "ConvTranspose(2x2x2-1x4x4, sigmoid)"
    module = ModuleGenerator(mixed(), latent_size=3)
    assert repr(module) == "ModuleGenerator('module', latent size 3, images 1x4x4, a Sequential)"
    assert module == module
    assert module != ModuleGenerator(mixed(), latent_size=3)


def test_a_generator_of_other_images_is_refused(small_generator: Generator) -> None:
    check_generator(small_generator, (1, 4, 5))
    with pytest.raises(
        ShapeError, match=r"'random' makes images of shape \(1, 4, 5\).*\(1, 5, 4\)"
    ):
        check_generator(small_generator, (1, 5, 4))


class Decoder(nn.Module):
    """A module that is not a sequence: 4 -> 1x4x5, its output changed by a function."""

    def __init__(self, output, *inputs: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.net = nn.Sequential(*inputs, nn.Linear(4, 20), nn.Unflatten(1, (1, 4, 5)))
        self.output = output

    def forward(self, latents: Tensor) -> Tensor:
        return self.output(self.net(latents))


def dcgan() -> nn.Sequential:
    """A DCGAN's generator: [N, 5, 1, 1] -> 1x8x8, with values in -1 to 1."""
    torch.manual_seed(3)
    return nn.Sequential(
        nn.ConvTranspose2d(5, 6, 4, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(True),
        nn.ConvTranspose2d(6, 1, 4, stride=2, padding=1, bias=False),
        nn.Tanh(),
    )


SIGNED = "values -1 to 1, brought to 0 to 1"


@pytest.mark.parametrize(
    ("module", "kind", "latent_size", "output"),
    [
        (mixed(), Generator, 3, None),
        (decoder(), Generator, 3, f"{SIGNED}, the module ends in a Tanh"),
        (dcgan(), Generator, 5, f"{SIGNED}, the module ends in a Tanh"),
        (nn.Sequential(*dcgan(), nn.Upsample(8)), ModuleGenerator, 5, f"{SIGNED}, found by"),
        (nn.Sequential(*dcgan()[:-1], nn.Softsign()), ModuleGenerator, 5, f"{SIGNED}, found by"),
        (nn.Sequential(nn.Upsample(1), *dcgan()), ModuleGenerator, 5, f"{SIGNED}, the module"),
        (Decoder(torch.sigmoid), ModuleGenerator, 4, None),
        (Decoder(torch.tanh), ModuleGenerator, 4, f"{SIGNED}, found by sampling"),
        (Decoder(lambda x: x.sigmoid() * 1.1 - 0.05), ModuleGenerator, 4, None),
        (Decoder(torch.sigmoid, nn.Flatten()), ModuleGenerator, 4, None),
    ],
)
def test_any_module_becomes_a_generator(module, kind, latent_size, output) -> None:
    generator = as_generator(module)
    assert type(generator) is kind
    assert as_generator(generator) is generator
    assert generator.latent_size == latent_size
    assert generator.card.get("output", "").startswith(output or "")
    assert bool(generator.card) == bool(output)
    z = torch.randn(7, latent_size)
    latents = z.to(next(module.parameters()))
    try:
        expected = copy.deepcopy(module).eval()(latents)
    except RuntimeError:
        expected = copy.deepcopy(module).eval()(latents[..., None, None])
    expected = (expected + 1) / 2 if output else expected
    torch.testing.assert_close(generator(z), expected, rtol=1e-5, atol=1e-5)
    assert generator(z).min() >= -0.1
    assert generator.to(torch.float64).card == generator.card


def test_flat_pixels_become_images_of_the_shape_asked_for() -> None:
    module = nn.Sequential(nn.Linear(3, 20), nn.Sigmoid())
    generator = as_generator(module, image_shape=(1, 4, 5))
    assert isinstance(generator, Generator)
    assert torch.equal(generator.pixels(torch.ones(2, 3)), module(torch.ones(2, 3)))
    with pytest.raises(ShapeError, match=r"\[2, 20\].*nn.Unflatten"):
        as_generator(module)
    with pytest.raises(ShapeError, match=r"\[2, 20\].*nn.Unflatten"):
        as_generator(module, image_shape=(1, 5, 5))


class Doubled(nn.Sequential):
    """A sequence that does more than apply its parts."""

    def forward(self, latents: Tensor) -> Tensor:
        return super().forward(2 * latents)


def test_a_sequence_that_does_more_is_no_stack_of_layers() -> None:
    generator = as_generator(Doubled(*mixed()))
    assert isinstance(generator, ModuleGenerator)
    z = torch.randn(3, 3, dtype=torch.float64)
    torch.testing.assert_close(generator(z), mixed().eval()(2 * z))


@pytest.mark.parametrize(
    ("value", "options", "message"),
    [
        ("eights", {}, "generator is a str; give a Generator"),
        (nn.Sequential(nn.Unflatten(1, (1, 4, 5))), {}, "give latent_size"),
        (nn.Linear(4, 3), {"latent_size": 5}, "check latent_size"),
        (nn.Linear(4, 3), {"latent_size": 0}, "latent_size is 0"),
        (nn.Linear(4, 3), {}, r"maps \[2, 4\] to \[2, 3\]"),
        (Decoder(lambda x: (x, x)), {}, r"maps \[2, 4\] to tuple"),
        (Decoder(lambda x: 255 * x.sigmoid()), {}, "have values from .* to .*; a generator's have"),
        (Decoder(lambda x: x * torch.nan), {}, "values from nan to nan"),
    ],
)
def test_what_is_no_generator_is_refused(value, options: dict[str, int], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        as_generator(value, **options)


def test_a_module_restores_as_it_is() -> None:
    module = Decoder(torch.tanh)
    generator = as_generator(module)
    ideal = generator(torch.randn(2, 4))
    measurement = measure(ImageSet(ideal, ideal=ideal), Mask.box(2))
    found = restore(measurement, generator, RestoreConfig(restarts=8, screen=50))
    torch.testing.assert_close(found.images, ideal, rtol=0, atol=0.05)
