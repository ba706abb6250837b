"""What people said of pairs, in a search: a copy is one whatever a recipe makes of it, and a pair
that is none is never proposed again.

Labels are untrusted text: a name counts only where a picture of the search has it, and no file is
opened by it.
"""

import itertools
import os
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from pandas import DataFrame

from simlab import tables
from simlab.pairs.labels import read_unchecked
from simlab.paths import AnyPath
from simlab.search.judging import COPY, IDENTICAL, LOOK_ALIKE
from simlab.tables import Pair

Labels: TypeAlias = DataFrame | AnyPath | None


class Said(NamedTuple):
    """What people said of pairs of a search, whose names and order these have.

    Attributes:
        copies: pairs that are copies.
        different: pairs that are none.
        n_elsewhere: labels that name no two pictures of the search.
    """

    copies: list[Pair]
    different: set[Pair]
    n_elsewhere: int

    def candidates(self, pairs: Iterable[Pair]) -> list[Pair]:
        """Return the pairs that are to be compared, in the order of a search."""
        kept = [pair for pair in pairs if pair not in self.different]
        return list(dict.fromkeys([*kept, *self.copies]))

    def judged(self, compared: DataFrame) -> DataFrame:
        """Return what was compared, without the pairs that are none, and the copies sure."""
        pairs = tables.pairs_of(compared)
        is_none = np.array([pair in self.different for pair in pairs], dtype=bool)
        copies = set(self.copies)
        is_copy = np.array([pair in copies for pair in pairs], dtype=bool)
        is_told = is_copy & (compared["verdict"] != IDENTICAL)
        label = pd.Series(pd.NA, compared.index, dtype="Int64").mask(is_copy, 1)
        judged = compared.assign(
            verdict=compared["verdict"].mask(is_told, COPY),
            distance=compared["distance"].mask(is_copy, 0.0),
            probability=compared["probability"].mask(is_copy, 1.0),
            label=label,
        )
        return judged[~is_none]

    def facts(self) -> dict[str, int]:
        """Return how many labels of each kind were used, and how many were not."""
        return {
            "copy": len(self.copies),
            "different": len(self.different),
            "elsewhere": self.n_elsewhere,
        }


def read_said(labels: Labels) -> DataFrame | None:
    """Return labels as a table with reference, query and label; None of none.

    Raises:
        ValueError: as :func:`simlab.pairs.labels.read_unchecked`; a column is missing, or a label
            is neither 1 nor 0.
    """
    if labels is None:
        return None
    if isinstance(labels, AnyPath):
        return read_unchecked(labels)
    tables.check_table(labels, "labels", "reference, query, label")
    return labels.assign(label=tables.labels(labels))


def said_of(
    labels: DataFrame | None, files: Iterable[str], root: Path, queries: Iterable[str] = ()
) -> Said:
    """Return what labels say of the pictures of a search.

    A name is looked for below the folder of the search, then below the one that the labels are
    relative to.

    Args:
        files: of all pictures; a pair has their order.
        queries: the files that are looked for among them, where it is not these themselves; a pair
            is then one of `files` and one of these.

    Raises:
        ValueError: a pair has both labels.
    """
    if labels is None:
        return Said([], set(), 0)
    name_of = {os.path.abspath(root / file): file for file in files}
    query_of = {os.path.abspath(file): file for file in queries}
    known = {path: place for place, path in enumerate({**name_of, **query_of})}
    folders = [root, Path(labels.attrs.get("root", root))]
    label_of = {}
    n_elsewhere = 0
    for row in labels.to_dict("records"):
        paths = {_path_meant(row[side], folders, known) for side in tables.SIDES}
        pairs = []
        if len(paths) == 2 and None not in paths and not _is_virtual(row):
            # a pair has the order of the files; a query comes after all of them
            in_order = sorted(paths, key=known.__getitem__)
            pairs = _named(in_order, name_of, query_of)
        n_elsewhere += not pairs
        for pair in pairs:
            if label_of.setdefault(pair, row["label"]) != row["label"]:
                raise ValueError(
                    f"labels call {pair[0]!r} and {pair[1]!r} a copy and different; keep one label"
                )
    copies = [pair for pair, label in label_of.items() if label == 1]
    different = {pair for pair, label in label_of.items() if label == 0}
    return Said(copies, different, n_elsewhere)


def _path_meant(name: Any, folders: Iterable[Path], paths: Container[str]) -> str | None:
    """The whole path of the picture of the search that a label means, if there is one."""
    if not isinstance(name, str):
        return None
    for written in (name, tables.without_apostrophe(name)):
        for folder in folders:
            path = os.path.abspath(folder / written)
            if path in paths:
                return path
    return None


def _named(paths: list[str], name_of: dict[str, str], query_of: dict[str, str]) -> list[Pair]:
    """The pairs of a search that are of these two files."""
    if not query_of:
        return [(name_of[paths[0]], name_of[paths[1]])]
    pairs = []
    for reference, query in itertools.permutations(paths):
        if reference in name_of and query in query_of:
            pairs.append((name_of[reference], query_of[query]))
    return pairs


def _is_virtual(row: tables.Row) -> bool:
    """Whether a label is about a variant that was made in memory, and so about no two files."""
    changes = (row.get("perturbation"), row.get("perturbation_reference"))
    return any(isinstance(change, str) and change for change in changes)


def kept_apart(found: DataFrame, different: Iterable[Pair]) -> np.ndarray:
    """Return which found pairs would join two pictures that are called different, bool (n,).

    Pairs of copies join pictures, the nearest first; one that would bring together two groups which
    hold such a pair does not. So no chain brings them together, whatever the linkage.
    """
    group_of = {file: {file} for file in [*found["reference"], *found["query"]]}
    foes = {}
    for first, second in different:
        foes.setdefault(first, set()).add(second)
        foes.setdefault(second, set()).add(first)
    is_apart = np.zeros(len(found), dtype=bool)
    is_copy = (found["verdict"] != LOOK_ALIKE).to_numpy()
    columns = (found["distance"], found["reference"], found["query"])
    order = sorted(np.flatnonzero(is_copy), key=list(zip(*columns)).__getitem__)
    for row in order:
        sides = (group_of[found[side].iloc[row]] for side in tables.SIDES)
        smaller, larger = sorted(sides, key=len)
        if smaller is larger:
            continue
        if any(foes.get(file, set()) & larger for file in smaller):
            is_apart[row] = True
            continue
        larger |= smaller
        for file in smaller:
            group_of[file] = larger
    return is_apart
