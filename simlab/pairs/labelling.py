"""Labels by people: which pairs to ask about, a file that no crash spoils, what several said.

A label is never guessed. Pairs are drawn by chance within strata, and those of a stratum that were
labelled stand for all that it holds: so a few hundred answers, many of them about pairs that are
hard to tell, stand for a collection.

Source: Horvitz and Thompson (1952), doi:10.1080/01621459.1952.10483446, for the weights; Cohen
(1960), doi:10.1177/001316446002000104, for the agreement.
"""

import contextlib
import csv
import io
import itertools
import os
import re
from collections.abc import Hashable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray
from pandas import DataFrame, Series
from scipy.special import logit

from simlab import specs, tables
from simlab.pairs.labels import LABELS, check_path, pair_identity, read_pairs
from simlab.paths import AnyPath, expanded, file_to_write, replace_file

ORDERS = ("random", "distance", "uncertainty")
"""How :func:`choose` draws: all alike, from each range of distance, or most of the uncertain."""

KEY = ("reference", "query", "perturbation_reference", "perturbation", "seed")
"""Columns that say which pair it is."""

COLUMNS = (
    *KEY,
    "label",
    "weight",
    "probability",
    "stratum",
    "planned",
    "annotator",
    "time",
)
"""Columns of a label file. The last ends in Z: a line that breaks off is told from a whole one."""

NATS = (0, 1, 2, 3, 4, 6, 8, 12, np.inf)
"""Edges of the strata by uncertainty: the log odds of being a copy, or of being none."""

Pair = Mapping[str, Any] | Series
"""A row of a pair table."""

Row = dict[str, Any]
Rows = dict[Hashable, Row]
"""What a label file holds, in order: :func:`identity` of the pair → its row."""

_HEADER = (",".join(COLUMNS) + "\n").encode()
_DEFAULTS = {"seed": 0, "weight": 1.0}
_LEFT = "the file is left as it is"


def choose(
    pairs: DataFrame,
    n: int,
    *,
    by: str = "",
    order: str = "distance",
    strata: int = 10,
    seed: int = 0,
) -> DataFrame:
    """Return `n` of the pairs, drawn by chance, in the order in which to label them.

    "random" draws every pair alike: nearly all will be different pictures. "distance" takes turns
    between ranges of the distance, so that the few near pairs are seen as well as the many far
    ones: what a ROC curve needs. "uncertainty" begins where the ensemble can tell least, and asks
    most there: what fitting weights needs. Every stratum is asked about in the first round, so that
    the answers are a sample of all pairs wherever one stops after it, and a larger `n` begins with
    the same pairs. A label that they have is dropped.

    Args:
        pairs: what to draw from, such as every pair of a collection, with the column `by`; rows
            where it is NaN are left out. Where there is a column ``weight``, it says how many pairs
            each stands for already.
        by: the distance to stratify by; for "uncertainty" one in [0, 1] that is 1 - probability, as
            an ensemble's.
        strata: ranges of equal width, for "distance".

    Returns:
        The pairs' columns, then weight (how many pairs each stands for), probability (1 / weight),
        stratum, and planned (how many of the stratum are chosen).

    Raises:
        ValueError: an unknown order or column, a number out of range, or nothing to draw from.

    >>> near = pd.DataFrame({"reference": "a", "query": list("bcdef")})
    >>> near["phash"] = [2.0, 30, 31, 33, 34]
    >>> choose(near, 3, by="phash", strata=2)[["weight", "probability", "stratum", "planned"]]
       weight  probability            stratum  planned
    0     1.0          1.0   01 phash 2 to 18        1
    1     2.0          0.5  02 phash 18 to 34        2
    2     2.0          0.5  02 phash 18 to 34        2
    """
    specs.check_choice("order", order, ORDERS)
    specs.check_count("n", n)
    specs.check_count("strata", strata)
    specs.check_count("seed", seed, 0)
    candidates = _candidates(pairs, by, order)
    stratum, names = _strata(candidates, by, order, strata)
    n_strata = len(np.unique(stratum))
    if n < n_strata:
        raise ValueError(
            f"n must be at least the number of strata that hold pairs, {n_strata}, not {n}"
        )
    turn = _turns(candidates, stratum, seed)
    if order == "uncertainty":  # who waits twice as long is asked half as often
        turn = turn * 2.0 ** (stratum / 2)
    rows = np.lexsort([stratum, turn])[:n]

    chosen = candidates.iloc[rows].reset_index(drop=True)
    of_chosen = stratum[rows]
    n_held = np.bincount(stratum)[of_chosen]
    n_planned = np.bincount(of_chosen)[of_chosen]
    weight = np.asarray(chosen.get("weight", 1.0), float) * n_held / n_planned
    return chosen.drop(columns="weight", errors="ignore").assign(
        weight=weight, probability=1 / weight, stratum=names[of_chosen], planned=n_planned
    )


def _candidates(pairs, by, order) -> DataFrame:
    """The pairs that have a distance, without labels and sources."""
    pairs = tables.check_table(pairs, "pairs")
    words = f"a column of the pairs ({', '.join(map(str, pairs))})"
    specs.check_kind("by", by, str, words)
    if order != "random" and by not in pairs:
        raise ValueError(f"by must be {words}, not {by!r}")
    known = pairs[pairs[by].notna()] if by else pairs
    if known.empty:
        raise ValueError("pairs must hold one with a distance or more; there is none")
    return known.drop(columns=["label", "source_reference", "source_query"], errors="ignore")


def _strata(pairs, by, order, n_ranges) -> tuple[ndarray, ndarray]:
    """The number of each pair's stratum, and the names of the strata."""
    if order == "random":
        return np.zeros(len(pairs), int), np.array(["all"])
    value = pairs[by].to_numpy(float)
    unit = ""
    if order == "distance":
        edges = np.linspace(value.min(), value.max(), n_ranges + 1)
    else:
        if value.min() < 0 or value.max() > 1:
            raise ValueError(
                f"order 'uncertainty' needs a column of 1 - probability, in [0, 1]; {by!r} is none"
            )
        edges = np.array(NATS)
        unit = " nats from even"
        value = np.abs(logit(value))
    names = []
    for low, high in itertools.pairwise(edges.round(9)):
        # numbered, so that no two names are the same
        names.append(f"{len(names) + 1:02d} {by} {low:.4g} to {high:.4g}{unit}")
    stratum = np.clip(np.searchsorted(edges, value) - 1, 0, len(names) - 1)
    return stratum, np.array(names)


def _turns(pairs, stratum, seed) -> ndarray:
    """The place of each pair in the random order of its stratum, from 0."""
    absent = Series("", pairs.index)
    columns = [pairs.get(name, absent).astype(str) for name in KEY]
    names = ["\0".join(cells) for cells in zip(*columns)]
    rank = {name: place for place, name in enumerate(tables.rank_by_hash(names, seed))}
    ranks = Series([rank[name] for name in names])
    return ranks.groupby(stratum).rank(method="first").to_numpy() - 1


class LabelFile:
    """One person's labels in a CSV that :func:`simlab.read_pairs` reads.

    Every row is on disk before the call returns. The first label makes the file; one that is there
    is gone on with. Where its last line breaks off, because the program was killed while it wrote,
    the line is completed if nothing is missing, else taken out, and `repaired` says so. A damaged
    file, or one of another kind, is refused and left as it is.

    Args:
        path: of the CSV.
        root: folder that the paths of the pairs are relative to.
        annotator: who labels.
        words: what may be answered, and what is written for it.

    Attributes:
        rows: what the file holds, in order: :func:`identity` of the pair → its row.
        repaired: what was set right when the file was opened; "" if nothing.

    Raises:
        ValueError: one line that names the file: it cannot be read or written, or is no label file.
    """

    def __init__(
        self,
        path: AnyPath,
        *,
        root: AnyPath = ".",
        annotator: str = "",
        words: Mapping[str, Any] = LABELS,
    ):
        self.path = file_to_write(path).resolve()
        self.root = expanded(root)
        specs.check_kind("annotator", annotator, str, "a text")
        self.annotator = annotator
        self.words = words
        with self._named():
            data = self.path.read_bytes() if self.path.exists() else b""
            rows, self.repaired = _parsed(data, words)
            if self.repaired:
                self._replace(rows)
            self._take(rows)

    def add(self, pair: Pair, label: str | int) -> None:
        """Append a pair with its label, and return when it is on disk.

        Raises:
            ValueError: an unknown label, a pair that has one, a pair that
                :func:`simlab.read_pairs` would refuse, a full disk, or a file that another program
                has changed meanwhile.
        """
        row = {name: cell(pair, name) for name in COLUMNS}
        row["annotator"] = self.annotator
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        row["time"] = now.replace("+00:00", "Z")
        word = str(label).lower()
        if word not in self.words:
            raise ValueError(f"label must be one of {', '.join(self.words)}, not {label!r}")
        row["label"] = self.words[word]
        with self._named():
            self._check_new(row)
            self._append(_line(row))
        self.rows[identity(row)] = row

    def _check_new(self, row: Row) -> None:
        """Raise where the next reading would refuse the row."""
        sides, _ = identity(row)
        if len(sides) == 1:
            raise ValueError(f"{row['reference']!r} is paired with itself")
        specs.check_number("weight", pd.to_numeric(row["weight"], errors="coerce"), 0)
        seed = pd.to_numeric(row["seed"], errors="coerce")
        specs.check_number("seed", seed, -(2**63), 2**63 - 1, whole=True)
        if identity(row) in self.rows:
            raise ValueError(
                f"the pair {row['reference']!r}, {row['query']!r} has a label; take that back first"
            )
        for side in tables.SIDES:
            specs.check_kind(side, row[side], str, "a path, as text")
            check_path(_written(row[side]), self.root)

    def _append(self, line: bytes) -> None:
        self._check_unchanged()
        if not self._size:
            line = _HEADER + line
        with self.path.open("ab", buffering=0) as file:
            try:
                if file.write(line) < len(line):
                    raise OSError("the disk is full")
                os.fsync(file.fileno())
            except OSError:
                file.truncate(self._size)
                raise
        self._size += len(line)

    def remove(self, pair: Pair) -> None:
        """Take back the label of a pair.

        The file is replaced as a whole, so that a crash leaves the old or the new.

        Raises:
            ValueError: the pair has no label, or another program has changed the file meanwhile.
        """
        with self._named():
            if identity(pair) not in self.rows:
                raise ValueError(
                    f"the pair {cell(pair, 'reference')!r}, {cell(pair, 'query')!r} has no label"
                )
            self._check_unchanged()
            others = {key: row for key, row in self.rows.items() if key != identity(pair)}
            self._replace(others)
            self._take(others)

    def _replace(self, rows: Rows) -> None:
        replace_file(self.path, _HEADER + b"".join(map(_line, rows.values())))

    def _take(self, rows: Rows) -> None:
        self.rows = rows
        self._size = self._size_now()

    def _check_unchanged(self) -> None:
        if self._size_now() != self._size:
            raise ValueError("another program has changed it meanwhile; open it again")

    def _size_now(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Say of which file an error tells."""
        try:
            yield
        except UnicodeError as error:
            raise ValueError(
                f"{self.path.name}: a name that is no UTF-8 text cannot be written"
            ) from error
        except (OSError, ValueError, csv.Error) as error:
            words = getattr(error, "strerror", None) or error
            raise ValueError(f"{self.path.name}: {words}") from error


def _parsed(data: bytes, words: Mapping[str, Any]) -> tuple[Rows, str]:
    """The rows of a file without a last line that breaks off, and what is to be set right."""
    if not data:
        return {}, ""
    if not data.startswith(_HEADER):
        if not _HEADER.startswith(data):
            raise ValueError("not a label file of simlab, by its first line; it is left as it is")
        return {}, "its first line broke off and was completed"
    lines, repaired = _whole_lines(data.removeprefix(_HEADER))
    rows = {}
    for number, cells in enumerate(lines, 2):
        row = _row(cells, number, words)
        if identity(row) in rows:
            raise ValueError(f"its row {number} repeats a pair; {_LEFT}")
        rows[identity(row)] = row
    return rows, repaired


def _whole_lines(body: bytes) -> tuple[list[list[str]], str]:
    """The lines as cells, and what is to be set right."""
    # lone surrogates stand for bytes that are no UTF-8: half a letter at the end, or damage
    text = body.decode(errors="surrogateescape")
    lines = list(csv.reader(io.StringIO(text, newline="")))
    if not lines:
        return [], ""
    last = lines[-1]
    is_whole = len(last) == len(COLUMNS) and last[-1].endswith("Z")
    is_quoted = text.count('"') % 2 == 1 and not is_whole
    if text.endswith("\n") and not is_quoted:
        return lines, ""
    if re.search(r"\.\d{3}Z\n", "".join(last)):
        raise ValueError(f"damaged: a quotation mark is missing; {_LEFT}")
    if is_whole:
        return lines, "its last line broke off and was completed"
    removed = "taken out, and its pair will be asked about again"
    return lines[:-1], f"its last line broke off and was {removed}"


def _row(cells: list[str], number: int, words: Mapping[str, Any]) -> Row:
    try:
        row = dict(zip(COLUMNS, cells, strict=True))
        row["label"] = words[row["label"]]
        row["seed"] = int(row["seed"])
        row["weight"] = float(row["weight"])
        for side in tables.SIDES:
            row[side] = row[side].removeprefix("./")
        _line(row)  # only text can be written
    except (KeyError, ValueError) as error:
        raise ValueError(f"damaged in row {number}; {_LEFT}") from error
    return row


def _line(row: Row) -> bytes:
    cells = row | {side: _written(row[side]) for side in tables.SIDES}
    text = io.StringIO()
    # with its own line end it quotes a carriage return in a name
    csv.writer(text).writerow(cells[name] for name in COLUMNS)
    return f"{text.getvalue().rstrip()}\n".encode()


def _written(path: str) -> str:
    """A path that no spreadsheet takes for a formula, nor `read_pairs` for one that leads away."""
    return path if re.fullmatch(r"\w[^:]*", path) else f"./{path}"


def identity(pair: Pair) -> tuple[frozenset, int]:
    """Return what makes two rows the same pair: see :func:`simlab.pairs.labels.pair_identity`."""
    cells = {name: cell(pair, name) for name in KEY}
    return pair_identity(**cells)


def cell(pair: Pair, name: str) -> Any:
    """Return a cell of a pair, or what stands for it where it is absent or NaN."""
    value = pair.get(name)
    if value is None or value != value:
        return _DEFAULTS.get(name, "")
    return value


class Labels(NamedTuple):
    """What one person said or several, put together.

    Attributes:
        pairs: the pair table of what they agree on, or most of them, with weights that fit the
            answers there are.
        disputed: pairs that they call differently: columns as in `pairs`, `label` NaN where there
            is no majority, then `label_` and the name of each file: what it says.
        agreement: of every two files: first, second, n (pairs that both label), agreed (share of
            them), Cohen's kappa.
    """

    pairs: DataFrame
    disputed: DataFrame
    agreement: DataFrame


def read_labels(*paths: AnyPath, root: AnyPath | None = None) -> Labels:
    """Return the labels of one file or of several people's, put together.

    The labelled pairs of a stratum stand for all that it holds: where labelling stopped half-way,
    or pairs were skipped, the weights are those of what is there.

    Args:
        paths: label files, or other CSVs that :func:`simlab.read_pairs` takes.
        root: folder that their pairs are relative to; the folder of the first file by default.

    Raises:
        ValueError: as :func:`simlab.read_pairs`; no file, or one twice.
    """
    files = [expanded(path) for path in paths]
    names = _names(files)
    root = files[0].parent if root is None else expanded(root)
    rows = pd.concat(
        [read_pairs(file, root=root).assign(file=name) for file, name in zip(files, names)]
    )
    number = {}
    rows["pair"] = [
        number.setdefault(identity(row), len(number)) for row in rows.to_dict("records")
    ]
    votes = rows.pivot(index="pair", columns="file", values="label")[names]
    share = votes.mean(axis=1)
    pairs = rows.drop_duplicates("pair").set_index("pair").drop(columns="file")
    pairs["label"] = share.round().where(share != 0.5)
    disputed = pairs[share % 1 > 0].join(votes.add_prefix("label_")).reset_index(drop=True)
    decided = _weighed(pairs[share != 0.5].reset_index(drop=True))
    agreed = tables.with_sources(decided, root)
    agreed.attrs["root"] = str(root)
    return Labels(tables.check_pairs(agreed), disputed, _agreement(votes))


def _names(files: list[Path]) -> list[str]:
    """What the files are called: by their stems where these differ."""
    names = [file.stem for file in files]
    if len(set(names)) < len(names):
        names = [str(file) for file in files]
    if not names or len(set(names)) < len(names):
        raise ValueError(
            f"paths must be one file or more, each once, not {', '.join(names) or 'none'}"
        )
    return names


def _weighed(pairs: DataFrame) -> DataFrame:
    """The pairs with weights for as many of each stratum as were labelled."""
    if not {"planned", "stratum"} <= set(pairs):
        return pairs
    n_planned = pd.to_numeric(pairs["planned"], errors="coerce")
    n_labelled = pairs.groupby("stratum")["stratum"].transform("size")
    weight = pairs["weight"] * (n_planned / n_labelled).fillna(1)
    return pairs.assign(weight=weight, probability=1 / weight)


def _agreement(votes: DataFrame) -> DataFrame:
    # needed here only, and slow to import
    from sklearn.metrics import cohen_kappa_score

    rows = []
    for first, second in itertools.combinations(votes, 2):
        both = votes[[first, second]].dropna().to_numpy(int)
        of_first, of_second = both.T
        agreed = (of_first == of_second).mean() if len(both) else np.nan
        # where only one word was ever used, chance alone would agree on everything
        several = len(np.unique(both)) > 1
        kappa = cohen_kappa_score(of_first, of_second) if several else np.nan
        rows.append((first, second, len(both), agreed, kappa))
    return DataFrame(rows, columns=["first", "second", "n", "agreed", "kappa"])
