"""Labels by people: which pairs to ask about, a file that no crash spoils, and what several people said, put together.

A label is never guessed. Pairs are drawn by chance within strata, and those of a stratum that were labelled stand for
all that it holds: so a few hundred answers, many of them about pairs that are hard to tell, stand for a collection.

Source: Horvitz and Thompson (1952), doi:10.1080/01621459.1952.10483446, for the weights; Cohen (1960),
doi:10.1177/001316446002000104, for the agreement.
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
from scipy.special import logit
from sklearn.metrics import cohen_kappa_score

from simlab import specs, tables
from simlab.paths import expanded, replace_file

ORDERS = ("random", "distance", "uncertainty")
"""How :func:`choose` draws: every pair alike, as many from each range of distances, most from what is uncertain."""

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
"""Columns of a label file. The last ends in Z, so that a line that breaks off is told from a whole one."""

NATS = (0, 1, 2, 3, 4, 6, 8, 12, np.inf)
"""Edges of the strata by uncertainty: the log odds of being a copy, or of being none."""

Pair = Mapping[str, Any] | pd.Series
"""A row of a pair table."""

_HEADER = (",".join(COLUMNS) + "\n").encode()
_DEFAULTS = {"seed": 0, "weight": 1.0}


def choose(
    pairs: pd.DataFrame,
    n: int,
    *,
    by: str = "",
    order: str = "distance",
    strata: int = 10,
    seed: int = 0,
) -> pd.DataFrame:
    """Return `n` of the pairs, drawn by chance, in the order in which to label them; a label they have is dropped.

    "random" draws every pair alike: nearly all will be different pictures. "distance" takes turns between ranges of the
    distance, so that the few near pairs are seen as well as the many far ones: what a ROC curve needs. "uncertainty"
    begins where the ensemble can tell least, and asks most there: what fitting weights needs. Every stratum is asked
    about in the first round, so that the answers are a sample of all pairs wherever one stops after it, and a larger
    `n` begins with the same pairs.

    Args:
        pairs: what to draw from, such as every pair of a collection, with the column `by`; rows where it is NaN are
            left out. Where there is a column ``weight``, it says how many pairs each stands for already.
        by: the distance to stratify by; for "uncertainty" one in [0, 1] that is 1 - probability, as an ensemble's.
        strata: ranges of equal width, for "distance".

    Returns:
        The pairs' columns, then weight (how many pairs each stands for), probability (1 / weight), stratum, and planned
        (how many of the stratum are chosen).

    Raises:
        ValueError: an unknown order or column, a number out of range, or nothing to draw from.

    >>> near = pd.DataFrame({"reference": "a", "query": list("bcdef"), "phash": [2.0, 30, 31, 33, 34]})
    >>> choose(near, 3, by="phash", strata=2)[["weight", "probability", "stratum", "planned"]]
       weight  probability            stratum  planned
    0     1.0          1.0   01 phash 2 to 18        1
    1     2.0          0.5  02 phash 18 to 34        2
    2     2.0          0.5  02 phash 18 to 34        2
    """
    if order not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}, not {order!r}")
    specs.check_number("n", n, 1, whole=True)
    specs.check_number("strata", strata, 1, whole=True)
    specs.check_number("seed", seed, 0, whole=True)
    pairs = tables.check_table(pairs, "pairs")
    if not isinstance(by, str) or (order != "random" and by not in pairs):
        raise ValueError(
            f"by must be a column of the pairs ({', '.join(map(str, pairs))}), not {by!r}"
        )
    known = pairs[by].notna().to_numpy() if by else np.ones(len(pairs), bool)
    table = pairs[known].drop(
        columns=["label", "source_reference", "source_query"], errors="ignore"
    )
    if table.empty:
        raise ValueError("pairs must hold one with a distance or more; there is none")
    code, names = _strata(
        table[by].to_numpy(float) if by else np.zeros(len(table)), by, order, strata
    )
    if n < (n_strata := len(np.unique(code))):
        raise ValueError(
            f"n must be at least the number of strata that hold pairs, {n_strata}, not {n}"
        )
    # all strata have a pair in the first round; after that, who waits twice as long is asked half as often
    turn = (_turns(table, code, seed) - 1) * (2.0 ** (code / 2) if order == "uncertainty" else 1)
    first = np.lexsort([code, turn])[:n]
    held, planned = np.bincount(code), np.bincount(code[first], minlength=len(names))
    chosen, code = table.iloc[first], code[first]
    weight = np.asarray(chosen.get("weight", 1.0), float) * held[code] / planned[code]
    chosen = chosen.drop(columns="weight", errors="ignore").reset_index(drop=True)
    return chosen.assign(
        weight=weight, probability=1 / weight, stratum=names[code], planned=planned[code]
    )


class LabelFile:
    """One person's labels in a CSV that :func:`simlab.read_pairs` reads: every row is on disk before the call returns.

    The first label makes the file; one that is there is gone on with. Where its last line breaks off, because the
    program was killed while it wrote, the line is completed if nothing is missing, else taken out, and `repaired` says
    so. A damaged file, or one of another kind, is refused and left as it is.

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
        path: str | Path,
        *,
        root: str | Path = ".",
        annotator: str = "",
        words: Mapping[str, Any] = tables.LABELS,
    ):
        self.path, self.root, self.annotator, self.words = (
            expanded(path).resolve(),
            expanded(root),
            annotator,
            words,
        )
        self.rows, self.repaired, self._size = {}, "", 0
        with self._named():
            data = self.path.read_bytes() if self.path.exists() else b""
            rows = self._parse(data)
            if self.repaired:
                self._replace(rows)
            self.rows, self._size = rows, self._size_now()

    def add(self, pair: Pair, label: str | int) -> None:
        """Append a pair with its label, and return when it is on disk.

        Raises:
            ValueError: an unknown label, a pair that has one, a pair that :func:`simlab.read_pairs` would refuse, a
                full disk, or a file that another program has changed meanwhile.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        row = {name: cell(pair, name) for name in COLUMNS} | {
            "annotator": self.annotator,
            "time": now,
        }
        if str(label).lower() not in self.words:
            raise ValueError(f"label must be one of {', '.join(self.words)}, not {label!r}")
        row["label"] = self.words[str(label).lower()]
        with self._named():
            sides, _ = identity(pair)
            if len(sides) == 1:
                raise ValueError(f"{row['reference']!r} is paired with itself")
            tables.check_pairs(
                pd.DataFrame([row | {"label": 0}])
            )  # no row that the next reading would refuse
            if identity(pair) in self.rows:
                raise ValueError(
                    f"the pair {row['reference']!r}, {row['query']!r} has a label; take that back first"
                )
            for side in ("reference", "query"):
                tables.check_path(_written(row[side]), self.root)
            self._append(_line(row))
        self.rows[identity(pair)] = row

    def remove(self, pair: Pair) -> None:
        """Take back the label of a pair; the file is replaced as a whole, so that a crash leaves the old or the new.

        Raises:
            ValueError: the pair has no label, or another program has changed the file meanwhile.
        """
        with self._named():
            if identity(pair) not in self.rows:
                raise ValueError(
                    f"the pair {cell(pair, 'reference')!r}, {cell(pair, 'query')!r} has no label"
                )
            self._check_unchanged()
            rows = {key: row for key, row in self.rows.items() if key != identity(pair)}
            self._replace(rows)
            self.rows, self._size = rows, self._size_now()

    def _append(self, line: bytes) -> None:
        self._check_unchanged()
        line = line if self._size else _HEADER + line
        with self.path.open("ab", buffering=0) as file:
            try:
                if file.write(line) < len(line):
                    raise OSError("the disk is full")
                os.fsync(file.fileno())
            except OSError:
                file.truncate(self._size)
                raise
        self._size += len(line)

    def _check_unchanged(self) -> None:
        if self._size_now() != self._size:
            raise ValueError("another program has changed it meanwhile; open it again")

    def _size_now(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def _replace(self, rows: dict[Hashable, dict]) -> None:
        replace_file(self.path, _HEADER + b"".join(map(_line, rows.values())))

    def _parse(self, data: bytes) -> dict[Hashable, dict]:
        """The rows of a file, without a last line that breaks off."""
        if not data.startswith(_HEADER):
            if not _HEADER.startswith(data):
                raise ValueError(
                    "not a label file of simlab, by its first line; it is left as it is"
                )
            self.repaired = "its first line broke off and was completed" if data else ""
            return {}
        # lone surrogates stand for bytes that are no UTF-8: half a letter at the end, or damage
        text = data.removeprefix(_HEADER).decode(errors="surrogateescape")
        lines = list(csv.reader(io.StringIO(text, newline="")))
        whole = bool(lines) and len(lines[-1]) == len(COLUMNS) and lines[-1][-1].endswith("Z")
        if not data.endswith(b"\n") or (text.count('"') % 2 and not whole):
            if re.search(r"\.\d{3}Z\n", "".join(lines[-1])):
                raise ValueError("damaged: a quotation mark is missing; the file is left as it is")
            what = "completed" if whole else "taken out, and its pair will be asked about again"
            lines, self.repaired = (
                lines[: len(lines) - (not whole)],
                f"its last line broke off and was {what}",
            )
        rows: dict[Hashable, dict] = {}
        for number, line in enumerate(lines, 2):
            row = self._row(line, number)
            if rows.setdefault(identity(row), row) is not row:
                raise ValueError(f"its row {number} repeats a pair; the file is left as it is")
        return rows

    def _row(self, line: list[str], number: int) -> dict[str, Any]:
        try:
            row = dict(zip(COLUMNS, line, strict=True))
            row |= {
                "label": self.words[row["label"]],
                "seed": int(row["seed"]),
                "weight": float(row["weight"]),
            }
            row |= {side: row[side].removeprefix("./") for side in ("reference", "query")}
            _line(row)  # only text can be written
        except (KeyError, ValueError) as error:
            raise ValueError(f"damaged in row {number}; the file is left as it is") from error
        return row

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
            raise ValueError(
                f"{self.path.name}: {getattr(error, 'strerror', None) or error}"
            ) from error


class Labels(NamedTuple):
    """What one person said or several, put together.

    Attributes:
        pairs: the pair table of what they agree on, or most of them, with weights that fit the answers there are.
        disputed: pairs that they call differently: columns as in `pairs`, `label` NaN where there is no majority, then
            `label_` and the name of each file: what it says.
        agreement: of every two files: first, second, n (pairs that both label), agreed (share of them), Cohen's kappa.
    """

    pairs: pd.DataFrame
    disputed: pd.DataFrame
    agreement: pd.DataFrame


def read_labels(*paths: str | Path, root: str | Path | None = None) -> Labels:
    """Return the labels of one file or of several people's, put together.

    The labelled pairs of a stratum stand for all that it holds: where labelling stopped half-way, or pairs were
    skipped, the weights are those of what is there.

    Args:
        paths: label files, or other CSVs that :func:`simlab.read_pairs` takes.
        root: folder that their pairs are relative to; the folder of the first file by default.

    Raises:
        ValueError: as :func:`simlab.read_pairs`; no file, or one twice.
    """
    files = [expanded(path) for path in paths]
    names = [path.stem for path in files]
    names = names if len(set(names)) == len(names) else [str(path) for path in files]
    if not names or len(set(names)) < len(names):
        raise ValueError(
            f"paths must be one file or more, each once, not {', '.join(names) or 'none'}"
        )
    root = files[0].parent if root is None else expanded(root)
    known: dict[Hashable, int] = {}
    rows = pd.concat(
        [tables.read_pairs(path, root=root).assign(file=name) for path, name in zip(files, names)]
    )
    rows["pair"] = [known.setdefault(identity(row), len(known)) for row in rows.to_dict("records")]
    votes = rows.pivot(index="pair", columns="file", values="label")[names]
    share, pairs = (
        votes.mean(axis=1),
        rows.drop_duplicates("pair").set_index("pair").drop(columns="file"),
    )
    pairs["label"] = share.round().where(share != 0.5)
    disputed = pairs[share % 1 > 0].join(votes.add_prefix("label_")).reset_index(drop=True)
    agreed = tables.with_sources(_weighed(pairs[share != 0.5].reset_index(drop=True)), root)
    agreed.attrs["root"] = str(root)
    return Labels(tables.check_pairs(agreed), disputed, _agreement(votes))


def identity(pair: Pair) -> Hashable:
    """Return what makes two rows the same pair: see :func:`simlab.tables.pair_identity`."""
    return tables.pair_identity(*(cell(pair, name) for name in KEY))


def cell(pair: Pair, name: str) -> Any:
    """Return a cell of a pair, or what stands for it where it is absent or NaN."""
    value = pair.get(name)
    return _DEFAULTS.get(name, "") if value is None or value != value else value


def _written(path: str) -> str:
    """A path so that no spreadsheet takes it for a formula, nor `read_pairs` for one that leads away."""
    return path if re.fullmatch(r"\w[^:]*", path) else f"./{path}"


def _line(row: dict[str, Any]) -> bytes:
    cells = row | {side: _written(row[side]) for side in ("reference", "query")}
    csv.writer(text := io.StringIO(), lineterminator="\n").writerow(cells[name] for name in COLUMNS)
    return text.getvalue().encode()


def _weighed(pairs: pd.DataFrame) -> pd.DataFrame:
    if not {"planned", "stratum"} <= set(pairs):
        return pairs
    planned = pd.to_numeric(pairs["planned"], errors="coerce")
    weight = pairs["weight"] * (
        planned / pairs.groupby("stratum")["stratum"].transform("size")
    ).fillna(1)
    return pairs.assign(weight=weight, probability=1 / weight)


def _agreement(votes: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for first, second in itertools.combinations(votes, 2):
        a, b = votes[[first, second]].dropna().to_numpy(int).T
        # where only one word was ever used, chance alone would agree on everything
        kappa = cohen_kappa_score(a, b) if len(np.union1d(a, b)) > 1 else np.nan
        rows.append((first, second, len(a), (a == b).mean() if len(a) else np.nan, kappa))
    return pd.DataFrame(rows, columns=["first", "second", "n", "agreed", "kappa"])


def _strata(
    distance: np.ndarray, by: str, order: str, strata: int
) -> tuple[np.ndarray, np.ndarray]:
    """The number of each pair's stratum, and the names of the strata."""
    if order == "random":
        return np.zeros(len(distance), int), np.array(["all"])
    edges, unit = np.linspace(distance.min(), distance.max(), strata + 1), ""
    if order == "uncertainty":
        if distance.min() < 0 or distance.max() > 1:
            raise ValueError(
                f"order 'uncertainty' needs a column of 1 - probability, in [0, 1]; {by!r} is none"
            )
        edges, unit, distance = np.array(NATS), " nats from even", np.abs(logit(distance))
    # numbered, so that no two names are the same
    ranges = enumerate(itertools.pairwise(edges.round(9)), 1)
    names = [f"{number:02d} {by} {low:.4g} to {high:.4g}{unit}" for number, (low, high) in ranges]
    return np.clip(np.searchsorted(edges, distance) - 1, 0, len(names) - 1), np.array(names)


def _turns(table: pd.DataFrame, code: np.ndarray, seed: int) -> np.ndarray:
    """The place of each pair in the random order of its stratum, from 1."""
    columns = (table.get(name, pd.Series("", table.index)).astype(str) for name in KEY)
    names = ["\0".join(cells) for cells in zip(*columns)]
    rank = {name: place for place, name in enumerate(tables.rank_by_hash(names, seed))}
    return pd.Series([rank[name] for name in names]).groupby(code).rank(method="first").to_numpy()
