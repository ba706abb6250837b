"""The two tables everything passes through, pairs and scores: their columns, their checks, labelled-pair CSVs."""

import csv
import hashlib
import io
import json
import math
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from simlab import specs
from simlab.paths import expanded

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

FITTED = "ensemble"
"""How the columns of an ensemble's own distances are named; the name is the mark that a CSV or a merge keeps."""

WRITTEN = ("pairs.csv", "scores.csv", "found.csv")
"""Tables that simlab writes beside a ``run.json``, which names their root."""

LABELS = {
    **dict.fromkeys(("1", "1.0", "true", "yes", "same", "copy", "duplicate", "positive"), 1),
    **dict.fromkeys(("0", "0.0", "false", "no", "different", "not copy", "negative"), 0),
}
"""What a label cell may say (letter case and surrounding blanks aside). Anything else is refused, never guessed."""

_DEFAULTS = {"perturbation_reference": "", "perturbation": "", "seed": 0, "weight": 1.0}
_TEXT = (
    "reference",
    "query",
    "perturbation_reference",
    "perturbation",
    "source_reference",
    "source_query",
)


def check_pairs(pairs: pd.DataFrame) -> pd.DataFrame:
    """Return the pair table with absent optional columns added and types settled; the rows and their order stay.

    Raises:
        ValueError: a required column is missing, a path is no text, a label is neither 0 nor 1, a weight is negative or
            not finite, a seed is not a whole number, or some rows have no source.
    """
    pairs = check_table(pairs, "pairs").copy()
    missing = [name for name in ("reference", "query", "label") if name not in pairs]
    if missing:
        raise ValueError(
            f"a pair table needs the columns reference, query and label; missing: {', '.join(missing)}"
        )
    for name, value in _DEFAULTS.items():
        if name not in pairs:
            pairs[name] = value
            continue
        # a CSV gives a column of empty texts back as one of missing numbers
        given = pairs[name].astype(object) if name in _TEXT else pairs[name]
        pairs[name] = given.fillna(value)
    _check_values(pairs)
    if not _has_sources(pairs):
        pairs[["source_reference", "source_query"]] = connected_sources(pairs)
    pairs = pairs.astype(
        {**dict.fromkeys(_TEXT, object), "seed": np.int64, "label": np.int64, "weight": np.float64}
    )
    return pairs[[*PAIR_COLUMNS, *(name for name in pairs if name not in PAIR_COLUMNS)]]


def labels(table: pd.DataFrame) -> pd.Series:
    """Return the labels of pairs or scores as the integers 1 (copy) and 0 (different).

    Raises:
        ValueError: a label is neither; True and False, 1.0 and 0.0 are. An unknown one is never guessed.
    """
    wrong = table.loc[~table["label"].isin([0, 1]), "label"]
    if len(wrong):
        raise ValueError(
            f"label must be 1 (copy) or 0 (different), not {wrong.iloc[0]!r}, in every row; "
            f"{len(wrong):,} of {len(table):,} have another"
        )
    return table["label"].astype(np.int64)


def weights(table: pd.DataFrame) -> pd.Series:
    """Return the weights of pairs or scores as numbers, 1 each where there is no such column.

    Raises:
        ValueError: a weight is missing, negative or not finite.
    """
    if "weight" not in table:
        return pd.Series(1.0, index=table.index)
    weight = pd.to_numeric(table["weight"], errors="coerce").astype(float)
    good = np.isfinite(weight) & (weight >= 0)
    if not good.all():
        wrong = table.loc[~good, "weight"]
        raise ValueError(
            f"weight must be a finite number, 0 or more, in every row, not {wrong.iloc[0]!r}"
        )
    return weight


def check_columns(table: pd.DataFrame) -> None:
    """Raise unless a score table says of every row whether it is a copy, and of which two sources.

    Raises:
        ValueError: label, source_reference or source_query is missing, or a row names no source.
    """
    needed = ("label", "source_reference", "source_query")
    if missing := [name for name in needed if name not in table]:
        raise ValueError(
            f"scores need the columns {', '.join(needed)}; missing: {', '.join(missing)}"
        )
    _has_sources(table)


def check_table(table: pd.DataFrame, what: str) -> pd.DataFrame:
    """Return the table itself.

    Raises:
        ValueError: it is something else; `what` is the argument's name.
    """
    if not isinstance(table, pd.DataFrame):
        raise ValueError(
            f"{what} must be a table (pandas DataFrame), not of type {type(table).__name__}"
        )
    return table


def is_fitted(name: object) -> bool:
    """Return whether a column is an ensemble's own distance: its name begins with :data:`FITTED`."""
    return isinstance(name, str) and name.startswith(FITTED)


def read_scores(path: str | Path) -> pd.DataFrame:
    """Return a score table from the CSV that a study wrote.

    Where ``run.json`` stands beside it, ``attrs["root"]`` and ``attrs["methods"]`` are what that says.

    Raises:
        ValueError: where the file cannot be read or columns of a score table are missing.
    """
    path = expanded(path)
    text = [*_TEXT, "status", "error", "no_evidence"]
    try:
        names = list(pd.read_csv(path, nrows=0))
        empty = {name: "" for name in names if name not in text}
        plain = {"keep_default_na": False, "na_values": empty}
        scores = pd.read_csv(path, dtype=dict.fromkeys(text, object), **plain)
        # again as text: pandas 2's own reading of numbers is off in the last digit
        decimals = list(scores.select_dtypes("floating"))
        written = pd.read_csv(path, usecols=decimals, dtype=object, **plain)
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read the score table {str(path)!r}: {error}") from error
    missing = [name for name in SCORE_COLUMNS if name not in names]
    if missing:
        raise ValueError(
            f"{str(path)!r} is not a score table; missing columns: {', '.join(missing)}"
        )
    for name in text:  # the apostrophe that keeps spreadsheets from taking a name for a formula
        scores[name] = scores[name].str.replace(r"^'(?='*[=+\-@\t\r\n])", "", regex=True)
    for name in decimals:
        scores[name] = written[name].astype(float)
    scores.attrs.update(noted_beside(path))
    return scores


def root_of(
    table: pd.DataFrame,
    root: str | os.PathLike | None = None,
    *,
    columns: Sequence[str] = ("reference", "query"),
) -> Path:
    """Return the folder that the paths of a table are relative to: the one given, that of ``attrs``, or the current.

    Raises:
        ValueError: no file of the table is there, as where ``attrs`` was lost in a merge and no root is given.
    """
    folder = expanded(table.attrs.get("root", ".") if root is None else root)
    files = [str(file) for file in pd.unique(pd.concat([table[name] for name in columns]))]
    # a file named by its whole path, such as a query, is found under any root
    relative = [file for file in files if not os.path.isabs(file)]
    asked = relative or files
    if asked and not any(os.path.exists(folder / file) for file in asked):
        raise ValueError(
            f"not one file of the table is in {str(folder)!r}, such as {asked[0]!r}; name the folder that its paths"
            " are relative to with root="
        )
    return folder


def noted_beside(path: str | Path) -> dict[str, Any]:
    """Return what the ``run.json`` beside a table of simlab says of it: root and methods, as far as they are there.

    The root is named relative to the folder of the two.
    """
    folder = expanded(path).parent
    try:
        run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(run, dict):
        return {}
    noted: dict[str, Any] = {}
    if isinstance(run.get("root"), str):
        noted["root"] = os.path.join(os.path.realpath(folder), run["root"])
    if isinstance(run.get("methods"), list):
        noted["methods"] = run["methods"]
    return noted


def connected_sources(pairs: pd.DataFrame, contents: dict[str, str] | None = None) -> pd.DataFrame:
    """Return the columns source_reference and source_query for pairs that come without sources.

    A source is a connected component of "labelled copy" and "same content"; it is named by its first file.

    Args:
        contents: file → digest of its content; files of equal content share a source.
    """
    files = pd.unique(pd.concat([pairs["reference"], pairs["query"]]))
    index = {file: i for i, file in enumerate(files)}
    copies = pairs[pairs["label"] == 1]
    edges = [
        (index[a], index[b]) for a, b in zip(copies["reference"], copies["query"], strict=True)
    ]
    first: dict[str, int] = {}
    edges += [
        (first.setdefault(digest, index[f]), index[f])
        for f, digest in (contents or {}).items()
        if f in index
    ]
    rows, columns = np.array(edges, dtype=int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(files),) * 2)
    names = _component_names(files, connected_components(graph, directed=False)[1])
    return pd.DataFrame(
        {f"source_{side}": pairs[side].map(names) for side in ("reference", "query")},
        index=pairs.index,
    )


def with_sources(pairs: pd.DataFrame, root: str | Path) -> pd.DataFrame:
    """Return the pairs with the sources that their labels and the content of their files, below `root`, say."""
    root = expanded(root)
    files = pd.unique(pd.concat([pairs["reference"], pairs["query"]]))
    sources = connected_sources(pairs, {file: _digest(root / file) for file in files})
    return pairs.assign(**sources)


def split_by_source(
    pairs: pd.DataFrame, share: float = 0.5, *, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return two tables without a common source; pairs that join the two sides belong to neither.

    Args:
        share: share of the sources on the first side, in (0, 1).

    Raises:
        ValueError: where `share` is not between 0 and 1 or a side has no source.
    """
    specs.check_number("share", share, 0, 1, within=True)
    sources = rank_by_hash(
        pd.unique(pd.concat([pairs["source_reference"], pairs["source_query"]])), seed
    )
    first = set(sources[: round(share * len(sources))])
    if not first or len(first) == len(sources):
        raise ValueError(f"{len(sources)} sources cannot be split into two sides at share={share}")
    reference, query = pairs["source_reference"].isin(first), pairs["source_query"].isin(first)
    return pairs[reference & query], pairs[~reference & ~query]


def rank_by_hash(names: Iterable[str], seed: int) -> list[str]:
    """Return the names in the order of SHA-256 of (seed, name): a shuffle that does not depend on their order."""
    return sorted(
        names,
        key=lambda name: hashlib.sha256(
            f"{seed}\0{name}".encode("utf-8", "surrogatepass")
        ).digest(),
    )


def read_pairs(
    path: str | Path, *, root: str | Path | None = None, encoding: str | None = None
) -> pd.DataFrame:
    """Return the labelled pairs of a CSV file as a pair table; paths are relative to `root`.

    The file has a header with at least ``reference``, ``query`` and ``label``; commas or semicolons separate.
    A label is one of the words of :data:`LABELS`. Without source columns, a source is a connected component of
    "labelled copy" and of "same content".

    Args:
        root: folder that the paths are relative to; by default the CSV's own folder, or for a table that simlab wrote
            the one that ``run.json`` beside it names. ``attrs["root"]`` keeps it.
        encoding: of the file; UTF-8 (with or without BOM) by default.

    Raises:
        ValueError: with the line number: a missing column, an unknown label, a path that leaves the root, a missing
            file, a pair of a file with itself, a repeated or contradictory pair; or no rows at all.
    """
    path = expanded(path)
    if root is None:
        noted = noted_beside(path) if path.name in WRITTEN else {}
        root = noted.get("root", path.parent)
    root = expanded(root)
    rows, lines = _read_rows(path, encoding or "utf-8-sig")
    table = pd.DataFrame(rows)
    table["label"] = [_label(text, line) for text, line in zip(table["label"], lines, strict=True)]
    known: dict[str, str] = {}
    for side in ("reference", "query"):
        table[side] = [
            known[text] if text in known else known.setdefault(text, _relative(text, root, line))
            for text, line in zip(table[side], lines, strict=True)
        ]
    for name, kind in (("seed", int), ("weight", float)):
        if name in table:
            table[name] = [
                _number(text, name, kind, line)
                for text, line in zip(table[name], lines, strict=True)
            ]
    if not _has_sources(table):
        table = with_sources(table, root)
    table = check_pairs(table)
    _check_repeats(table, lines)
    table.attrs["root"] = str(root)
    return table


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:  # it has a row of its own when the pairs are scored
        return str(path)


def _component_names(files: np.ndarray, components: np.ndarray) -> dict[str, str]:
    smallest: dict[int, str] = {}
    for file, component in zip(files, components, strict=True):
        smallest[component] = min(file, smallest.get(component, file))
    return {file: smallest[component] for file, component in zip(files, components, strict=True)}


def _has_sources(pairs: pd.DataFrame) -> bool:
    """Whether the pairs come with their sources: both columns, without gaps."""
    given = [name for name in ("source_reference", "source_query") if name in pairs]
    if len(given) == 1 or any((pairs[name].isna() | pairs[name].eq("")).any() for name in given):
        raise ValueError(
            "source_reference and source_query must both be there and name a source in every row, or none"
        )
    return bool(given)


def _check_values(pairs: pd.DataFrame) -> None:
    for name in ("reference", "query"):
        if wrong := [value for value in pairs[name] if not isinstance(value, str) or not value]:
            raise ValueError(f"{name} must be a path, as text, in every row, not {wrong[0]!r}")
    labels(pairs)
    weights(pairs)
    seed = pd.to_numeric(pairs["seed"], errors="coerce").astype(float)
    if not ((seed % 1 == 0) & (seed.abs() < 2**63)).all():
        raise ValueError("seed must be a whole number of at most 63 bits")


def _read_rows(path: Path, encoding: str) -> tuple[list[dict[str, str]], list[int]]:
    text = _read_text(path, encoding)
    head = text.split("\n", 1)[0]
    reader = csv.DictReader(
        io.StringIO(text, newline=""),
        delimiter=";" if head.count(";") > head.count(",") else ",",
        strict=True,
    )
    rows, lines = [], []
    try:
        names = [name.strip().lower() for name in reader.fieldnames or []]
        reader.fieldnames = names
        missing = [name for name in ("reference", "query", "label") if name not in names]
        if missing or len(set(names)) < len(names):
            found = ", ".join(names) or "nothing"
            raise ValueError(
                f"{path.name}: the first line must name reference, query and label, each once; found: {found}"
            )
        for row in reader:
            if None in row or None in row.values():
                raise ValueError(
                    f"{path.name}, line {reader.line_num}: {'more' if None in row else 'fewer'} cells than the header"
                )
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise ValueError(f"{path.name}, line {reader.reader.line_num}: {error}") from error
    if not rows:
        raise ValueError(f"{path.name}: no pairs below the header")
    return rows, lines


def _read_text(path: Path, encoding: str) -> str:
    try:
        text = path.read_bytes().decode(encoding)
    except OSError as error:
        raise ValueError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = 1 + error.object[: error.start].count(b"\n")
        raise ValueError(
            f"{path.name}, line {line}: not {error.encoding} text; name the encoding (--encoding), or save it as UTF-8"
        ) from error
    except (LookupError, UnicodeError) as error:
        raise ValueError(f"{encoding!r} is no encoding of text") from error
    if "\0" in text:
        raise ValueError(f"{path.name}: holds zero bytes; is it a CSV file in {encoding}?")
    return text


def _label(text: str, line: int) -> int:
    word = text.strip().lower()
    if word not in LABELS:
        raise ValueError(f"line {line}: label {text!r} is not one of {', '.join(LABELS)}")
    return LABELS[word]


def _number(text: str, name: str, kind: type, line: int) -> float:
    try:
        number = kind(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"line {line}: {name} {text!r} is not a {'whole ' * (kind is int)}number")
    return number


def check_path(text: str, root: str | Path) -> str:
    """Return the path as it stands, once it is shown to name a file under the root.

    Raises:
        ValueError: it leads elsewhere, or there is no such file.
    """
    root = expanded(root)
    parts = PurePosixPath(text.replace("\\", "/")).parts
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|[~/\\]", text) or "$" in text or ".." in parts:
        raise ValueError(
            f"{text!r} must be a path inside {str(root)!r}, without ~, $, .. or a drive"
        )
    path = root / text.replace("\\", "/")
    # os.path, as pathlib raises where a name is too long
    if not text.strip() or not os.path.isfile(path):
        raise ValueError(f"no file {text!r} in {str(root)!r}")
    if not path.resolve().is_relative_to(root.resolve()):
        raise ValueError(f"{text!r} is a link that leaves {str(root)!r}")
    return path.relative_to(root).as_posix()


def pair_identity(
    reference: str, query: str, perturbation_reference: str, perturbation: str, seed: int
) -> tuple:
    """Return what is alike in two rows of the same pair: the order does not count, nor a seed that draws nothing."""
    sides = frozenset([(reference, perturbation_reference), (query, perturbation)])
    return sides, seed if perturbation_reference or perturbation else 0


def _relative(text: str, root: Path, line: int) -> str:
    try:
        return check_path(text, root)
    except ValueError as error:
        raise ValueError(f"line {line}: {error}") from error


def _check_repeats(table: pd.DataFrame, lines: list[int]) -> None:
    seen: dict[tuple, tuple[int, int]] = {}
    for line, row in zip(lines, table.itertuples(), strict=True):
        key = pair_identity(
            row.reference, row.query, row.perturbation_reference, row.perturbation, row.seed
        )
        if len(key[0]) == 1:
            raise ValueError(f"line {line}: {row.reference!r} is paired with itself")
        first, label = seen.setdefault(key, (line, row.label))
        if first != line:
            words = "is repeated" if label == row.label else "has the other label"
            raise ValueError(
                f"line {line}: the pair {row.reference!r}, {row.query!r} of line {first} {words}"
            )
