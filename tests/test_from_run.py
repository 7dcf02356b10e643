"""`--from-run` repeats every command that writes a record, from a folder other than the first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from inpaint.files.record import JOBS
from tests.helpers import QUICK_WORDS as QUICK
from tests.helpers import inpaint, write_idx

SEARCH = (*QUICK, "--threads", "1")
SAMPLING = ("--particles", "32", "--chains", "2", "--threads", "1")
TRAINING = ("--inversion-steps", "0", "--name", "tiny")
DIGITS = ("images-ubyte", "--labels", "labels-ubyte", "--hold-out", "30")

COMMANDS: dict[str, tuple[tuple[str, ...], str]] = {
    "restore": (("--images", "0,1", "--mask", "mask.npy", *SEARCH), "run.json"),
    "posterior": (("--images", "0", "--noise", "0.1", *SAMPLING), "run.json"),
    "sweep": (
        ("--images", "0,1", "--keep", "500,300", "--restart-counts", "1,2", *SEARCH),
        "run.json",
    ),
    "evaluate": (
        (*DIGITS, "--limit", "2", "--methods", "minimum,mean,biharmonic", *SEARCH),
        "evaluation.json",
    ),
    "calibrate": (("--keep", "500", "--truths", "2", *SAMPLING), "calibration.json"),
    "sample": (("--count", "7", "--columns", "3", "--seed", "9"), "samples.json"),
    "train": (
        (*DIGITS, "--hidden", "8", "--encoder-hidden", "8,8", *TRAINING, "--steps", "2"),
        "tiny.json",
    ),
    "train-classifier": (
        (*DIGITS, "--strokes", "0.5", "--batch-size", "4", "--name", "tiny", "--steps", "2"),
        "tiny.json",
    ),
    "train-network": (
        (*DIGITS, "--width", "8", "--batch-size", "4", "--name", "tiny", "--steps", "2"),
        "tiny.json",
    ),
}
"""Words of a quick job of each command, and the record that it writes."""

NOT_REPEATED = ("seconds", "created")
"""What a record says of the one time that it was made."""


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_recorded_job_is_repeated(
    command: str, generator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    write_idx(tmp_path / "images-ubyte", rng.integers(0, 256, (40, 28, 28)))
    write_idx(tmp_path / "labels-ubyte", np.arange(40) % 10)
    np.save(tmp_path / "mask.npy", np.tri(28))
    (tmp_path / "elsewhere").mkdir()
    words, name = COMMANDS[command]
    if not command.startswith("train"):
        words += ("--generator", generator.name)
    place = "out/samples.png" if command == "sample" else "out"

    monkeypatch.chdir(tmp_path)
    result = inpaint(command, *words, "--output", place)
    assert result.exit_code in (0, 3), result.output
    monkeypatch.chdir(tmp_path / "elsewhere")
    recorded = tmp_path / "out" / name
    again = inpaint(command, "--from-run", recorded, "--output", place)
    assert again.exit_code == result.exit_code, again.output

    first, second = (json.loads(path.read_text()) for path in (recorded, Path("out") / name))
    for part in ("kind", "command", "job", "sha256", "results"):
        assert lasting(first[part]) == lasting(second[part]), part
    assert contents(tmp_path / "out") == contents(Path("out"))


def test_there_is_one_for_every_record() -> None:
    assert set(COMMANDS) == set(JOBS)


def lasting(value: Any) -> Any:
    """What a repetition finds again."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if not key.endswith(NOT_REPEATED)}
        return {key: lasting(item) for key, item in kept.items()}
    return [lasting(item) for item in value] if isinstance(value, list) else value


def contents(folder: Path) -> dict[str, Any]:
    """The names of all files, with the content of those of arrays and of weights."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*.*")):
        key = str(path.relative_to(folder))
        if path.suffix == ".npz":
            with np.load(path) as arrays:
                found |= {f"{key}: {name}": array.tobytes() for name, array in arrays.items()}
        elif path.suffix == ".safetensors":
            weights = load_file(path)
            found |= {f"{key}: {name}": item.tobytes() for name, item in weights.items()}
        else:
            found[key] = None
    return found
