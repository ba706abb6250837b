"""A plan: which file of each group of copies is kept, and which others need not be.

It only proposes. A file is proposed to be dropped where it was itself judged a copy of one that is
kept, and where nothing is known that the comparison did not see.
"""

import functools
import itertools
import os
from collections.abc import Callable, Iterable
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from pandas import DataFrame

from simlab.images import ImageError, unseen
from simlab.paths import AnyPath, Folders
from simlab.search.grouping import are_protected, group
from simlab.search.judging import CAUTION, IDENTICAL, LOOK_ALIKE
from simlab.tables import check_table, pairs_of, root_of

PLAN_COLUMNS = ("root", "file", "group", "decision", "reason", "sha256")
"""Columns of a plan, in order."""

KEEP = "keep"
DROP = "drop"
UNDECIDED = "undecided"

_FOUND = "reference, query, verdict, same_file, probability, sha256_reference, sha256_query"


def make_plan(
    found: DataFrame,
    groups: DataFrame | None = None,
    *,
    reference: Folders = (),
    root: AnyPath | None = None,
) -> DataFrame:
    """Return which files to keep, which to drop, and which a person must decide on; none is moved.

    Args:
        found: as from :func:`simlab.find_copies`.
        groups: as from :func:`simlab.group`, by default with the same `reference`.
        reference: folder or folders: pictures there are kept, and never dropped.
        root: folder that the paths of `found` are relative to; by default its ``attrs["root"]``.

    Returns:
        A row per picture that has a copy, group by group: root, the folder that holds them all;
        file, relative to it; group, as in `groups`; decision; reason, in words; and sha256 of the
        file that was judged. The decision is "keep", or "drop" for what is identical to a kept file
        or a copy of it, or "undecided" where the two were not judged to be copies (a chain joins
        them), are doubtful ones, nothing says which is better, or one has more than the RGB that
        was compared: over 8 bits a channel, transparency, frames or pages.

    Raises:
        ValueError: a table lacks a column, or no picture of the pairs is there.
    """
    check_table(found, "found", _FOUND)
    folder = root_of(found, root)
    found = found.copy()
    found.attrs["root"] = str(folder)
    if groups is None:
        groups = group(found, reference=reference)
    check_table(groups, "groups", "file, group, size, keep")
    groups = groups[groups["size"] > 1]
    groups = groups.assign(protected=are_protected(groups["file"], found, reference))
    sha256 = dict(zip(found["reference"], found["sha256_reference"]))
    sha256 |= dict(zip(found["query"], found["sha256_query"]))
    judge = _Judge(_judged(found), functools.cache(functools.partial(_unseen, folder)))
    rows = []
    in_order = groups.sort_values("group", kind="stable").itertuples()
    for number, members in itertools.groupby(in_order, attrgetter("group")):
        for file, decision, reason in judge.decisions(members):
            rows.append((file, number, decision, reason, sha256[file]))
    plan = DataFrame(rows, columns=list(PLAN_COLUMNS[1:]))
    return _with_one_root(plan, folder)


class _Pair(NamedTuple):
    """What a search said of two files, in the columns of its table."""

    verdict: str
    same_file: bool
    probability: float
    keep: str
    """The better of the two; "" where nothing says which is."""
    keep_reason: str


def _judged(found: DataFrame) -> dict[frozenset[str], _Pair]:
    """The pairs of copies, by their two files."""
    copies = found[found["verdict"] != LOOK_ALIKE]
    said = copies.reindex(columns=_Pair._fields).astype({"keep": object, "keep_reason": object})
    said = said.fillna({"keep": "", "keep_reason": ""})  # a CSV knows no empty text
    files = map(frozenset, pairs_of(copies))
    return dict(zip(files, said.itertuples(index=False, name="_Pair")))


def _unseen(root: Path, file: str) -> str:
    """What a file has beside the RGB that was compared, in a sentence; "" for nothing."""
    try:
        more = unseen(root / file)
    except ImageError as error:
        return f"{file} can no longer be read: {error}"
    return f"{file} has {more}, which was not compared" if more else ""


class _Judge(NamedTuple):
    """By what a file is proposed to be dropped."""

    pairs: dict[frozenset[str], _Pair]
    unseen: Callable[[str], str]

    def decisions(self, members: Iterable) -> Iterable[tuple[str, str, str]]:
        """File, decision and reason of each picture of a group, the kept ones first."""
        rows = list(members)
        kept = [row for row in rows if row.protected] or [row for row in rows if row.keep]
        for row in kept:
            yield row.file, KEEP, "in a reference folder" if row.protected else row.reason
        names = {row.file for row in kept}
        for row in rows:
            if row.file not in names:
                yield row.file, *self._proposed(row.file, kept)

    def _proposed(self, file: str, kept: list) -> tuple[str, str]:
        doubt = "not found to be a copy of the kept file itself, but of others of the group"
        for row in kept:
            pair = self.pairs.get(frozenset((file, row.file)))
            if pair is not None:
                doubt = self._doubt(pair, file, row.file, row.protected)
                if not doubt:
                    return DROP, _reason(pair, row.file)
        return UNDECIDED, doubt

    def _doubt(self, pair: _Pair, file: str, kept: str, protected: bool) -> str:
        """Why a copy of a kept file should not be dropped without a look; "" where it may be."""
        if pair.same_file:
            return ""
        if pair.verdict != IDENTICAL:
            if pair.keep == file:
                return f"said to be better than {kept}: {pair.keep_reason}"
            if pair.probability <= CAUTION:
                return f"a doubtful copy of {kept}"
            if not pair.keep and not protected:
                return f"nothing says which is better, this or {kept}"
        return self.unseen(kept) or self.unseen(file)


def _reason(pair: _Pair, kept: str) -> str:
    if pair.same_file:
        return f"the same file as {kept}, byte for byte"
    alike = "equal pixels to" if pair.verdict == IDENTICAL else "a copy of"
    why = f": {pair.keep_reason}" if pair.keep == kept and pair.keep_reason else ""
    return f"{alike} {kept}{why}"


def _with_one_root(plan: DataFrame, root: Path) -> DataFrame:
    """The plan with the folder that holds all its files: queries may lie elsewhere.

    Raises:
        ValueError: they are on several drives.
    """
    whole = [os.path.join(os.path.abspath(root), file) for file in plan["file"]]
    common = os.path.commonpath([os.path.abspath(root), *map(os.path.dirname, whole)])
    files = [Path(os.path.relpath(path, common)).as_posix() for path in whole]
    plan = plan.assign(file=files, root=common)
    return plan[list(PLAN_COLUMNS)]
