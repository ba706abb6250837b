"""A plan.csv is read: text that anybody may have written, checked before anything moves."""

import os
import re
from pathlib import Path
from typing import NamedTuple

from simlab.moving.plan import DROP, KEEP, PLAN_COLUMNS, UNDECIDED
from simlab.pairs.labels import parse_rows, read_text
from simlab.paths import AnyPath, expanded, identity_of
from simlab.tables import without_apostrophe


class Row(NamedTuple):
    """A file of a plan, and what is to become of it."""

    line: int
    """Where it stands in the CSV."""
    file: str
    """Its path below the plan's root."""
    group: str
    decision: str
    sha256: str
    """Of the file that was judged."""


class Plan(NamedTuple):
    """What a plan.csv says."""

    root: Path
    rows: list[Row]

    def kept(self) -> dict[str, list[Row]]:
        """Return the files that are kept, by group."""
        kept = {}
        for row in self.rows:
            if row.decision == KEEP:
                kept.setdefault(row.group, []).append(row)
        return kept

    def dropped(self) -> list[Row]:
        """Return the files that are to go, in the order of the plan."""
        return [row for row in self.rows if row.decision == DROP]


def read_plan(path: AnyPath, *, root: AnyPath | None = None) -> Plan:
    """Return what a plan.csv says, once it is shown to be one that harms nothing.

    Args:
        root: the folder of the pictures; by default the one that the plan names, relative to its
            own folder.

    Raises:
        ValueError: with the line: a column or a decision is missing or unknown; a path leaves the
            root; a file stands there twice; a group loses files and keeps none; a file that is kept
            is dropped elsewhere; or there is no such folder of pictures.
    """
    path = expanded(path)
    # names that are no UTF-8 hold lone surrogates
    text = read_text(path, "utf-8-sig", "surrogateescape")
    cells, lines = parse_rows(text, path.name, PLAN_COLUMNS)
    folder = folder_beside(path, {row["root"] for row in cells}, root)
    rows = []
    for row, line in zip(cells, lines):
        try:
            rows.append(_row(row, line, folder))
        except ValueError as error:
            raise ValueError(f"{path.name}, line {line}: {error}") from error
    plan = Plan(folder, rows)
    _check_names(plan, path.name)
    _check_groups(plan, path.name)
    _check_files(plan, path.name)
    return plan


def folder_beside(path: Path, named: set[str], root: AnyPath | None) -> Path:
    """Return the folder of pictures that a plan or journal names, or the one that is given.

    Args:
        named: what its rows say, relative to its own folder.

    Raises:
        ValueError: they name several, or it is not there.
    """
    if len(named) > 1:
        raise ValueError(f"{path.name}: every row must name the same root")
    relative = without_apostrophe(min(named, default="."))
    folder = path.absolute().parent / relative if root is None else expanded(root)
    if not folder.is_dir():
        raise ValueError(
            f"{path.name}: no folder {str(folder)!r}; it names its pictures' folder as"
            f" {relative!r}, seen from its own: put it back to where it was made, or name the"
            " folder with --root"
        )
    return Path(os.path.realpath(folder))


def below(folder: Path, file: str) -> Path:
    """Return the path of a file below a folder.

    Raises:
        ValueError: it leads elsewhere.
    """
    path = Path(file)
    if path.anchor or ".." in path.parts or "\0" in file or not path.parts:
        raise ValueError(f"{file!r} must be a path inside {str(folder)!r}, without .. or a drive")
    whole = folder / path
    if not Path(os.path.realpath(whole.parent)).is_relative_to(folder):
        raise ValueError(f"{file!r} goes through a link that leaves {str(folder)!r}")
    return whole


def _row(cells: dict[str, str], line: int, root: Path) -> Row:
    file = without_apostrophe(cells["file"])
    decision = cells["decision"].strip().lower()
    sha256 = cells["sha256"].strip().lower()
    if decision not in (KEEP, DROP, UNDECIDED):
        raise ValueError(
            f"decision must be {KEEP}, {DROP} or {UNDECIDED}, not {cells['decision']!r}"
        )
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError(f"sha256 must be 64 digits from 0 to f, not {cells['sha256']!r}")
    is_there = os.path.lexists(below(root, file))
    if decision == KEEP and not is_there and re.search(r"[\udc80-\udcff]", file):
        raise ValueError("no UTF-8 text; save the plan as UTF-8")
    return Row(line, Path(file).as_posix(), cells["group"].strip(), decision, sha256)


def _check_names(plan: Plan, name: str) -> None:
    first_with = {}
    for row in plan.rows:
        first = first_with.setdefault(row.file, row)
        if first is not row:
            raise ValueError(
                f"{name}, line {row.line}: {row.file!r} ({row.decision}) stands there twice, also"
                f" in line {first.line} ({first.decision})"
            )


def _check_groups(plan: Plan, name: str) -> None:
    groups = plan.kept()
    for row in plan.dropped():
        if row.group not in groups:
            raise ValueError(
                f"{name}, line {row.line}: {row.file!r} is dropped, and group {row.group!r} keeps"
                " no file"
            )


def _check_files(plan: Plan, name: str) -> None:
    """Refuse names of one file, through letter case or links, that are kept and dropped."""
    kept = {}
    for rows in plan.kept().values():
        kept.update((identity_of(plan.root / row.file), row) for row in rows)
    kept.pop(None, None)  # files that are not there
    for row in plan.dropped():
        other = kept.get(identity_of(plan.root / row.file))
        if other is not None and other.group != row.group:
            raise ValueError(
                f"{name}, line {row.line}: {row.file!r} is dropped, and is the same file as"
                f" {other.file!r}, which is kept (line {other.line})"
            )
