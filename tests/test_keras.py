"""Files of Keras: whole models, and weights alone."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inpaint import read_generator, write_generator
from inpaint.errors import FileError
from inpaint.files import hdf5
from inpaint.files.state_dict import read_state_dict
from tests.helpers import inpaint, missing, read_or_refuse, refused, spoil
from tests.test_foreign_files import Z, drawn, kernels


def h5py() -> Any:
    try:
        import h5py
    except ImportError:
        missing("h5py is not installed.")
    return h5py


def layer(kind: str, **settings: object) -> dict[str, object]:
    return {"class_name": kind, "config": settings}


def model(*layers: dict[str, object], kind: str = "Sequential") -> bytes:
    return json.dumps({"class_name": kind, "config": {"layers": layers}}).encode()


SEQUENCE = (
    layer("InputLayer", name="input"),
    layer("Dense", name="d", activation="linear", use_bias=True),
    layer("LeakyReLU", name="leaky", negative_slope=0.25),
    layer("Dropout", name="drop"),
    layer("Dense", name="out", activation="tanh", use_bias=True),
    layer("Reshape", name="reshape", target_shape=[3, 3, 1]),
)


def save_keras(path: Path, config: bytes | None, arrays: list[np.ndarray]) -> None:
    """Write a file as Keras 3 does; `config` None writes weights alone."""
    content = io.BytesIO()
    with h5py().File(content, "w") as file:
        for k in range(len(arrays) // 2):
            group = f"layers/{'dense' if k == 0 else f'dense_{k}'}/vars"
            file[f"{group}/0"], file[f"{group}/1"] = arrays[2 * k : 2 * k + 2]
        file["optimizer/vars/0"] = np.ones(3)
    if config is None:
        path.write_bytes(content.getvalue())
        return
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", content.getvalue())


def save_legacy(path: Path, config: bytes | None, arrays: list[np.ndarray]) -> None:
    """Write a file as Keras 2 does."""
    with h5py().File(path, "w") as file:
        for k, name in enumerate(("d", "out")):
            group = f"model_weights/{name}/{name}"
            file[f"{group}/kernel:0"], file[f"{group}/bias:0"] = arrays[2 * k : 2 * k + 2]
        file["optimizer_weights/adam/m"] = np.ones(3)
        if config is not None:
            file.attrs["model_config"] = config.decode()


KERAS = {"g.keras": save_keras, "g.h5": save_legacy}


@pytest.mark.parametrize("name", KERAS)
def test_a_model_of_keras_says_its_activations(name: str, tmp_path: Path) -> None:
    first, bias, second, last = kernels()
    KERAS[name](tmp_path / name, model(*SEQUENCE), kernels())
    generator = read_generator(tmp_path / name)
    hidden = Z.double().numpy() @ first + bias
    expected = np.tanh(np.where(hidden > 0, hidden, 0.25 * hidden) @ second + last)
    pixels = generator.pixels(Z.double())
    np.testing.assert_allclose(pixels, (expected + 1) / 2, atol=1e-12)
    assert generator.card["activations"] == "leaky_relu, tanh"
    assert generator.image_shape == (1, 3, 3)
    write_generator(generator, tmp_path / "g.safetensors")
    assert read_generator(tmp_path / "g.safetensors") == generator


@pytest.mark.parametrize("channels_last", [True, False])
def test_pixels_of_keras_become_channels_rows_columns(channels_last: bool, tmp_path: Path) -> None:
    arrays = [kernels()[0], kernels()[1], np.ones((6, 3 * 4 * 5)), np.arange(60.0) / 60]
    shape = (4, 5, 3) if channels_last else (3, 4, 5)
    sequence = (*SEQUENCE[:-2], layer("Dense", name="out", activation="sigmoid"))
    config = model(*sequence, layer("Reshape", target_shape=shape))
    save_keras(tmp_path / "g.keras", config, arrays)
    generator = read_generator(tmp_path / "g.keras")
    assert generator.image_shape == (3, 4, 5)
    chosen = {"hidden": "leaky_relu", "negative_slope": 0.25}
    flat = read_state_dict(tmp_path / "g.keras", image_shape=(1, 6, 10), **chosen)
    with pytest.raises(FileError, match=r"orders pixels \[H, W, C\].*read_generator"):
        read_state_dict(tmp_path / "g.keras", image_shape=(3, 4, 5), **chosen)
    expected = flat.pixels(Z).reshape(-1, *shape)
    expected = expected.permute(0, 3, 1, 2) if channels_last else expected
    torch.testing.assert_close(generator(Z), expected)


@pytest.mark.parametrize("name", ["g.keras", "g.h5", "g.weights.h5"])
def test_weights_of_keras_are_read_with_activations(name: str, tmp_path: Path) -> None:
    write = save_legacy if name == "g.h5" else save_keras
    write(tmp_path / name, None if "weights" in name else model(*SEQUENCE), kernels())
    generator = read_state_dict(tmp_path / name)
    np.testing.assert_allclose(generator.pixels(Z.double()), drawn(kernels()), atol=1e-12)


def changed(position: int, *layers: dict[str, object]) -> bytes:
    """The model with a layer replaced."""
    return model(*SEQUENCE[:position], *layers, *SEQUENCE[position + 1 :])


BAD_MODELS: dict[str, tuple[bytes, str]] = {
    "normalisation": (changed(3, layer("BatchNormalization")), "BatchNormalization"),
    "convolution": (changed(5, layer("Conv2DTranspose")), "Conv2DTranspose"),
    "unknown activation": (changed(1, layer("Dense", name="d", activation="gelu")), "gelu"),
    "own activation": (changed(1, layer("Dense", name="d", activation={"a": 1})), "activation"),
    "two activations": (changed(3, layer("ReLU")), "ReLU"),
    "capped": (changed(2, layer("ReLU", max_value=6.0)), "ReLU"),
    "slope of text": (changed(2, layer("LeakyReLU", alpha="x")), "LeakyReLU"),
    "no bias": (changed(1, layer("Dense", name="d", activation="relu", use_bias=False)), "bias"),
    "a layer more": (changed(3, layer("Dense", name="x", activation="relu")), "no kernel|order"),
    "a layer less": (model(*SEQUENCE[:4]), "not those of its Dense layers"),
    "reshaped before": (changed(3, layer("Reshape", target_shape=[2, 3])), "after a Reshape"),
    "reshaped to a sequence": (changed(5, layer("Reshape", target_shape=[9])), r"\[9\]"),
    "reshaped wrongly": (changed(5, layer("Reshape", target_shape=[4, 4])), r"\[4, 4\]"),
    "reshaped to nothing": (changed(5, layer("Reshape", target_shape=None)), "None"),
    "functional": (model(*SEQUENCE, kind="Functional"), "not Sequential.*read_state_dict"),
    "no layers": (model(), "without Dense"),
    "no JSON": (b"dear reader", "does not describe"),
    "deep JSON": (b"[" * 60_000, "does not describe"),
    "list": (b"[1, 2]", "does not describe"),
}


@pytest.mark.parametrize("file_name", KERAS)
@pytest.mark.parametrize("name", BAD_MODELS)
def test_another_model_of_keras_gets_one_sentence(
    name: str, file_name: str, tmp_path: Path
) -> None:
    config, message = BAD_MODELS[name]
    KERAS[file_name](tmp_path / file_name, config, kernels())
    with pytest.raises(FileError, match=message) as error:
        read_generator(tmp_path / file_name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["g.weights.h5", "g.h5"])
def test_weights_of_keras_without_activations_are_not_guessed(name: str, tmp_path: Path) -> None:
    write = save_legacy if name == "g.h5" else save_keras
    write(tmp_path / name, None, kernels())
    result = inpaint("restore", "eights", "--generator", tmp_path / name)
    refused(result, name, "activations", "read_state_dict", "inpaint.write_generator")


@pytest.mark.parametrize(
    ("code", "limit"), [("import os; os.abort()", 60.0), ("while True: pass", 0.5)]
)
def test_a_library_that_dies_or_hangs_ends_in_one_sentence(
    code: str, limit: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_legacy(tmp_path / "g.h5", None, kernels())
    (tmp_path / "reader.py").write_text(code)
    monkeypatch.setattr(hdf5, "READER", tmp_path / "reader.py")
    monkeypatch.setattr(hdf5, "TIME_LIMIT", limit)
    with pytest.raises(FileError, match="g.h5 is not a readable Keras file"):
        read_state_dict(tmp_path / "g.h5")


def test_the_command_line_takes_a_model_of_keras(tmp_path: Path) -> None:
    arrays = [kernels()[0], kernels()[1], np.ones((6, 784)), np.zeros(784)]
    save_legacy(tmp_path / "g.h5", model(*SEQUENCE[:-1]), arrays)
    output = tmp_path / "samples.png"
    result = inpaint("sample", "--generator", tmp_path / "g.h5", "--count", 4, "--output", output)
    assert result.exit_code == 0, result.output
    assert output.is_file()


def sound_models(folder: Path) -> list[Path]:
    save_keras(folder / "g.keras", model(*SEQUENCE), kernels())
    save_keras(folder / "g.weights.h5", None, kernels())
    save_legacy(folder / "g.h5", model(*SEQUENCE), kernels())
    return sorted(folder.iterdir())


@pytest.mark.slow
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_of_keras_never_crashes(data: st.DataObject, tmp_path: Path) -> None:
    path = data.draw(st.sampled_from(sound_models(tmp_path)))
    spoil(data, path)
    read_or_refuse(path, read_state_dict, read_generator)
