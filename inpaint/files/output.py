"""Files in a folder of results: all of them or none, even if the program is killed.

New files are first written into a folder inside, `WRITING`. Renaming it to `WRITTEN` is the moment
at which the new results replace the old ones; then the old files are removed and the new ones moved
to their places, the record last. A program that was killed before that moment leaves the old
results, and one that was killed after it leaves moves that `finish_writing` makes up for: every
writer and every reader begins with it. A folder in which it was not called yet may lack files, but
never shows old and new ones together.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from inpaint.errors import FileError

if sys.platform != "win32":
    import fcntl

WRITING, WRITTEN = ".inpaint-writing", ".inpaint-written"
PLAN = ".inpaint-plan"
"""What is left to do, in the folder `WRITTEN`: the files to remove, and those to move in order."""


def write_files(
    directory: str | os.PathLike[str],
    content: Mapping[str, bytes],
    *,
    record: str | None = None,
) -> None:
    """Write files into a directory, all of them or none.

    Other files in the directory stay, except those of earlier runs: if a new file has the name of
    one that a record lists, all that the record lists is removed, unless it has been changed.

    Args:
        directory: Made if it does not exist.
        content: The bytes of each file, by its name; "N350/figure.png" is in a folder inside.
        record: Which of them is the record, and lists the others under `files`.

    Raises:
        FileError: If one cannot be written; what was in the directory stays as it was.
    """
    directory = Path(directory)
    with _as_file_error(directory):
        directory.mkdir(parents=True, exist_ok=True)
        with _locked(directory):
            _finish(directory)
            for folder in {(directory / name).parent for name in content} - {directory}:
                _finish(folder)
            _check_free(directory, content)
            writing = directory / WRITING
            try:
                names = sorted(content, key=lambda name: (name == record, name.endswith(".json")))
                for name in names:
                    (writing / name).parent.mkdir(parents=True, exist_ok=True)
                    (writing / name).write_bytes(content[name])
                plan = {"remove": sorted(_replaced(directory, content)), "move": names}
                (writing / PLAN).write_text(json.dumps(plan))
                writing.rename(directory / WRITTEN)
            finally:
                shutil.rmtree(writing, ignore_errors=True)
            _finish(directory)


def finish_writing(directory: str | os.PathLike[str]) -> None:
    """Finish what a program that was killed has begun to write into a directory.

    Waits for a program that is writing there now.

    Raises:
        FileError: If files cannot be moved there.
    """
    directory = Path(directory)
    # The results of a sweep include folders, which are written together with it.
    for folder in (directory.absolute().parent, directory):
        if (folder / WRITTEN).exists():
            with _as_file_error(folder), _locked(folder):
                _finish(folder)


def check_writable(directory: str | os.PathLike[str], names: Iterable[str] = ()) -> Path:
    """Make a directory and check that files can be written there, before long work begins.

    Args:
        directory: The directory.
        names: Files that will be written.

    Raises:
        FileError: If it cannot be written.
    """
    directory = Path(directory)
    with _as_file_error(directory):
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
        _check_free(directory, names)
    return directory


def hash_of(content: bytes) -> str:
    """The SHA-256 of a file, as records list it."""
    return hashlib.sha256(content).hexdigest()


def _check_free(directory: Path, names: Iterable[str]) -> None:
    """Require that no folder has the name of a file, and no file that of a folder."""
    for name in names:
        if (directory / name).is_dir():
            raise OSError(f"{name} is a directory")
        folder = (directory / name).parent
        if folder.exists() and not folder.is_dir():
            raise OSError(f"{folder.name} is a file")


def _finish(directory: Path) -> None:
    """Remove what was never finished, and move what was; only the holder of the lock may do so."""
    shutil.rmtree(directory / WRITING, ignore_errors=True)
    written = directory / WRITTEN
    if not (written / PLAN).exists():
        shutil.rmtree(written, ignore_errors=True)
        return
    removed, moved = _read_plan(written / PLAN)
    # After an interruption, some files are in their places already.
    moves = [name for name in moved if (written / name).exists()]
    # Records go first and come last, so that none lists a file that is not there.
    for name in sorted({*removed, *moves}, key=_records_first):
        (directory / name).unlink(missing_ok=True)
    for name in moves:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (written / name).rename(directory / name)
    for folder in {(directory / name).parent for name in removed} - {directory}:
        with contextlib.suppress(OSError):
            folder.rmdir()
    (written / PLAN).unlink()
    shutil.rmtree(written)


def _read_plan(path: Path) -> tuple[list[str], list[str]]:
    """The files to remove and those to move; a folder of somebody else's may hold any plan.

    Raises:
        OSError: If it is damaged, or names a file outside the directory.
    """
    try:
        plan = json.loads(path.read_bytes())
        removed, moved = list(plan["remove"]), list(plan["move"])
        if all(isinstance(name, str) and _is_inside(name) for name in (*removed, *moved)):
            return removed, moved
    except (ValueError, KeyError, TypeError):
        pass
    raise OSError(f"{path.parent.name} inside is damaged; remove it")


def _records_first(name: str) -> tuple[bool, int]:
    """The order in which files are removed: a record before those in the folders inside."""
    return not name.endswith(".json"), name.count("/")


def _replaced(directory: Path, content: Iterable[str]) -> set[str]:
    """Files of earlier runs that new files of these names replace, besides those names."""
    new, old = set(content), set[str]()
    for path in directory.glob("*.json"):
        files = _listed(path)
        if new & {path.name, *files}:
            old |= {name for name in files.keys() - new if _is_file(directory / name, files[name])}
            old |= {path.name} if files else set()
    return old - new


def _listed(path: Path) -> dict[str, str]:
    """The files that a record lists, with their hashes; none if it is not a record."""
    with path.open("rb") as file:
        # Other files may be very long.
        if not file.read(32).startswith(b'{\n  "format": '):
            return {}
    try:
        files: Any = json.loads(path.read_bytes())["files"]
        return {str(name): str(sha) for name, sha in files.items() if _is_inside(name)}
    except (ValueError, KeyError, AttributeError):
        return {}


def _is_inside(name: str) -> bool:
    """Whether a name is that of a file in a folder, or in a folder inside."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name


def _is_file(path: Path, sha256: str) -> bool:
    """Whether a file exists and has this hash."""
    return path.is_file() and hash_of(path.read_bytes()) == sha256


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep others from writing into a directory; the lock ends with the process at the latest."""
    if sys.platform == "win32":
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_TEMPORARY
        handle = os.open(directory / ".inpaint-lock", flags)
    else:
        handle = os.open(directory, os.O_RDONLY)
        # Some network file systems have no locks of folders; there is nothing to wait for then.
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def _as_file_error(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileError(
            f"output is {str(directory)!r}, which cannot be written ({reason}); choose a directory "
            "that you can write to."
        ) from error
