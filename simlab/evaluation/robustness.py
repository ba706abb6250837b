"""Where methods break, how they complete each other, what they say of labels and of queries."""

import itertools

import numpy as np
from numpy import ndarray
from pandas import DataFrame

from simlab import perturb, specs
from simlab.cards import shown
from simlab.evaluation.estimates import Record, estimates, recalls_at
from simlab.evaluation.intervals import TAILS, fraction_interval
from simlab.evaluation.metrics import parse
from simlab.evaluation.resampling import Resampler
from simlab.evaluation.sample import Sample, read, sample_groups
from simlab.specs import Names

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


@shown
def break_points(
    scores: DataFrame,
    methods: Names | None = None,
    *,
    metric: str = "tpr@fpr=0.01",
    target: float = 0.95,
    n_resamples: int = 1000,
    seed: int = 0,
) -> DataFrame:
    """Return the severity at which each method's recall falls under `target`, on each curve.

    A curve is a kind of perturbation that goes one way while one argument moves, such as
    "brightness darker" or "crop(resize_back=True)": see :func:`simlab.perturb.curves`.

    Columns: method, kind, curve, break_point (severity; between two severities tested, by a
    straight line, from 1 at severity 0), low, high (95 % interval by source), strongest (severity
    tested), n_severities, note. A recall that stays up has no break point; nor does its interval's
    end; nor a curve of one severity. The curves themselves are those of
    :func:`simlab.evaluation.evaluate` with ``by="perturbation"``.

    Raises:
        ValueError: an unknown method or metric.
    """
    specs.check_number("target", target, 0, 1)
    parsed = parse(metric)
    sample = read(scores, methods)
    resampler = Resampler.draw(sample, n_resamples, seed)
    groups = sample_groups(sample, "perturbation")
    curves = perturb.curves(group.name for group in groups[1:])
    rows = []
    for method in sample.methods:
        _, *records = estimates(resampler, method, groups, [parsed])
        by_spec = {record["group"]: record for record in records}
        for curve in curves:
            on_curve = [by_spec[spec] for spec in curve.specs]
            found = _break_point(on_curve, np.array(curve.severities), target)
            rows.append({"method": method, "kind": curve.kind, "curve": curve.name, **found})
    # A recall that stays up falls under the target at infinity.
    return DataFrame(rows, columns=BREAK_POINTS).replace(np.inf, np.nan)


def _break_point(records: list[Record], severities: ndarray, target: float) -> Record:
    """Where the recall first falls under the target, for severities ascending."""
    n_severities = len(np.unique(severities))
    found = {"strongest": severities[-1], "n_severities": n_severities, "note": "one severity"}
    if n_severities == 1:
        return found
    unmeasured = [record["note"] for record in records if np.isnan(record["value"])]
    if unmeasured:
        return {**found, "note": max(unmeasured)}
    values = [record["value"] for record in records]
    replicates = [record["replicates"] for record in records]
    recall = np.column_stack([values, np.vstack(replicates)])
    recall_of_none = np.ones(recall.shape[1])
    point = _crossing(np.append(0.0, severities), np.vstack([recall_of_none, recall]), target)
    note = "" if np.isfinite(point[0]) else f"{target:g} or more up to the strongest"
    found |= {"break_point": point[0], "note": note}
    if len(point) > 1:
        found["low"], found["high"] = np.quantile(point[1:], TAILS, method="nearest")
    return found


def _crossing(severity: ndarray, recall: ndarray, target: float) -> ndarray:
    """Where each column of the recalls first falls under the target; infinite where it does not.

    Between two severities the recall is a straight line.
    """
    is_under = recall < target
    at = is_under.argmax(axis=0).clip(min=1)
    column = np.arange(recall.shape[1])
    before = recall[at - 1, column]
    after = recall[at, column]
    share = (before - target) / np.where(before > after, before - after, 1)
    crossing = severity[at - 1] + share * (severity[at] - severity[at - 1])
    return np.where(is_under.any(axis=0), crossing, np.inf)


@shown
def complementarity(
    scores: DataFrame,
    methods: Names | None = None,
    *,
    fpr: float = 0.01,
    n_resamples: int = 1000,
    seed: int = 0,
) -> DataFrame:
    """Return which share of the copies that one method misses another finds, both at the same FPR.

    Columns: method, other, n_misses (of `method`), share (found by `other`), low, high (95 %
    interval by source, for the thresholds as they are), note.

    Raises:
        ValueError: an unknown method or an FPR outside (0, 1).
    """
    specs.check_share("fpr", fpr)
    sample = read(scores, methods)
    resampler = Resampler.draw(sample, n_resamples, seed)
    recalls = recalls_at(sample, fpr)
    missed = {}
    for method, recall in recalls.items():
        is_found = sample.distance(method) <= recall["threshold"]
        missed[method] = sample.label & ~is_found
    rows = []
    for method, other in itertools.permutations(sample.methods, 2):
        lost = missed[method]
        note = "" if lost.any() else "misses nothing"
        if np.isnan(recalls[method]["value"]):
            note = recalls[method]["note"]
        found_by_other = ~missed[other][lost]
        share = resampler.mean(found_by_other, sample.sources[0, lost], sample.weight[lost])
        if note:
            share = np.full_like(share, np.nan)
        interval = fraction_interval(resampler, share[:1], share[None, 1:], lost)
        n_misses = lost.sum()
        rows.append([method, other, n_misses, share[0], interval.low[0], interval.high[0], note])
    columns = ["method", "other", "n_misses", "share", "low", "high", "note"]
    return DataFrame(rows, columns=columns)


@shown
def query_average_precision(
    scores: DataFrame,
    methods: Names | None = None,
    *,
    n_resamples: int = 1000,
    seed: int = 0,
) -> DataFrame:
    """Return the mean over queries of each one's own average precision, with its interval.

    A query is a picture with its perturbation and seed; those without a copy or without a non-copy
    say nothing. Columns: method, value, low, high, n_queries, n_left_out.

    >>> scores = DataFrame({"query": ["a", "a", "b", "b"], "label": [1, 0, 1, 0],
    ...                        "source_reference": [*"abba"], "source_query": [*"aabb"],
    ...                        "no_evidence": "", "phash": [2.0, 10.0, 8.0, 4.0]})
    >>> query_average_precision(scores)[["value", "n_queries"]]
       value  n_queries
    0   0.75          2
    """
    sample = read(scores, methods)
    resampler = Resampler.draw(sample, n_resamples, seed)
    query = sample.query
    n_copies = np.bincount(query, sample.label, minlength=1)
    n_pairs = np.bincount(query, minlength=1)
    says_something = (n_copies > 0) & (n_copies < n_pairs)
    n_queries = says_something.sum()
    n_left_out = (n_pairs > 0).sum() - n_queries
    source = np.zeros(len(n_pairs), int)
    source[query] = sample.sources[1]
    rows = []
    for method in sample.methods:
        precision = _each_average_precision(sample, method, query)[says_something]
        value = resampler.mean(precision, source[says_something], np.ones(n_queries))
        copies = sample.label & says_something[query]
        interval = fraction_interval(resampler, value[:1], value[None, 1:], copies)
        rows.append(
            {
                "method": method,
                "value": value[0],
                "low": interval.low[0],
                "high": interval.high[0],
                "n_queries": n_queries,
                "n_left_out": n_left_out,
            }
        )
    return DataFrame(rows)


def _each_average_precision(sample: Sample, method: str, query: ndarray) -> ndarray:
    """Average precision of each query, ties together; 0 where it has no copy."""
    distance = sample.distance(method)
    pairs = DataFrame({"query": query, "distance": distance, "called": sample.weight})
    pairs["found"] = sample.weight * sample.label
    steps = pairs.groupby(["query", "distance"]).sum()
    up_to = steps.groupby("query").cumsum()
    by_query = steps.index.get_level_values("query")
    area = np.bincount(by_query, steps["found"] * up_to["found"] / up_to["called"], minlength=1)
    copies = np.bincount(by_query, steps["found"], minlength=1)
    return area / np.maximum(copies, 1e-300)


def label_audit(
    scores: DataFrame, methods: Names | None = None, *, least: float = 0.9
) -> DataFrame:
    """Return the score rows whose label every method contradicts, the strongest first.

    They are wrong labels, or hidden duplicates. Two columns come before those of `scores`: finding
    ("copy unlike its reference" or "non-copy like a copy") and strength, the lowest over the
    methods: with a miss rate of m and an FPR of f at the pair's distance, f / (f + m) for a copy
    and m / (f + m) for a non-copy; over .5, the distance is on the wrong side of equal error rates.
    The index is that of `scores`.

    Args:
        least: smallest strength listed, in [0, 1].

    >>> scores = DataFrame({"label": [1, 1, 1, 0, 0], "source_reference": [*"aabab"],
    ...                        "source_query": [*"aabbc"], "no_evidence": "",
    ...                        "phash": [2.0, 3.0, 9.0, 1.0, 8.0]})
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
        contradicting = np.where(sample.label, false, miss)
        strength = np.minimum(strength, contradicting / (false + miss))
    finding = np.where(sample.label, "copy unlike its reference", "non-copy like a copy")
    table = sample.table.assign(finding=finding, strength=strength)
    table = table[["finding", "strength", *sample.table]]
    return table[strength >= least].sort_values("strength", ascending=False, kind="stable")


def _share_up_to(distance: ndarray, weight: ndarray) -> ndarray:
    """The share of the weight at or below each distance."""
    order = np.argsort(distance)
    up_to = np.cumsum(weight[order])
    place = np.searchsorted(distance[order], distance, "right") - 1
    return up_to[place] / (weight.sum() or 1.0)
