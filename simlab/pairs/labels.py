"""A CSV of labels, read strictly: what is not plainly right is refused by its line, not guessed."""

import csv
import functools
import io
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
from pandas import DataFrame

from simlab import specs
from simlab.paths import AnyPath, expanded
from simlab.specs import Names
from simlab.tables import (
    SCORE_COLUMNS,
    WRITTEN,
    check_pairs,
    has_sources,
    noted_beside,
    with_sources,
)

LABELS = {
    **dict.fromkeys(("1", "1.0", "true", "yes", "same", "copy", "duplicate", "positive"), 1),
    **dict.fromkeys(("0", "0.0", "false", "no", "different", "not copy", "negative"), 0),
}
"""What a label cell may say, letter case and surrounding blanks aside."""


_COLUMNS = ("reference", "query", "label")


def read_pairs(
    path: AnyPath, *, root: AnyPath | None = None, encoding: str | None = None
) -> DataFrame:
    """Return the labelled pairs of a CSV file as a pair table; paths are relative to `root`.

    The file has a header with at least ``reference``, ``query`` and ``label``; commas or semicolons
    separate. A label is one of the words of :data:`LABELS`. Without source columns, a source is a
    connected component of "labelled copy" and of "same content".

    Args:
        root: folder that the paths are relative to; by default the CSV's own folder, or for a table
            that simlab wrote the one that ``run.json`` beside it names. ``attrs["root"]`` keeps it.
        encoding: of the file; UTF-8 (with or without BOM) by default.

    Raises:
        ValueError: with the line number: a missing column, an unknown label, a path that leaves the
            root, a missing file, a pair of a file with itself, a repeated or contradictory pair; or
            no rows at all.
    """
    path = expanded(path)
    root = _root_beside(path) if root is None else expanded(root)
    rows, lines = _read_rows(path, encoding)
    # many pairs name the same file
    checked_path = functools.cache(functools.partial(check_path, root=root))
    converters = {
        "label": _label,
        "reference": checked_path,
        "query": checked_path,
        "seed": _seed,
        "weight": _weight,
    }
    table = _converted(DataFrame(rows), lines, converters)
    if not has_sources(table):
        table = with_sources(table, root)
    table = check_pairs(table)
    _check_repeats(table, lines)
    table.attrs["root"] = str(root)
    return table


def read_unchecked(path: AnyPath, *, encoding: str | None = None) -> DataFrame:
    """Return the labels of a CSV file as texts and numbers, without a look at any picture.

    The columns are those of the file, with reference, query and label among them; names stand as
    they are written, and may be of pictures that are gone. ``attrs["root"]`` is the folder that
    :func:`read_pairs` would take them to be relative to.

    Raises:
        ValueError: with the line number: no such file or column, or an unknown label.
    """
    path = expanded(path)
    rows, lines = _read_rows(path, encoding)
    table = _converted(DataFrame(rows), lines, {"label": _label})
    table.attrs["root"] = str(_root_beside(path))
    return table


def read_distances(
    path: AnyPath,
    distances: Names = (),
    *,
    similarities: Names = (),
    encoding: str | None = None,
) -> DataFrame:
    """Return a score table of labels and distances that any tool made; no picture is looked at.

    The file has a header with at least reference, query and label, which are read as by
    :func:`read_pairs`, but need not name files. Where there are no source columns, names tell the
    sources: pairs that are labelled copies are of one; ``attrs["sources"]`` says "columns" or
    "names". A row without one of the numbers has the
    status "error", and is left out by evaluation and counted.

    Args:
        distances: columns whose numbers grow as two pictures are less alike: one, several with
            commas, or a list.
        similarities: those whose numbers grow with likeness. Their sign is turned, so that a
            threshold of -0.9 means a similarity of 0.9 or more.
        encoding: of the file; UTF-8 (with or without BOM) by default.

    Raises:
        ValueError: no column is named, or with the line number: a missing column, a cell that is no
            number, an unknown label, a repeated or contradictory pair.
    """
    path = expanded(path)
    rows, lines = _read_rows(path, encoding)
    table = DataFrame(rows)
    wanted = {}
    for given, what in ((distances, "distances"), (similarities, "similarities")):
        if given:
            wanted |= dict.fromkeys(specs.names(given, what, list(table)), what)
    for name, what in wanted.items():
        written = name.strip().lower()
        if written not in table or written in SCORE_COLUMNS:
            others = ", ".join(column for column in table if column not in SCORE_COLUMNS)
            raise ValueError(f"{what} must be among the columns ({others}), not {name!r}")
        table = table.rename(columns={written: name})
        numbers = np.array(_column(table[name], lines, _distance))
        table[name] = -numbers if what == "similarities" else numbers
    if not wanted:
        raise ValueError("distances or similarities must name a column or more; there is none")
    numbers = {"label": _label, "seed": _seed, "weight": _weight}
    sources = "columns" if has_sources(table) else "names"
    table = check_pairs(_converted(table, lines, numbers))
    _check_repeats(table, lines)
    is_missing = table[list(wanted)].isna().any(axis=1)
    status = np.where(is_missing, "error", "ok")
    error = np.where(is_missing, "a distance is missing", "")
    scores = table.assign(status=status, error=error, no_evidence="")
    scores.attrs["sources"] = sources
    return scores


def _distance(text: str) -> float:
    if text.strip().lower() in ("", "nan"):
        return math.nan
    try:
        return _weight(text)
    except ValueError as error:
        raise ValueError(f"a distance must be a number, or empty, not {text!r}") from error


def _root_beside(path: Path) -> Path:
    """The folder that the names in a table are relative to, where no other is given."""
    noted = noted_beside(path) if path.name in WRITTEN else {}
    return Path(noted.get("root", path.parent))


def _read_rows(path: Path, encoding: str | None) -> tuple[list[dict[str, str]], list[int]]:
    """The rows below the header, and the line in which each ends."""
    text = read_text(path, "utf-8-sig" if encoding is None else encoding)
    rows, lines = parse_rows(text, path.name, _COLUMNS)
    if not rows:
        raise ValueError(f"{path.name}: no pairs below the header")
    return rows, lines


def parse_rows(
    text: str, file: str, columns: Sequence[str]
) -> tuple[list[dict[str, str]], list[int]]:
    """Return the rows below a CSV's header, and the line in which each ends.

    Args:
        file: its name, for messages.
        columns: that the header must name, each once; commas or semicolons separate.

    Raises:
        ValueError: with the line: a column is missing, a row has more or fewer cells, or it is no
            CSV.
    """
    first_line = text.split("\n", 1)[0]
    delimiter = ";" if first_line.count(";") > first_line.count(",") else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows = []
    lines = []
    try:
        names = [name.strip().lower() for name in reader.fieldnames or []]
        _check_header(names, columns, file)
        reader.fieldnames = names
        for row in reader:
            if None in row:
                raise ValueError(f"{file}, line {reader.line_num}: more cells than the header")
            if None in row.values():
                raise ValueError(f"{file}, line {reader.line_num}: fewer cells than the header")
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise ValueError(f"{file}, line {reader.reader.line_num}: {error}") from error
    return rows, lines


def read_text(path: Path, encoding: str, errors: str = "strict") -> str:
    """Return the text of a file.

    Raises:
        ValueError: it cannot be read, or is no text in this encoding.
    """
    specs.check_kind("encoding", encoding, str, "the name of one, such as 'utf-8'")
    try:
        text = path.read_bytes().decode(encoding, errors)
    except OSError as error:
        raise ValueError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = 1 + error.object[: error.start].count(b"\n")
        raise ValueError(
            f"{path.name}, line {line}: not {error.encoding} text;"
            " name the encoding (--encoding), or save it as UTF-8"
        ) from error
    except (LookupError, UnicodeError) as error:
        raise ValueError(f"{encoding!r} is no encoding of text") from error
    if "\0" in text:
        raise ValueError(f"{path.name}: holds zero bytes; is it a CSV file in {encoding}?")
    return text


def _check_header(names: list[str], columns: Sequence[str], file: str) -> None:
    missing = set(columns) - set(names)
    if missing or len(set(names)) < len(names):
        needed = f"{', '.join(columns[:-1])} and {columns[-1]}"
        found = ", ".join(names) or "nothing"
        raise ValueError(f"{file}: the first line must name {needed}, each once; found: {found}")


def _converted(
    table: DataFrame, lines: list[int], converters: Mapping[str, Callable[[str], Any]]
) -> DataFrame:
    """The table with the texts of some columns converted, where these are there."""
    for name, convert in converters.items():
        if name in table:
            table[name] = _column(table[name], lines, convert)
    return table


def _column(texts: pd.Series, lines: list[int], convert: Callable[[str], Any]) -> list:
    values = []
    for text, line in zip(texts, lines):
        try:
            values.append(convert(text))
        except ValueError as error:
            raise ValueError(f"line {line}: {error}") from error
    return values


def _label(text: str) -> int:
    word = text.strip().lower()
    if word not in LABELS:
        raise ValueError(f"label {text!r} is not one of {', '.join(LABELS)}")
    return LABELS[word]


def check_path(text: str, root: AnyPath) -> str:
    """Return the path as it stands, once it is shown to name a file under the root.

    Raises:
        ValueError: it leads elsewhere, or there is no such file.
    """
    root = expanded(root)
    written = text.replace("\\", "/")
    begins_elsewhere = re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|[~/\\]", text)
    if begins_elsewhere or "$" in text or ".." in PurePosixPath(written).parts:
        raise ValueError(
            f"{text!r} must be a path inside {str(root)!r}, without ~, $, .. or a drive"
        )
    path = root / written
    # os.path, as pathlib raises where a name is too long
    if not text.strip() or not os.path.isfile(path):
        raise ValueError(f"no file {text!r} in {str(root)!r}")
    if not path.resolve().is_relative_to(root.resolve()):
        raise ValueError(f"{text!r} is a link that leaves {str(root)!r}")
    return path.relative_to(root).as_posix()


def _seed(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(f"seed {text!r} is not a whole number") from error


def _weight(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"weight {text!r} is not a number")
    return number


def _check_repeats(table: DataFrame, lines: list[int]) -> None:
    first_with = {}
    for line, row in zip(lines, table.itertuples()):
        sides, seed = pair_identity(
            row.reference, row.query, row.perturbation_reference, row.perturbation, row.seed
        )
        if len(sides) == 1:
            raise ValueError(f"line {line}: {row.reference!r} is paired with itself")
        first, label = first_with.setdefault((sides, seed), (line, row.label))
        if first != line:
            words = "is repeated" if label == row.label else "has the other label"
            raise ValueError(
                f"line {line}: the pair {row.reference!r}, {row.query!r} of line {first} {words}"
            )


def pair_identity(
    reference: str, query: str, perturbation_reference: str, perturbation: str, seed: int
) -> tuple[frozenset, int]:
    """Return what is alike in two rows of the same pair.

    The order of the two does not count, nor a seed that draws nothing.
    """
    sides = frozenset([(reference, perturbation_reference), (query, perturbation)])
    return sides, seed if perturbation_reference or perturbation else 0
