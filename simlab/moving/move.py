"""The files that a plan drops move to another folder: nothing is deleted, and all can come back.

Just before each file moves, it and the files that are kept for it are read again: all must be those
that were judged. A line of the journal is on the disk before the file moves.
"""

import os
from pathlib import Path
from typing import NamedTuple

from simlab.images import MOVED, SUFFIXES
from simlab.moving.journal import Journal
from simlab.moving.one_file import check_is_file, content_of, move_file
from simlab.moving.plan_file import Plan, Row, below
from simlab.paths import AnyPath, expanded, folder_to_write, lies_in

_MARK = b"""simlab move put the pictures in this folder here, and a search leaves it out. The files
journal-*.csv say where they came from; simlab move --undo JOURNAL brings them back.
"""

GONE = "no longer there"
"""Why a file is left that somebody has moved before."""


class Job(NamedTuple):
    """A file that is to go, with what may go with it."""

    row: Row
    kept: list[Row]
    companions: list[str]
    """Files of the same name that are no pictures, such as XMP, the RAW of a JPEG, the MOV of a
    live photo; none where another picture of this name stays."""

    def names(self, companions: bool) -> list[str]:
        """Return the paths below the root of what goes."""
        return [self.row.file, *self.companions] if companions else [self.row.file]


class Moved(NamedTuple):
    """What became of a plan.

    Attributes:
        journal: the file that brings all back; None where nothing was to move.
        files: that moved, with their companions.
        left: file → why it is where it was.
    """

    journal: Path | None
    files: list[str]
    left: dict[str, str]


class Preview(NamedTuple):
    """What would become of a plan.

    Attributes:
        n_files: that would move.
        n_bytes: of these.
        companions: of the pictures that would move, whether or not they would move along.
        left: file → why it would stay.
    """

    n_files: int
    n_bytes: int
    companions: list[str]
    left: dict[str, str]


def jobs_of(plan: Plan) -> list[Job]:
    """Return what is to move."""
    kept = plan.kept()
    beside = _Beside(plan)
    return [Job(row, kept[row.group], beside.companions(row.file)) for row in plan.dropped()]


def obstacle(plan: Plan, job: Job, *, read: bool = True) -> str:
    """Return why a file must stay where it is; "" where it may go.

    Args:
        read: whether the files are read, by which alone a change is sure to be seen.
    """
    try:
        _check(plan.root, job, read)
    except (OSError, ValueError) as error:
        return words_of(error)
    return ""


def _check(root: Path, job: Job, read: bool) -> None:
    """Raise, with the reason, where a file must stay: it, and those kept for it, are as judged."""
    path = below(root, job.row.file)
    if not os.path.lexists(path):
        raise ValueError(GONE)
    _check_content(path, job.row, read)
    for row in job.kept:
        kept = below(root, row.file)
        try:
            _check_content(kept, row, read)
        except (OSError, ValueError) as error:
            raise ValueError(f"the file to keep, {row.file}: {words_of(error)}") from error
        if os.path.samefile(kept, path):
            raise ValueError(f"the same file as {row.file}, which is kept, under another name")
    if not os.access(path.parent, os.W_OK):
        raise ValueError("its folder is not writable")


def _check_content(path: Path, row: Row, read: bool) -> None:
    check_is_file(path)
    if read and content_of(path) != row.sha256:
        raise ValueError("it has changed since it was judged")


def words_of(error: Exception) -> str:
    """Return why a file could not be read or moved."""
    return getattr(error, "strerror", None) or str(error)


def check_folder(plan: Plan, to: AnyPath) -> Path:
    """Return the folder that files are to move to; it is not made yet.

    Raises:
        ValueError: it holds the pictures' folder or a file of the plan, or holds other files and is
            none that a move has made.
    """
    folder = Path(os.path.realpath(folder_to_write(expanded(to))))
    if lies_in(plan.root, [folder] if folder.exists() else []):
        raise ValueError(
            f"--to {str(to)!r} holds the pictures' folder {str(plan.root)!r}: name another folder,"
            " in it or elsewhere"
        )
    if folder.exists() and any(folder.iterdir()) and not (folder / MOVED).is_file():
        raise ValueError(
            f"--to {str(to)!r} holds other files: name a new folder, or one of an earlier move"
        )
    if folder.exists():
        for parent in {Path(row.file).parent for row in plan.rows}:
            if lies_in(plan.root / parent, [folder]):
                raise ValueError(f"files of the plan lie in --to {str(to)!r}: name another folder")
    return folder


def preview(plan: Plan, *, companions: bool = False) -> Preview:
    """Return what :func:`move` would do, as far as is seen without reading the files."""
    sizes = {}
    beside = []
    left = {}
    for job in jobs_of(plan):
        reason = obstacle(plan, job, read=False)
        if reason:
            left[job.row.file] = reason
            continue
        names = job.names(companions)
        sizes.update((name, os.path.getsize(plan.root / name)) for name in names)
        beside += job.companions
    return Preview(len(sizes), sum(sizes.values()), beside, left)


def move(plan: Plan, to: AnyPath, *, companions: bool = False) -> Moved:
    """Return what moved and what did not, after the files that a plan drops were moved.

    Sub-folders and names stay as they are; where a name is taken, the file gets a number. The
    journal in the folder says where each came from; see :func:`simlab.moving.undo`.

    Args:
        plan: as from :func:`simlab.moving.read_plan`.
        to: a new folder, or one of an earlier move. Where it lies among the pictures, a search
            leaves it out.
        companions: whether files of the same name that are no pictures move along.

    Raises:
        ValueError: the folder holds other files, or the pictures' folder.
        OSError: the journal cannot be written; nothing moves without it, and what moved before
            stands in it.
    """
    jobs = jobs_of(plan)
    folder = check_folder(plan, to)
    moved = Moved(None, [], {})
    if not jobs:
        return moved
    _make(folder)
    with Journal(folder, plan.root) as journal:
        for job in jobs:
            reason = obstacle(plan, job)
            if reason:
                moved.left[job.row.file] = reason
            else:
                _move_job(plan.root, job.row, job.names(companions), journal, moved)
    return moved._replace(journal=journal.path)


def _make(folder: Path) -> None:
    """The folder, with the mark by which a search leaves it out."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / MOVED
    if not mark.is_file():
        mark.write_bytes(_MARK)


def _move_job(root: Path, row: Row, names: list[str], journal: Journal, moved: Moved) -> None:
    """Move a file, then its companions; what cannot be moved is left, with the reason."""
    for name, target in zip(names, free_names(journal.folder, names)):
        try:
            # a companion was not judged: what it is now is what comes back
            sha256 = row.sha256 if name == row.file else content_of(root / name)
            whole = below(journal.folder, target)
        except (OSError, ValueError) as error:
            moved.left[name] = words_of(error)
            return
        partial = journal.note(name, target, sha256)
        try:
            move_file(root / name, whole, partial, sha256)
        except OSError as error:
            moved.left[name] = words_of(error)
            return
        moved.files.append(name)


def free_names(folder: Path, names: list[str]) -> list[str]:
    """Return the names below a folder, or all with the first number that nobody there has.

    They begin with the stem of the first, and so does what the number is put behind.
    """
    stem = Path(names[0]).stem
    number = 1
    targets = names
    while any(os.path.lexists(folder / target) for target in targets):
        number += 1
        targets = []
        for path in map(Path, names):
            rest = path.name.removeprefix(stem)
            targets.append(path.with_name(f"{stem} ({number}){rest}").as_posix())
    return targets


class _Beside:
    """Which files have the name of a picture, up to an ending."""

    def __init__(self, plan: Plan):
        self._root = plan.root
        self._planned = {row.file for row in plan.rows}
        self._dropped = {row.file for row in plan.dropped()}
        self._folders: dict[Path, dict[str, list[str]]] = {}
        self._taken: set[str] = set()

    def companions(self, file: str) -> list[str]:
        """The files that go with a picture, and with no other that stays; each once."""
        path = Path(file)
        by_stem = self._by_stem(path.parent)
        names = list(by_stem.get(path.name, []))  # a.jpg.xmp
        of_stem = by_stem.get(path.stem, [])  # a.xmp, and pictures such as a.heic
        pictures = [name for name in of_stem if self._is_picture(name)]
        if self._dropped.issuperset(pictures):
            names += of_stem
        found = []
        for name in names:
            if not self._is_picture(name) and name not in self._taken:
                self._taken.add(name)
                found.append(name)
        return found

    def _is_picture(self, name: str) -> bool:
        return name in self._planned or Path(name).suffix.lower() in SUFFIXES

    def _by_stem(self, folder: Path) -> dict[str, list[str]]:
        """Stem → paths below the root of the regular files of a folder."""
        if folder not in self._folders:
            by_stem = {}
            for entry in _files_in(self._root / folder):
                name = (folder / entry).as_posix()
                by_stem.setdefault(Path(entry).stem, []).append(name)
            self._folders[folder] = by_stem
        return self._folders[folder]


def _files_in(folder: Path) -> list[str]:
    """Names of the regular files of a folder, in order; none where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
    except OSError:
        return []
