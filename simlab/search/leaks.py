"""Leaks: test pictures that are copies of training pictures, and how large their share is."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas import DataFrame

from simlab.evaluation import share_interval
from simlab.methods.overlap import transform_of
from simlab.search.copies import find_copies
from simlab.search.judging import COPY, IDENTICAL, LOOK_ALIKE, Recipe
from simlab.tables import Row, connected_sources

LEAKED = (IDENTICAL, COPY)
"""Verdicts of a test picture that has leaked."""

NONE = "none"
UNREADABLE = "unreadable"

TURNED = 3.0
"""Degrees from which a picture is said to be turned."""

_PART = {
    "reference": "a part of the training picture",
    "query": "the training picture and more around it",
    "neither": "another part of what both show",
    "both": "saved again or retouched",
}
"""By which picture contains the other, as :func:`simlab.find_copies` says it."""


class Leaks(NamedTuple):
    """What a test set has in common with a training set; see :func:`find_leaks`."""

    pairs: DataFrame
    pictures: DataFrame
    shares: DataFrame


def find_leaks(train, test, recipe: Recipe = None, **options: Any) -> Leaks:
    """Return which test pictures are copies of training pictures, and their share.

    Pictures of one side are not compared with each other.

    Args:
        train, test: each a folder, a list of paths, or a table with a ``path`` column. A file that
            is in both counts as a test picture.
        recipe: as in :func:`simlab.find_copies`.
        options: labels, threshold, prior, any_name, cache, n_jobs and progress, as there.

    Returns:
        Three tables. ``pairs``, surest first: test_file, train_file, verdict (identical, copy or
        look-alike), distance, probability, edit (how the test picture differs, as far as that can
        be told), and the other columns of :func:`simlab.find_copies`. ``pictures``, a row for each
        test picture: test_file, verdict (that of its surest pair, or "none", or "unreadable"),
        train_file, distance, probability, edit, group (test pictures that are copies of one
        training picture share one) and error. ``shares`` of the readable test pictures: kind
        ("leaked", then by verdict, and "edit: …"; "look-alike" are those that have not leaked), n,
        share, low and high (95 %, by group), n_test, n_groups, and false_alarms (how many of n are
        expected to be none, by the recipe's probabilities at this size).

    Raises:
        ValueError: as :func:`simlab.find_copies`.
    """
    found = find_copies(train, recipe, between=test, **options)
    pairs = found.rename(columns={"query": "test_file", "reference": "train_file"})
    pairs["edit"] = [edit_of(row) for row in pairs.to_dict("records")]
    first = ["test_file", "train_file", "verdict", "distance", "probability", "edit"]
    pairs = pairs[[*first, *pairs.columns.drop(first)]]
    pictures = _pictures(pairs, found.attrs["queries"], found.attrs["errors"])
    return Leaks(pairs, pictures, _shares(pictures))


def _pictures(pairs: DataFrame, files: list[str], errors: dict[str, str]) -> DataFrame:
    """A row for each test picture: its surest pair, which comes first among its pairs."""
    columns = ["test_file", "verdict", "train_file", "distance", "probability", "edit"]
    surest = pairs[columns].drop_duplicates("test_file").set_index("test_file")
    pictures = surest.reindex(pd.Index(files, name="test_file")).reset_index()
    texts = pictures[["verdict", "train_file", "edit"]].astype(object)
    texts = texts.fillna({"verdict": NONE, "train_file": "", "edit": ""})
    is_unreadable = pictures["test_file"].isin(list(errors))
    texts["verdict"] = texts["verdict"].mask(is_unreadable, UNREADABLE)
    leaks = pairs[pairs["verdict"].isin(LEAKED)]
    sides = leaks.rename(columns={"test_file": "query", "train_file": "reference"})
    groups = connected_sources(sides.assign(label=1))["source_query"]
    group_of = dict(zip(leaks["test_file"], groups))
    group = [group_of.get(file, file) for file in files]
    error = [errors.get(file, "") for file in files]
    return pictures.assign(**texts, group=group, error=error)


def _shares(pictures: DataFrame) -> DataFrame:
    """The shares of the readable test pictures, by what they are."""
    known = pictures[pictures["verdict"] != UNREADABLE]
    has_leaked = known["verdict"].isin(LEAKED)
    kinds = {"leaked": has_leaked}
    for verdict in (*LEAKED, LOOK_ALIKE):
        kinds[verdict] = known["verdict"] == verdict
    for edit in sorted(known["edit"][has_leaked].unique()):
        kinds[f"edit: {edit}"] = has_leaked & (known["edit"] == edit)
    rows = []
    for kind, is_one in kinds.items():
        share, low, high = share_interval(is_one, known["group"])
        doubt = 1 - known["probability"][is_one & has_leaked]
        rows.append((kind, int(is_one.sum()), share, low, high, doubt.sum()))
    shares = DataFrame(rows, columns=["kind", "n", "share", "low", "high", "false_alarms"])
    is_alike = shares["kind"] == LOOK_ALIKE
    shares["false_alarms"] = shares["false_alarms"].mask(is_alike)
    return shares.assign(n_test=len(known), n_groups=known["group"].nunique())


def edit_of(row: Row) -> str:
    """Return how a test picture differs from a training picture, as far as a pair's row tells.

    Of look-alikes it is empty.
    """
    if row["same_file"]:
        return "same file"
    if row["verdict"] == IDENTICAL:
        return "same pixels"
    if row["verdict"] == LOOK_ALIKE:
        return ""
    transform = transform_of(row)
    if transform is None:
        return "cannot be told"
    return _change(transform[:2, :2], row)


def _change(linear: np.ndarray, row: Row) -> str:
    """What the largest change is, of a picture that lies so in the other."""
    if np.linalg.det(linear) < 0:
        return "mirrored"
    if abs(np.degrees(np.arctan2(linear[1, 0], linear[0, 0]))) > TURNED:
        return "turned"
    if row["contains"] == "both" and row["pixels_query"] != row["pixels_reference"]:
        return "resized"
    return _PART[row["contains"]]
