"""Every pair scored by a model that saw neither of its sources."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from simlab.ensemble.classifier import CopyClassifier
from simlab.tables import rank_by_hash, weights


@dataclass(frozen=True)
class Sample:
    """The usable rows of a score table as arrays.

    Attributes:
        X: distances (n, d), NaN where the method abstains. label: bool (n,). weight: (n,).
        sources: number of the source of the reference and of the query, int (2, n).
        folds: the fold of each, int (2, n).
    """

    X: np.ndarray
    label: np.ndarray
    weight: np.ndarray
    sources: np.ndarray
    folds: np.ndarray

    def fit(self, rows=slice(None)) -> CopyClassifier:
        """Return a classifier fitted to these rows."""
        return CopyClassifier().fit(self.X[rows], self.label[rows], self.weight[rows])

    def without(self, column: int) -> "Sample":
        """Return the same without a column of X."""
        return replace(self, X=np.delete(self.X, column, axis=1))

    def held_out(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (training rows, test rows) for each pair of folds; every row is tested once."""
        for f in range(self.folds.max() + 1):
            for g in range(f, self.folds.max() + 1):
                test = (self.folds.min(axis=0) == f) & (self.folds.max(axis=0) == g)
                yield ~np.isin(self.folds, (f, g)).any(axis=0), test


def sample(scores: pd.DataFrame, methods: list[str], *, folds: int, seed: int) -> Sample:
    """Return the rows of a score table, none of which has status "error", as a sample."""
    sides = [scores["source_reference"], scores["source_query"]]
    codes, names = pd.factorize(pd.concat(sides, ignore_index=True).astype(str))
    fold = {name: i % folds for i, name in enumerate(rank_by_hash(names, seed))}
    sources = codes.reshape(2, -1)
    weight = weights(scores).to_numpy()
    return Sample(
        evidence_columns(scores, methods),
        scores["label"].to_numpy() == 1,
        weight,
        sources,
        np.array([fold[name] for name in names], dtype=int)[sources],
    )


def evidence_columns(scores: pd.DataFrame, methods: list[str]) -> np.ndarray:
    """Return the distances of the methods (n, d), NaN where a method had no evidence or has no distance."""
    absent = (
        scores["no_evidence"].astype(object).fillna("").astype(str).str.split(";")
        if "no_evidence" in scores
        else None
    )
    columns = []
    for method in methods:
        distance = scores[method].to_numpy(float)
        if absent is not None:
            distance = np.where([method in names for names in absent], np.nan, distance)
        columns.append(distance)
    return np.column_stack(columns)


def out_of_fold(data: Sample, keep: np.ndarray | None = None) -> np.ndarray:
    """Return the log-likelihood ratio of every row from a model without the folds of its two sources.

    Args:
        keep: bool (n,), rows that may be trained on.

    Raises:
        ValueError: too few sources: without two folds, copies or non-copies are missing.
    """
    evidence = np.full(len(data.label), np.nan)
    for train, test in data.held_out():
        if not test.any():
            continue
        train = train if keep is None else train & keep
        if not (data.label[train].any() and (~data.label[train]).any()):
            raise ValueError(
                f"too few sources ({data.sources.max() + 1}): with two of the folds held out, copies or non-copies"
                " are missing; add pictures or pairs (or lower folds, 3 at the least)"
            )
        evidence[test] = data.fit(train).evidence(data.X[test]).sum(axis=1)
    return evidence


def resampled_weights(model: CopyClassifier, data: Sample, *, n: int, seed: int) -> np.ndarray:
    """Return weights of the methods (n, d), refitted to resampled sources; the calibrations stay."""
    evidence = model.calibrated(data.X)
    draws = [
        model.solve(evidence[r], data.label[r], w[r])[1:] for r, w in _resamples(data, n, seed)
    ]
    return np.array(draws).reshape(-1, data.X.shape[1])


def _resamples(data: Sample, n: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows that were drawn, and the weight of every row, in resamples of the sources that have both classes."""
    rng = np.random.default_rng([seed, 0xE5])
    n_sources = data.sources.max() + 1
    for _ in range(n):
        # a pair of two sources counts as often as both were drawn; a pair within one source as often as it was
        times = np.bincount(rng.integers(n_sources, size=n_sources), minlength=n_sources)[
            data.sources
        ]
        weight = data.weight * np.where(
            data.sources[0] == data.sources[1], times[0], times[0] * times[1]
        )
        rows = weight > 0
        if data.label[rows].any() and (~data.label[rows]).any():
            yield rows, weight
