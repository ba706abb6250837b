"""The journal of a move: a line for each file, on the disk before the file moves.

A line says what is about to happen, never that it happened: where a file is, the disk knows.
"""

import csv
import errno
import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from simlab.moving.one_file import sync_folder
from simlab.moving.plan_file import below, folder_beside
from simlab.pairs.labels import parse_rows, read_text
from simlab.paths import AnyPath, expanded, relative_root
from simlab.tables import guarded, without_apostrophe

JOURNAL_COLUMNS = ("root", "file", "moved_to", "sha256")
"""Columns of a journal. root is relative to the journal's folder, file to root, moved_to to the
journal's folder. The last tells a whole line from one that breaks off."""

_WHOLE_LINE = re.compile(r',"[0-9a-f]{64}"\n')


class Entry(NamedTuple):
    """A line of a journal, with whole paths."""

    source: Path
    target: Path
    partials: tuple[Path, Path]
    """Names of a copy that another disk needs while it is not whole, on the way there and back."""
    sha256: str


class Journal:
    """A new journal in a folder, made with its first line; used in a ``with``.

    Attributes:
        folder: where it is.
        path: of its file, whose number no other there has; None before the first line.
    """

    def __init__(self, folder: Path, root: Path):
        self.folder = folder
        self.path: Path | None = None
        self._root = relative_root(root, folder)
        self._n_lines = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.path is not None:
            self._file.close()

    def note(self, file: str, moved_to: str, sha256: str) -> Path:
        """Return the name of a partial copy, once the line of a move is on the disk.

        Raises:
            OSError: it could not be written; the file must not move.
        """
        try:
            if self.path is None:
                self._begin()
            self._write((self._root, file, moved_to, sha256))
        except OSError as error:
            words = f"stopped, as the journal cannot be written ({error.strerror})"
            raise OSError(error.errno, words, str(self.path or self.folder)) from error
        self._n_lines += 1
        return _partial(self.path, self._n_lines, self.folder / moved_to)

    def _begin(self) -> None:
        number = 1
        while os.path.lexists(self.folder / f"journal-{number}.csv"):
            number += 1
        path = self.folder / f"journal-{number}.csv"
        self._file = open(path, "xb", buffering=0)  # noqa: SIM115
        self.path = path
        self._write(JOURNAL_COLUMNS)
        sync_folder(self.folder)

    def _write(self, cells: Sequence[str]) -> None:
        line = _line(cells).encode("utf-8", "surrogateescape")
        n_written = self._file.write(line)
        if n_written != len(line):
            raise OSError(errno.ENOSPC, "the disk may be full")
        os.fsync(self._file.fileno())


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(map(guarded, cells))
    return text.getvalue()


def read_journal(path: AnyPath, *, root: AnyPath | None = None) -> list[Entry]:
    """Return the whole lines of a journal, in their order; what breaks off was not moved.

    Args:
        root: the folder that the files came from; by default as the journal says.

    Raises:
        ValueError: it cannot be read, is none, or a path leaves its folder.
    """
    path = expanded(path)
    text = read_text(path, "utf-8", "surrogateescape")
    if _line(JOURNAL_COLUMNS).startswith(text):
        return []  # it breaks off in its first line
    ends = [line.end() for line in _WHOLE_LINE.finditer(text)]
    header = text.partition("\n")[0]
    cells, lines = parse_rows(text[: ends[-1]] if ends else header, path.name, JOURNAL_COLUMNS)
    source_root = folder_beside(path, {row["root"] for row in cells}, root)
    folder = Path(os.path.realpath(path.absolute().parent))
    entries = []
    for number, row in enumerate(cells, start=1):
        try:
            source = below(source_root, without_apostrophe(row["file"]))
            target = below(folder, without_apostrophe(row["moved_to"]))
        except ValueError as error:
            raise ValueError(f"{path.name}, line {lines[number - 1]}: {error}") from error
        partials = (_partial(path, number, target), _partial(path, number, source))
        entries.append(Entry(source, target, partials, row["sha256"]))
    return entries


def _partial(journal: Path, number: int, whole: Path) -> Path:
    """A hidden name beside the file, which nobody but this line of this journal gives."""
    return whole.with_name(f".{journal.stem}-{number}.part")
