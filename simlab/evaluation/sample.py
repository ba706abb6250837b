"""The usable rows of a score table as arrays, which everything else in this package computes with."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from simlab import specs, tables
from simlab.methods import registry


@dataclass(frozen=True)
class Sample:
    """The rows of a score table that have every distance asked for."""

    table: pd.DataFrame
    methods: list[str]
    n_errors: int

    @cached_property
    def label(self) -> np.ndarray:
        return self.table["label"].to_numpy() == 1

    @cached_property
    def weight(self) -> np.ndarray:
        return tables.weights(self.table).to_numpy()

    @property
    def share_of_copies(self) -> float:
        """The share of copies among the pairs, by weight; 0 of none."""
        return float(self.weight[self.label].sum() / (self.weight.sum() or 1.0))

    @cached_property
    def sources(self) -> np.ndarray:
        """Number of the source of the reference and of the query, int (2, n)."""
        sides = [self.table["source_reference"], self.table["source_query"]]
        # Sorted, so that a seed draws the same sources whatever the order of the rows.
        return pd.factorize(pd.concat(sides, ignore_index=True), sort=True, use_na_sentinel=False)[
            0
        ].reshape(2, -1)

    def distance(self, method: str) -> np.ndarray:
        return self.table[method].to_numpy(float)

    def present(self, rows: np.ndarray) -> np.ndarray:
        """Return which sources occur in the rows where the mask is true, bool (sources,)."""
        return (
            np.bincount(self.sources[:, rows].ravel(), minlength=self.sources.max(initial=0) + 1)
            > 0
        )


def read(scores: pd.DataFrame, methods: str | Iterable[str] | None = None) -> Sample:
    """Return the rows of a score table whose status is not "error" and that have every method's distance.

    Everything in this package looks at scores through here. Rows of weight 0 do not count.

    Args:
        methods: a text with commas, one name or a list of names; None for all that have a column.

    Raises:
        ValueError: as :func:`simlab.methods.columns`; a column that evaluation needs is missing, or what it holds is
            not what a pair table may hold: labels 1 and 0, weights of 0 or more, a source in every row.
    """
    methods = registry.columns(scores, methods)
    tables.check_columns(scores)
    label = tables.labels(scores)
    good = scores[methods].notna().all(axis=1)
    if "status" in scores:
        good &= scores["status"] != "error"
    counted = good & (tables.weights(scores) > 0)
    table = scores[counted].assign(label=label[counted])
    return Sample(table, methods, int((~good).sum()))


def read_one(scores: pd.DataFrame, method: str | Iterable[str]) -> tuple[Sample, str]:
    """Return the rows that have a distance by one method, and its name, which may stand in a list.

    Raises:
        ValueError: as :func:`read`, or several methods are named.
    """
    columns = list(tables.check_table(scores, "scores"))
    name = specs.one_name(method, "method", columns)
    return read(scores, [name]), name
