"""What only a process of its own can show: its imports, its memory, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import inpaint
from inpaint.files.output import hash_of
from tests.helpers import QUICK_WORDS
from tests.helpers import inpaint as run_inpaint

STATUSES = [("SIGINT", 130), ("SIGTERM", 143)]
"""Signals that stop a command, and its exit status then."""

POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows has neither such signals nor /dev.")

STOP_AT_WORK = """
import signal, sys
from inpaint.__main__ import main
from inpaint.cli.terminal import Watch
name, at = sys.argv[1], int(sys.argv[2])
del sys.argv[1:3]
show, count = Watch._show, 0
def stopped(watch, progress):
    global count
    count += 1
    if count == at:
        signal.raise_signal(signal.Signals[name])
    show(watch, progress)
Watch._show = stopped
main()
"""
"""The command line, with a signal at one of the reports of progress."""

STOP_AT_IMPORT = """
import signal, sys
from inpaint.__main__ import main
stop = signal.Signals[sys.argv.pop(1)]
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "torch":
            signal.raise_signal(stop)
sys.meta_path.insert(0, Finder)
main()
"""
"""The command line, with a signal while torch is being loaded."""


def run(program: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a program with arguments."""
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )


def modules(program: str) -> set[str]:
    """The modules that a program has loaded when it ends."""
    told = run(f"import atexit, sys; atexit.register(lambda: print(*sys.modules))\n{program}")
    assert told.returncode == 0, told.stderr
    return set(told.stdout.split())


def command(*words: str, redirect: str) -> subprocess.CompletedProcess[str]:
    """Run the command line with its standard output led elsewhere by a shell."""
    return subprocess.run(
        ["sh", "-c", f'"$@" {redirect}', "sh", sys.executable, "-m", "inpaint", *words],
        capture_output=True,
        text=True,
        check=False,
    )


def test_importing_loads_neither_training_nor_matplotlib_nor_torch() -> None:
    loaded = modules("import inpaint")
    assert not {"torch", "matplotlib", "inpaint.training", "scipy"} & loaded
    assert set(inpaint.__all__) <= set(dir(inpaint))
    for name in inpaint.__all__:
        assert getattr(inpaint, name) is not None


def test_help_loads_nothing_that_computes() -> None:
    loaded = modules("import inpaint.__main__ as m; sys.argv[1:] = ['--help']; m.main()")
    assert "inpaint.cli.restore" in loaded
    assert not {"torch", "numpy", "scipy", "matplotlib", "skimage"} & loaded


@pytest.mark.parametrize("redirect", ["", ">&-", "| cat"])
def test_the_version_and_the_help_are_shown(redirect: str) -> None:
    shown = command("--version", redirect=redirect)
    assert (shown.returncode, shown.stderr) == (0, "")
    if redirect != ">&-":
        assert shown.stdout == f"inpaint {metadata.version('inpaint')}\n"
        alone, asked = command(redirect=redirect), command("--help", redirect=redirect)
        assert alone.stdout == asked.stdout
        assert "restore" in alone.stdout


@POSIX
@pytest.mark.parametrize("words", [("--help",), ("--version",), ("doctor",)])
def test_a_full_disk_is_one_sentence(words: tuple[str, ...]) -> None:
    shown = command(*words, redirect="> /dev/full")
    assert shown.returncode == 1
    assert shown.stderr == "Standard output is full, so the rest is not shown.\n"


@POSIX
@pytest.mark.parametrize("words", [("--help",), ("doctor",)])
def test_a_reader_that_has_left_ends_it_in_silence(words: tuple[str, ...]) -> None:
    ends = os.pipe()
    os.close(ends[0])
    with os.fdopen(ends[1], "w") as pipe:
        shown = subprocess.run(
            [sys.executable, "-m", "inpaint", *words],
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (shown.returncode, shown.stderr) == (-signal.SIGPIPE, "")


def test_a_wrong_input_is_one_sentence(generator: Path, tmp_path: Path) -> None:
    words = ("restore", str(tmp_path / "none.mat"), "--generator", str(generator))
    done = command(*words, redirect="")
    assert (done.returncode, done.stdout) == (2, "")
    assert "none.mat" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@POSIX
@pytest.mark.parametrize(("name", "status"), STATUSES)
def test_a_stop_during_the_imports_is_one_sentence(
    name: str, status: int, generator: Path, tmp_path: Path
) -> None:
    words = ("restore", "--generator", generator, "--output", tmp_path / "out")
    done = run(STOP_AT_IMPORT, name, *words)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr == "Stopped before there was a result.\n"
    assert not (tmp_path / "out").exists()


@POSIX
@pytest.mark.parametrize(("name", "status"), STATUSES)
def test_a_stop_keeps_what_was_reached(
    name: str, status: int, generator: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ("--solver", "adam", "--steps", 10**7, "--tolerance", 0, "--restarts", 1)
    words += ("--screen", 0, "--backend", "torch", "--generator", generator, "--output", out)
    done = run(STOP_AT_WORK, name, 1, "restore", *words)
    assert done.returncode == status, done.stderr
    assert f"Stopped by {'Ctrl-C' if name == 'SIGINT' else name}; " in done.stderr
    assert "Traceback" not in done.stderr
    images = json.loads((out / "run.json").read_text())["results"]["images"]
    assert {image["status"] for image in images} == {"cancelled"}
    # What follows a stop is short here, so that the images are judged all the same.
    assert all(image["verdict"] for image in images)
    again = run_inpaint("restore", "--from-run", out / "run.json", "--output", tmp_path / "again")
    assert again.exit_code == 0, again.output
    assert "equal to the recorded ones" in again.stdout


@POSIX
@pytest.mark.parametrize("at", [1, 2, 4])
def test_a_stopped_posterior_is_written_and_not_trusted(
    at: int, generator: Path, tmp_path: Path
) -> None:
    words = ("--particles", 32, "--chains", 2, "--generator", generator, "--output", tmp_path)
    done = run(STOP_AT_WORK, "SIGTERM", at, "posterior", *words)
    assert done.returncode == 143, done.stderr
    assert {path.name for path in tmp_path.iterdir()} >= {
        "figure.png", "posterior.npz", "run.json",
    }  # fmt: skip
    for image in json.loads((tmp_path / "run.json").read_text())["results"]["images"]:
        assert image["finding"]["flag"] == "doubtful"
        assert "was stopped" in image["finding"]["sentence"]
        assert not image["posterior"]["converged"]


@POSIX
def test_a_stopped_sweep_replaces_the_earlier_one(generator: Path, tmp_path: Path) -> None:
    words = ("sweep", "--generator", generator, *QUICK_WORDS, "--output", tmp_path / "out")
    assert run_inpaint(*words, "--keep", "700,600,500").exit_code == 0
    (tmp_path / "out" / "N700" / "mine.txt").write_text("mine")
    # The first N has at least one report of its search and one of its judging.
    done = run(STOP_AT_WORK, "SIGTERM", 3, *words, "--keep", "400,300,200")
    assert done.returncode == 143, done.stderr
    folders = {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()}
    assert {"N700", "N400"} <= folders
    assert not folders & {"N600", "N500", "N200"}
    assert [path.name for path in (tmp_path / "out" / "N700").iterdir()] == ["mine.txt"]
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["results"]["cancelled"]
    for name, sha256 in record["files"].items():
        assert hash_of((tmp_path / "out" / name).read_bytes()) == sha256


@pytest.mark.slow
def test_a_thousand_images_take_bounded_memory() -> None:
    """The most memory over that of the imports, with the default settings."""
    done = run(
        """
import resource
import torch
import inpaint
generator = inpaint.read_generator("eights-10")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
images = generator(torch.randn(1000, 10, generator=torch.Generator().manual_seed(0)))
images += 0.05 * torch.randn(1000, 1, 28, 28, generator=torch.Generator().manual_seed(1))
result = inpaint.restore(images, generator, mask="box:8", progress=False)
assert len(result.verdicts) == len(result.images) == 1000
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 400
