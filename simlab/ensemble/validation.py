"""Every pair scored by a model that saw neither of its sources."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy import ndarray
from pandas import DataFrame
from scipy.special import logit

from simlab import tables
from simlab.ensemble.calibration import nonnegative_logistic
from simlab.ensemble.weighing import WeighedEvidence
from simlab.perturb import kind
from simlab.tables import Columns

MANY_ROWS = 100_000
"""Rows that are resampled; of more, so many are taken: intervals are wider, if anything."""


@dataclass(frozen=True)
class FoldedRows:
    """The usable rows of a score table as arrays, each source in a fold.

    Attributes:
        X: distances (n, d), NaN where the method abstains.
        label: bool (n,).
        weight: (n,).
        kinds: kind of the perturbation, text (n,).
        sources: number of the source of the reference and of the query, int (2, n).
        folds: the fold of each, int (2, n).
    """

    X: ndarray
    label: ndarray
    weight: ndarray
    kinds: ndarray
    sources: ndarray
    folds: ndarray

    @property
    def n_sources(self) -> int:
        return int(self.sources.max()) + 1

    def fit(self, rows=slice(None)) -> WeighedEvidence:
        """Return the calibrations and weights fitted to these rows."""
        return WeighedEvidence().learn(self.X[rows], self.label[rows], self.weight[rows])

    def without(self, column: int) -> "FoldedRows":
        """Return the same without a column of X."""
        return replace(self, X=np.delete(self.X, column, axis=1))

    def with_share_of_copies(self, share: float) -> "FoldedRows":
        """Return the same, weighed so that copies have this share of all weight."""
        now = self.weight[self.label].sum() / self.weight.sum()
        factor = np.where(self.label, share / now, (1 - share) / (1 - now))
        return replace(self, weight=self.weight * factor)

    def has_both_classes(self, rows: ndarray) -> bool:
        """Return whether there are copies and non-copies where the mask is true."""
        return bool(self.label[rows].any() and (~self.label[rows]).any())

    def held_out(self) -> Iterator[tuple[ndarray, ndarray]]:
        """Yield (training rows, test rows) for each pair of folds; every row is tested once."""
        lower = self.folds.min(axis=0)
        upper = self.folds.max(axis=0)
        n_folds = self.folds.max() + 1
        for first in range(n_folds):
            for second in range(first, n_folds):
                touched = np.isin(self.folds, (first, second)).any(axis=0)
                yield ~touched, (lower == first) & (upper == second)


def usable(scores: DataFrame, methods: list[str]) -> DataFrame:
    """Return the rows that count: of some weight, and no error.

    Raises:
        ValueError: a column is missing or holds what a score table may not, a distance is NaN or
            infinite, or a class is missing.
    """
    rows = tables.without_errors(scores)
    rows = rows[tables.weights(rows) > 0]
    for name in methods:
        if not np.isfinite(rows[name].to_numpy(float)).all():
            raise ValueError(
                f"the distance {name!r} is NaN or infinite in a row whose status is not 'error'"
            )
    tables.check_both(rows["label"])
    return rows


def folded_rows(scores: DataFrame, methods: list[str], *, folds: int, seed: int) -> FoldedRows:
    """Return usable rows of a score table as arrays, their sources dealt out into folds."""
    sides = [scores["source_reference"], scores["source_query"]]
    codes, names = pd.factorize(pd.concat(sides, ignore_index=True).astype(str))
    sources = codes.reshape(2, -1)
    place = {name: number for number, name in enumerate(tables.rank_by_hash(names, seed))}
    spec = scores.get("perturbation", pd.Series("", scores.index)).astype(str)
    fold_of_source = np.array([place[name] % folds for name in names], dtype=int)
    return FoldedRows(
        X=voting_distances(scores, methods),
        label=scores["label"].to_numpy() == 1,
        weight=tables.weights(scores).to_numpy(),
        kinds=spec.map({one: kind(one) for one in spec.unique()}).to_numpy(),
        sources=sources,
        folds=fold_of_source[sources],
    )


def voting_distances(scores: Columns, methods: list[str]) -> ndarray:
    """Return the distances of the methods (n, d), NaN where one had no evidence or no distance."""
    distances = np.column_stack([np.array(scores[name], dtype=float) for name in methods])
    for row, text in enumerate(scores.get("no_evidence", ())):
        # a CSV gives a column of empty texts back as one of missing numbers
        if isinstance(text, str) and text:
            absent = text.split(";")
            distances[row, [name in absent for name in methods]] = np.nan
    return distances


def out_of_fold(rows: FoldedRows, keep: ndarray | None = None) -> ndarray:
    """Return the log-likelihood ratio of every row from a model without the folds of its sources.

    Args:
        keep: bool (n,), rows that may be trained on.

    Raises:
        ValueError: too few sources: without two folds, copies or non-copies are missing.
    """
    evidence = np.full(len(rows.label), np.nan)
    for untouched, test in rows.held_out():
        if not test.any():
            continue
        train = untouched if keep is None else untouched & keep
        if not rows.has_both_classes(train):
            raise ValueError(
                f"too few sources ({rows.n_sources}): with two of the folds held out, copies or"
                " non-copies are missing; add pictures or pairs (or lower folds, 3 at the least)"
            )
        evidence[test] = rows.fit(train).evidence(rows.X[test]).sum(axis=1)
    return evidence


def tempering(rows: FoldedRows, held_out: ndarray) -> tuple[float, float]:
    """Return the slope and the offset (nats) that make out-of-fold evidence no surer than right.

    A fit is surer of the pairs that it saw than of new ones, most of all where copies are rare and
    few pairs decide. The slope is at most 1: nothing is made surer than the fit was.

    Args:
        held_out: what :func:`out_of_fold` returns.

    Source: J. Platt, "Probabilistic outputs for support vector machines", 1999.
    """
    basis = np.column_stack([np.ones(len(held_out)), held_out])
    penalty = np.diag([1e-6, 1e-6])
    lower = np.array([-np.inf, 0.01])  # near copies stay apart, however little is left of them
    intercept, slope = nonnegative_logistic(basis, rows.label, rows.weight, penalty, lower)
    if slope >= 1:
        return 1.0, 0.0
    share_of_copies = rows.weight[rows.label].sum() / rows.weight.sum()
    return float(slope), float(intercept - logit(share_of_copies))


def resampled_weights(model: WeighedEvidence, rows: FoldedRows, *, n: int, seed: int) -> ndarray:
    """Return weights (n, d), refitted to resampled sources; the calibrations stay.

    A resample without copies or without non-copies is passed over.
    """
    every = slice(None, None, -(-len(rows.label) // MANY_ROWS))
    taken = replace(
        rows,
        X=rows.X[every],
        label=rows.label[every],
        weight=rows.weight[every],
        sources=rows.sources[:, every],
    )
    evidence = model.calibrated(taken.X)
    # each begins with the weights of all, near which it ends: to a hundredth is enough for a width
    options = {"start": model.solve(evidence, taken.label, taken.weight), "tolerance": 0.01}
    rng = np.random.default_rng([seed, 0xE5])
    weights = []
    for _ in range(n):
        weight = _resampled(taken, rng, rows.n_sources)
        drawn = weight > 0
        if taken.has_both_classes(drawn):
            fitted = model.solve(evidence[drawn], taken.label[drawn], weight[drawn], **options)
            weights.append(fitted[1:])
    return np.array(weights).reshape(-1, rows.X.shape[1])


def _resampled(rows: FoldedRows, rng: np.random.Generator, n_sources: int) -> ndarray:
    """The weight of every row in a resample of the sources (n,)."""
    draws = np.bincount(rng.integers(n_sources, size=n_sources), minlength=n_sources)
    reference, query = draws[rows.sources]
    # a pair of two sources counts as often as both were drawn; one within a source as often as that
    within = rows.sources[0] == rows.sources[1]
    return rows.weight * np.where(within, reference, reference * query)
