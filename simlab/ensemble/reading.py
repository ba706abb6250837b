"""What a fit says about itself: the weights, whether they pay, how reliable the probability is.

Everything is computed from plain data: the rows with their folds, and their score table with the
out-of-fold distance in the column "ensemble".
"""

import contextlib
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray
from pandas import DataFrame

from simlab import evaluation, tables
from simlab.cards import shown
from simlab.ensemble import validation
from simlab.ensemble.validation import FoldedRows
from simlab.ensemble.weighing import WeighedEvidence
from simlab.evaluation.intervals import wilson
from simlab.messages import counted
from simlab.methods import registry
from simlab.tables import FITTED

METRICS = {"0.01": "tpr@fpr=0.01", "0.001": "tpr@fpr=0.001"}
"""For these false positive rates a recipe holds thresholds, where there are enough non-copies."""


def metric_for(rows: FoldedRows) -> str:
    """Return what methods are compared by: TPR at FPR .01, or ROC AUC of too few non-copies."""
    others = rows.weight[~rows.label]
    smallest_fpr = others.min() / others.sum()
    return METRICS["0.01"] if smallest_fpr <= 0.01 * (1 + 1e-9) else "roc_auc"


@shown
def weights(
    methods: list[str], model: WeighedEvidence, rows: FoldedRows, *, n_resamples: int, seed: int
) -> DataFrame:
    """Return the table method, weight, share, low, high (95 % interval of the share)."""
    table = DataFrame({"method": methods, "weight": model.coef_, "share": shares(model.coef_)})
    drawn = validation.resampled_weights(model, rows, n=n_resamples, seed=seed)
    if not len(drawn):
        return table.assign(low=np.nan, high=np.nan)
    low, high = np.quantile(shares(drawn), [0.025, 0.975], axis=0)
    return table.assign(low=low, high=high)


def shares(weights: ndarray) -> ndarray:
    """Return the weights divided by their sum along the last axis; all 0 where the sum is."""
    total = weights.sum(axis=-1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)


def against_best_single(
    scores: DataFrame, methods: list[str], comparing: Mapping[str, Any]
) -> dict[str, Any]:
    """Return best (single method), ensemble and single (their metric), difference, low, high.

    The best single method is the best on these very pairs: the choice is in its favour.

    Args:
        comparing: metric, n_resamples and seed, as for :func:`simlab.evaluation.compare`.
    """
    metrics = [comparing["metric"]]
    singles = evaluation.evaluate(scores, methods, metrics=metrics, n_resamples=0)
    best = singles["method"][singles["value"].argmax()]
    among = [*methods, FITTED]
    compared = _against(scores, best, among=among, **comparing)
    return {"best": best, **compared.rename({"a": "ensemble", "b": "single"}).to_dict()}


def _against(scores, other, **options) -> pd.Series:
    """The ensemble (a) and another column of the table (b): a, b, difference, low, high."""
    compared = evaluation.compare(scores, FITTED, other, **options)
    return compared.iloc[0][["a", "b", "difference", "low", "high"]].astype(float)


@shown
def ablation(
    scores: DataFrame, methods: list[str], rows: FoldedRows, comparing: Mapping[str, Any]
) -> DataFrame:
    """Return the table method, without (metric without it, out of fold), loss, low, high."""
    found = []
    for column, method in enumerate(methods):
        without = -validation.out_of_fold(rows.without(column))
        compared = _against(
            scores.assign(without=without), "without", n_comparisons=len(methods), **comparing
        )
        found.append({"method": method, **compared})
    names = {"b": "without", "difference": "loss"}
    return DataFrame(found).drop(columns="a").rename(columns=names)


def unseen_kinds(scores: DataFrame, rows: FoldedRows, metric: str) -> DataFrame:
    """Return the table kind, n_positive, known and unseen: the metric with it and without it.

    Unseen is NaN where what is left is too little to train on.
    """
    found = []
    for name in pd.unique(rows.kinds[rows.label]):
        steps = set(name.split("+"))
        keep = np.array([not steps <= set(other.split("+")) for other in rows.kinds])
        distances = {FITTED: scores[FITTED].to_numpy()}
        with contextlib.suppress(ValueError):  # nearly every copy has it
            distances["unseen"] = -validation.out_of_fold(rows, keep)
        shown = ~rows.label | (rows.kinds == name)
        table = scores.assign(**distances)[shown]
        measured = evaluation.evaluate(table, list(distances), metrics=[metric], n_resamples=0)
        by_column = measured.set_index("method")["value"].reindex([FITTED, "unseen"])
        found.append((name, measured["n_positive"].iloc[0], *by_column))
    return DataFrame(found, columns=["kind", "n_positive", "known", "unseen"])


@shown
def reliability(probability: ndarray, rows: FoldedRows, bins: int) -> DataFrame:
    """Return the table left, right, predicted, observed, low, high, n: a row a bin of probability.

    Args:
        probability: of a copy, out of fold, float (n,).
    """
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.digitize(probability, edges) - 1, 0, bins - 1)
    total = np.bincount(place, rows.weight, bins)
    with np.errstate(invalid="ignore"):  # an empty bin is NaN
        predicted = np.bincount(place, rows.weight * probability, bins) / total
        observed = np.bincount(place, rows.weight * rows.label, bins) / total
    n_pairs = np.bincount(place, minlength=bins)
    n_sources = [np.unique(rows.sources[:, place == number]).size for number in range(bins)]
    low, high = wilson(observed, np.minimum(n_pairs, n_sources).clip(1), 1.96)
    names = ["left", "right", "predicted", "observed", "low", "high", "n"]
    columns = [edges[:-1], edges[1:], predicted, observed, low, high, n_pairs]
    return DataFrame(dict(zip(names, columns)))


def thresholds(scores: DataFrame) -> dict[str, float]:
    """Return the ensemble's distance by false positive rate, where the non-copies are enough."""
    metrics = list(METRICS.values())
    found = evaluation.evaluate(scores, [FITTED], metrics=metrics, n_resamples=0)
    by_metric = found.set_index("metric")["threshold"]
    attainable = {}
    for fpr, metric in METRICS.items():
        if np.isfinite(by_metric[metric]):
            attainable[fpr] = float(by_metric[metric])
    return attainable


def training(scores: DataFrame, methods: list[str], rows: FoldedRows) -> dict[str, Any]:
    """Return what was fitted to: counts, the kinds of perturbation, a digest of the table."""
    kept = [name for name in (*tables.PAIR_COLUMNS, *methods) if name in scores]
    # to seven digits: the last ones of a distance differ from machine to machine
    content = scores[kept].astype(dict.fromkeys(methods, np.float32))
    of_rows = pd.util.hash_pandas_object(content, index=False).to_numpy()
    named = " ".join(kept).encode("utf-8", "surrogatepass")
    return {
        "n_pairs": len(scores),
        "n_copies": int(rows.label.sum()),
        "n_sources": rows.n_sources,
        "perturbations": sorted(set(rows.kinds)),
        "digest": hashlib.sha256(named + of_rows.tobytes()).hexdigest(),
    }


def report(metric: str, comparison: Mapping[str, Any], weights: DataFrame, rows: FoldedRows) -> str:
    """Return a fit in words, a line each: whether it pays, what it rests on, every share."""
    verdict = "beats" if comparison["low"] > 0 else "does not beat"
    lines = [
        f"The ensemble {verdict} the best single method, {comparison['best']}:"
        f" {metric} {comparison['ensemble']:.3f} against {comparison['single']:.3f},"
        f" difference {comparison['difference']:+.3f}"
        f" (95 % {comparison['low']:+.3f} to {comparison['high']:+.3f}), out of fold.",
        f"{counted(len(rows.label), 'pair')}, {counted(int(rows.label.sum()), 'copy', 'copies')},"
        f" {counted(rows.n_sources, 'source')};"
        " no pair is scored by a model that saw either of its sources"
        f"{_condition(weights['method'])}; two numbers, by which all answers are tempered alike,"
        " come from all pairs.",
    ]
    for row in weights.itertuples():
        lines.append(f"{row.share:5.0%} {row.method} ({row.low:.0%} to {row.high:.0%})")
    return "\n".join(lines)


def _condition(methods: pd.Series) -> str:
    """What the promise depends on: columns of which it is not known how they were made."""
    others = [name for name in methods if not registry.is_spec(name)]
    if not others:
        return ""
    return f", if {', '.join(others)} (no methods of simlab) were not fitted to these pairs"
