"""Files in a folder of results: all of them or none."""

from __future__ import annotations

import contextlib
import os
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from inpaint.errors import FileError


def write_files(
    directory: str | os.PathLike[str],
    content: Mapping[str, bytes],
    *,
    remove: tuple[str, ...] = (),
) -> None:
    """Write files into a directory, all of them or none.

    Args:
        directory: Made if it does not exist.
        content: The bytes of each file, by its name.
        remove: Names of files of an earlier run that do not belong to this one.

    Raises:
        FileError: If one cannot be written; what was in the directory stays as it was.
    """
    directory = Path(directory)
    written: dict[Path, Path] = {}
    with _as_file_error(directory):
        directory.mkdir(parents=True, exist_ok=True)
        try:
            for name, data in content.items():
                partial = directory / f".{name}.{uuid.uuid4().hex}.partial"
                written[partial] = directory / name
                partial.write_bytes(data)
            for target in written.values():
                if target.is_dir():
                    raise OSError(f"{target.name} is a directory")
            for partial, target in written.items():
                partial.replace(target)
        finally:
            for partial in written:
                partial.unlink(missing_ok=True)
        for name in set(remove) - set(content):
            (directory / name).unlink(missing_ok=True)


def check_writable(directory: str | os.PathLike[str]) -> Path:
    """Make a directory and check that files can be written there, before long work begins.

    Raises:
        FileError: If it cannot be written.
    """
    directory = Path(directory)
    with _as_file_error(directory):
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    return directory


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
