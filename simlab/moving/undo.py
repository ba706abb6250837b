"""A move is undone: whatever its journal names goes back to where it was, as far as it is there."""

import os
from pathlib import Path
from typing import NamedTuple

from simlab.moving.journal import Entry, read_journal
from simlab.moving.move import free_names, words_of
from simlab.moving.one_file import content_of, move_file
from simlab.paths import AnyPath


class Undone(NamedTuple):
    """What became of the files of a journal.

    Attributes:
        back: where files are that came back.
        renamed: of these, those whose old name was taken: that name → where the file is.
        there: old names of files that had not left, or were back before.
        left: where a file is, or should be → why it did not come back.
    """

    back: list[Path]
    renamed: dict[Path, Path]
    there: list[Path]
    left: dict[Path, str]


def undo(journal: AnyPath, *, root: AnyPath | None = None) -> Undone:
    """Return what came back, after the files that a move's journal names were moved back.

    It may be called again, and for a journal that breaks off. No file is replaced: where an old
    name is taken meanwhile, the file comes back under a number. A file that was changed after its
    move is left where it is.

    Args:
        journal: the path of a journal-*.csv in a folder to which files were moved.
        root: the folder that they came from; by default as the journal says.

    Raises:
        ValueError: the journal cannot be read, is none, or a path leaves its folder.
    """
    undone = Undone([], {}, [], {})
    for entry in reversed(read_journal(journal, root=root)):
        try:
            _bring_back(entry, undone)
        except OSError as error:
            undone.left[entry.target] = words_of(error)
    return undone


def _bring_back(entry: Entry, undone: Undone) -> None:
    source, target, partials, sha256 = entry
    _remove_cut_off(partials)
    is_source_there = os.path.lexists(source)
    if not os.path.lexists(target):
        if is_source_there:
            undone.there.append(source)
        else:
            undone.left[target] = f"neither here nor at {source}"
        return
    if is_source_there and _is_spare(target, source, sha256):
        os.unlink(target)
        undone.there.append(source)
        return
    if is_source_there and _is_spare(source, target, sha256):
        os.unlink(source)  # an empty file, which held the name for a way back that was cut off
    if content_of(target) != sha256:
        undone.left[target] = "changed since it moved here: bring it back by hand"
        return
    [name] = free_names(source.parent, [source.name])
    back = source.with_name(name)
    move_file(target, back, partials[1], sha256)
    undone.back.append(back)
    if back != source:
        undone.renamed[source] = back


def _remove_cut_off(partials: tuple[Path, Path]) -> None:
    """Remove copies that were cut off; the original of each is where it was."""
    for partial in partials:
        if partial.is_file() and not partial.is_symlink():
            os.unlink(partial)


def _is_spare(spare: Path, whole: Path, sha256: str) -> bool:
    """Whether a move was cut off between its steps, so that one name has all there is of a file.

    Then the two are one file, the same content twice, or one name is held by an empty file.
    """
    if spare.is_symlink() or whole.is_symlink() or not (spare.is_file() and whole.is_file()):
        return False
    if os.path.samefile(spare, whole):
        return True
    if content_of(whole) != sha256:
        return False
    return spare.stat().st_size == 0 or content_of(spare) == sha256
