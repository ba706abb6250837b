"""Paths as people write them, and files that are whole or as they were.

Nothing that others made is touched.
"""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path


def expanded(path: str | os.PathLike) -> Path:
    """Return the path with ``~`` at its start as the home folder, as a shell reads it.

    Every function that takes a path from a person begins with this. A file that is really named so
    is ``./~``.

    >>> expanded("~/pictures") == Path.home() / "pictures"
    True
    """
    return Path(os.path.expanduser(path))


def replace_file(path: str | os.PathLike, data: bytes) -> None:
    """Write a file under a name that nobody has, and move it into place once it is on the disk.

    Raises:
        OSError: it cannot be written; what was there is as it was.
    """
    path = expanded(path)
    temporary = path.with_name(f".simlab-{secrets.token_hex(8)}")
    file = temporary.open("xb")  # x: never a file that is there
    try:
        with file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)  # no longer there where all went well


@contextlib.contextmanager
def folder_for_files(folder: str | os.PathLike) -> Iterator[Path]:
    """Yield the folder, made where it is absent, and taken back where nothing is put there."""
    folder = expanded(folder)
    absent = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        # An error: it is not empty, as all went well or somebody put something there.
        with contextlib.suppress(OSError):
            for path in absent:
                path.rmdir()
