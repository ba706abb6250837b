"""Paths as people write them, and files that are whole or as they were.

Nothing that others made is touched.
"""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

AnyPath: TypeAlias = str | os.PathLike
"""A path as a person gives it: a text, or a Path."""

Folders: TypeAlias = AnyPath | Iterable[AnyPath]
"""One folder, or several."""

Json: TypeAlias = dict[str, Any]
"""What JSON can hold, by name: a recipe's content, or what a page is told."""


def expanded(path: AnyPath) -> Path:
    """Return the path with ``~`` at its start as the home folder, as a shell reads it.

    Every function that takes a path from a person begins with this. A file that is really named so
    is ``./~``.

    Raises:
        ValueError: it is no path, one with a zero byte, which no system can open, or an empty one,
            as a variable gives that was not set.

    >>> expanded("~/pictures") == Path.home() / "pictures"
    True
    """
    if not isinstance(path, AnyPath):
        raise ValueError(f"a path must be a text or a Path, not of type {type(path).__name__}")
    if path == "":
        raise ValueError("a path must not be empty; the current folder is '.'")
    if "\0" in os.fspath(path):
        raise ValueError(f"a path must not hold a zero byte: {str(path)!r}")
    return Path(os.path.expanduser(path))


def file_to_write(path: AnyPath) -> Path:
    """Return the path, expanded, of a file that is written into a folder that is there.

    Raises:
        ValueError: it is a folder, or the folder is absent.
    """
    path = expanded(path)
    if path.is_dir():
        raise ValueError(f"{str(path)!r} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise ValueError(f"cannot write {path.name!r}: no such folder: {str(path.parent)!r}")
    return path


def folder_to_write(folder: AnyPath) -> Path:
    """Return the path, expanded, of a folder that is there or can be made; it is not made yet.

    Raises:
        ValueError: a file is in its way, or it is not writable.
    """
    folder = expanded(folder)
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise ValueError(f"cannot make the folder {str(folder)!r}: {str(there)!r} is a file")
    if not os.access(there, os.W_OK):
        raise ValueError(f"the folder {str(there)!r} is not writable")
    return folder


def folders_named(folders: Folders) -> list[Path]:
    """Return one folder or several as a list.

    Raises:
        ValueError: there is no such folder; one that is mistyped protects nothing.
    """
    given = [folders] if isinstance(folders, AnyPath) else list(folders)
    named = [expanded(folder) for folder in given]
    for folder in named:
        if not folder.is_dir():
            raise ValueError(f"no such folder: {str(folder)!r}")
    return named


def lies_in(folder: Path, folders: Iterable[Path]) -> bool:
    """Return whether a folder is one of others, or lies in one, by whatever names and links."""
    real = Path(os.path.realpath(folder))
    there = [place for place in (real, *real.parents) if place.exists()]
    return any(place.samefile(other) for place in there for other in folders)


def relative_root(root: AnyPath, out: AnyPath) -> str:
    """Return a folder of pictures as a file in `out` names it: relative to `out`, with slashes.

    On another drive it is the whole path.
    """
    folder = os.path.realpath(expanded(out))
    try:
        return Path(os.path.relpath(os.path.realpath(root), folder)).as_posix()
    except ValueError:  # on another drive
        return os.path.realpath(root)


def read_json(path: AnyPath, what: str) -> Any:
    """Return what a JSON file holds.

    Args:
        what: the file is, for messages.

    Raises:
        ValueError: it cannot be read, or is no JSON text.
    """
    path = expanded(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"cannot read {what} {str(path)!r}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what} {str(path)!r} is damaged, or none: no JSON text") from error


def sha256_of(path: AnyPath) -> str:
    """Return the SHA-256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def identity_of(path: AnyPath) -> tuple[int, int] | None:
    """Return what all names and links of a file have in common; None where there is no file."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def check_replaced(path: Path, beginning: bytes, kind: str) -> None:
    """Raise where a file is there that does not begin as those of this kind do: it is not ours.

    Raises:
        ValueError: there is one.
    """
    if path.exists() and not path.read_bytes().lstrip().startswith(beginning):
        raise ValueError(f"{str(path)!r} is no {kind}, and is left as it is; name another")


def replace_file(path: AnyPath, data: bytes) -> None:
    """Write a file under a name that nobody has, and move it into place once it is on the disk.

    Raises:
        ValueError: it is a folder, or its folder is absent.
        OSError: it cannot be written; what was there is as it was.
    """
    path = file_to_write(path)
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
def folder_for_files(folder: AnyPath) -> Iterator[Path]:
    """Yield the folder, made where it is absent, and taken back where nothing is put there."""
    folder = folder_to_write(folder)
    absent = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        # An error: it is not empty, as all went well or somebody put something there.
        with contextlib.suppress(OSError):
            for path in absent:
                path.rmdir()
