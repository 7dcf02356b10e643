"""Results are replaced as a whole: by a kill at any point, by two writers, beside other files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from inpaint.errors import FileError
from inpaint.files.output import (
    PLAN,
    WRITING,
    WRITTEN,
    check_writable,
    finish_writing,
    hash_of,
    write_files,
)
from tests.helpers import inpaint, refused, write_idx

POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows cannot fork.")

OLD = {"figure.png": b"old", "modes.png": b"old", "N9/figure.png": b"old", "N9/run.json": b"{}"}
NEW = {"figure.png": b"new", "arrays.npz": b"new", "N7/figure.png": b"new", "N7/run.json": b"{}"}
OTHERS = {"notes.txt": b"mine", "N9/notes.txt": b"mine", "other.json": b'{"files": {"a": "b"}}'}

KILLED = """
import os, shutil, signal, sys
from pathlib import Path
import tests.test_output as case
from inpaint.files.output import finish_writing
folder, task = Path(sys.argv[1]), sys.argv[2]

def child(place, last):
    count = 0
    def audit(event, arguments):
        nonlocal count
        named = arguments and isinstance(arguments[0], (str, os.PathLike))
        if event.split(".")[0] in ("os", "open", "shutil") and named:
            if str(place) in os.fspath(arguments[0]):
                count += 1
                if count == last:
                    os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(audit)
    case.write(place, case.NEW) if task == "write" else finish_writing(place)
    os._exit(0)

point, status = 0, None
while status != 0:
    point += 1
    place = folder / f"{point:03d}"
    shutil.copytree(folder / "before", place)
    pid = os.fork()
    if not pid:
        child(place, point)
    status = os.waitpid(pid, 0)[1]
"""
"""Replace a folder of results again and again, killed at its first access to a file, its second,
and so on, until it is not killed any more."""

TWICE = """
import sys
from pathlib import Path
import tests.test_output as case
for _ in range(100):
    case.write(Path(sys.argv[1]), case.OLD if sys.argv[2] == "old" else case.NEW)
"""


def write(directory: Path, content: dict[str, bytes]) -> None:
    """Write files with the record that lists them."""
    write_files(directory, with_record(content), record="run.json")


def with_record(content: dict[str, bytes]) -> dict[str, bytes]:
    record = {"format": 2, "files": {name: hash_of(data) for name, data in content.items()}}
    return {**content, "run.json": json.dumps(record, indent=2).encode()}


def seen(directory: Path) -> dict[str, bytes]:
    """All files of a folder by their names."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def shown(directory: Path) -> dict[str, bytes]:
    """The same without those of a writing that is not finished."""
    found = seen(directory).items()
    return {name: data for name, data in found if not name.startswith((WRITING, WRITTEN))}


def folder_of(directory: Path, content: dict[str, bytes]) -> Path:
    """A folder of results, with files of the user's own."""
    for name, data in OTHERS.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
    write(directory, content)
    return directory


def run(program: str, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, words)], stderr=subprocess.PIPE, text=True
    )


def killed(folder: Path, task: str) -> list[Path]:
    """Copies of the folder `before`, in each of which the task was killed at another point."""
    process = run(KILLED, folder, task)
    complaint = process.communicate()[1]
    assert process.returncode == 0, complaint
    return sorted(path for path in folder.iterdir() if path.name != "before")


def check_never_mixed(directory: Path) -> None:
    """No old file beside a new one, and a record only beside all that it lists."""
    files = {name: data for name, data in shown(directory).items() if name not in OTHERS}
    assert not {b"old", b"new"} <= set(files.values())
    if "run.json" in files:
        listed = json.loads(files.pop("run.json"))["files"]
        assert {name: hash_of(data) for name, data in files.items()} == listed


@POSIX
def test_a_kill_at_any_point_leaves_old_or_new(tmp_path: Path) -> None:
    folder_of(tmp_path / "before", OLD)
    old, new = ({**with_record(each), **OTHERS} for each in (OLD, NEW))
    places = killed(tmp_path, "write")
    found = []
    for place in places:
        check_never_mixed(place)
        finish_writing(place)
        assert shown(place) in (old, new)
        found.append(shown(place) == new)
        # The next run removes what was left over.
        write(place, OLD)
        assert seen(place) == old
        assert not (place / "N7").exists()
    # Once the new results are there, no later kill brings the old ones back.
    assert found == sorted(found)
    assert found.count(False) > 5
    assert found.count(True) > 5


@POSIX
def test_what_finishes_a_killed_writing_may_be_killed_as_well(tmp_path: Path) -> None:
    first = tmp_path / "first"
    folder_of(first / "before", OLD)
    pending = next(place for place in killed(first, "write") if (place / WRITTEN).exists())
    second = tmp_path / "second"
    shutil.copytree(pending, second / "before")
    places = killed(second, "finish")
    assert len(places) > 5
    for place in places:
        check_never_mixed(place)
        finish_writing(place)
        assert seen(place) == {**with_record(NEW), **OTHERS}


@POSIX
def test_the_folders_of_a_sweep_are_finished_with_it(tmp_path: Path) -> None:
    folder_of(tmp_path / "before", OLD)
    for place in killed(tmp_path, "write"):
        if (place / WRITTEN).exists():
            finish_writing(place / "N7")
            assert seen(place) == {**with_record(NEW), **OTHERS}


@pytest.mark.parametrize(
    "plan", ['{"remove": ["../mine.txt"], "move": []}', '{"remove": [], "move": [3]}', "[]", "{"]
)
def test_a_plan_of_somebody_else_touches_nothing_outside(plan: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder_of(folder, OLD)
    before = seen(folder)
    (tmp_path / "mine.txt").write_bytes(b"mine")
    (folder / WRITTEN).mkdir()
    (folder / WRITTEN / PLAN).write_text(plan)
    with pytest.raises(FileError, match=f"{WRITTEN} inside is damaged"):
        finish_writing(folder)
    assert (tmp_path / "mine.txt").read_bytes() == b"mine"
    shutil.rmtree(folder / WRITTEN)
    assert seen(folder) == before


def test_two_writers_never_mix_their_files(tmp_path: Path) -> None:
    processes = [run(TWICE, tmp_path / "out", name) for name in ("old", "new")]
    for process in processes:
        complaint = process.communicate()[1]
        assert process.returncode == 0, complaint
    assert seen(tmp_path / "out") in (with_record(OLD), with_record(NEW))


def test_files_of_an_earlier_run_go_and_others_stay(tmp_path: Path) -> None:
    folder_of(tmp_path, OLD)
    (tmp_path / "modes.png").write_bytes(b"changed by hand")
    write(tmp_path, NEW)
    assert seen(tmp_path) == {**with_record(NEW), **OTHERS, "modes.png": b"changed by hand"}


def test_a_run_of_another_kind_replaces_what_it_shares_a_file_with(tmp_path: Path) -> None:
    write(tmp_path, OLD)
    write_files(tmp_path, {"b.safetensors": b"", "b.json": b"{}"}, record="b.json")
    assert shown(tmp_path).keys() == {*OLD, "run.json", "b.safetensors", "b.json"}
    write_files(tmp_path, {"figure.png": b"", "evaluation.json": b"{}"}, record="evaluation.json")
    kept = {"figure.png", "evaluation.json", "b.safetensors", "b.json"}
    assert shown(tmp_path).keys() == kept


@pytest.mark.parametrize("name", ["../mine.txt", "/{}/mine.txt", "N9/../../mine.txt"])
def test_a_record_cannot_remove_files_elsewhere(tmp_path: Path, name: str) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_bytes(b"mine")
    record = {"format": 2, "files": {name.format(str(tmp_path)[1:]): hash_of(b"mine")}}
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.json").write_text(json.dumps(record, indent=2))
    write(tmp_path / "out", NEW)
    assert mine.read_bytes() == b"mine"


def test_names_in_the_way_are_found_beforehand(tmp_path: Path) -> None:
    (tmp_path / "run.json").mkdir()
    (tmp_path / "N9").write_text("a file")
    for names in (["run.json"], ["N9/figure.png"]):
        with pytest.raises(FileError, match="cannot be written"):
            check_writable(tmp_path, names)
        with pytest.raises(FileError, match="cannot be written"):
            write_files(tmp_path, dict.fromkeys(names, b""))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["N9", "run.json"]


def test_a_training_that_could_not_be_written_is_refused_beforehand(
    tmp_path: Path, drawings: Tensor
) -> None:
    pictures, labels = (tmp_path / name for name in ("pictures-ubyte", "labels-ubyte"))
    write_idx(pictures, (255 * drawings[:, 0]).numpy().astype(np.uint8))
    write_idx(labels, np.full(len(drawings), 8, np.uint8))
    words = ("train", pictures, "--labels", labels, "--hold-out", 0, "--steps", 10**8)
    refused(inpaint(*words, "--name", "a/b", "--output", tmp_path / "out"), "name is 'a/b'")
    (tmp_path / "out" / "mine.json").mkdir(parents=True)
    refused(inpaint(*words, "--name", "mine", "--output", tmp_path / "out"), "mine.json")
    refused(inpaint(*words, "--checkpoint", tmp_path, "--output", tmp_path / "out"), "folder")
