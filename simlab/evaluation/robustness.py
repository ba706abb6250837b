"""Where methods break and how they complete each other: break points, complementarity, label audit, queries."""

import itertools
from collections.abc import Iterable

import numpy as np
import pandas as pd

from simlab import perturb, specs
from simlab.evaluation.metrics import Measure, estimates, sample_groups
from simlab.evaluation.resampling import Resampler
from simlab.evaluation.sample import Sample, read

BREAK_POINTS = [
    "method",
    "kind",
    "curve",
    "break_point",
    "low",
    "high",
    "strongest",
    "n_severities",
    "note",
]


def break_points(
    scores: pd.DataFrame,
    methods: str | Iterable[str] | None = None,
    *,
    metric: str = "tpr@fpr=0.01",
    target: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the severity at which each method's recall falls under `target`, on each curve of perturbations.

    A curve is a kind of perturbation that goes one way while one argument moves, such as "brightness darker" or
    "crop(resize_back=True)": see :func:`simlab.perturb.curves`.

    Columns: method, kind, curve, break_point (severity; between two severities tested, by a straight line, from 1 at
    severity 0), low, high (95 % interval by source), strongest (severity tested), n_severities, note. A recall that
    stays up has no break point; nor does its interval's end; nor a curve of one severity. The curves themselves are
    those of :func:`simlab.evaluation.evaluate` with ``by="perturbation"``.

    Raises:
        ValueError: an unknown method or metric.
    """
    specs.check_number("target", target, 0, 1)
    measure, sample, rows = Measure.parse(metric), read(scores, methods), []
    resampler = Resampler.draw(sample, n_resamples, seed)
    groups = sample_groups(sample, "perturbation")
    lines = perturb.curves(group.name for group in groups[1:])
    for method in sample.methods:
        records = list(estimates(resampler, method, groups, [measure]))
        by_spec = {record["group"]: record for record in records[1:]}
        for curve in lines:
            on_it = [by_spec[spec] for spec in curve.specs]
            found = _break_point(on_it, np.array(curve.severities), target)
            rows.append({"method": method, "kind": curve.kind, "curve": curve.name, **found})
    return pd.DataFrame(rows, columns=BREAK_POINTS)


def _break_point(
    records: list[dict[str, object]], severities: np.ndarray, target: float
) -> dict[str, object]:
    """Where the recall first falls under the target, for severities ascending."""
    found = dict.fromkeys(("break_point", "low", "high"), np.nan)
    values = np.array([record["value"] for record in records])
    n_severities = len(np.unique(severities))
    note = "one severity"
    if n_severities > 1 and np.isnan(values).any():
        note = max(record["note"] for record in records if np.isnan(record["value"]))
    elif n_severities > 1:
        replicates = np.vstack([record["replicates"] for record in records])
        recall = np.column_stack([values, replicates])
        at_none = np.ones(recall.shape[1])
        point = _crossing(np.append(0.0, severities), np.vstack([at_none, recall]), target)
        ends = [np.nan, np.nan]
        if len(point) > 1:
            ends = np.quantile(point[1:], [0.025, 0.975], method="nearest")
        where = [point[0], *ends]
        found = {name: np.nan if np.isinf(end) else end for name, end in zip(found, where)}
        note = "" if np.isfinite(point[0]) else f"{target:g} or more up to the strongest"
    return {**found, "strongest": severities[-1], "n_severities": n_severities, "note": note}


def _crossing(x: np.ndarray, y: np.ndarray, target: float) -> np.ndarray:
    """Where each column of y, over x, first falls under the target, by a straight line; infinite where it does not."""
    under = y < target
    at, column = under.argmax(axis=0).clip(min=1), np.arange(y.shape[1])
    above, below = y[at - 1, column], y[at, column]
    share = (above - target) / np.where(above > below, above - below, 1)
    return np.where(under.any(axis=0), x[at - 1] + share * (x[at] - x[at - 1]), np.inf)


def complementarity(
    scores: pd.DataFrame,
    methods: str | Iterable[str] | None = None,
    *,
    fpr: float = 0.01,
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return which share of the copies that one method misses another finds, both at the same FPR.

    Columns: method, other, n_misses (of `method`), share (found by `other`), low, high (95 % interval by source, for
    the thresholds as they are), note.

    Raises:
        ValueError: an unknown method or an FPR outside (0, 1).
    """
    specs.check_number("fpr", fpr, 0, 1, within=True)
    measure, sample = Measure.parse(f"tpr@fpr={fpr:.12g}"), read(scores, methods)
    (group,), resampler = sample_groups(sample), Resampler.draw(sample, n_resamples, seed)
    points = {m: next(estimates(resampler.plain(), m, [group], [measure])) for m in sample.methods}
    missed = {
        m: sample.label & ~(sample.distance(m) <= point["threshold"]) for m, point in points.items()
    }
    rows = []
    for method, other in itertools.permutations(sample.methods, 2):
        lost, point = missed[method], points[method]
        refusal = (
            point["note"] if np.isnan(point["value"]) else "" if lost.any() else "misses nothing"
        )
        found = resampler.mean(~missed[other][lost], sample.sources[0, lost], sample.weight[lost])
        found = np.where(refusal, np.nan, found)
        interval = resampler.interval(found[:1], found[None, 1:], lost)
        share = {"share": found[0], "low": interval.low[0], "high": interval.high[0]}
        rows.append(
            {"method": method, "other": other, "n_misses": lost.sum(), **share, "note": refusal}
        )
    columns = ["method", "other", "n_misses", "share", "low", "high", "note"]
    return pd.DataFrame(rows, columns=columns)


def query_average_precision(
    scores: pd.DataFrame,
    methods: str | Iterable[str] | None = None,
    *,
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the mean over queries of each query's own average precision, with its interval by source.

    A query is a picture with its perturbation and seed; those without a copy or without a non-copy say nothing.
    Columns: method, value, low, high, n_queries, n_left_out.

    >>> scores = pd.DataFrame({"query": ["a", "a", "b", "b"], "label": [1, 0, 1, 0], "source_reference": [*"abba"],
    ...                        "source_query": [*"aabb"], "no_evidence": "", "phash": [2.0, 10.0, 8.0, 4.0]})
    >>> query_average_precision(scores)[["value", "n_queries"]]
       value  n_queries
    0   0.75          2
    """
    sample = read(scores, methods)
    resampler = Resampler.draw(sample, n_resamples, seed)
    names = [name for name in ("query", "perturbation", "seed") if name in sample.table]
    query = sample.table.groupby(names, sort=False).ngroup().to_numpy()
    copies, pairs = np.bincount(query, sample.label, minlength=1), np.bincount(query, minlength=1)
    told, source, rows = (copies > 0) & (copies < pairs), np.zeros(len(copies), int), []
    source[query] = sample.sources[1]
    counted = {"n_queries": told.sum(), "n_left_out": (pairs > 0).sum() - told.sum()}
    for method in sample.methods:
        value = resampler.mean(
            _each_average_precision(sample, method, query)[told], source[told], np.ones(told.sum())
        )
        low, high, *_ = resampler.interval(value[:1], value[None, 1:], sample.label & told[query])
        rows.append(
            {"method": method, "value": value[0], "low": low[0], "high": high[0], **counted}
        )
    return pd.DataFrame(rows)


def _each_average_precision(sample: Sample, method: str, query: np.ndarray) -> np.ndarray:
    """Average precision of each query, ties together; 0 where it has no copy."""
    pairs = pd.DataFrame(
        {"query": query, "distance": sample.distance(method), "called": sample.weight}
    )
    steps = pairs.assign(found=sample.weight * sample.label).groupby(["query", "distance"]).sum()
    up_to, by_query = steps.groupby("query").cumsum(), steps.index.get_level_values("query")
    area = np.bincount(by_query, steps["found"] * up_to["found"] / up_to["called"], minlength=1)
    return area / np.maximum(np.bincount(by_query, steps["found"], minlength=1), 1e-300)


def label_audit(
    scores: pd.DataFrame, methods: str | Iterable[str] | None = None, *, least: float = 0.9
) -> pd.DataFrame:
    """Return the score rows whose label every method contradicts, strongest first: wrong labels, hidden duplicates.

    Two columns come before those of `scores`: finding ("copy unlike its reference" or "non-copy like a copy") and
    strength, the lowest over the methods: with a miss rate of m and an FPR of f at the pair's distance, f / (f + m)
    for a copy and m / (f + m) for a non-copy; over .5, the distance is on the wrong side of equal error rates. The
    index is that of `scores`.

    Args:
        least: smallest strength listed, in [0, 1].

    >>> scores = pd.DataFrame({"label": [1, 1, 1, 0, 0], "source_reference": [*"aabab"], "source_query": [*"aabbc"],
    ...                        "no_evidence": "", "phash": [2.0, 3.0, 9.0, 1.0, 8.0]})
    >>> label_audit(scores, least=0.5)[["finding", "strength"]].round(2)
                         finding  strength
    2  copy unlike its reference      0.75
    3       non-copy like a copy      0.67
    """
    specs.check_number("least", least, 0, 1)
    sample = read(scores, methods)
    strength = np.ones(len(sample.table))
    for method in sample.methods:
        distance = sample.distance(method)
        false = _share_up_to(distance, sample.weight * ~sample.label)
        miss = _share_up_to(-distance, sample.weight * sample.label)
        strength = np.minimum(strength, np.where(sample.label, false, miss) / (false + miss))
    finding = np.where(sample.label, "copy unlike its reference", "non-copy like a copy")
    table = sample.table.assign(finding=finding, strength=strength)[
        ["finding", "strength", *sample.table]
    ]
    return table[strength >= least].sort_values("strength", ascending=False, kind="stable")


def _share_up_to(distance: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The share of the weight at or below each distance."""
    order = np.argsort(distance)
    total = np.cumsum(weight[order])
    return total[np.searchsorted(distance[order], distance, "right") - 1] / (weight.sum() or 1.0)
