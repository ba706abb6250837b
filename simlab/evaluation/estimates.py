"""One number per method, group and metric, with its interval."""

from collections.abc import Iterator, Sequence

import numpy as np
from pandas import DataFrame

from simlab import perturb, specs
from simlab.cards import shown
from simlab.evaluation.intervals import FEW, Interval, fraction_interval, recall_interval
from simlab.evaluation.metrics import METRICS, Metric, Points, parse
from simlab.evaluation.resampling import Counts, Resampler
from simlab.evaluation.sample import Group, Sample, read, sample_groups
from simlab.messages import counted
from simlab.specs import Names

COLUMNS = [
    "method",
    "group",
    "metric",
    "value",
    "low",
    "high",
    "n_positive",
    "n_negative",
    "n_sources",
    "threshold",
    "negatives",
    "note",
]
"""Columns of a metrics table."""

Record = dict[str, object]
"""A row of the metrics table, with its value under each resample as "replicates"."""


@shown
def evaluate(
    scores: DataFrame,
    methods: Names | None = None,
    *,
    by: str | None = None,
    negatives: str = "all",
    metrics: Names = METRICS,
    n_resamples: int = 1000,
    seed: int = 0,
) -> DataFrame:
    """Return the metrics table: how well each method tells copies, with 95 % intervals.

    Columns: method, group, metric, value (a fraction), low, high, n_positive, n_negative,
    n_sources, threshold (native units; where the metric has one), negatives, note. The group "all"
    comes first. A value that the pairs cannot give is NaN, and `note` says why; it also says where
    an interval is a bound from the number of sources, because no resample differs. With
    ``by="perturbation"``, columns kind and severity follow.

    Args:
        methods, metrics: a text with commas, one name or a list of names; None for all methods with
            a column.
        by: also one group per value of this column among the copies; "kind" is the kind of the
            perturbation.
        negatives: "all": every group is set against all negatives, with one threshold;
            "same": against those that have the group's value in the column `by`.
        metrics: roc_auc; average_precision; micro_average_precision (ties against the copies);
            tpr@fpr=F, at the largest observed distance whose FPR is at most F; recall@precision=P;
            equal_error_rate.
        n_resamples: resamples of the sources for the intervals; 0 for none.
        seed: of the resamples.

    Raises:
        ValueError: an unknown method, column, metric or choice of negatives.

    >>> scores = DataFrame({"label": [1, 1, 0], "source_reference": ["a", "b", "a"],
    ...                        "source_query": ["a", "b", "b"], "no_evidence": "",
    ...                        "phash": [2.0, 10.0, 8.0]})
    >>> evaluate(scores, metrics=["roc_auc", "tpr@fpr=0.01"])[["metric", "value", "note"]]
             metric  value                             note
    0       roc_auc    0.5      Wilson bound from 2 sources
    1  tpr@fpr=0.01    NaN  not measurable with 1 negative
    """
    parsed = [parse(name) for name in specs.names(metrics, "metrics")]
    sample = read(scores, methods)
    groups = sample_groups(sample, by, negatives)
    resampler = Resampler.draw(sample, n_resamples, seed)
    rows = []
    for method in sample.methods:
        rows.extend(estimates(resampler, method, groups, parsed))
    table = DataFrame(rows, columns=COLUMNS).assign(negatives=negatives)
    if by == "perturbation":
        _add_kind_and_severity(table)
    table.attrs["n_errors"] = sample.n_errors
    return table


def estimates(
    resampler: Resampler,
    method: str,
    groups: Sequence[Group],
    metrics: Sequence[Metric],
    kappa: float | None = None,
) -> Iterator[Record]:
    """Yield a row of the metrics table per group and metric."""
    exact = resampler.plain().counts(method, groups)
    drawn = resampler.counts(method, groups, kappa=kappa, at_copies=True)
    for group, data, counts in zip(groups, exact, drawn):
        for metric in metrics:
            needs_fpr = metric.limit.needs_fpr if metric.limit else 1.0
            record = {
                "method": method,
                "group": group.name,
                "metric": metric.name,
                **dict.fromkeys(("value", "low", "high", "threshold", "replicates"), np.nan),
                **group.sizes,
                "note": group.refusal(needs_fpr),
            }
            if not record["note"]:
                record |= _value(resampler.sample, method, group, metric, data)
                record["replicates"] = metric.statistic(counts)[1:]
                interval = _interval(resampler, group, metric, record, counts)
                record["low"] = interval.low[0]
                record["high"] = interval.high[0]
                remarks = _remarks(interval, resampler.sample.n_sources_in(group.is_copy))
                record["note"] = "; ".join(filter(None, [record["note"], *remarks]))
            yield record


def recalls_at(sample: Sample, fpr: float) -> dict[str, Record]:
    """Return each method's row of the recall at an FPR, with its threshold and no resamples."""
    metric = parse(f"tpr@fpr={fpr:.12g}")
    plain = Resampler.draw(sample, 0, 0)
    groups = sample_groups(sample)
    recalls = {}
    for method in sample.methods:
        (recalls[method],) = estimates(plain, method, groups, [metric])
    return recalls


def _value(sample: Sample, method: str, group: Group, metric: Metric, data: Counts) -> Record:
    """The metric's value of the data, and of a recall its threshold."""
    if metric.limit:
        value = metric.statistic(data)[0]
        place = metric.limit.last_within(data)[0]
        if place < 0:
            return {"value": value, "note": "no observed distance reaches it"}
        return {"value": value, "threshold": data.threshold[place]}
    if not metric.exact:
        return {"value": metric.statistic(data)[0]}
    if metric.ties_against_copies:
        points = _ranked_points(sample, method, group)
    else:
        points = _few_points(data)
    return {"value": metric.exact(points)}


def _ranked_points(sample: Sample, method: str, group: Group) -> Points:
    """The pairs, each with a score of its own: copies come last among equal distances."""
    rows = np.flatnonzero(group.is_copy | group.is_other)
    order = np.lexsort((sample.label[rows], sample.distance(method)[rows]))
    ranked = rows[order]
    return {
        "y_true": sample.label[ranked],
        "y_score": -np.arange(len(ranked)),
        "sample_weight": sample.weight[ranked],
    }


def _few_points(data: Counts) -> Points:
    """A few points with the ROC AUC and average precision of all the pairs.

    Non-copies between two neighbouring distances of copies are one point: a group of few copies
    costs little. Even ranks are between the copies' distances, odd ones at them.
    """
    at = np.flatnonzero(data.copies[:, 0])
    copies = data.copies[at, 0]
    below = data.others_below[at, 0]
    up_to = data.others_up_to[at, 0]
    between = np.append(below, data.n_others[0]) - np.append(0.0, up_to)
    rank_between = 2 * np.arange(len(at) + 1)
    rank_at = rank_between[:-1] + 1
    weight = np.concatenate([copies, up_to - below, between])
    score = -np.concatenate([rank_at, rank_at, rank_between])
    label = np.arange(len(weight)) < len(at)
    kept = weight > 0
    return {"y_true": label[kept], "y_score": score[kept], "sample_weight": weight[kept]}


def _interval(
    resampler: Resampler, group: Group, metric: Metric, record: Record, counts: Counts
) -> Interval:
    value = np.array([record["value"]])
    if metric.limit is None:
        return fraction_interval(resampler, value, record["replicates"][None], group.is_copy)
    error = metric.limit.error(counts)
    limits = np.array([metric.limit.most])
    return recall_interval(resampler, value, counts, error, limits, group)


def _remarks(interval: Interval, n_sources: int) -> Iterator[str]:
    """What a reader should know of an interval: that it is a bound, that few sources decide it."""
    if interval.bounded[0]:
        yield f"Wilson bound from {counted(n_sources, 'source')}"
    if interval.carriers[0] < min(FEW, n_sources / 2):
        yield f"most of the variance lies in {interval.carriers[0]:.0f} of {n_sources} sources"


def _add_kind_and_severity(table: DataFrame) -> None:
    """Add them to a metrics table by perturbation; the group "all" has the kind "all"."""
    is_one = table["group"] != "all"
    used = table["group"].where(is_one, "")
    table["kind"] = used.map(perturb.kind).where(is_one, "all")
    table["severity"] = used.map(perturb.severity).astype(float).where(is_one)
