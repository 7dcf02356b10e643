"""Files of images, generators, masks and operators, good and bad."""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file

from inpaint import BlockAverage, Generator, ImageSet, InpaintError, read_generator, read_images
from inpaint.errors import FileError
from inpaint.files.masks import read_mask
from inpaint.files.matrices import read_operator
from inpaint.files.state_dict import read_state_dict
from inpaint.operators import to_matrix
from tests.helpers import spoil


def test_columns_of_the_real_file_become_upright_pictures(data_dir: Path, eights: ImageSet) -> None:
    raw = scipy.io.loadmat(str(data_dir / "data22.mat"))
    assert eights.images.shape == (4, 1, 28, 28)
    assert eights.ideal is not None
    for b in range(4):
        expected = raw["X_i"][:, b].reshape(28, 28).T
        assert np.array_equal(eights.ideal[b, 0].numpy(), expected)
    assert "dark ink on light paper, kept" in eights.notes


def test_the_real_generator_draws_dark_eights_on_paper(
    data_dir: Path, published: Generator
) -> None:
    raw = scipy.io.loadmat(str(data_dir / "data21.mat"))
    z = np.random.default_rng(0).standard_normal((6, 10))
    hidden = np.maximum(raw["A_1"] @ z.T + raw["B_1"], 0)
    # Where W2 is large the formula's exponential overflows to the right limit, 0.
    with np.errstate(over="ignore"):
        expected = 1 / (1 + np.exp(raw["A_2"] @ hidden + raw["B_2"]))
    images = published(torch.from_numpy(z))
    assert images.shape == (6, 1, 28, 28)
    for b in range(6):
        np.testing.assert_allclose(
            images[b, 0].numpy(), expected[:, b].reshape(28, 28).T, rtol=0, atol=1e-12
        )
    assert float(images[:, 0, 0].min()) > 0.9
    assert "sigmoid(-W)" in published.card["output sign"]


def test_the_other_sign_of_the_sigmoid_is_detected(data_dir: Path, tmp_path: Path) -> None:
    raw = scipy.io.loadmat(str(data_dir / "data21.mat"))
    arrays = {name: raw[name] for name in ("A_1", "B_1", "A_2", "B_2")}
    arrays |= {"A_2": -arrays["A_2"], "B_2": -arrays["B_2"]}
    scipy.io.savemat(tmp_path / "plain.mat", arrays)
    plain = read_generator(tmp_path / "plain.mat")
    assert "sigmoid(W)" in plain.card["output sign"]
    assert plain.digest() == read_generator(data_dir / "data21.mat").digest()


@pytest.mark.parametrize("ending", ["npz", "npy", "png", "jpg"])
def test_one_picture_reads_the_same_from_each_format(ending: str, tmp_path: Path) -> None:
    levels = np.full((28, 28), 255, dtype=np.uint8)
    levels[5:20, 10:14] = 0
    path = tmp_path / f"eight.{ending}"
    if ending == "npz":
        np.savez(path, images=levels[None])
    elif ending == "npy":
        np.save(path, levels[None])
    else:
        Image.fromarray(levels).save(path, quality=100)
    images = read_images(path)
    assert images.images.shape == (1, 1, 28, 28)
    np.testing.assert_allclose(images.images[0, 0].numpy(), levels / 255, atol=0.02)
    assert images.ideal is not None


def test_mnist_is_read_and_turned_to_dark_ink(data_dir: Path) -> None:
    images = read_images(data_dir / "train-images-idx3-ubyte.gz")
    assert images.images.shape == (60_000, 1, 28, 28)
    assert float(images.images[:, :, 0].mean()) > 0.99


def test_bundled_names_are_sources() -> None:
    bundled = read_images("eights")
    assert bundled.ideal is not None
    assert bundled.images.shape[1:] == (1, 28, 28)


def write_bomb(path: Path) -> None:
    """A small .mat file whose X_n decompresses to more than is read."""
    parts = zlib.compressobj()
    zeros = bytes(2**24)
    head = struct.pack("<IIII", 14, 2**30, 6, 8)
    packed = parts.compress(head) + b"".join(parts.compress(zeros) for _ in range(40))
    packed += parts.flush()
    header = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    path.write_bytes(header + struct.pack("<II", 15, len(packed)) + packed)


BAD_IMAGES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "a generator": (
        "a.mat",
        lambda p: scipy.io.savemat(p, {"A_1": np.eye(3), "B_1": np.ones((3, 1))}),
        "it holds a generator",
    ),
    "no arrays": ("a.mat", lambda p: scipy.io.savemat(p, {"Q": np.eye(3)}), "no X_n.*found: Q"),
    "text": ("a.mat", lambda p: p.write_text("dear reader\n" * 99), "not a readable MATLAB"),
    "empty": ("a.mat", lambda p: p.write_bytes(b""), "not a readable MATLAB"),
    "not square": (
        "a.mat",
        lambda p: scipy.io.savemat(p, {"X_n": np.ones((785, 2))}),
        "785 values",
    ),
    "other shape": (
        "a.mat",
        lambda p: scipy.io.savemat(p, {"X_n": np.ones((16, 2)), "X_i": np.ones((16, 3))}),
        "same shape",
    ),
    "NaN": (
        "a.mat",
        lambda p: scipy.io.savemat(p, {"X_n": np.full((16, 2), np.nan)}),
        "no observed pixel",
    ),
    "complex": (
        "a.mat",
        lambda p: scipy.io.savemat(p, {"X_n": np.ones((16, 2)) * 1j}),
        "real numbers",
    ),
    "struct": ("a.mat", lambda p: scipy.io.savemat(p, {"X_n": {"a": {"b": 1.0}}}), "real numbers"),
    "compressed bomb": ("a.mat", write_bomb, "at most 512 MB"),
    "nested structs": (
        "a.mat",
        lambda p: scipy.io.savemat(p, {"X_n": {"a": {"b": {"c": np.ones((2, 2))}}}}),
        "real numbers",
    ),
    "a row": (
        "a.mat",
        lambda p: scipy.io.savemat(p, {"X_n": np.ones((1, 784))}),
        "X_n, which is 1x784; an image is a column. Transpose it",
    ),
    "strings": ("a.mat", lambda p: scipy.io.savemat(p, {"X_n": "hello"}), "X_n"),
    "objects": (
        "a.npy",
        lambda p: np.save(p, np.array([{}], dtype=object), allow_pickle=True),
        "never unpickled",
    ),
    "no images": ("a.npz", lambda p: np.savez(p, other=np.ones(3)), r"found: other \[3\]"),
    "no zip": ("a.npz", lambda p: p.write_text("text"), "not a readable NumPy"),
    "labels": ("a.npy", lambda p: np.save(p, np.ones(7)), r"shape \[7\]"),
    "no picture": ("a.png", lambda p: p.write_text("text"), "not a readable picture"),
    "huge picture": (
        "a.png",
        lambda p: Image.new("1", (20_000, 20_000)).save(p),
        "declares more than",
    ),
    "unknown ending": ("a.xyz", lambda p: p.write_text("text"), "no ending"),
    "folder": ("a.mat", lambda p: p.mkdir(), "folder with 0 pictures"),
    "absent": ("a.mat", lambda p: None, "no file.*bundled set"),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_a_bad_file_of_images_gets_one_sentence(name: str, tmp_path: Path) -> None:
    file_name, write, message = BAD_IMAGES[name]
    path = tmp_path / file_name
    write(path)
    with pytest.raises(FileError, match=message) as error:
        read_images(path)
    assert "\n" not in str(error.value)


def test_a_matrix_reads_the_same_from_each_format(tmp_path: Path) -> None:
    shape = (1, 3, 4)
    matrix = np.random.default_rng(0).standard_normal((5, 12)).round(1)
    by_columns = matrix.reshape(5, 3, 4).swapaxes(1, 2).reshape(5, 12)
    np.save(tmp_path / "t.npy", matrix)
    np.savez(tmp_path / "t.npz", T=matrix)
    scipy.sparse.save_npz(tmp_path / "sparse.npz", scipy.sparse.csr_array(matrix))
    scipy.io.savemat(tmp_path / "t.mat", {"T": by_columns})
    for name in ("t.npy", "t.npz", "sparse.npz", "t.mat"):
        operator = read_operator(str(tmp_path / name), shape)
        np.testing.assert_array_equal(to_matrix(operator).numpy(), matrix)


BAD_MATRICES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "transposed": ("t.npy", lambda p: np.save(p, np.ones((12, 5))), "transposed"),
    "transposed mat": ("t.mat", lambda p: scipy.io.savemat(p, {"T": np.ones((12, 5))}), "transpos"),
    "NaN": ("t.npy", lambda p: np.save(p, np.full((5, 12), np.nan)), "NaN or infinity in T"),
    "vector": ("t.npy", lambda p: np.save(p, np.ones(12)), r"shape \[12\]"),
    "other name": ("t.npz", lambda p: np.savez(p, A=np.ones((5, 12))), "no array named T"),
    "damaged sparse": (
        "t.npz",
        lambda p: np.savez(p, row=[0], col=[99], data=[1.0], shape=[5, 12], format="coo"),
        "not a sound sparse matrix",
    ),
    "many rows": (
        "t.npz",
        lambda p: scipy.sparse.save_npz(
            p, scipy.sparse.coo_array(([1.0], ([0], [0])), (10**9, 12))
        ),
        "1,000,000,000 rows; at most",
    ),
    "absent": ("t.npy", lambda p: None, "no file.*block-average"),
    "name": ("average", lambda p: None, "write block-average, block-average:2 or blur:1.5"),
}


@pytest.mark.parametrize("name", BAD_MATRICES)
def test_a_bad_matrix_gets_one_sentence(name: str, tmp_path: Path) -> None:
    file_name, write, message = BAD_MATRICES[name]
    write(tmp_path / file_name)
    with pytest.raises(InpaintError, match=message) as error:
        read_operator(str(tmp_path / file_name), (1, 3, 4))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("block-average:3", "divisor of 28"),
        ("block-average:x", "block-average:4"),
        ("blur", "blur:1.5"),
        ("blur:0", "above 0"),
        ("blur:nan", "above 0"),
    ],
)
def test_a_bad_name_of_an_operator_gets_one_sentence(text: str, message: str) -> None:
    with pytest.raises(InpaintError, match=message) as error:
        read_operator(text, (1, 28, 28))
    assert repr(text) in str(error.value)


def test_the_columns_of_block_averages_become_small_pictures(data_dir: Path) -> None:
    averages = read_images(data_dir / "data23.mat")
    assert averages.images.shape == (4, 1, 7, 7)
    assert averages.ideal is not None
    noise = averages.images - BlockAverage(4, (1, 28, 28)).apply(averages.ideal)
    assert float(noise.std()) == pytest.approx(0.0104, abs=0.0002)
    assert any("7x7 values" in note for note in averages.notes)


def layers(**changes: np.ndarray) -> dict[str, np.ndarray]:
    arrays = {
        "A_1": np.ones((4, 2)),
        "B_1": np.ones((4, 1)),
        "A_2": np.ones((9, 4)),
        "B_2": np.ones((9, 1)),
    }
    return arrays | changes


BAD_GENERATORS = {
    "images": ({"X_n": np.ones((16, 2))}, "no A_1 or B_1.*it holds images"),
    "no bias": ({k: v for k, v in layers().items() if k != "B_2"}, "no B_2"),
    "widths": (layers(A_2=np.ones((9, 5))), "5 inputs"),
    "bias length": (layers(B_1=np.ones((3, 1))), r"bias \[3\]"),
    "not square": (layers(A_2=np.ones((8, 4)), B_2=np.ones((8, 1))), "8 values"),
    "infinity": (layers(B_2=np.full((9, 1), np.inf)), "NaN or infinity in B_2"),
}


@pytest.mark.parametrize("name", BAD_GENERATORS)
def test_a_bad_generator_gets_one_sentence(name: str, tmp_path: Path) -> None:
    arrays, message = BAD_GENERATORS[name]
    scipy.io.savemat(tmp_path / "g.mat", arrays)
    with pytest.raises(FileError, match=message):
        read_generator(tmp_path / "g.mat")


@pytest.mark.parametrize("size", [40_130 // 2, 200, 10])
def test_a_truncated_file_gets_one_sentence(size: int, data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.mat"
    path.write_bytes((data_dir / "data22.mat").read_bytes()[:size])
    with pytest.raises(FileError, match="truncated"):
        read_images(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_real_file_never_crashes(
    data: st.DataObject, data_dir: Path, tmp_path: Path
) -> None:
    content = bytearray((data_dir / "data22.mat").read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.mat"
    path.write_bytes(content)
    with contextlib.suppress(InpaintError):
        assert torch.isfinite(read_images(path).images).all()


def make_files(folder: Path) -> dict[Path, Callable[[str], object]]:
    """A small, sound file of each kind of mask, matrix and state dict, with its reader."""
    matrix = np.arange(24.0).reshape(2, 12)
    np.save(folder / "mask.npy", np.eye(3, 4))
    np.savez_compressed(folder / "mask.npz", mask=np.eye(3, 4))
    Image.fromarray(np.uint8(255 * np.eye(3, 4))).save(folder / "mask.png")
    np.save(folder / "matrix.npy", matrix)
    scipy.sparse.save_npz(folder / "matrix.npz", scipy.sparse.csr_array(matrix))
    scipy.io.savemat(folder / "matrix.mat", {"T": matrix}, do_compression=True)
    save_file({"0.weight": torch.ones(4, 2)}, folder / "state.safetensors")
    readers: dict[str, Callable[[str], object]] = {
        "mask": lambda name: read_mask(name, (1, 3, 4)),
        "matrix": lambda name: read_operator(name, (1, 3, 4)),
        "state": read_state_dict,
    }
    return {path: readers[path.stem] for path in sorted(folder.iterdir())}


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_mask_matrix_or_state_dict_never_crashes(
    data: st.DataObject, tmp_path: Path
) -> None:
    path, read = data.draw(st.sampled_from(sorted(make_files(tmp_path).items(), key=str)))
    spoil(data, path, changes=(0, 8), kept=0)
    with contextlib.suppress(InpaintError):
        read(str(path))
