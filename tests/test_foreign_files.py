"""Generators of other programs: state dicts and NumPy archives."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

from inpaint import read_generator
from inpaint.errors import FileError
from inpaint.files.layer_order import find_orders, natural_order
from inpaint.files.state_dict import read_state_dict
from tests.helpers import inpaint, read_or_refuse, refused, spoil

STREAM = torch.Generator().manual_seed(0)


def linear(name: str, inputs: int, outputs: int) -> dict[str, Tensor]:
    """A layer of a state dict."""
    return {
        f"{name}.weight": torch.randn(outputs, inputs, generator=STREAM),
        f"{name}.bias": torch.randn(outputs, generator=STREAM),
    }


def state(*layers: tuple[str, int, int]) -> dict[str, Tensor]:
    return {key: x for layer in layers for key, x in linear(*layer).items()}


def save(path: Path, *layers: tuple[str, int, int], **others: Tensor) -> dict[str, Tensor]:
    tensors = state(*layers) | others
    save_file(tensors, path)
    return tensors


def draw(tensors: dict[str, Tensor], names: Iterable[str], z: Tensor) -> Tensor:
    """What relu layers of these names and a sigmoid make of latent vectors."""
    *hidden, last = names
    for name in hidden:
        z = (z @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]).relu()
    return (z @ tensors[f"{last}.weight"].T + tensors[f"{last}.bias"]).sigmoid()


Z = torch.randn(5, 4, generator=STREAM)

PLAIN: dict[str, tuple[list[tuple[str, int, int]], list[str]]] = {
    "numbers by value": (
        [("fc1", 4, 4), ("fc10", 4, 4), ("fc2", 4, 4), ("out", 4, 9)],
        ["fc1", "fc2", "fc10", "out"],
    ),
    "numbers inside": (
        [("a.1.x", 4, 4), ("a.0.y", 4, 4), ("a.10.x", 4, 9), ("a.9.z", 4, 4)],
        ["a.0.y", "a.1.x", "a.9.z", "a.10.x"],
    ),
    "shapes alone": (
        [("hidden", 5, 6), ("input", 4, 5), ("output", 6, 9)],
        ["input", "hidden", "output"],
    ),
    "shapes with a dead end": (
        [("input", 4, 6), ("output", 6, 9), ("hidden", 6, 6)],
        ["input", "hidden", "output"],
    ),
    "the first without number": (
        [("dense", 4, 4), ("dense_1", 4, 4), ("dense_2", 4, 9)],
        ["dense", "dense_1", "dense_2"],
    ),
    "blocks": (
        [("block1.fc", 4, 4), ("block2.fc", 4, 4), ("block10.fc", 4, 9)],
        ["block1.fc", "block2.fc", "block10.fc"],
    ),
    "wrapped": ([("module.net.0", 4, 6), ("module.net.2", 6, 9)], ["module.net.0", "module.net.2"]),
    "an autoencoder": (
        [("encoder.0", 9, 6), ("encoder.2", 6, 4), ("decoder.0", 4, 6), ("decoder.2", 6, 9)],
        ["decoder.0", "decoder.2"],
    ),
    "an autoencoder of names": (
        [("enc1", 9, 6), ("enc2", 6, 4), ("dec1", 4, 6), ("dec2", 6, 9)],
        ["dec1", "dec2"],
    ),
    "a variational one": (
        [
            ("vae.encoder.0", 9, 6),
            ("vae.fc_mu", 6, 4),
            ("vae.fc_var", 6, 4),
            ("vae.decoder_input", 4, 6),
            ("vae.decoder.0", 6, 9),
        ],
        ["vae.decoder_input", "vae.decoder.0"],
    ),
    "an adversarial pair": (
        [("G.0", 4, 6), ("G.2", 6, 9), ("D.0", 9, 6), ("D.2", 6, 1)],
        ["G.0", "G.2"],
    ),
}


@pytest.mark.parametrize("name", PLAIN)
def test_layers_are_found_in_their_order(name: str, tmp_path: Path) -> None:
    layers, order = PLAIN[name]
    tensors = save(tmp_path / "g.safetensors", *layers)
    generator = read_state_dict(tmp_path / "g.safetensors")
    assert generator.card["layers"] == ", ".join(order)
    torch.testing.assert_close(generator.pixels(Z), draw(tensors, order, Z))
    left_out = [each for each, _, _ in layers if each not in order]
    assert generator.card.get("left out", "") == ", ".join(natural_order(left_out))


OPEN: dict[str, tuple[list[tuple[str, int, int]], str]] = {
    "equal shapes": ([("first", 4, 4), ("second", 4, 4), ("out", 4, 9)], "more than one order"),
    "two networks": ([("p.0", 4, 9), ("q.0", 9, 16)], "holds p, q, and which.*prefix='p'"),
    "two decoders": ([("decoder.0", 4, 9), ("decoder_ema.0", 4, 9)], "in no order"),
    "a copy": ([("model.0", 4, 9), ("ema.0", 4, 9)], "ema, model"),
    "two generators": ([("G.0", 4, 9), ("G_ema.0", 4, 9)], "holds G, G_ema, and"),
    "an encoder and layers": ([("encoder.0", 9, 4), ("fc", 4, 9)], "holds encoder, fc"),
    "an output beside": (
        [("encoder.0", 9, 4), ("decoder.0", 4, 6), ("final.0", 6, 9)],
        "decoder, encoder, final",
    ),
    "a discriminator": ([("fc1", 9, 4), ("fc2", 4, 1)], "maps 9 numbers to 1, as a discriminator"),
    "an encoder": ([("encoder.0", 9, 6), ("encoder.2", 6, 4)], "as an encoder or a classifier"),
    "an autoencoder in one": (
        [("fc1", 9, 6), ("fc2", 6, 2), ("fc3", 2, 6), ("fc4", 6, 9)],
        "as an autoencoder.*layers=",
    ),
    "mean and variance": (
        [("fc1", 9, 6), ("fc21", 6, 2), ("fc22", 6, 2), ("fc3", 2, 6), ("fc4", 6, 9)],
        "in no order: fc1 has 6 outputs and fc3 has 2 inputs",
    ),
    "a gap": ([("fc1", 4, 6), ("fc2", 5, 9)], "6 outputs.*5 inputs"),
}


@pytest.mark.parametrize("name", OPEN)
def test_what_is_not_plain_is_refused_in_words(name: str, tmp_path: Path) -> None:
    layers, message = OPEN[name]
    save(tmp_path / "g.safetensors", *layers)
    with pytest.raises(FileError, match=message) as error:
        read_state_dict(tmp_path / "g.safetensors")
    assert "\n" not in str(error.value)


def test_a_prefix_or_names_choose_what_is_not_plain(tmp_path: Path) -> None:
    path = tmp_path / "g.safetensors"
    tensors = save(path, ("p.0", 4, 9), ("q.0", 9, 1), **{"q.1.running_mean": torch.ones(1)})
    expected = draw(tensors, ["p.0"], Z)
    for choice in ({"prefix": "p"}, {"layers": ["p.0"]}):
        torch.testing.assert_close(read_state_dict(path, **choice).pixels(Z), expected)
    tensors = save(path, ("first", 4, 4), ("second", 4, 4), ("out", 4, 9))
    for order in itertools.permutations(("first", "second")):
        names = (*order, "out")
        torch.testing.assert_close(
            read_state_dict(path, layers=names).pixels(Z), draw(tensors, names, Z)
        )
    with pytest.raises(FileError, match="prefix is 'x'; no name.*first.bias"):
        read_state_dict(path, prefix="x")
    for names in ((), ("first", "x")):
        with pytest.raises(FileError, match="choose from the layers.*first, out, second"):
            read_state_dict(path, layers=names)
    with pytest.raises(FileError, match="must be equal"):
        read_state_dict(path, layers=("out", "first"))


def test_the_layers_of_a_convolutional_encoder_do_not_matter(tmp_path: Path) -> None:
    others = {
        "encoder.0.weight": torch.ones(4, 1, 3, 3),
        "encoder.1.running_mean": torch.ones(4),
        "encoder.1.num_batches_tracked": torch.tensor(3),
    }
    tensors = save(tmp_path / "g.safetensors", ("decoder.0", 4, 9), **others)
    generator = read_state_dict(tmp_path / "g.safetensors")
    torch.testing.assert_close(generator.pixels(Z), draw(tensors, ["decoder.0"], Z))
    assert generator.card["left out"] == "encoder.0, encoder.1"


@pytest.mark.parametrize(
    "name", ["optimizer.state.0.exp_avg", "0.exp_avg_sq", "state.1.momentum_buffer"]
)
def test_the_state_of_an_optimizer_is_refused_by_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / "g.safetensors"
    tensors = save(path, ("model.0", 4, 9), **{name: torch.ones(9, 4)})
    with pytest.raises(FileError, match=f"optimizer.*{name}"):
        read_state_dict(path)
    generator = read_state_dict(path, prefix="model")
    torch.testing.assert_close(generator.pixels(Z), draw(tensors, ["model.0"], Z))


def test_a_tanh_at_the_end_is_brought_to_0_to_1(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 9), nn.Tanh())
    save_file(module.state_dict(), tmp_path / "g.safetensors")
    generator = read_state_dict(tmp_path / "g.safetensors", output="tanh")
    torch.testing.assert_close(generator.pixels(Z), (module(Z).detach() + 1) / 2)
    assert "brought to 0 to 1" in generator.card["output"]


@settings(max_examples=200)
@given(data=st.data())
def test_an_order_that_is_found_is_the_only_one(data: st.DataObject) -> None:
    """Against all permutations of up to five layers of few sizes."""
    count = data.draw(st.integers(1, 5))
    pool = ["fc1", "fc2", "fc10", "a", "b.0", "b.3", "out"]
    names = data.draw(st.lists(st.sampled_from(pool), min_size=count, max_size=count, unique=True))
    size = st.integers(1, 3)
    sizes = {name: (data.draw(size), data.draw(size)) for name in names}
    ordered = [("fc1", "fc2"), ("fc2", "fc10"), ("fc1", "fc10"), ("b.0", "b.3")]
    chains = [
        order
        for order in itertools.permutations(names)
        if all(sizes[a][1] == sizes[b][0] for a, b in itertools.pairwise(order))
        and not any((b, a) in ordered for a, b in itertools.combinations(order, 2))
    ]
    found = find_orders(sizes)
    assert len(found) == min(len(chains), 2)
    assert set(found) <= set(chains)


def test_layers_too_many_to_order_are_not_plain() -> None:
    letters = [first + second for first in "abcdefghijklmnop" for second in "abcdefghijklmnop"]
    for count in (20, 250):
        assert len(find_orders(dict.fromkeys(letters[:count], (3, 3)))) == 2
    numbered = {f"fc{k}": (3, 3) for k in range(150)}
    assert find_orders(numbered) == [tuple(f"fc{k}" for k in range(150))]


def kernels() -> list[np.ndarray]:
    """Kernel [in, out] and bias of two layers, as Keras's `get_weights` gives them."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape) for shape in ((4, 6), (6,), (6, 9), (9,))]


def drawn(arrays: list[np.ndarray]) -> np.ndarray:
    first, bias, second, last = arrays
    hidden = np.maximum(Z.double().numpy() @ first + bias, 0)
    return 1 / (1 + np.exp(-(hidden @ second + last)))


ARCHIVES: dict[str, Callable[[Path, list[np.ndarray]], None]] = {
    "get_weights": lambda p, w: np.savez(p, *w),
    "W and b": lambda p, w: np.savez(p, W1=w[0], b1=w[1], W2=w[2], b2=w[3]),
    "w_1, other order": lambda p, w: np.savez(p, w_2=w[2], b_2=w[3], w_1=w[0], b_1=w[1]),
    "transposed": lambda p, w: np.savez(p, W1=w[0].T, b1=w[1], W2=w[2].T, b2=w[3]),
    "columns of MATLAB": lambda p, w: np.savez(
        p, A_1=w[0].T, B_1=w[1][:, None], A_2=w[2].T, B_2=w[3][:, None]
    ),
    "of torch": lambda p, w: np.savez(
        p, **{"0.weight": w[0].T, "0.bias": w[1], "2.weight": w[2].T, "2.bias": w[3]}
    ),
    "of Keras": lambda p, w: np.savez(
        p, **{"d/kernel": w[0], "d/bias": w[1], "d_1/kernel": w[2], "d_1/bias": w[3]}
    ),
    "big-endian": lambda p, w: np.savez(p, *[each.astype(">f8") for each in w]),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_of_numpy_is_read(name: str, tmp_path: Path) -> None:
    ARCHIVES[name](tmp_path / "g.npz", kernels())
    generator = read_state_dict(tmp_path / "g.npz")
    np.testing.assert_allclose(generator.pixels(Z.double()), drawn(kernels()), atol=1e-12)


SQUARE = [np.eye(4), np.ones((4, 9))]
BAD_ARCHIVES: dict[str, tuple[dict[str, np.ndarray], str]] = {
    "other names": ({"alpha": np.ones((4, 9)), "beta": np.ones(9)}, "holds alpha, which is no"),
    "no array": ({}, "no array"),
    "either layout": ({"W1": np.ones((4, 9))}, r"W1|1 \[4, 9\].*\[in, out\] as well as"),
    "bias first": ({"arr_0": np.ones(4), "arr_1": np.ones((4, 9))}, "arr_0"),
    "three axes": ({"arr_0": np.ones((4, 9, 1))}, r"a weight \[4, 9, 1\]"),
    "whole numbers": ({"0.weight": np.ones((9, 4), dtype=int)}, "floating-point"),
    "complex": ({"0.weight": np.ones((9, 4)) * 1j}, "not an array of numbers"),
    "no chain": ({"W1": np.ones((4, 6)), "W2": np.ones((5, 9))}, "in no order"),
    "bias length": ({"W1": np.ones((4, 9)), "b1": np.ones(5)}, r"bias \[5\]"),
    "twice": ({"W1": np.ones((4, 9)), "w1": np.ones((4, 9))}, "w1, which is no"),
}


@pytest.mark.parametrize("name", BAD_ARCHIVES)
def test_an_archive_that_is_not_plain_gets_one_sentence(name: str, tmp_path: Path) -> None:
    arrays, message = BAD_ARCHIVES[name]
    np.savez(tmp_path / "g.npz", **arrays)
    with pytest.raises(FileError, match=message) as error:
        read_state_dict(tmp_path / "g.npz")
    assert "\n" not in str(error.value)


WITHOUT_ACTIVATIONS: dict[str, Callable[[Path], object]] = {
    "g.safetensors": lambda p: save(p, ("0", 4, 784)),
    "g.npz": lambda p: np.savez(p, *kernels()),
}


@pytest.mark.parametrize("name", WITHOUT_ACTIVATIONS)
def test_weights_without_activations_are_not_guessed(name: str, tmp_path: Path) -> None:
    """A relu taken for a tanh would give other images, and nothing would show it."""
    WITHOUT_ACTIVATIONS[name](tmp_path / name)
    result = inpaint("restore", "eights", "--generator", tmp_path / name)
    refused(result, name, "activations", "read_state_dict", "inpaint.write_generator")


def sound_files(folder: Path) -> list[Path]:
    save(folder / "g.safetensors", ("decoder.0", 4, 6), ("decoder.2", 6, 9), ("encoder.0", 9, 4))
    np.savez(folder / "g.npz", *kernels())
    return sorted(folder.iterdir())


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_of_weights_never_crashes(data: st.DataObject, tmp_path: Path) -> None:
    path = data.draw(st.sampled_from(sound_files(tmp_path)))
    spoil(data, path)
    read_or_refuse(path, read_state_dict, read_generator)
