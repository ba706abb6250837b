"""The two tables that everything passes through, pairs and scores: columns, checks, sources."""

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy import ndarray
from pandas import DataFrame, Series
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from simlab import specs
from simlab.paths import AnyPath, expanded, read_json, sha256_of
from simlab.specs import Names

Pair: TypeAlias = tuple[str, str]
"""The files of a reference and a query."""

Row: TypeAlias = Mapping[str, Any]
"""A row of a table, by column."""

Columns: TypeAlias = DataFrame | Mapping[str, ndarray]
"""A table, or its columns by name."""

PAIR_COLUMNS = (
    "reference",
    "query",
    "perturbation_reference",
    "perturbation",
    "seed",
    "label",
    "source_reference",
    "source_query",
    "weight",
)
"""Columns of a pair table, in order; other columns pass through."""

SCORE_COLUMNS = (*PAIR_COLUMNS, "status", "error", "no_evidence")
"""Columns of a score table before its one distance column per method."""

SIDES = ("reference", "query")
"""The two pictures of a pair."""

FITTED = "ensemble"
"""How the columns of an ensemble's own distances begin: a mark that a CSV or a merge keeps."""

WRITTEN = ("pairs.csv", "scores.csv", "found.csv")
"""Tables that simlab writes beside a ``run.json``, which names their root."""

_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")

_DEFAULTS = {"perturbation_reference": "", "perturbation": "", "seed": 0, "weight": 1.0}
_SOURCES = ("source_reference", "source_query")
_TEXT = ("reference", "query", "perturbation_reference", "perturbation", *_SOURCES)


class Facts(dict):
    """What a table says of itself in ``attrs``, and nobody changes.

    pandas copies ``attrs`` deeply with every step: lists of thousands of files would take most of
    the time of a search whose features come from the cache.
    """

    def __deepcopy__(self, memo: dict) -> "Facts":
        return self


def check_pairs(pairs: DataFrame) -> DataFrame:
    """Return the pair table with absent optional columns added and types settled.

    The rows and their order stay.

    Raises:
        ValueError: a required column is missing, a path is no text, a label is neither 0 nor 1, a
            weight is negative or not finite, a seed is not a whole number, or some rows have no
            source.
    """
    pairs = check_table(pairs, "pairs", "reference, query, label").copy()
    for name, value in _DEFAULTS.items():
        if name not in pairs:
            pairs[name] = value
            continue
        # a CSV gives a column of empty texts back as one of missing numbers
        given = pairs[name].astype(object) if name in _TEXT else pairs[name]
        pairs[name] = given.fillna(value)
    _check_values(pairs)
    if not has_sources(pairs):
        pairs[list(_SOURCES)] = connected_sources(pairs)
    numbers = {"seed": np.int64, "label": np.int64, "weight": np.float64}
    others = [name for name in pairs if name not in PAIR_COLUMNS]
    return pairs.astype({**dict.fromkeys(_TEXT, object), **numbers})[[*PAIR_COLUMNS, *others]]


def check_table(table: DataFrame, what: str, columns: Names = ()) -> DataFrame:
    """Return the table itself.

    Args:
        what: the argument's name.
        columns: that it must have; a text with commas, or a list.

    Raises:
        ValueError: it is something else, or lacks a column.
    """
    specs.check_kind(what, table, DataFrame, "a table (pandas DataFrame)")
    needed = specs.names(columns, "columns") if columns else []
    missing = [name for name in needed if name not in table]
    if missing:
        raise ValueError(
            f"{what} must have the columns {', '.join(needed)}; missing: {', '.join(missing)}"
        )
    return table


def _check_values(pairs: DataFrame) -> None:
    for name in SIDES:
        wrong = [value for value in pairs[name] if not isinstance(value, str) or not value]
        if wrong:
            raise ValueError(f"{name} must be a path, as text, in every row, not {wrong[0]!r}")
    labels(pairs)
    weights(pairs)
    seed = pd.to_numeric(pairs["seed"], errors="coerce").astype(float)
    if not ((seed % 1 == 0) & (seed.abs() < 2**63)).all():
        raise ValueError("seed must be a whole number of at most 63 bits")


def labels(table: DataFrame) -> Series:
    """Return the labels of pairs or scores as the integers 1 (copy) and 0 (different).

    Raises:
        ValueError: a label is neither; True and False, 1.0 and 0.0 are. An unknown one is never
            guessed.
    """
    wrong = table.loc[~table["label"].isin([0, 1]), "label"]
    if len(wrong):
        raise ValueError(
            f"label must be 1 (copy) or 0 (different), not {wrong.iloc[0]!r}, in every row;"
            f" wrong ones: {len(wrong):,} of {len(table):,}"
        )
    return table["label"].astype(np.int64)


def check_both(label: ndarray | Series) -> None:
    """Raise unless there are copies and non-copies among these labels.

    Raises:
        ValueError: one of the two is missing.
    """
    n_copies = int(label.sum())
    if not 0 < n_copies < len(label):
        given = f"{n_copies:,} of {len(label):,}"
        raise ValueError(f"scores must hold copies and non-copies; copies among them: {given}")


def weights(table: DataFrame) -> Series:
    """Return the weights of pairs or scores as numbers, 1 each where there is no such column.

    Raises:
        ValueError: a weight is missing, negative or not finite.
    """
    if "weight" not in table:
        return Series(1.0, index=table.index)
    weight = pd.to_numeric(table["weight"], errors="coerce").astype(float)
    wrong = table.loc[~(np.isfinite(weight) & (weight >= 0)), "weight"]
    if len(wrong):
        raise ValueError(
            f"weight must be a finite number, 0 or more, in every row, not {wrong.iloc[0]!r}"
        )
    return weight


def has_sources(pairs: DataFrame) -> bool:
    """Return whether the pairs come with their sources: both columns, without gaps.

    Raises:
        ValueError: one of the columns is missing, or has gaps.
    """
    given = [name for name in _SOURCES if name in pairs]
    gaps = [(pairs[name].isna() | pairs[name].eq("")).any() for name in given]
    if len(given) == 1 or any(gaps):
        raise ValueError(
            "source_reference and source_query must both be there and name a source in every row,"
            " or none"
        )
    return bool(given)


def connected_sources(pairs: DataFrame, contents: dict[str, str] | None = None) -> DataFrame:
    """Return the columns source_reference and source_query for pairs that come without sources.

    A source is a connected component of "labelled copy" and "same content"; it is named by its
    first file.

    Args:
        contents: file → digest of its content; files of equal content share a source.
    """
    files = _unique(pairs, SIDES)
    number = {file: place for place, file in enumerate(files)}
    edges = []
    copies = pairs[pairs["label"] == 1]
    for reference, query in pairs_of(copies):
        edges.append((number[reference], number[query]))
    first_with = {}
    for file, digest in (contents or {}).items():
        if file in number:
            edges.append((first_with.setdefault(digest, number[file]), number[file]))
    source = _connected(files, edges)
    sides = [pairs[side].map(source) for side in SIDES]
    return pd.concat(sides, axis=1, keys=_SOURCES)


def pairs_of(table: DataFrame) -> list[Pair]:
    """Return the reference and the query of each row."""
    return list(zip(table["reference"], table["query"]))


def _unique(pairs: DataFrame, columns: Sequence[str]) -> ndarray:
    return pd.unique(pd.concat([pairs[name] for name in columns]))


def _connected(files: ndarray, edges: list[tuple[int, int]]) -> dict[str, str]:
    """For each file the first, by name, of those that it is connected with."""
    component_of = dict(zip(files, components(edges, len(files))))
    first = {}
    for file, component in component_of.items():
        first[component] = min(file, first.get(component, file))
    return {file: first[component] for file, component in component_of.items()}


def components(edges: Sequence[Sequence[int]], n: int) -> ndarray:
    """Return the number of the connected component of each of n things, joined by edges: (n,)."""
    ends = np.array(edges, dtype=int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(edges)), tuple(ends)), shape=(n, n))
    return connected_components(graph, directed=False)[1]


def with_sources(pairs: DataFrame, root: AnyPath) -> DataFrame:
    """Return the pairs with the sources that their labels and their files below `root` say."""
    check_table(pairs, "pairs", "reference, query, label")
    root = expanded(root)
    contents = {file: _digest(root / file) for file in _unique(pairs, SIDES)}
    return pairs.assign(**connected_sources(pairs, contents))


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError:  # it has a row of its own when the pairs are scored
        return str(path)


def rank_by_hash(names: Iterable[str], seed: int) -> list[str]:
    """Return the names in the order of SHA-256 of (seed, name).

    It is a shuffle that does not depend on the order in which they are given.
    """
    specs.check_count("seed", seed, 0)

    def digest(name: str) -> bytes:
        return hashlib.sha256(f"{seed}\0{name}".encode("utf-8", "surrogatepass")).digest()

    return sorted(names, key=digest)


def without_errors(scores: DataFrame) -> DataFrame:
    """Return the rows whose status is not "error", with whole labels.

    Raises:
        ValueError: a column is missing or holds what a score table may not, in whatever row.
    """
    # each row says whether it is a copy, and of which two sources
    has_sources(check_table(scores, "scores", ["label", *_SOURCES]))
    rows = scores.assign(label=labels(scores))
    weights(scores)  # refuses what is no weight
    if "status" not in rows:
        return rows
    return rows[rows["status"] != "error"]


def is_fitted(name: object) -> bool:
    """Return whether a column is an ensemble's own distance, by its name: see :data:`FITTED`."""
    return isinstance(name, str) and name.startswith(FITTED)


def read_scores(path: AnyPath) -> DataFrame:
    """Return a score table from the CSV that a study wrote.

    Where ``run.json`` stands beside it, ``attrs["root"]`` and ``attrs["methods"]`` are what that
    says.

    Raises:
        ValueError: where the file cannot be read or columns of a score table are missing.
    """
    path = expanded(path)
    texts = [*_TEXT, "status", "error", "no_evidence"]
    try:
        names = list(pd.read_csv(path, nrows=0))
        empty = {name: "" for name in names if name not in texts}
        plain = {"keep_default_na": False, "na_values": empty}
        scores = pd.read_csv(path, dtype=dict.fromkeys(texts, object), **plain)
        # again as text: pandas 2's own reading of numbers is off in the last digit
        decimals = list(scores.select_dtypes("floating"))
        written = pd.read_csv(path, usecols=decimals, dtype=object, **plain)
    except (OSError, ValueError) as error:
        words = str(error).strip()  # pandas' own end in a line break
        raise ValueError(f"cannot read the score table {str(path)!r}: {words}") from error
    check_table(scores, f"the score table {str(path)!r}", SCORE_COLUMNS)
    for name in texts:
        scores[name] = scores[name].map(without_apostrophe)
    for name in decimals:
        scores[name] = written[name].astype(float)
    scores.attrs.update(noted_beside(path))
    return scores


def guarded(cell: object) -> object:
    """Return a cell as a CSV holds it, in which a spreadsheet sees no formula.

    A text that begins with = + - @, a tab or a line break (or with apostrophes before one) gets an
    apostrophe in front, which :func:`without_apostrophe` takes away.
    """
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def without_apostrophe(text: str) -> str:
    """Return a text as it was before simlab wrote it into a CSV.

    The apostrophe keeps spreadsheets from taking a name for a formula.
    """
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def noted_beside(path: AnyPath) -> dict[str, Any]:
    """Return root and methods, as far as the ``run.json`` beside a table of simlab names them.

    There, the root is relative to the folder of the two.
    """
    folder = expanded(path).parent
    try:
        run = read_json(folder / "run.json", "the run")
    except ValueError:
        return {}
    if not isinstance(run, dict):
        return {}
    noted = {}
    if isinstance(run.get("root"), str):
        noted["root"] = os.path.join(os.path.realpath(folder), run["root"])
    if isinstance(run.get("methods"), list):
        noted["methods"] = run["methods"]
    return noted


def root_of(
    table: DataFrame,
    root: AnyPath | None = None,
    *,
    columns: Sequence[str] = SIDES,
) -> Path:
    """Return the folder that the paths of a table are relative to.

    It is the one given, that of ``attrs``, or the current.

    Raises:
        ValueError: no file of the table is there, as where ``attrs`` was lost in a merge and no
            root is given.
    """
    check_table(table, "the table of files", columns)
    folder = expanded(table.attrs.get("root", ".") if root is None else root)
    files = [str(file) for file in _unique(table, columns)]
    # a file named by its whole path, such as a query, is found under any root
    relative = [file for file in files if not os.path.isabs(file)]
    asked = relative or files
    if asked and not any(os.path.exists(folder / file) for file in asked):
        raise ValueError(
            f"not one file of the table is in {str(folder)!r}, such as {asked[0]!r};"
            " name the folder that its paths are relative to with root= or as its attrs['root']"
        )
    return folder
