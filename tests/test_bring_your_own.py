"""Runs every snippet of docs/bring-your-own.md, from top to bottom."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from typer.testing import CliRunner

from inpaint import read_images, write_images
from inpaint.cli import app
from inpaint.operators import MASK_PRESETS, mask_preset

DOCS = Path(__file__).parent.parent / "docs"


def prepare(folder: Path) -> None:
    """Write the files that a user would bring."""
    eights = read_images("eights")
    large = np.kron(eights.images[0, 0].clamp(0, 1).numpy(), np.ones((8, 8)))
    pixels = np.pad(np.uint8(255 * large), 30, constant_values=255)
    Image.fromarray(pixels).convert("RGB").save(folder / "photo.png")
    write_images(eights, folder / "folder")
    np.save(folder / "digits.npy", 255 * (1 - eights.images[:2, 0].numpy()))
    np.save(folder / "matrix.npy", np.random.default_rng(0).standard_normal((80, 784)) / 28)
    observed = mask_preset("strokes:2:1", (1, 28, 28)).observed[0].numpy()
    Image.fromarray(np.uint8(255 * observed)).save(folder / "mask.png")
    sizes = {"0": (32, 10), "2": (784, 32)}
    save_file(
        {f"net.{k}.weight": 0.3 * torch.randn(*size) for k, size in sizes.items()}
        | {f"net.{k}.bias": torch.zeros(size[0]) for k, size in sizes.items()},
        folder / "decoder.safetensors",
    )
    layers = {"p.0": (10, 784), "q.0": (32, 10), "q.2": (784, 32)}
    save_file(
        {f"{name}.weight": 0.3 * torch.randn(*size) for name, size in layers.items()},
        folder / "autoencoder.safetensors",
    )


@pytest.mark.slow
def test_every_snippet_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "bring-your-own.md").read_text()
    snippets = re.findall(r"^```(python|sh)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    assert len(snippets) >= 8
    names: dict[str, object] = {}
    for language, code in snippets:
        if language == "python":
            exec(compile(code, "bring-your-own.md", "exec"), names)
            continue
        for line in code.splitlines():
            program, *words = shlex.split(line)
            assert program == "inpaint"
            result = CliRunner().invoke(app, words)
            assert result.exit_code == 0, f"{line}: {result.output}"
            assert Path("restored", "figure.png").is_file()


@pytest.mark.parametrize("preset", MASK_PRESETS)
def test_every_preset_has_its_picture(preset: str) -> None:
    assert MASK_PRESETS[preset].example in (DOCS / "bring-your-own.md").read_text()
    with Image.open(DOCS / "masks" / f"{preset}.png") as picture:
        assert picture.size == (4 + 4 * (112 + 4), 112 + 8)
