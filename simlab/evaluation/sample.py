"""The usable rows of a score table as arrays, and the groups of them that are measured.

Everything else in this package computes with these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray
from pandas import DataFrame

from simlab import perturb, specs, tables
from simlab.messages import counted
from simlab.methods import registry
from simlab.specs import Names


def read(scores: DataFrame, methods: Names | None = None) -> "Sample":
    """Return the rows whose status is not "error" and that have every method's distance.

    Everything in this package looks at scores through here. Rows of weight 0 do not count.

    Args:
        methods: a text with commas, one name or a list of names; None for all that have a column.

    Raises:
        ValueError: as :func:`simlab.methods.columns`; a column that evaluation needs is missing, or
            what it holds is not what a pair table may hold: labels 1 and 0, weights of 0 or more, a
            source in every row.
    """
    methods = registry.columns(scores, methods)
    rows = tables.without_errors(scores)
    good = rows[rows[methods].notna().all(axis=1)]
    table = good[tables.weights(good) > 0]
    return Sample(table, methods, n_errors=len(scores) - len(good))


def read_one(scores: DataFrame, method: Names) -> tuple["Sample", str]:
    """Return the rows that have a distance by one method, and its name, which may stand in a list.

    Raises:
        ValueError: as :func:`read`, or several methods are named.
    """
    columns = list(tables.check_table(scores, "scores"))
    name = specs.one_name(method, "method", columns)
    return read(scores, [name]), name


def check_index(scores: DataFrame) -> None:
    """Raise unless the index names each row once.

    Raises:
        ValueError: it names one twice, as that of tables put together does.
    """
    if not scores.index.is_unique:
        raise ValueError(
            "the index of scores must name each row once; scores.reset_index(drop=True) does"
        )


@dataclass(frozen=True)
class Sample:
    """The rows of a score table that have every distance asked for."""

    table: DataFrame
    methods: list[str]
    n_errors: int

    @cached_property
    def label(self) -> ndarray:
        """Which rows are copies, bool (n,)."""
        return self.table["label"].to_numpy() == 1

    @cached_property
    def weight(self) -> ndarray:
        return tables.weights(self.table).to_numpy()

    @property
    def share_of_copies(self) -> float:
        """The share of copies among the pairs, by weight; 0 of none."""
        total = self.weight.sum() or 1.0
        return float(self.weight[self.label].sum() / total)

    @cached_property
    def sources(self) -> ndarray:
        """Number of the source of the reference and of the query, int (2, n)."""
        sides = [self.table["source_reference"], self.table["source_query"]]
        both = pd.concat(sides, ignore_index=True)
        # Sorted, so that a seed draws the same sources whatever the order of the rows.
        codes, _ = pd.factorize(both, sort=True, use_na_sentinel=False)
        return codes.reshape(2, -1)

    @property
    def n_sources(self) -> int:
        """How many sources there are; 1 of no rows."""
        return self.sources.max(initial=0) + 1

    @property
    def query(self) -> ndarray:
        """Number of each row's query, a picture with its perturbation and seed, int (n,)."""
        names = [name for name in ("query", "perturbation", "seed") if name in self.table]
        return self.table.groupby(names, sort=False).ngroup().to_numpy()

    def distance(self, method: str) -> ndarray:
        return self.table[method].to_numpy(float)

    def present(self, rows: ndarray) -> ndarray:
        """Return which sources occur in the rows where the mask is true, bool (sources,)."""
        return np.bincount(self.sources[:, rows].ravel(), minlength=self.n_sources) > 0

    def n_sources_in(self, rows: ndarray) -> int:
        """Return how many sources occur in the rows where the mask is true; 1 of none."""
        return max(int(self.present(rows).sum()), 1)


class Group(NamedTuple):
    """The pairs that one line of a table is about.

    `is_copy` and `is_other` are masks of its copies and of its non-copies, bool (n,); `sizes` holds
    n_positive, n_negative and n_sources; `smallest_fpr` is that of its lightest non-copy.
    """

    name: str
    is_copy: ndarray
    is_other: ndarray
    sizes: dict[str, int]
    smallest_fpr: float

    def refusal(self, fpr: float = 1.0) -> str:
        """Return why the pairs measure nothing, or nothing at such an FPR; empty where they do."""
        if self.sizes["n_positive"] == 0:
            return "undefined: no positives"
        if self.sizes["n_negative"] == 0:
            return "undefined: no negatives"
        if fpr < self.smallest_fpr * (1 - 1e-9):
            return f"not measurable with {counted(self.sizes['n_negative'], 'negative')}"
        return ""


def sample_groups(sample: Sample, by: str | None = None, negatives: str = "all") -> list[Group]:
    """Return the group "all", then one per value of the column `by` among the copies.

    They come in the order in which the copies' values appear.
    """
    specs.check_choice("negatives", negatives, ["all", "same"])
    others = ~sample.label
    groups = [_group(sample, "all", sample.label, others)]
    if by is None:
        return groups
    codes, names = pd.factorize(_values(sample.table, by))
    for code in pd.unique(codes[sample.label]):
        inside = codes == code
        against = others if negatives == "all" else others & inside
        groups.append(_group(sample, names[code], sample.label & inside, against))
    return groups


def _values(table: DataFrame, by: str) -> pd.Series:
    """The value of each row by which the groups are made."""
    words = f"'kind' or a column of the scores ({', '.join(map(str, table))})"
    specs.check_kind("by", by, str, words)
    column = "perturbation" if by == "kind" else by
    if column not in table:
        raise ValueError(f"by must be {words}, not {by!r}")
    if by == "kind":
        return table[column].map({spec: perturb.kind(spec) for spec in table[column].unique()})
    return table[column].astype(str)


def _group(sample: Sample, name: str, is_copy: ndarray, is_other: ndarray) -> Group:
    present = sample.present(is_copy) | sample.present(is_other)
    sizes = {
        "n_positive": int(is_copy.sum()),
        "n_negative": int(is_other.sum()),
        "n_sources": int(present.sum()),
    }
    weight = sample.weight[is_other]
    smallest_fpr = weight.min() / weight.sum() if len(weight) else np.nan
    return Group(name, is_copy, is_other, sizes, smallest_fpr)


def smallest_fpr(
    scores: DataFrame,
    methods: Sequence[str] | None = None,
    *,
    by: str | None = None,
    negatives: str = "all",
) -> DataFrame:
    """Return the smallest FPR that the pairs can measure, overall and per group: of one negative.

    Columns: group, n_positive, n_negative, n_sources, smallest_fpr: 1 / n_negative, or with weights
    the smallest negative's share of all (NaN without negatives). `methods`, `by` and `negatives`
    are those of :func:`evaluate`.
    """
    groups = sample_groups(read(scores, methods), by, negatives)
    return DataFrame(
        [
            {"group": group.name, **group.sizes, "smallest_fpr": group.smallest_fpr}
            for group in groups
        ]
    )
